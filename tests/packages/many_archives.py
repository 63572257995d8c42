"""20,000 archives, hostile and ordinary, held against an independent look at the file system.

`python -m tests.packages.many_archives [COUNT] [SEED]` makes them, extracts them, and exits 1 if anything outside a
target changed, a link leads out, a refused archive left something, or an ordinary one is not byte-exact.
"""

from __future__ import annotations

import io
import os
import random
import stat
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from agent.errors import PackageError
from agent.packages import Limits, extract
from tests.packages.archive_making import Kind, Member, archive_bytes, tar_bytes

COUNT = 20_000
PER_AREA = 500
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
SYLLABLES = [
    "web",
    "App",
    "späť",
    "日本",
    "a b",
    ".git",
    "x",
    "_",
    "lib",
    "naïve",
    "ÅÄÖ",
    "-",
    "v1.2",
    "@types",
    "(1)",
]
Tree = dict[str, object]


@dataclass
class Tally:
    """What became of the archives; `problems` says where a promise was broken."""

    extracted: int = 0
    refused: int = 0
    ordinary: int = 0
    problems: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.extracted += other.extracted
        self.refused += other.refused
        self.ordinary += other.ordinary
        self.problems += other.problems
        self.messages += other.messages


def main() -> int:
    count, seed = (*map(int, sys.argv[1:]), *(COUNT, 1)[len(sys.argv) - 1 :])
    tally = Tally()
    for first in range(0, count, PER_AREA):
        with tempfile.TemporaryDirectory() as folder:
            tally.add(run_archives(seed * 1_000_003 + first, min(PER_AREA, count - first), Path(folder)))
    sys.stdout.write(
        f"{count:,} archives: {tally.ordinary:,} ordinary ones, {tally.extracted:,} extracted, {tally.refused:,} "
        f"refused, {len(tally.problems):,} promises broken\n"
    )
    for problem in tally.problems[:50]:
        sys.stdout.write(f"  {problem}\n")
    return 1 if tally.problems else 0


def run_archives(seed: int, count: int, root: Path) -> Tally:
    """Make so many archives from the seed and extract each below `root`, an empty folder. Every third is ordinary."""
    chooser = random.Random(seed)
    tally = Tally()
    outside, area = root / "outside", root / "area"
    outside.mkdir()
    area.mkdir()
    (outside / "canary").write_text("canary")
    (outside / "run.sh").write_text("canary")
    (outside / "run.sh").chmod(0o750)
    before = snapshot(outside)
    for number in range(count):
        make = _try_ordinary if number % 3 == 0 else _try_hostile
        found = list(make(chooser, area, outside, tally))
        if snapshot(outside) != before:
            found.append("something outside changed")
        if {path.name for path in area.iterdir()} - {"tree"} or {path.name for path in root.iterdir()} != {
            *("outside", "area")
        }:
            found.append("something was left beside the target")
        tally.problems += [f"seed {seed}, archive {number}: {problem}" for problem in found]
        _remove(area / "tree")
    return tally


def _try_ordinary(chooser: random.Random, area: Path, _outside: Path, tally: Tally) -> Iterator[str]:
    """Extracted byte-exact, with modes and links, whatever the format."""
    extension = chooser.choice(EXTENSIONS)
    members = _ordinary_members(chooser, links=extension not in {".zip", ".nupkg", ".jar"})
    archive, tree = area / f"App.1.0.0{extension}", area / "tree"
    archive.write_bytes(archive_bytes(members, extension))
    tally.ordinary += 1
    try:
        extract(archive, tree)
    except PackageError as error:
        yield f"an ordinary {extension} is refused: {error}"
        return
    finally:
        archive.unlink()
    tally.extracted += 1
    if _found_tree(tree) != _expected_tree(members):
        yield f"an ordinary {extension} is not what it was: {_difference(_found_tree(tree), _expected_tree(members))}"


def _try_hostile(chooser: random.Random, area: Path, outside: Path, tally: Tally) -> Iterator[str]:
    """Extracted to a sound tree, or refused and nothing left."""
    extension = chooser.choice(EXTENSIONS)
    data = _spoilt(chooser, archive_bytes(_members(chooser, outside), extension))
    archive, tree = area / f"App.1.0.0{extension}", area / "tree"
    archive.write_bytes(data)
    there = _prepared(chooser, tree, outside)
    try:
        extract(archive, tree, limits=Limits(bytes=1_000_000, entries=50))
    except PackageError as error:
        tally.refused += 1
        tally.messages.append(str(error))
        if snapshot(tree) != there:
            yield "a refused archive left something"
        if "\n" in str(error):
            yield "a message of several lines"
    else:
        tally.extracted += 1
        yield from _unsound(tree, outside if there else None)
        if not there:
            yield from _wrong_content(tree, data, extension)
    finally:
        archive.unlink()


