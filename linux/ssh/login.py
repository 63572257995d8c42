"""Logging in over a transport: by key, by agent, by password, in OpenSSH's order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from paramiko import Agent, PasswordRequiredException, PKey, Transport
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import AuthenticationException, BadAuthenticationType, SSHException

from agent.errors import HostError
from agent.user import user_home
from linux.ssh.target import Login

_USUAL_TRIES = 3
"""Few machines are set to take fewer (MaxAuthTries); one that hangs up before has other reasons as a rule."""

_USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What opens a login: the file of a key ("" for the agent's and the usual ones) with its phrase, a password."""

    key: str = ""
    phrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def log_in(transport: Transport, where: str, login: Login, secrets: Secrets) -> None:
    """HostError that says what was tried. A machine that wants a key and a password gets both."""
    tried: list[str] = []
    try:
        for name, key in _keys(where, secrets):
            tried.append(name)
            if _accepted(transport, login, key) or transport.is_authenticated():
                return
            _require_open(transport, tried)
        if secrets.password:
            tried.append("the password")
            if not transport.auth_password(login.user, secrets.password):
                return
    except BadAuthenticationType as error:
        offered = ", ".join(error.allowed_types)
        raise _refused(where, login, tried, f"; the machine takes {offered} only") from error
    except AuthenticationException as error:
        if not transport.is_active():
            raise _broken(where, login, "it hung up") from ConnectionError(str(error))
        raise _refused(where, login, tried) from error
    except (SSHException, EOFError, OSError) as error:
        if "too many" in str(error).lower():
            raise _refused(where, login, tried, "; it takes no more tries: name the key with key=FILE") from error
        raise _broken(where, login, str(error)) from ConnectionError(str(error))
    raise _refused(where, login, tried)


def _accepted(transport: Transport, login: Login, key: PKey) -> bool:
    """Whether the key is all that is wanted. One that is refused is no failure yet; the next may do."""
    try:
        return not transport.auth_publickey(login.user, key)
    except BadAuthenticationType as error:
        if "publickey" in error.allowed_types or "password" in error.allowed_types:
            return False
        raise
    except AuthenticationException:
        return False


def _require_open(transport: Transport, tried: list[str]) -> None:
    if not transport.is_active():
        raise SSHException("too many keys were tried" if len(tried) >= _USUAL_TRIES else "it hung up")


def _keys(where: str, secrets: Secrets) -> Iterator[tuple[str, PKey]]:
    if secrets.key:
        yield f"the key {secrets.key}", _key(where, secrets.key, secrets.phrase)
        return
    with closing(_Agent()) as agent:
        yield from (("a key of the SSH agent", key) for key in agent.get_keys())
    home = user_home()
    if home is None:
        return
    for name in _USUAL_KEYS:
        path = home / ".ssh" / name
        if path.is_file():
            try:
                yield f"~/.ssh/{name}", _key(where, str(path), secrets.phrase)
            except HostError:
                continue  # one of the usual places; it was not asked for


class _Agent(Agent):
    """One that is locked, or hangs up, is as good as none."""

    def __init__(self) -> None:
        try:
            super().__init__()
        except (SSHException, OSError):
            self.close()


def _key(where: str, path: str, phrase: str) -> PKey:
    for password in dict.fromkeys((None, phrase.encode() or None)):
        try:
            return PKey.from_path(path, password=password)  # type: ignore[arg-type]  # it wants bytes
        except (PasswordRequiredException, TypeError):
            continue  # it is encrypted
        except (SSHException, UnknownKeyType, UnsupportedAlgorithm, ValueError, OSError) as error:
            if password:
                break
            if _is_public(path):
                raise HostError(f"{where}: {path} is the public half of a key; give the private one") from error
            raise HostError(
                f"{where}: the key {path} cannot be used ({type(error).__name__}); give one as ssh-keygen makes it"
            ) from error
    raise HostError(f"{where}: the key {path} is encrypted; give its passphrase as the host's password")


def _is_public(path: str) -> bool:
    """As ssh-keygen writes it beside the private one: a kind, the key, a comment."""
    with suppress(OSError), Path(path).open("rb") as file:
        return file.read(20).startswith((b"ssh-", b"ecdsa-", b"sk-"))
    return False


def _broken(where: str, login: Login, why: str) -> HostError:
    return HostError(
        f"{where}: the connection broke while {login} logged in ({why}); try again, and see MaxAuthTries and the log "
        "of its sshd if it does so each time"
    )


def _refused(where: str, login: Login, tried: list[str], more: str = "") -> HostError:
    with_what = ", ".join(dict.fromkeys(tried)) or "nothing, for there is no key, no agent and no password"
    advice = more or "; see the user's authorized_keys there, or give key=FILE or --host-password-file"
    return HostError(f"{where}: {login.user} may not log in to {login.known_name} (tried {with_what}){advice}")
