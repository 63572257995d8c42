"""`dockwright pack`: a folder becomes a reproducible package or bundle, after a look at its manifests."""

from __future__ import annotations

from pathlib import Path

from agent.bundle import MANIFEST, check_bundle
from agent.errors import InputError
from agent.packages import Packed
from agent.packages import pack as pack_folder
from agent.source import check_source


def pack(folder: Path, into: Path, package_id: str, version: str) -> Packed:
    """`Id.Version.zip` in `into`. InputError for a manifest that would be refused at deployment."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one to pack")
    return pack_folder(folder, into, package_id or None, version or None, check=_check)


def _check(folder: Path) -> None:
    """A step bundle, a source package, or a plain application package, which needs no manifest."""
    if (folder / MANIFEST).is_file():
        check_bundle(folder)
    check_source(folder)
