"""Files of an image that only a container host has, taken out of a container that is made and never started.

It has a name that the caller chooses and a label, so that one which a crash left is found. It is removed before the
next of its name is made; one of a plan, whose name never comes again, after an hour. An engine tells modes and
owners, but no extended attributes and nothing of Windows' owners.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from agent.errors import ContainerError, HostError, InputError
from agent.images.contents import Found, ImageFile
from agent.images.inflate import LayerError
from agent.images.layer import Attributes
from agent.images.layer_tar import TarEntry, tar_entries
from agent.images.listing import MOST_FILES
from agent.labels import TEMPORARY

if TYPE_CHECKING:
    from agent.host import ContainerHost
    from agent.journal import Effects

OF_PLANS: Final = "-plan-"
"""Stands in the names of containers that plans make."""

_ABANDONED_AFTER: Final = 3600
_MAGIC: Final = re.compile(r"[*?\[{]")
_MOST_LINKS: Final = 40
_LARGEST_FILE: Final = 64 * 1024 * 1024
_LARGEST_CONTENT: Final = 256 * 1024 * 1024


@contextmanager
def unstarted(image: str, name: str, host: ContainerHost, journal: Effects) -> Iterator[str]:
    """A container of the image, created and not started, removed afterwards; its id."""
    from agent.host import ContainerSpec

    left = host.inspect(name)
    if left is not None and TEMPORARY in left.labels:
        host.remove(left.id)
    _remove_abandoned(host)
    with journal.effect("look", "create", name):
        # An image without a command of its own needs one given; it is never run.
        spec = ContainerSpec(name=name, image=image, restart="no", command=("never",), labels={TEMPORARY: name})
        container = host.create(spec)
    try:
        yield container.id
    finally:
        host.remove(container.id)


def _remove_abandoned(host: ContainerHost) -> None:
    """Those of plans that were killed: a plan that still looks is younger."""
    for left in host.find({TEMPORARY: ""}):
        if OF_PLANS in left.name and _age(left.created) > _ABANDONED_AFTER:
            host.remove(left.id)


def _age(moment: str) -> float:
    """In seconds; a moment that cannot be read is now."""
    try:
        then = datetime.fromisoformat(f"{moment[:19]}+00:00")
    except ValueError:
        return 0
    return (datetime.now(UTC) - then).total_seconds()


def find_host_files(
    container: str, globs: Sequence[str], compile_glob: Callable[[str], re.Pattern[str]], host: ContainerHost
) -> Found:
    """The container's files that match a glob, relative to its root. InputError for more than can be meant."""
    names: dict[str, ImageFile] = {}
    unmatched = []
    for glob in globs:
        found = (
            _matching(container, glob, compile_glob, host) if _MAGIC.search(glob) else _named(container, glob, host)
        )
        before = len(names)
        hits = 0
        for name, entry in found:
            hits += 1
            names.setdefault(name, _file(name, entry))
            if len(names) > MOST_FILES or sum(len(file.content) for file in names.values()) > _LARGEST_CONTENT:
                raise InputError(f"{glob[:200]} matches more of the image than can be configured; name fewer files")
        unmatched += [] if hits or len(names) > before else [glob]
    return Found(files=tuple(names[name] for name in sorted(names)), folders={}, unmatched=tuple(unmatched))


def _file(name: str, entry: TarEntry) -> ImageFile:
    attributes = Attributes(mode=entry.mode, uid=entry.uid, gid=entry.gid)
    return ImageFile(path=name, names=(name,), content=entry.content or b"", attributes=attributes)


def _named(container: str, path: str, host: ContainerHost) -> Iterator[tuple[str, TarEntry]]:
    """The file at a path; of a link, the file that it leads to, at its own place."""
    at = path
    for _ in range(_MOST_LINKS):
        entry = next(_entries(container, at, lambda _path: True, host), None)
        if entry is None or entry.kind not in ("file", "symlink"):
            return
        if entry.kind == "file":
            yield at, entry
            return
        at = posixpath.normpath(posixpath.join("/", posixpath.dirname(at), entry.target)).lstrip("/")


def _matching(
    container: str, glob: str, compile_glob: Callable[[str], re.Pattern[str]], host: ContainerHost
) -> Iterator[tuple[str, TarEntry]]:
    """All below the glob's last folder without wildcards goes past; what fits is taken."""
    parts = glob.split("/")
    fixed = next(index for index, part in enumerate(parts) if _MAGIC.search(part))
    folder = "/".join(parts[:fixed])
    expression = compile_glob(glob)

    def name_of(path: str) -> str:
        inner = path.partition("/")[2] if folder else path
        return f"{folder}/{inner}" if folder else inner

    for entry in _entries(container, folder, lambda path: expression.match(name_of(path)) is not None, host):
        if entry.kind == "file" and entry.content is not None:
            yield name_of(entry.path), entry


def _entries(container: str, path: str, wanted: Callable[[str], bool], host: ContainerHost) -> Iterator[TarEntry]:
    """What the engine sends for a path; nothing if there is no such path in the container."""
    try:
        chunks = host.copy_out(container, f"/{path}")
    except ContainerError:
        if host.inspect(container) is None:
            raise
        return
    try:
        yield from tar_entries(chunks, lambda name, size: wanted(name) and size <= _LARGEST_FILE)
    except LayerError as error:
        raise HostError(f"{host.url}: /{path} of the image cannot be read: what the engine sends {error}") from error
