"""From an IIS site's folder to a source package: what is in it, and the files that make it an image.

Registered as `iis` in the entry point group `dockwright.sites`; `dockwright init iis` finds it there.
"""

from __future__ import annotations

from pathlib import Path

from windows.iis.site import read_site
from windows.iis.source import Written, write_source


def begin(folder: Path, name: str, into: Path) -> Written:
    """Look at the site in `folder` and write a bundle for it, as package `name`, into the folder `into`."""
    return write_source(read_site(folder), name, into)
