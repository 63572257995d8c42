"""Up and down: the order in which a sandbox is made, and taken away again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linux.sandbox import base_image as images
from linux.sandbox import engine as engines
from linux.sandbox import registry as registries
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.processes import terminate
from linux.sandbox.state import State, load_state, locked, save_state

Say = Callable[[str], None]

BASE_IMAGE = "dockwright-demo/base:1"


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """`host` as `--host` takes it, `registry` as image references start, `base_image` with busybox and httpd."""

    host: str
    registry: str
    base_image: str


def up(state_dir: Path, *, base_image: str = BASE_IMAGE, say: Say) -> Sandbox:
    """Find or make everything. Repeating it finds what it made before. HostError says what is missing."""
    with locked(state_dir):
        state = load_state(state_dir)

        def remember() -> None:
            save_state(state_dir, state)

        socket = engines.ensure_engine(state_dir, state, remember, say)
        registry = registries.ensure_registry(state_dir, state, remember, socket, say)
        images.ensure_base_image(base_image, state, remember, socket, say)
    return Sandbox(host=f"unix://{socket.path}", registry=registry, base_image=base_image)


def down(state_dir: Path, *, say: Say) -> None:
    """End what `up` started, in the opposite order, and forget it. Nothing there is fine."""
    if not state_dir.exists():
        return
    with locked(state_dir):
        state = load_state(state_dir)
        socket = EngineSocket(state.engine_socket) if state.engine_socket else None
        if socket and socket.answers():
            images.remove_made(state, socket, say)
            registries.remove_container(state, socket, say)
        if state.registry and terminate(state.registry):
            say("stopped the registry")
        if state.engine and terminate(state.engine, seconds=60):
            say("stopped the engine")
        shutil.rmtree(registries.storage(state_dir), ignore_errors=True)
        save_state(state_dir, State())
