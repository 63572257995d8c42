"""Finds a Docker Engine, or installs and starts one where that can be done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from agent.errors import HostError
from linux.local import DEFAULT_SOCKET, usual_socket
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.install import can_install, install, program
from linux.sandbox.processes import is_alive, last_output, spawn
from linux.sandbox.state import State

_START_SECONDS = 90


def ensure_engine(
    state_dir: Path, state: State, remember: Callable[[], None], say: Callable[[str], None]
) -> EngineSocket:
    socket = EngineSocket(usual_socket())
    if not socket.answers():
        if socket.refuses_us():
            raise HostError(
                f"{socket.path}: permission denied; run as root or join the group docker, then log in anew"
            )
        _install_missing(say)
        socket = EngineSocket(DEFAULT_SOCKET)
        _start(socket, state_dir, state, remember, say)
    else:
        say(f"found an engine at unix://{socket.path}")
    state.engine_socket = socket.path
    remember()
    return socket


def _install_missing(say: Callable[[str], None]) -> None:
    wanted = {"dockerd": "docker.io", "iptables": "iptables"}
    missing = [package for name, package in wanted.items() if program(name) is None]
    if missing and not can_install():
        raise HostError(
            "no Docker Engine runs here, and none can be installed without root on Debian or Ubuntu; "
            "install Docker and start it"
        )
    if os.geteuid() != 0:
        raise HostError(f"no Docker Engine answers at {usual_socket()}; start it (as root: systemctl start docker)")
    if missing:
        install(missing, say)


def _start(
    socket: EngineSocket, state_dir: Path, state: State, remember: Callable[[], None], say: Callable[[str], None]
) -> None:
    if Path("/run/systemd/system").exists() and _answers_within(socket, 15):
        say("the installation started an engine")
        return
    log = state_dir / "dockerd.log"
    state.engine = spawn([program("dockerd") or "dockerd"], log)
    remember()
    deadline = monotonic() + _START_SECONDS
    while not socket.answers():
        if not is_alive(state.engine) or monotonic() > deadline:
            raise HostError(f"the engine did not start; see {log}", output=last_output(log))
        sleep(0.2)
    say(f"started an engine at unix://{socket.path}, log in {log}")


def _answers_within(socket: EngineSocket, seconds: float) -> bool:
    deadline = monotonic() + seconds
    while not socket.answers():
        if monotonic() > deadline:
            return False
        sleep(0.5)
    return True
