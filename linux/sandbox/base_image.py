"""A small Linux image to build on: busybox, with httpd. Made here, for want of a registry to pull one from."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from agent.errors import HostError
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.install import can_install, install, program
from linux.sandbox.state import State

_PULL_SECONDS = 60
_PUBLIC = ("busybox", "stable")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\n",
    "etc/group": "root:x:0:\nwww-data:x:33:\n",
}
_FOLDERS = ("bin", "etc", "root", "tmp", "var", "var/www")
_CHANGES = 'ENV PATH=/bin\nCMD ["sh"]\nLABEL dockwright.sandbox=base'


def ensure_base_image(
    name: str, state: State, remember: Callable[[], None], engine: EngineSocket, say: Callable[[str], None]
) -> None:
    """`name` is repository:tag. Made from a static busybox if one is here, else pulled, else installed."""
    if engine.has_image(name):
        say(f"found the base image {name}")
        return
    busybox = _static_busybox()
    pulled = busybox is None and engine.pull(*_PUBLIC, timeout=_PULL_SECONDS)
    if busybox is None and not pulled and can_install():
        install(["busybox-static"], say)
        busybox = _static_busybox()
    if busybox is None and not pulled:
        raise HostError("no base image: busybox:stable cannot be pulled; install busybox-static")
    state.base_images.append(name)
    remember()
    _import(name, busybox, engine) if busybox else _tag(name, engine)
    say(f"made the base image {name} from {busybox or ':'.join(_PUBLIC)}")


def remove_made(state: State, engine: EngineSocket, say: Callable[[str], None]) -> None:
    for name in state.base_images:
        status, _ = engine.call("DELETE", f"/images/{name}")
        say(f"removed the base image {name}" if status == 200 else f"left the base image {name}, which is in use")


def _static_busybox() -> Path | None:
    found = program("busybox")
    if found is None:
        return None
    path = Path(found).resolve()
    return path if b"/ld-linux" not in path.read_bytes() and b"/ld-musl" not in path.read_bytes() else None


def _import(name: str, busybox: Path, engine: EngineSocket) -> None:
    repository, _, tag = name.rpartition(":")
    query = {"fromSrc": "-", "repo": repository, "tag": tag}
    target = {**query, "changes": _CHANGES}
    status, answer = engine.call("POST", "/images/create", query=target, body=_root(busybox), timeout=120)
    if status != 200 or not engine.has_image(name):
        raise HostError(f"the base image cannot be made: {answer.decode('utf-8', 'replace').strip()[:300]}")


def _root(busybox: Path) -> bytes:
    """The image's files as a tar, its applets as links. Without times, so that it is the same each time."""
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True, timeout=30).stdout
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in _FOLDERS:
            tar.addfile(_member(folder, tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755))
        for path, text in _FILES.items():
            _add(tar, path, text.encode(), mode=0o644)
        _add(tar, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in applets.split():
            if "/" not in applet and applet != "busybox":
                tar.addfile(_member(f"bin/{applet}", tarfile.SYMTYPE, link="busybox"))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes, *, mode: int) -> None:
    member = _member(path, tarfile.REGTYPE, mode=mode)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _member(path: str, kind: bytes, *, mode: int = 0o777, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type = kind
    member.mode = mode
    member.linkname = link
    return member


def _tag(name: str, engine: EngineSocket) -> None:
    repository, _, tag = name.rpartition(":")
    engine.call("POST", f"/images/{':'.join(_PUBLIC)}/tag", query={"repo": repository, "tag": tag})
