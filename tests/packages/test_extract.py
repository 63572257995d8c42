from __future__ import annotations

import itertools
import os
import shutil
import tarfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from agent.errors import DockwrightError, PackageError, StorageError
from agent.packages import Extracted, Limits, extract
from agent.packages.archives import read_archive
from agent.packages.folders import PathFolder
from agent.packages.limits import Budget
from agent.packages.tree import TreeWriter
from tests.packages.archive_making import Member, archive_bytes, write_archive

EXTENSIONS = [".zip", ".nupkg", ".jar", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"]
APP = [
    Member(name="bin/", kind="folder"),
    Member(name="bin/app.sh", data=b"#!/bin/sh\n", mode=0o755),
    Member(name="bin/app.dll", data=os.urandom(700_000)),
    Member(name="empty/", kind="folder"),
    Member(name="wwwroot/späť/日本.txt", data="ž".encode()),
    Member(name="none.txt"),
    Member(name="bin/latest", kind="symlink", target="app.sh"),
    Member(name="conf", kind="symlink", target="./bin"),
]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_files_links_modes_and_times_are_as_in_the_archive(tmp_path: Path, extension: str) -> None:
    extracted = extract(write_archive(tmp_path / "App.1.0.0", APP, extension), tmp_path / "tree")
    tree = tmp_path / "tree"
    assert extracted == Extracted(files=6, bytes=10 + 700_000 + 2)
    for member in APP:
        if member.kind == "file":
            assert (tree / member.name).read_bytes() == member.data
            assert (tree / member.name).stat().st_mode & 0o7777 == member.mode
            if "tar" in extension or "tgz" in extension:
                assert (tree / member.name).stat().st_mtime == member.modified
    assert (tree / "empty").is_dir()
    assert (tree / "bin/latest").readlink() == Path("app.sh")
    assert (tree / "conf/app.sh").read_bytes() == b"#!/bin/sh\n"
    assert tree.stat().st_mode & 0o777 == (tree / "bin").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"App.1.0.0{extension}", "tree"]


@pytest.mark.parametrize("extension", [".zip", ".tar.gz"])
def test_calamari_fidelity_drops_links_and_executable_bits(tmp_path: Path, extension: str) -> None:
    members = [*APP, Member(name="out", kind="symlink", target="/etc/passwd")]
    archive = write_archive(tmp_path / "App.1.0.0", members, extension)
    assert extract(archive, tmp_path / "tree", fidelity="calamari").files == 4
    assert not (tmp_path / "tree/conf").exists()
    assert (tmp_path / "tree/bin/app.sh").stat().st_mode & 0o777 == 0o644


def test_rights_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "App.1.0.0", APP)
    before = os.umask(0o077)
    try:
        extract(archive, tmp_path / "tree")
    finally:
        os.umask(before)
    assert (tmp_path / "tree/bin/app.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "tree/bin").stat().st_mode & 0o777 == 0o755


def test_set_uid_and_others_write_are_not_kept(tmp_path: Path) -> None:
    members = [Member(name="root-shell", data=b"x", mode=0o6777), Member(name="plain", data=b"x", mode=0o666)]
    extract(write_archive(tmp_path / "App.1.0.0", members, ".tar"), tmp_path / "tree")
    assert (tmp_path / "tree/root-shell").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "tree/plain").stat().st_mode & 0o7777 == 0o644


def test_nupkg_leaves_its_metadata_out_and_unescapes_names(tmp_path: Path) -> None:
    members = [
        Member(name="_rels/.rels", data=b"x"),
        Member(name="package/services/metadata/core-properties/1.psmdcp", data=b"x"),
        Member(name="[Content_Types].xml", data=b"x"),
        Member(name="App.nuspec", data=b"x"),
        Member(name="App.1.0.0.nupkg.sha512", data=b"x"),
        Member(name="content/Web%20%5Bdev%5D.config", data=b"y"),
        Member(name="content/100%.txt", data=b"z"),
    ]
    assert extract(write_archive(tmp_path / "App.1.0.0", members, ".nupkg"), tmp_path / "tree").files == 2
    assert sorted(path.name for path in (tmp_path / "tree/content").iterdir()) == ["100%.txt", "Web [dev].config"]


def test_backslashes_of_old_windows_tools_separate_folders(tmp_path: Path) -> None:
    data = bytearray(archive_bytes([Member(name="bin\\app\\web.config", data=b"x")], ".zip"))
    data[data.index(b"PK\1\2") + 5] = 0  # made on MS-DOS
    (tmp_path / "App.1.0.0.zip").write_bytes(data)
    extract(tmp_path / "App.1.0.0.zip", tmp_path / "tree")
    assert (tmp_path / "tree/bin/app/web.config").read_bytes() == b"x"


