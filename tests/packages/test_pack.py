from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agent.errors import InputError, PackageError, StorageError
from agent.packages import extract, pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "MyApp.Sdi.1.2.0-beta"
    (folder / "app/empty").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "app/run.sh").write_text("#!/bin/sh\n")
    (folder / "app/run.sh").chmod(0o700)
    (folder / "app/späť.txt").write_text("ž")
    (folder / "app/current").symlink_to("run.sh")
    return folder


def test_the_folders_name_gives_id_and_version(tmp_path: Path, folder: Path) -> None:
    packed = pack(folder, tmp_path)
    assert packed.path == tmp_path / "MyApp.Sdi.1.2.0-beta.zip"
    assert packed.files == 4
    assert packed.size == packed.path.stat().st_size
    assert packed.sha256 == hashlib.sha256(packed.path.read_bytes()).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, packed.path.name]


def test_what_is_packed_is_extracted_again(tmp_path: Path, folder: Path) -> None:
    extract(pack(folder, tmp_path).path, tmp_path / "tree")
    tree = tmp_path / "tree"
    assert {path.relative_to(tree) for path in tree.rglob("*")} == {
        path.relative_to(folder) for path in folder.rglob("*")
    }
    assert (tree / "app/run.sh").stat().st_mode & 0o777 == 0o755
    assert (tree / "Dockerfile").stat().st_mode & 0o777 == 0o644
    assert (tree / "app/current").readlink() == Path("run.sh")


def test_the_same_folder_gives_the_same_bytes_anywhere_and_any_time(tmp_path: Path, folder: Path) -> None:
    first = pack(folder, tmp_path / "one.zip")
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    for path in [moved, *moved.rglob("*")]:
        if not path.is_symlink():
            os.utime(path, (0, 0))
            path.chmod(path.stat().st_mode | 0o066)
    script = (
        "import sys; from pathlib import Path; from agent.packages import pack;"
        "print(pack(Path(sys.argv[1]), Path(sys.argv[2])).sha256)"
    )
    environment = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C.UTF-8"}
    second = subprocess.run(
        [sys.executable, "-c", script, str(moved), str(tmp_path / "two.zip")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert second == first.sha256
    with zipfile.ZipFile(first.path) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_id_and_version_may_be_given(tmp_path: Path, folder: Path) -> None:
    assert pack(folder, tmp_path, "Other", "2.0").path.name == "Other.2.0.zip"
    assert pack(folder, tmp_path, version="3.0").path.name == "MyApp.Sdi.3.0.zip"


@pytest.mark.parametrize(("id", "version"), [("../evil", "1.0"), ("a/b", "1.0"), ("App", "../1.0"), ("App.1", "2.0")])
def test_a_name_that_is_no_package_name_is_refused(tmp_path: Path, folder: Path, id: str, version: str) -> None:  # noqa: A002
    with pytest.raises(PackageError):
        pack(folder, tmp_path, id, version)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_another_name_needs_an_id(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    with pytest.raises(PackageError, match=r"is not named Id\.Version; name it so, or give"):
        pack(tmp_path / "app", tmp_path)


def test_version_control_and_the_output_itself_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("secret")
    (folder / "app/.svn").mkdir()
    (folder / ".gitignore").write_text("*.zip")
    monkeypatch.chdir(folder)
    first = pack(Path(), None)
    assert first.path.absolute() == folder / "MyApp.Sdi.1.2.0-beta.zip"
    assert pack(Path(), None).sha256 == first.sha256
    with zipfile.ZipFile(first.path) as archive:
        assert [name for name in archive.namelist() if ".git" in name or ".svn" in name or ".zip" in name] == [
            ".gitignore"
        ]


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "app/../../outside"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, folder: Path, target: str) -> None:
    (folder / "evil").symlink_to(target)
    with pytest.raises(PackageError, match=r"cannot be packed: 'evil' is a link to"):
        pack(folder, tmp_path)
    assert list(tmp_path.iterdir()) == [folder]


def test_links_to_folders_are_packed_as_links(tmp_path: Path, folder: Path) -> None:
    (folder / "here").symlink_to("app")
    (folder / "self").symlink_to(".")
    assert pack(folder, tmp_path).files == 6


def test_a_socket_or_named_pipe_is_refused(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(PackageError, match="'pipe' is a socket, device or named pipe"):
        pack(folder, tmp_path)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        with pytest.raises(PackageError, match="'s' is a socket"):
            pack(folder, tmp_path)


@pytest.mark.parametrize(
    "names", [["Web.config", "web.config"], ["aux.js"], ["a:b"], ["x."], ["caf\u00e9", "cafe\u0301"]]
)
def test_names_that_would_be_refused_later_are_refused_now(tmp_path: Path, folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).write_text("x")
    with pytest.raises(PackageError, match="cannot be packed"):
        pack(folder, tmp_path)


def test_the_check_sees_the_folder_and_may_refuse_it(tmp_path: Path, folder: Path) -> None:
    seen: list[Path] = []
    pack(folder, tmp_path, check=seen.append)
    assert seen == [folder]

    def refuse(_: Path) -> None:
        raise InputError("no Dockerfile")

    with pytest.raises(InputError, match="no Dockerfile"):
        pack(folder, tmp_path / "other.zip", check=refuse)
    assert not (tmp_path / "other.zip").exists()


def test_a_failed_pack_leaves_the_former_package(tmp_path: Path, folder: Path) -> None:
    former = pack(folder, tmp_path)
    (folder / "evil").symlink_to("/etc")
    with pytest.raises(PackageError):
        pack(folder, tmp_path)
    assert hashlib.sha256(former.path.read_bytes()).hexdigest() == former.sha256


def test_files_from_before_1980_are_packed(tmp_path: Path, folder: Path) -> None:
    os.utime(folder / "Dockerfile", (0, 0))
    assert pack(folder, tmp_path).files == 4


@pytest.mark.parametrize("output", ["nowhere/App.zip", "nowhere"])
def test_an_output_in_no_folder_is_refused(tmp_path: Path, folder: Path, output: str) -> None:
    with pytest.raises((PackageError, StorageError), match="nowhere") as caught:
        pack(folder, tmp_path / output)
    assert "\n" not in str(caught.value)
