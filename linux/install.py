"""Putting the agent on a Linux host over SSH, and taking it away again.

An environment of its own under /opt/dockwright, made beside the old one and then put in its place; a user that may
use the engine; a systemd unit. The home, with its journal, certificate and trusted peers, stays when the agent goes,
unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agent.engine.shell import Command, Shell
from agent.errors import HostError

FOLDER = "/opt/dockwright"
HOME = "/var/lib/dockwright"
UNIT = "/etc/systemd/system/dockwright.service"
USER = "dockwright"
INSTALL_SECONDS = 900.0

Log = Callable[[str], None]

# The system's own Python first: one in somebody's home cannot be used by the agent's user.
_PYTHON = """
python=/usr/bin/python3
"$python" -c 'import ensurepip, venv' 2>/dev/null || python=python3
"""

_PREPARE = f"""
set -eu
{_PYTHON}
command -v "$python" >/dev/null || {{ echo 'python3 is not installed' >&2; exit 3; }}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {{ echo 'python3 is too old' >&2; exit 3; }}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {{ echo 'python3-venv is not installed' >&2; exit 3; }}
command -v docker >/dev/null || {{ echo 'docker is not installed' >&2; exit 3; }}
id {USER} >/dev/null 2>&1 || useradd --system --home-dir {HOME} --shell /usr/sbin/nologin {USER}
getent group docker >/dev/null && usermod -aG docker {USER}
install -d -m 0700 -o {USER} {HOME}
rm -rf {FOLDER}.new && install -d -m 0755 {FOLDER}.new
"""

_BUILD = f"""
set -eu
{_PYTHON}
"$python" -m venv {FOLDER}.new
{FOLDER}.new/bin/python -m pip install --quiet --disable-pip-version-check {FOLDER}.new/*.whl
{FOLDER}.new/bin/dockwright --version
"""

# Scripts in an environment name it by its path, so that path must be the last one when they are written.
_SWITCH = f"""
set -eu
rm -rf {FOLDER}.old {FOLDER}.new/*.whl
if [ -d {FOLDER} ]; then mv {FOLDER} {FOLDER}.old; fi
mv {FOLDER}.new {FOLDER}
find {FOLDER}/bin -type f -exec sed -i '1s|^#!{FOLDER}.new/|#!{FOLDER}/|' {{}} +
{FOLDER}/bin/dockwright --version >/dev/null || {{ rm -rf {FOLDER}; mv {FOLDER}.old {FOLDER}; exit 1; }}
rm -rf {FOLDER}.old
"""

_START = """
set -eu
systemctl daemon-reload
systemctl enable --quiet dockwright
systemctl restart dockwright
sleep 1
systemctl is-active --quiet dockwright || { journalctl -u dockwright -n 20 --no-pager >&2; exit 1; }
"""

_STOP = f"""
systemctl disable --now --quiet dockwright 2>/dev/null || true
rm -f {UNIT}
systemctl daemon-reload 2>/dev/null || true
rm -rf {FOLDER} {FOLDER}.new {FOLDER}.old
"""


def install(shell: Shell, wheel: Path, log: Log, *, service: bool = True) -> str:
    """Put the agent in `wheel` on the host and start it; what its users need: thumbprint and certificate, and what
    makes it trust them.

    HostError, with what the host said, if it cannot be; an agent that was there before goes on then.
    """
    log("looking at the host")
    _script(shell, _PREPARE, "prepare the host")
    log(f"sending {wheel.name}")
    _send(shell, wheel.read_bytes(), f"{FOLDER}.new/{wheel.name}", "0644")
    log("installing it with what it needs")
    _script(shell, _BUILD, "install the agent")
    _script(shell, _SWITCH, "put the new agent in the old one's place")
    known = _script(shell, f"{_AS_USER} {FOLDER}/bin/dockwright trust show --home {HOME}", "make its certificate")
    if service:
        log("starting the service")
        _send(shell, Path(__file__).with_name("dockwright.service").read_bytes(), UNIT, "0644")
        _script(shell, _START, "start the service")
    return f"{known}To trust a peer, there, as root: {_TRUST}\n"


def uninstall(shell: Shell, log: Log, *, purge: bool = False) -> None:
    """Stop the agent and take it away; with `purge` its home too, journal, trusted peers and all."""
    log("stopping and removing the agent")
    _script(shell, _STOP, "remove the agent")
    if purge:
        log(f"removing {HOME}")
        _script(shell, f"rm -rf {HOME}; userdel {USER} 2>/dev/null || true", "remove its home")


_AS_USER = f"runuser -u {USER} --"
_TRUST = f"{_AS_USER} {FOLDER}/bin/dockwright trust add NAME --certificate FILE --thumbprint SHA256 --home {HOME}"


def _script(shell: Shell, text: str, doing: str) -> str:
    """Run a few lines of sh as root; what they print."""
    return _run(shell, ["sh", "-s"], text.encode(), doing)


def _send(shell: Shell, data: bytes, path: str, mode: str) -> None:
    """A file of the host, whole or not at all."""
    text = f'cat > "{path}.part" && chmod {mode} "{path}.part" && mv -f "{path}.part" "{path}"'
    _run(shell, ["sh", "-c", text], data, f"write {path}")


def _run(shell: Shell, arguments: Sequence[str], data: bytes, doing: str) -> str:
    out, errors = bytearray(), bytearray()
    pieces = (data[start : start + 65536] for start in range(0, len(data), 65536))
    command = Command(arguments=_as_root(shell, arguments), standard_input=pieces, timeout=INSTALL_SECONDS)
    status = shell.run(command, out.extend, errors.extend)
    if status:
        said = errors.decode("utf-8", "replace").strip().splitlines() or [f"it ended with {status}"]
        raise HostError(f"{shell.url}: cannot {doing}: {said[-1]}", output=said[-20:])
    return out.decode("utf-8", "replace")


def _as_root(shell: Shell, arguments: Sequence[str]) -> list[str]:
    """By sudo, which must not ask, unless the login is root's."""
    out = bytearray()
    shell.run(Command(arguments=["id", "-u"], timeout=60), out.extend, lambda _data: None)
    return list(arguments) if out.strip() == b"0" else ["sudo", "-n", *arguments]