def test_a_hard_link_becomes_a_copy(tmp_path: Path) -> None:
    members = [
        Member(name="a/tool", data=b"tool", mode=0o755),
        Member(name="b/tool", kind="hardlink", target="a/tool", mode=0o755),
    ]
    extract(write_archive(tmp_path / "App.1.0.0", members, ".tar"), tmp_path / "tree")
    assert (tmp_path / "tree/b/tool").read_bytes() == b"tool"
    assert (tmp_path / "tree/b/tool").stat().st_nlink == 1


def test_an_archive_with_nothing_in_it_makes_an_empty_folder(tmp_path: Path) -> None:
    for extension in (".zip", ".tar.gz"):
        tree = tmp_path / f"tree{extension}"
        assert extract(write_archive(tmp_path / "App.1.0.0", [], extension), tree) == Extracted(files=0, bytes=0)
        assert list(tree.iterdir()) == []


def test_a_time_in_the_future_is_now(tmp_path: Path) -> None:
    members = [Member(name="a", modified=8_000_000_000), Member(name="b", modified=0)]
    extract(write_archive(tmp_path / "App.1.0.0", members, ".tar"), tmp_path / "tree")
    assert abs((tmp_path / "tree/a").stat().st_mtime - time.time()) < 60
    assert (tmp_path / "tree/b").stat().st_mtime == 0


def test_progress_ends_at_the_archives_size(tmp_path: Path) -> None:
    archive, seen = write_archive(tmp_path / "App.1.0.0", APP, ".tar.gz"), []
    extract(archive, tmp_path / "tree", progress=lambda done, total: seen.append((done, total)))
    size = archive.stat().st_size
    assert seen[-1] == (size, size)
    assert all(done < total for done, total in seen[:-1])


LINK = Member(name="a", kind="symlink", target="b")
NAMED = [
    ("a parent folder", [Member(name="../evil")], "leads out of the target folder"),
    ("a parent folder within", [Member(name="a/../../evil")], "leads out of the target folder"),
    ("an absolute name", [Member(name="/etc/evil")], "has an absolute name"),
    ("a drive", [Member(name="C:evil")], "a colon in its name"),
    ("a stream", [Member(name="web.config:evil")], "a colon in its name"),
    ("a share", [Member(name="\\\\host\\share")], "a backslash in its name"),
    ("a backslash", [Member(name="..\\evil")], "a backslash in its name"),
    ("a device name", [Member(name="lib/NUL")], "Windows device NUL"),
    ("a device name with an extension", [Member(name="com1.txt")], "Windows device COM1"),
    ("a dot at the end", [Member(name="web.config.")], "ends in a dot or blank"),
    ("a blank at the end", [Member(name="bin /x")], "ends in a dot or blank"),
    ("a newline", [Member(name="a\nb")], "a control character"),
    ("a root", [Member(name=".")], "has no name"),
    ("a long part", [Member(name="a" * 256)], "more than 255 bytes"),
    ("a long name", [Member(name=("a" * 200 + "/") * 6 + "x")], "more than 1,024 bytes"),
    ("great depth", [Member(name="a/" * 70 + "x")], "deeper than 64 folders"),
    ("one name twice", [Member(name="a"), Member(name="a")], "the name of another entry"),
    ("names but for case", [Member(name="Web.config"), Member(name="web.config")], "the name of another entry"),
    ("folders but for case", [Member(name="Bin/a"), Member(name="bin/b")], "spelled otherwise"),
    ("names but for Unicode form", [Member(name="caf\u00e9"), Member(name="cafe\u0301")], "of another entry"),
    ("a file as a folder", [Member(name="a"), Member(name="a/b")], "is also something else"),
    ("a folder as a file", [Member(name="a/b"), Member(name="a")], "name of another entry"),
    ("a link as a folder", [LINK, Member(name="a/x")], "is also something else"),
    ("an absolute link", [Member(name="a", kind="symlink", target="/etc")], "absolute path '/etc'"),
    ("a link out", [Member(name="a/b", kind="symlink", target="../../x")], "out of the package"),
    ("a link down and up", [Member(name="a", kind="symlink", target="b/../../x")], "goes down and up again"),
    ("a link to a drive", [Member(name="a", kind="symlink", target="C:../x")], "a colon in it"),
    ("a link by backslashes", [Member(name="a", kind="symlink", target="..\\x")], "a backslash in it"),
    ("a long link", [Member(name="a", kind="symlink", target="b" * 1025)], "more than 1,024 bytes"),
    ("a named pipe", [Member(name="a", kind="fifo")], "named pipe"),
    ("a device", [Member(name="a", kind="device")], "device"),
]  # fmt: skip


