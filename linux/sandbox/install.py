"""Packages of Debian and Ubuntu, installed without questions."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep

from agent.errors import HostError

_LOCK_SECONDS = 300
_INSTALL_SECONDS = 900


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and _is_debian()


def install(packages: Sequence[str], say: Callable[[str], None], pause: Callable[[float], None] = sleep) -> None:
    """HostError with apt's own last words if it fails. Another apt at work is waited for."""
    say(f"installing {' '.join(packages)}")
    _apt(["update"], pause)
    _apt(["install", "--yes", "--no-install-recommends", "--", *packages], pause)


def program(name: str) -> str | None:
    """Its path; also where a plain user's PATH does not lead."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")


def _is_debian() -> bool:
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', " ").split()
    return "debian" in names or "ubuntu" in names


def _apt(arguments: Sequence[str], pause: Callable[[float], None]) -> None:
    command = ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", *arguments]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    deadline = monotonic() + _LOCK_SECONDS
    while True:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HostError(f"apt-get {arguments[0]} did not end within {_INSTALL_SECONDS} s") from error
        output = done.stdout.decode("utf-8", "replace")
        if done.returncode == 0:
            return
        # The lock on the package lists is the one that apt itself does not wait for.
        if "Could not get lock" not in output or monotonic() > deadline:
            lines = output.strip().splitlines()[-10:]
            raise HostError(f"apt-get {' '.join(arguments)} failed; install it by hand", output=lines)
        pause(2)
