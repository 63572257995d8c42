"""A registry of our own on a free port of the loopback, which engines trust without TLS."""

from __future__ import annotations

import secrets
import socket as sockets
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep

import msgspec

from agent.errors import HostError
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.install import can_install, install, program
from linux.sandbox.processes import is_alive, last_output, spawn, terminate
from linux.sandbox.state import State

_START_SECONDS = 30
_PULL_SECONDS = 120
_PROGRAMS = ("docker-registry", "registry")
_IMAGE = ("registry", "2")


def ensure_registry(
    state_dir: Path, state: State, remember: Callable[[], None], engine: EngineSocket, say: Callable[[str], None]
) -> str:
    """Its name for image references. Debian's package if it can be had, else the `registry` image."""
    if state.registry_port and _answers(state.registry_port):
        say(f"found our registry at 127.0.0.1:{state.registry_port}")
        return f"127.0.0.1:{state.registry_port}"
    _forget(state, remember, engine)
    state.registry_port = _free_port()
    path = _program(say)
    if path is not None:
        _start_process(path, state_dir, state, remember)
    else:
        _start_container(state_dir, state, remember, engine)
    _await(state_dir, state)
    say(f"started a registry at 127.0.0.1:{state.registry_port}")
    return f"127.0.0.1:{state.registry_port}"


def remove_container(state: State, engine: EngineSocket, say: Callable[[str], None]) -> None:
    if state.registry_container:
        engine.call("DELETE", f"/containers/{state.registry_container}", query={"force": "1", "v": "1"})
        say("removed the registry's container")


def storage(state_dir: Path) -> Path:
    return state_dir / "registry"


def _forget(state: State, remember: Callable[[], None], engine: EngineSocket) -> None:
    """Clear away one that was started once and no longer answers."""
    if state.registry:
        terminate(state.registry)
    remove_container(state, engine, lambda _line: None)
    state.registry, state.registry_container = None, ""
    remember()


def _program(say: Callable[[str], None]) -> str | None:
    found = next(filter(None, map(program, _PROGRAMS)), None)
    if found is None and can_install():
        install(["docker-registry"], say)
        found = next(filter(None, map(program, _PROGRAMS)), None)
    return found


def _start_process(path: str, state_dir: Path, state: State, remember: Callable[[], None]) -> None:
    folder = storage(state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    config = state_dir / "registry.json"  # JSON is YAML too
    config.touch(mode=0o600)
    config.write_bytes(msgspec.json.encode(_configuration(folder, state.registry_port)))
    state.registry = spawn([path, "serve", str(config)], state_dir / "registry.log")
    remember()


def _configuration(folder: Path, port: int) -> dict[str, object]:
    return {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(16)},
    }


def _start_container(state_dir: Path, state: State, remember: Callable[[], None], engine: EngineSocket) -> None:
    if not engine.has_image(":".join(_IMAGE)) and not engine.pull(*_IMAGE, timeout=_PULL_SECONDS):
        raise HostError(
            "no registry: neither is docker-registry installed nor can the image registry:2 be pulled; install one"
        )
    config = {
        "Image": ":".join(_IMAGE),
        "Env": ["REGISTRY_STORAGE_DELETE_ENABLED=true"],
        "Labels": {"dockwright.sandbox": str(state_dir)},
        "ExposedPorts": {"5000/tcp": {}},
        "HostConfig": {"PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(state.registry_port)}]}},
    }
    status, answer = engine.call("POST", "/containers/create", body=config)
    if status != 201:
        raise HostError(f"the registry's container cannot be created: {answer.decode('utf-8', 'replace').strip()}")
    state.registry_container = msgspec.json.decode(answer, type=_Created).id
    remember()
    engine.call("POST", f"/containers/{state.registry_container}/start")


class _Created(msgspec.Struct, rename="pascal"):
    id: str


def _await(state_dir: Path, state: State) -> None:
    deadline = monotonic() + _START_SECONDS
    while not _answers(state.registry_port):
        ended = state.registry is not None and not is_alive(state.registry)
        if ended or monotonic() > deadline:
            log = state_dir / "registry.log"
            raise HostError(f"the registry did not start; see {log}", output=last_output(log))
        sleep(0.05)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
    except (OSError, HTTPException):
        return False
    else:
        return answer.status == 200 and "Docker-Distribution-Api-Version" in answer.headers
    finally:
        connection.close()


def _free_port() -> int:
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
