from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.errors import StorageError, TransformError
from agent.transform import files
from agent.transform.files import Workspace


def write(path: Path, data: bytes = b"old") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_what_is_staged_is_read_by_the_next_and_written_only_at_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt")
    workspace = Workspace(tmp_path)
    assert workspace.write(path, b"new")
    assert workspace.read(path) == b"new"
    assert path.read_bytes() == b"old"
    changed = workspace.commit()
    assert path.read_bytes() == b"new"
    assert [(file.path, file.before, file.after) for file in changed] == [("a.txt", b"old", b"new")]


def test_a_file_that_comes_back_to_what_it_was_is_not_touched(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt")
    os.utime(path, ns=(1, 1))
    workspace = Workspace(tmp_path)
    assert not workspace.write(path, b"old")
    workspace.write(path, b"new")
    workspace.write(path, b"old")
    assert workspace.commit() == ()
    assert path.stat().st_mtime_ns == 1


def test_mode_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "run.sh")
    path.chmod(0o751)
    workspace = Workspace(tmp_path)
    workspace.write(path, b"new")
    workspace.commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o751


def test_a_read_only_file_is_refused_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt")
    path.chmod(0o444)
    with pytest.raises(TransformError, match=r"a\.txt is read-only"):
        Workspace(tmp_path).write(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("link", ["outside.txt", "sub/outside.txt"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, link: str) -> None:
    secret = write(tmp_path / "secret.txt")
    tree = tmp_path / "tree"
    (tree / link).parent.mkdir(parents=True, exist_ok=True)
    (tree / link).symlink_to(secret)
    workspace = Workspace(tree)
    with pytest.raises(TransformError, match="leads out of the package"):
        workspace.find("**/*.txt")
    with pytest.raises(TransformError, match="leads out of the package"):
        workspace.find(link)


def test_a_linked_folder_is_not_walked_and_not_a_way_out(tmp_path: Path) -> None:
    write(tmp_path / "outside/secret.txt")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "sub").symlink_to(tmp_path / "outside")
    (tree / "self").symlink_to(tree)
    assert Workspace(tree).find("**/*.txt") == ()
    with pytest.raises(TransformError, match="leads out of the package"):
        Workspace(tree).find("sub/secret.txt")


def test_a_link_inside_the_tree_changes_the_file_it_leads_to_and_stays_a_link(tmp_path: Path) -> None:
    path = write(tmp_path / "real.txt")
    (tmp_path / "link.txt").symlink_to("real.txt")
    workspace = Workspace(tmp_path)
    assert workspace.find("*.txt") == (path,)
    workspace.write(tmp_path / "link.txt", b"new")
    workspace.commit()
    assert (tmp_path / "link.txt").is_symlink()
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("target", ["../secret.txt", "a/../../secret.txt", "/etc/passwd", "C:\\x", "..\\secret.txt"])
def test_a_target_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    write(tmp_path / "secret.txt")
    tree = tmp_path / "tree"
    tree.mkdir()
    with pytest.raises(TransformError, match="leads out of the package"):
        Workspace(tree).find(target)


def test_an_absolute_target_inside_the_tree_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "app/a.txt")
    assert Workspace(tmp_path).find(f"{tmp_path}/app/*.txt") == (path,)


def test_additional_paths_are_searched_after_the_tree(tmp_path: Path) -> None:
    first, second = write(tmp_path / "tree/a.txt"), write(tmp_path / "more/a.txt")
    workspace = Workspace(tmp_path / "tree", (tmp_path / "more", tmp_path / "missing"))
    assert workspace.find("a.txt") == (first, second)
    assert workspace.name(second) == second.as_posix()
    workspace.write(second, b"new")
    workspace.commit()
    assert second.read_bytes() == b"new"


def test_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    workspace = Workspace(tmp_path)
    assert workspace.find("*.txt") == ()
    with pytest.raises(TransformError, match="not a file"):
        workspace.read(tmp_path / "pipe.txt")


def test_a_link_loop_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("b.txt")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert Workspace(tmp_path).find("*.txt") == ()


@pytest.mark.parametrize("target", ["x" * 5000, "x/" * 3000 + "y", "a\0b", "*\0", "", ".", "/", "**", "[" * 5000])
def test_odd_targets_find_nothing(tmp_path: Path, target: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.is_folder(target)
    if target == "/":
        with pytest.raises(TransformError, match="leads out"):
            workspace.find(target)
    else:
        assert workspace.find(target) == ()


def test_a_file_whose_name_is_no_text_is_changed_and_shown(tmp_path: Path) -> None:
    path = write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")))
    workspace = Workspace(tmp_path)
    (found,) = workspace.find("*.txt")
    workspace.write(found, b"new")
    assert [file.path for file in workspace.commit()] == ["caf\ufffd.txt"]
    assert path.read_bytes() == b"new"


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as stream:
        stream.truncate(files.MAXIMUM_FILE_BYTES + 1)
    with pytest.raises(TransformError, match=r"huge\.txt has 268,435,457 bytes"):
        Workspace(tmp_path).read(path)


def test_a_full_disk_is_said_and_leaves_every_file_as_it_was() -> None:
    full = Path("/dev/shm")
    if not full.is_dir():
        full = Path("/tmp")
    error = files._write_error(OSError(28, "No space left on device"), full)
    assert isinstance(error, StorageError)
    assert "the disk is full" in str(error)


def test_a_folder_that_vanishes_before_the_end_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    kept, lost = write(tmp_path / "a/kept.txt"), write(tmp_path / "b/lost.txt")
    workspace = Workspace(tmp_path)
    workspace.write(kept, b"new")
    workspace.write(lost, b"new")
    lost.unlink()
    lost.parent.rmdir()
    with pytest.raises(TransformError, match="cannot be written"):
        workspace.commit()
    assert kept.read_bytes() == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept.txt"]
