"""`dockwright pack`: a folder becomes a reproducible package or bundle, after a look at its manifests."""

from __future__ import annotations

from pathlib import Path

from agent.bundle import MANIFEST, check_bundle
from agent.errors import InputError
from agent.packages import Packed
from agent.packages import pack as pack_folder
from agent.packages.identity import parse_stem
from agent.packages.pack import LEFT_OUT
from agent.signing import SIGNATURE, sign
from agent.source import check_source


def pack(folder: Path, into: Path, package_id: str, version: str, signing_key: Path | None = None) -> Packed:
    """`Id.Version.zip` in `into`, signed if there is a key. InputError for what would be refused at deployment."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one to pack")
    instead = None if signing_key is None else {SIGNATURE: _signature(folder, into, package_id, signing_key)}
    return pack_folder(folder, into, package_id or None, version or None, check=_check, instead=instead)


def _signature(folder: Path, into: Path, package_id: str, key: Path) -> bytes:
    if into.absolute().is_relative_to(folder.absolute()):
        raise InputError(f"{into} is inside {folder}; write a signed bundle elsewhere, with --into")
    named = parse_stem(folder.resolve().name)
    return sign(folder, package_id or (named[0] if named else folder.resolve().name), key, LEFT_OUT)


def _check(folder: Path) -> None:
    """A step bundle, a source package, or a plain application package, which needs no manifest."""
    if (folder / MANIFEST).is_file():
        check_bundle(folder)
    check_source(folder)
