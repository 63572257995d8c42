"""The folder that a package is deployed into: its releases side by side, and `current`, which leads to one of them.

    /opt/shop/current -> releases/1.2.0-deployments-75
    /opt/shop/releases/1.1.0-deployments-70
    /opt/shop/releases/1.2.0-deployments-75

While a release is being made, a marker beside it says so, and where `current` led before. One whose maker has died is
undone by the next run.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from agent.errors import InputError, SlotBusyError, StorageError
from agent.lock import try_lock

try:
    import _winapi
except ImportError:  # where links need no rights
    _create_junction: Callable[[str, str], None] | None = None
else:
    _create_junction = getattr(_winapi, "CreateJunction", None)

_CURRENT = "current"
_MARKER = ".making"


@dataclass(frozen=True, kw_only=True)
class Releases:
    """One such folder, held by this run. `left` are names of releases whose makers had died; they were undone."""

    root: Path
    left: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.root / "releases"

    @property
    def link(self) -> Path:
        return self.root / _CURRENT

    def current(self) -> Path | None:
        """The release that `current` leads to, if there is one."""
        try:
            target = self.folder / self.link.readlink().name
        except OSError:
            return None
        return target if target.is_dir() else None

    def switch(self, release: Path) -> None:
        """Let `current` lead to the release, at one stroke (in Windows, at two)."""
        beside = self.root / f".{_CURRENT}-{uuid.uuid4().hex}"
        if _create_junction is None:
            beside.symlink_to(Path("releases", release.name), target_is_directory=True)
            beside.replace(self.link)
            return
        _create_junction(str(release), str(beside))
        if os.path.lexists(self.link):
            self.link.rmdir()
        beside.rename(self.link)

    def leave(self, release: Path, before: Path | None) -> None:
        """Let `current` lead where it led before the release, or nowhere; the release stays."""
        if self.current() != release:
            return
        if before is not None:
            self.switch(before)
        elif _create_junction is None:
            self.link.unlink()
        else:
            self.link.rmdir()

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """A folder for a new release (not there yet), under the name or one like it. If the block fails, `current`
        leads where it did before, and the folder is gone."""
        release = self._free(name)
        before = self.current()
        marker = self._marker(release)
        marker.write_text(before.name if before else "", encoding="utf-8")
        try:
            yield release
        except BaseException:
            self._undo(release, before)
            raise
        os.utime(release)
        marker.unlink()

    def surplus(self, keep: int) -> list[Path]:
        """The releases beyond `current` and so many earlier ones, the oldest first."""
        now = self.current()
        known = [path for path in self.folder.iterdir() if path.is_dir() and not path.is_symlink() and path != now]
        known.sort(key=lambda path: path.stat().st_mtime)
        return known[: max(0, len(known) - keep)]

    def _free(self, name: str) -> Path:
        """As Calamari: every deployment gets a folder of its own, `NAME_1` if there is a `NAME`."""
        names = (name if number == 0 else f"{name}_{number}" for number in count())
        return next(path for each in names if not os.path.lexists(path := self.folder / each))

    def _undo(self, release: Path, before: Path | None) -> None:
        self.leave(release, before)
        shutil.rmtree(release, ignore_errors=True)
        self._marker(release).unlink(missing_ok=True)

    def _marker(self, release: Path) -> Path:
        return self.folder / f".{release.name}{_MARKER}"

    def _recover(self) -> Iterator[str]:
        """Undo what runs have begun that died; the names of their releases."""
        for link in self.root.glob(f".{_CURRENT}-*"):
            link.unlink()
        for half in self.folder.glob(".*.partial"):
            shutil.rmtree(half, ignore_errors=True)
        for marker in self.folder.glob(f".*{_MARKER}"):
            release = self.folder / marker.name.removeprefix(".").removesuffix(_MARKER)
            before = self.folder / (marker.read_text(encoding="utf-8") or "none")
            self._undo(release, before if before.is_dir() else None)
            yield release.name


@contextmanager
def held_releases(root: Path) -> Iterator[Releases]:
    """Hold the folder, and make it if it is not there. SlotBusyError while another run holds it; InputError where
    something else is in its place; StorageError where it cannot be written."""
    releases = Releases(root=root)
    with _storing(root):
        releases.folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(releases.link) and not _is_link(releases.link):
            raise InputError(
                f"{releases.link} is a folder or file of its own, no link; move it away, or deploy elsewhere"
            )
    descriptor = try_lock(root / ".lock")
    if descriptor is None:
        raise SlotBusyError(f"another run is deploying into {root}; wait for it to end")
    try:
        with _storing(root):
            yield Releases(root=root, left=tuple(releases._recover()))
    finally:
        os.close(descriptor)


def _is_link(path: Path) -> bool:
    try:
        path.readlink()
    except OSError:
        return False
    return True


@contextmanager
def _storing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or root
        raise StorageError(f"{place} cannot be written: {error.strerror}; see its rights and the disk") from error
