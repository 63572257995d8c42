"""Whether a machine is the one that it was: OpenSSH's known_hosts files, read as OpenSSH reads them.

An unknown machine is refused, for whoever answers in its place would get the login and the deployment's secrets.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from paramiko import HostKeys, PKey
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey
from paramiko.ssh_exception import SSHException

from agent.errors import HostError
from agent.user import user_home
from linux.ssh.target import Login

_SYSTEM = "/etc/ssh/ssh_known_hosts"
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True, kw_only=True)
class KnownHosts:
    """The keys that count for one machine, and where they are from. `revoked` ones count for every machine."""

    login: Login
    file: str
    keys: tuple[PKey, ...]
    revoked: tuple[PKey, ...]

    def preferred(self, algorithms: Iterable[str]) -> tuple[str, ...]:
        """The same, those first for which a key is known: else a machine of several keys shows another one."""
        known: set[str] = set()
        for key in self.keys:
            known |= set(_RSA_SIGNATURES) if key.get_name() == "ssh-rsa" else {key.get_name()}
        return tuple(sorted(algorithms, key=lambda name: name not in known))

    def check(self, where: str, shown: PKey) -> None:
        """HostError unless the machine's key is a known one; it says how to make it known."""
        name, seen = self.login.known_name, f"{shown.get_name()} {fingerprint(shown)}"
        line = f"{name} {shown.get_name()} {shown.get_base64()}"
        if shown in self.revoked:
            raise HostError(f"{where}: the key of {name} ({seen}) is revoked in {self.file}; do not connect to it")
        if shown in self.keys:
            return
        if self.keys:
            expected = " or ".join(f"{key.get_name()} {fingerprint(key)}" for key in self.keys)
            raise HostError(
                f"{where}: THE HOST KEY OF {name} HAS CHANGED: it shows {seen}, {self.file} has {expected}; somebody "
                f"may stand in between. If it was set up anew, ssh-keygen -f {self.file} -R '{name}', and add: {line}"
            )
        raise HostError(
            f"{where}: the host key of {name} is not known: {seen}; compare it on the machine itself "
            f"(ssh-keygen -lf /etc/ssh/ssh_host_{_kind(shown)}_key.pub), then add this line to {self.file}: {line}"
        )


def read_known_hosts(login: Login, file: str = "") -> KnownHosts:
    """What is known of a machine: from `file`, or from the user's own and the system's."""
    home = user_home()
    own = [str(home / ".ssh" / "known_hosts")] if home else []
    files = [file] if file else [*own, _SYSTEM]
    lines = [line for path in files for line in _lines(path)]
    keys = (entry for marker, entry in lines if not marker and _is_for(login.known_name, entry))
    revoked = (entry.key for marker, entry in lines if marker == "@revoked")
    return KnownHosts(
        login=login,
        file=files[0],
        keys=tuple(entry.key for entry in keys if entry.key),
        revoked=tuple(_there(revoked)),
    )


def fingerprint(key: PKey) -> str:
    """As ssh-keygen -l prints it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _lines(path: str) -> Iterator[tuple[str, HostKeyEntry]]:
    """(marker, entry) of each line that is understood; a damaged one only makes its machine unknown."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"{path} cannot be read ({error.strerror}); name another file with known-hosts=") from error
    for line in map(str.strip, text.splitlines()):
        marker, rest = line.split(None, 1) if line.startswith("@") and " " in line else ("", line)
        if not rest or rest.startswith("#"):
            continue
        try:
            entry = HostKeyEntry.from_line(" ".join(rest.split()))
        except (SSHException, InvalidHostKey, ValueError):
            continue
        if entry is not None:
            yield marker, entry


def _is_for(name: str, entry: HostKeyEntry) -> bool:
    found = False
    for pattern in entry.hostnames or ():
        if pattern.startswith("|1|"):
            found |= HostKeys.hash_host(name, pattern) == pattern
        elif pattern.startswith("!"):
            if _fits(name, pattern[1:]):
                return False
        else:
            found |= _fits(name, pattern)
    return found


def _fits(name: str, pattern: str) -> bool:
    """Only * and ? are special: the brackets around a name with a port are meant as they are."""
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _there(keys: Iterable[PKey | None]) -> Iterator[PKey]:
    return (key for key in keys if key is not None)


def _kind(key: PKey) -> str:
    name = key.get_name()
    return "rsa" if "rsa" in name else "ecdsa" if "ecdsa" in name else "ed25519"
