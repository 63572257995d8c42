"""What was found once in a host's image is not looked for again."""

from __future__ import annotations

from pathlib import Path

from agent.images import Found, LayerCache
from agent.images.contents import ImageFile
from agent.images.known_files import known_files
from agent.images.layer import Attributes

FILE = ImageFile(
    path="srv/a.json",
    names=("app/a.json", "srv/a.json"),
    content=b"{}",
    attributes=Attributes(mode=0o640, uid=3, gid=4),
)


class Looking:
    def __init__(self, found: Found) -> None:
        self.found = found
        self.times = 0

    def __call__(self) -> Found:
        self.times += 1
        return self.found


def test_the_second_time_nobody_looks(tmp_path: Path) -> None:
    look = Looking(Found(files=(FILE,), folders={}))
    first = known_files("sha256:1", FILE.names, LayerCache(tmp_path), look)
    again = known_files("sha256:1", FILE.names, LayerCache(tmp_path), look)
    assert first == again
    assert look.times == 1


def test_another_image_and_other_paths_are_looked_for(tmp_path: Path) -> None:
    look = Looking(Found(files=(FILE,), folders={}))
    for image, paths in (("sha256:1", FILE.names), ("sha256:2", FILE.names), ("sha256:1", FILE.names[:1])):
        known_files(image, paths, LayerCache(tmp_path), look)
    assert look.times == 3


def test_what_is_missing_or_spoilt_is_looked_for_again(tmp_path: Path) -> None:
    missing = Looking(Found(files=(), folders={}, unmatched=("srv/a.json",)))
    known_files("sha256:1", ("srv/a.json",), LayerCache(tmp_path), missing)
    known_files("sha256:1", ("srv/a.json",), LayerCache(tmp_path), missing)
    assert missing.times == 2
    look = Looking(Found(files=(FILE,), folders={}))
    known_files("sha256:2", FILE.names, LayerCache(tmp_path), look)
    for path in (tmp_path / "files").iterdir():
        path.write_bytes(b"spoilt")
    assert known_files("sha256:2", FILE.names, LayerCache(tmp_path), look).files == (FILE,)
    assert look.times == 2
