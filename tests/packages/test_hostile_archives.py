"""Thousands of random archives, good and bad, held against an independent look at the file system."""

from __future__ import annotations

import io
import os
import random
import stat
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import Limits, extract
from tests.packages.archive_making import Kind, Member, archive_bytes, tar_bytes

COUNT = 3000
EXTENSIONS = [".zip", ".zip", ".nupkg", ".jar", ".tar", ".tar", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"]
GOOD_NAMES = [
    "app.dll",
    "bin/app.exe",
    "bin/a/b.txt",
    "wwwroot/",
    "docs/späť.md",
    "x",
    "x/y",
    "lib/x",
    "a",
    "b",
    "dir/",
]
BAD_NAMES = [
    *("..", "../evil", "a/../../evil", "./../evil", "x/../../../evil", "/evil", "//evil", "bin/../app.dll", "."),
    *(
        "C:evil",
        "C:/evil",
        "c:\\evil",
        "..\\evil",
        "\\evil",
        "a:stream",
        "NUL",
        "lib/con.txt",
        "evil.",
        "evil ",
        "a /b",
    ),
    *(
        "A",
        "APP.dll",
        "Bin/app.exe",
        "cafe\u0301",
        "caf\u00e9",
        "e\x01",
        "e\x7f",
        "a\nb",
        "\u2025/evil",
        "%2e%2e/evil",
    ),
    *("..%2fevil", "%2Fevil", "d" * 300, "d/" * 90 + "e", "link/evil", "out/evil", "up/evil", "self/evil", ""),
]
TARGETS = [
    *(
        "a",
        "bin",
        "x",
        "../outside",
        "../../outside",
        "../../../../../../etc",
        "/etc/passwd",
        ".",
        "..",
        "bin/..",
        "a/..",
    ),
    *(
        "lib/../../outside",
        "out",
        "link",
        "self",
        "up",
        "./bin/./a",
        "",
        "\\outside",
        "C:../outside",
        "b" * 2000,
        "../b",
    ),
]
LINK_NAMES = ["link", "out", "up", "self", "bin", "x", "lib/link", "bin/out", "a/b/up"]
KINDS: tuple[Kind, ...] = (
    *("file", "file", "file", "symlink", "symlink", "hardlink"),
    *("folder", "fifo", "device", "sparse"),
)


@pytest.mark.parametrize("seed", range(10))
def test_random_archives_change_nothing_outside_and_leave_a_sound_tree_or_none(tmp_path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    outside, area = tmp_path / "outside", tmp_path / "area"
    outside.mkdir()
    area.mkdir()
    (outside / "canary").write_text("canary")
    (outside / "run.sh").write_text("canary")
    (outside / "run.sh").chmod(0o750)
    before = _snapshot(outside)
    messages: list[str] = []
    extracted = 0
    for number in range(COUNT // 10):
        extension = chooser.choice(EXTENSIONS)
        members = _members(chooser, outside)
        data = _spoilt(chooser, archive_bytes(members, extension))
        archive, tree = area / f"App.1.0.{number}{extension}", area / "tree"
        archive.write_bytes(data)
        there = _prepared(chooser, tree, outside)
        try:
            extract(archive, tree, limits=Limits(bytes=1_000_000, entries=50))
            extracted += 1
            _check_tree(tree, outside if there else None)
            if not there:
                _check_content(tree, data, extension)
        except PackageError as error:
            messages.append(str(error))
            assert _snapshot(tree) == there
        assert _snapshot(outside) == before
        assert {path.name for path in area.iterdir()} <= {archive.name, "tree"}
        assert {path.name for path in tmp_path.iterdir()} == {"outside", "area"}
        archive.unlink()
        _remove(tree)
    assert not any("\n" in message for message in messages)
    assert extracted > 20
    assert len(messages) > 100


def _members(chooser: random.Random, outside: Path) -> list[Member]:
    hostility = chooser.choice([0.0, 0.0, 0.1, 0.5])
    return [_member(chooser, outside, hostility) for _ in range(chooser.randint(1, 7))]


def _member(chooser: random.Random, outside: Path, hostility: float) -> Member:
    if chooser.random() >= hostility:
        kind: Kind = chooser.choice(["file", "file", "file", "folder", "symlink"])
        name = chooser.choice(LINK_NAMES if kind == "symlink" else GOOD_NAMES)
        target = chooser.choice(["x", "app.dll", "bin", "./a"])
    else:
        kind = chooser.choice(KINDS)
        name = chooser.choice([*BAD_NAMES, *GOOD_NAMES, *LINK_NAMES, str(outside / "canary")])
        target = chooser.choice([*TARGETS, *GOOD_NAMES, str(outside / "canary"), str(outside)])
    return Member(
        name=name,
        kind=kind,
        target=target,
        data=chooser.randbytes(chooser.choice([0, 1, 100, 5000])),
        mode=chooser.choice([0o644, 0o755, 0o600, 0o000, 0o777, 0o4755, 0o6777]),
        modified=chooser.choice([0, 1_700_000_000, 2**33]),
    )


def _spoilt(chooser: random.Random, data: bytes) -> bytes:
    """A third of the archives is cut, changed or lengthened."""
    at = chooser.randrange(len(data)) if data else 0
    choice = chooser.randrange(9)
    if choice == 0:
        return data[:at]
    if choice == 1:
        return data[:at] + bytes([chooser.randrange(256)]) + data[at + 1 :]
    if choice == 2:
        return data + chooser.choice([b"\0", b"junk", data, tar_bytes([Member(name="second")])])
    return data


def _prepared(chooser: random.Random, tree: Path, outside: Path) -> dict[str, object]:
    """Sometimes there is a tree already, with links that lead out of it."""
    if chooser.random() < 0.7:
        return {}
    tree.mkdir()
    for name in ("link", "out", "a"):
        (tree / name).symlink_to(outside)
    (tree / "bin").mkdir()
    (tree / "bin/app.exe").write_text("old")
    (tree / "x").symlink_to(outside / "canary")
    return _snapshot(tree)


def _check_tree(tree: Path, known_target: Path | None) -> None:
    """Only plain files of one name, folders, and links that stay inside; no two names that some system mixes up."""
    for folder, folders, files in os.walk(tree):
        names = folders + files
        assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(names)
        for name in names:
            path = Path(folder) / name
            status = path.lstat()
            assert not set(name) & set("\\:\0\n\x01\x7f")
            assert name.rstrip(". ") == name
            if stat.S_ISLNK(status.st_mode):
                leads = Path(os.path.realpath(path))
                inside = leads.is_relative_to(os.path.realpath(tree))
                assert inside or (known_target and leads.is_relative_to(known_target))
            elif stat.S_ISREG(status.st_mode):
                assert status.st_nlink == 1
                assert stat.S_IMODE(status.st_mode) in {0o644, 0o755}
            else:
                assert stat.S_ISDIR(status.st_mode)


def _check_content(tree: Path, data: bytes, extension: str) -> None:
    """Each file has the bytes that the standard library reads out of the archive."""
    found = {
        path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file() and not path.is_symlink()
    }
    expected = _zip_content(data) if extension in {".zip", ".nupkg", ".jar"} else _tar_content(data)
    assert found == set(expected)
    for name, content in expected.items():
        assert (tree / name).read_bytes() == content


def _zip_content(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            _clean(info.orig_filename): archive.read(info)
            for info in archive.infolist()
            if not info.is_dir() and stat.S_ISREG(info.external_attr >> 16)
        }


def _tar_content(data: bytes) -> dict[str, bytes]:
    if data[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    content: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.isreg():
                content[_clean(member.name)] = archive.extractfile(member).read()  # type: ignore[union-attr]
            elif member.islnk():
                content[_clean(member.name)] = content[_clean(member.linkname)]
    return content


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def _snapshot(folder: Path) -> dict[str, object]:
    """Every name below the folder with its type, mode, links, time and content."""
    found: dict[str, object] = {}
    if not os.path.lexists(folder):
        return found
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_nlink, status.st_ino, content)
        if not stat.S_ISDIR(status.st_mode):
            found[f"{path} time"] = status.st_mtime_ns
    return found


def _remove(tree: Path) -> None:
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in folders + files:
            path = Path(folder) / name
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    if tree.exists():
        tree.rmdir()
