"""Which .NET runtime the assemblies in `bin` were made for: 2.0 (.NET 2.0 to 3.5) or 4.0.

A site for the old runtime does not say so in web.config; IIS's application pool knew it. Its assemblies say it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_METADATA = b"BSJB"
_MOST, _LARGEST = 200, 50_000_000


def newest_runtime(assemblies: Iterable[Path]) -> str:
    """`v2.0`, `v4.0`, or nothing if none of them is a .NET assembly."""
    found = ""
    for path in list(assemblies)[:_MOST]:
        found = max(found, _runtime(path))
        if found >= "v4":
            break
    return found


def _runtime(path: Path) -> str:
    """The version in the metadata's header (ECMA-335, II.24.2.1): `BSJB`, 12 bytes on the text, as `v4.0.30319`."""
    try:
        if path.stat().st_size > _LARGEST:
            return ""
        data = path.read_bytes()
    except OSError:
        return ""
    start = data.find(_METADATA)
    while start >= 0:
        text = data[start + 16 : start + 20]
        if text in (b"v2.0", b"v4.0"):
            return text.decode("ascii")
        start = data.find(_METADATA, start + 1)
    return ""