@pytest.mark.parametrize("extension", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize(("members", "reason"), [case[1:] for case in NAMED], ids=[case[0] for case in NAMED])
def test_a_hostile_entry_is_named_and_nothing_is_extracted(
    tmp_path: Path, members: list[Member], reason: str, extension: str
) -> None:
    archive = write_archive(tmp_path / "App.1.0.0", [Member(name="good", data=b"good"), *members], extension)
    with pytest.raises(PackageError) as caught:
        extract(archive, tmp_path / "tree")
    message = str(caught.value)
    assert message.startswith(f"{archive.name} is refused: entry '")
    assert reason in message
    assert message.endswith("; nothing was extracted")
    assert message.isascii()
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == [archive]


TAR_ONLY = [
    ("a hard link to nothing", [Member(name="a", kind="hardlink", target="b")], "no file earlier in the archive"),
    ("a hard link to itself", [Member(name="a", kind="hardlink", target="a")], "no file earlier in the archive"),
    ("a hard link out", [Member(name="a", kind="hardlink", target="../../etc/passwd")], "leads out of the target"),
    ("an absolute hard link", [Member(name="a", kind="hardlink", target="/etc/passwd")], "has an absolute name"),
    ("a hard link to a link", [LINK, Member(name="c", kind="hardlink", target="a")], "no file earlier"),
    ("a sparse file", [Member(name="a", kind="sparse")], "is a sparse file"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "reason"), [case[1:] for case in TAR_ONLY], ids=[case[0] for case in TAR_ONLY])
def test_what_only_tar_can_hold_is_refused_as_well(tmp_path: Path, members: list[Member], reason: str) -> None:
    with pytest.raises(PackageError, match=reason):
        extract(write_archive(tmp_path / "App.1.0.0", members, ".tar"), tmp_path / "tree")
    assert list(tmp_path.iterdir()) == [tmp_path / "App.1.0.0.tar"]


@pytest.mark.parametrize("name", ["App.1.0.0.rar", "App.1.0.0.7z", "App"])
def test_an_archive_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"Rar!")
    with pytest.raises(PackageError, match=r"archives end in \.ear, \.jar, \.nupkg"):
        extract(tmp_path / name, tmp_path / "tree")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_what_is_no_archive_is_told_to_be_none(tmp_path: Path, extension: str) -> None:
    for content in (b"", b"hello", os.urandom(5000)):
        (tmp_path / f"App{extension}").write_bytes(content)
        with pytest.raises(PackageError, match=r"is refused: it is (damaged|cut off)"):
            extract(tmp_path / f"App{extension}", tmp_path / "tree")


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"App\.zip cannot be read: No such file"):
        extract(tmp_path / "App.zip", tmp_path / "tree")


def test_a_target_that_is_there_is_joined(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/app.dll").write_text("old")
    (tree / "bin/own.txt").write_text("kept")
    (tree / "none.txt").symlink_to("bin/own.txt")
    extract(write_archive(tmp_path / "App.1.0.0", APP), tree)
    assert (tree / "bin/app.dll").stat().st_size == 700_000
    assert (tree / "bin/own.txt").read_text() == "kept"
    assert (tree / "none.txt").read_bytes() == b""
    assert not (tree / "none.txt").is_symlink()


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ("bin", "'bin' is a folder, and a file has its place already"),
        ("bin/app.dll/", "'bin/app.dll' is a file, and a folder has its place already"),
        ("Bin/", "'bin' differs only in spelling from 'Bin'"),
        ("bin -> elsewhere", "'bin' is a folder, and a link has its place already"),
    ],
)
def test_a_target_that_cannot_be_joined_is_left_as_it_was(tmp_path: Path, there: str, reason: str) -> None:
    tree, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    tree.mkdir()
    elsewhere.mkdir()
    (tree / "a-file").write_text("kept")
    name, _, target = there.partition(" -> ")
    if target:
        (tree / name).symlink_to(elsewhere)
    elif name.endswith("/"):
        (tree / name).mkdir(parents=True)
    else:
        (tree / name).write_text("kept")
    before = sorted(tree.rglob("*"))
    with pytest.raises(PackageError, match=reason):
        extract(write_archive(tmp_path / "App.1.0.0", APP), tree)
    assert sorted(tree.rglob("*")) == before
    assert list(elsewhere.iterdir()) == []