def _ordinary_members(chooser: random.Random, *, links: bool) -> list[Member]:
    """A tree as builds make them: folders, files with modes, and links that stay inside. No two names alike."""
    folders, members = [""], list[Member]()
    files: list[str] = []
    for number in range(chooser.randint(1, 25)):
        name = f"{chooser.choice(folders)}{chooser.choice(SYLLABLES)}{number}"
        choice = chooser.random()
        if choice < 0.2 and name.count("/") < 6:
            members.append(Member(name=f"{name}/", kind="folder", mode=0o755))
            folders.append(f"{name}/")
        elif choice < 0.3 and files:
            target = os.path.relpath(chooser.choice(files), str(PurePosixPath(name).parent))
            members.append(Member(name=name, kind="symlink", target=target))
        elif choice < 0.35 and files and links:
            members.append(Member(name=name, kind="hardlink", target=chooser.choice(files)))
        else:
            data = chooser.randbytes(chooser.choice([0, 1, 511, 512, 513, 20_000]))
            members.append(
                Member(name=name, data=data, mode=chooser.choice([0o644, 0o755, 0o600, 0o700, 0o444, 0o555]))
            )
            files.append(name)
    return members


def _expected_tree(members: list[Member]) -> Tree:
    """Executable files are 0755, others 0644; a hard link is a copy of its target with its own entry's mode."""
    tree: Tree = {}
    content: dict[str, bytes] = {}
    for member in members:
        name = member.name.rstrip("/")
        for parent in PurePosixPath(name).parents:
            tree.setdefault(str(parent), "folder")
        if member.kind == "folder":
            tree[name] = "folder"
        elif member.kind == "symlink":
            tree[name] = ("link", member.target)
        else:
            content[name] = content[member.target] if member.kind == "hardlink" else member.data
            tree[name] = (0o755 if member.mode & 0o100 else 0o644, content[name])
    tree["."] = "folder"
    return tree


def _found_tree(root: Path) -> Tree:
    tree: Tree = {".": "folder"}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            tree[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            tree[name] = "folder"
        else:
            tree[name] = (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
    return tree


def _difference(found: Tree, expected: Tree) -> str:
    names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    return ascii(names[:3])


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
    return snapshot(tree)


def _unsound(tree: Path, known_target: Path | None) -> Iterator[str]:
    """Only plain files of one name, folders, and links that stay inside; no two names that some system mixes up."""
    for folder, folders, files in os.walk(tree):
        names = folders + files
        if len({unicodedata.normalize("NFC", name).casefold() for name in names}) != len(names):
            yield "two names that some system takes for one"
        for name in names:
            yield from _unsound_entry(tree, Path(folder) / name, known_target)


def _unsound_entry(tree: Path, path: Path, known_target: Path | None) -> Iterator[str]:
    status = path.lstat()
    if set(path.name) & set("\\:\0\n\x01\x7f") or path.name.rstrip(". ") != path.name:
        yield f"the name {path.name!a}"
    if stat.S_ISLNK(status.st_mode):
        leads = Path(os.path.realpath(path))
        inside = leads.is_relative_to(os.path.realpath(tree))
        if not inside and not (known_target and leads.is_relative_to(known_target)):
            yield f"a link that leads to {leads}"
    elif stat.S_ISREG(status.st_mode):
        if status.st_nlink != 1 or stat.S_IMODE(status.st_mode) not in {0o644, 0o755}:
            yield f"a file with {status.st_nlink} names and mode {status.st_mode:o}"
    elif not stat.S_ISDIR(status.st_mode):
        yield f"neither file, folder nor link: {path.name!a}"


def _wrong_content(tree: Path, data: bytes, extension: str) -> Iterator[str]:
    """Each file has the bytes that the standard library reads out of the archive."""
    found = {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    expected = _zip_content(data) if extension in {".zip", ".nupkg", ".jar"} else _tar_content(data)
    if found != expected:
        yield f"other content than the archive's: {_difference(dict(found), dict(expected))}"


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


def snapshot(folder: Path) -> dict[str, object]:
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


if __name__ == "__main__":
    sys.exit(main())