def test_a_target_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "file").write_text("kept")
    archive = write_archive(tmp_path / "App.1.0.0", APP)
    for target in ("link", "file"):
        with pytest.raises(PackageError, match="is no folder"):
            extract(archive, tmp_path / target)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "file").read_text() == "kept"


def test_links_of_two_packages_together_stay_inside(tmp_path: Path) -> None:
    """One link is harmless until another package turns a folder that it goes through into a link."""
    tree = tmp_path / "tree"
    first = [Member(name="sub/way", kind="symlink", target="x/../../../out")]
    with pytest.raises(PackageError, match="goes down and up again"):
        extract(write_archive(tmp_path / "First.1.0.0", first), tree)
    extract(write_archive(tmp_path / "A.1.0.0", [Member(name="a/up", kind="symlink", target="../b")]), tree)
    extract(write_archive(tmp_path / "B.1.0.0", [Member(name="b", kind="symlink", target="a")]), tree)
    extract(write_archive(tmp_path / "C.1.0.0", [Member(name="way", kind="symlink", target="a/up/up")]), tree)
    assert (tree / "way").resolve().is_relative_to(tree)


def test_a_disk_without_room_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="stay free; make room and run again"):
        extract(write_archive(tmp_path / "App.1.0.0", APP), tmp_path / "tree", limits=Limits(free_bytes=1 << 60))
    assert not (tmp_path / "tree").exists()


def test_nothing_is_written_outside_while_the_target_is_flipped(tmp_path: Path) -> None:
    """Another process of the same user swaps a folder of the target for a link, all the time."""
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    (tree / "bin").mkdir(parents=True)
    archive = write_archive(tmp_path / "App.1.0.0", APP)
    ended = threading.Event()
    flipper = threading.Thread(target=_flip, args=(tree / "bin", outside, ended))
    flipper.start()
    outcomes = set()
    try:
        for _ in range(150):
            try:
                extract(archive, tree)
                outcomes.add("extracted")
            except DockwrightError as error:
                outcomes.add(type(error).__name__)
    finally:
        ended.set()
        flipper.join()
    assert list(outside.iterdir()) == []
    assert "PackageError" in outcomes or "StorageError" in outcomes


def test_systems_without_folder_descriptors_get_the_same_tree_but_no_links(tmp_path: Path) -> None:
    archive, root = write_archive(tmp_path / "App.1.0.0", APP, ".tar"), tmp_path / "tree"
    root.mkdir()
    writer = TreeWriter(PathFolder(root), Budget(Limits(), archive.stat().st_size, root), keep_unix=True)
    with archive.open("rb") as file:
        for entry in read_archive(file, ".tar", 100):
            writer.add(entry)
    assert (root / "bin/app.dll").stat().st_size == 700_000
    with pytest.raises(OSError, match="symbolic links are not made on this system"):
        writer.finish()
    (root / "empty").rmdir()
    (root / "empty").symlink_to("bin")
    with pytest.raises(NotADirectoryError):
        PathFolder(root).enter("empty")


def test_pax_gnu_and_ustar_headers_read_alike(tmp_path: Path) -> None:
    long_name = "/".join(["folder" * 10] * 4) + "/file.txt"
    members = [Member(name=long_name, data=b"x"), Member(name="link", kind="symlink", target=long_name)]
    for format_ in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        archive = tmp_path / "App.1.0.0.tar"
        with tarfile.open(archive, "w", format=format_) as tar:
            shutil.rmtree(tmp_path / "tree", ignore_errors=True)
            (tmp_path / "tree" / long_name).parent.mkdir(parents=True)
            (tmp_path / "tree" / long_name).write_bytes(b"x")
            (tmp_path / "tree/link").symlink_to(long_name)
            tar.add(tmp_path / "tree", arcname=".")
        extract(archive, tmp_path / f"out{format_}")
        assert (tmp_path / f"out{format_}" / "link").read_bytes() == members[0].data


def _flip(folder: Path, outside: Path, ended: threading.Event) -> None:
    spares = itertools.count()
    while not ended.is_set():
        spare = folder.with_name(f"spare{next(spares)}")
        for step in (
            lambda spare=spare: folder.rename(spare),
            lambda: folder.symlink_to(outside),
            folder.unlink,
            lambda spare=spare: spare.rename(folder),
        ):
            with suppress(OSError):
                step()
