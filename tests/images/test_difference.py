"""What differs between two images' files, and how few layers are read to know."""

from __future__ import annotations

from pathlib import Path

from agent.images.difference import FileDifference, compare_files, shared_layers
from tests.images.tars import Image, entry, packed

APP = packed(entry("app", None), entry("app/a.json", "1"), entry("app/b.json", "2"))
SYSTEM = packed(entry("etc", None), entry("etc/x", "x"))


def compared(folder: Path, first: list[bytes], second: list[bytes]) -> dict[str, FileDifference]:
    one, other = Image(folder / "one", *first), Image(folder / "two", *second)
    return {each.path: each for each in compare_files(one.layers, other.layers)}


def kinds(differences: dict[str, FileDifference]) -> dict[str, str]:
    return {path: each.kind for path, each in differences.items()}


def test_the_same_layers_hold_the_same_files_and_are_not_read(tmp_path: Path) -> None:
    one, other = Image(tmp_path / "one", SYSTEM, APP), Image(tmp_path / "two", SYSTEM, APP)
    assert compare_files(one.layers, other.layers) == ()
    assert (one.read, other.read) == ([], [])


def test_layers_are_shared_from_the_lowest_on(tmp_path: Path) -> None:
    one, other = Image(tmp_path / "one", SYSTEM, APP), Image(tmp_path / "two", packed(entry("y")), APP)
    assert shared_layers(one.layers, one.layers) == 2
    assert shared_layers(one.layers, other.layers) == 0


def test_a_file_is_compared_with_what_a_shared_layer_has(tmp_path: Path) -> None:
    changed = packed(entry("app/a.json", "new"))
    one, other = Image(tmp_path / "one", SYSTEM, APP), Image(tmp_path / "two", SYSTEM, APP, changed)
    (difference,) = compare_files(one.layers, other.layers)
    assert (difference.path, difference.kind) == ("app/a.json", "changed")
    assert difference.before is not None
    assert difference.after is not None
    assert (difference.before.size, difference.after.size) == (1, 3)
    assert one.read == [1], "the lowest layer says nothing about it"


def test_the_same_content_again_is_no_difference(tmp_path: Path) -> None:
    assert compared(tmp_path, [APP], [APP, packed(entry("app/a.json", "1"))]) == {}


def test_another_content_of_the_same_size_is_seen(tmp_path: Path) -> None:
    assert kinds(compared(tmp_path, [APP], [APP, packed(entry("app/a.json", "9"))])) == {"app/a.json": "changed"}


def test_mode_and_owner_count(tmp_path: Path) -> None:
    found = compared(tmp_path, [APP], [APP, packed(entry("app/a.json", "1", mode=0o600, uid=5))])
    assert found["app/a.json"].same_content
    assert found["app/a.json"].after is not None
    assert (found["app/a.json"].after.mode, found["app/a.json"].after.uid) == (0o600, 5)


def test_deleted_and_new_files_are_told(tmp_path: Path) -> None:
    upper = packed(entry("app/.wh.b.json"), entry("app/c.json", "3"))
    assert kinds(compared(tmp_path, [APP], [APP, upper])) == {"app/b.json": "removed", "app/c.json": "added"}


def test_a_folder_that_is_gone_stands_for_what_was_in_it(tmp_path: Path) -> None:
    assert kinds(compared(tmp_path, [SYSTEM, APP], [SYSTEM, APP, packed(entry(".wh.app"))])) == {"app": "removed"}


def test_a_folder_begun_anew_hides_what_was_in_it(tmp_path: Path) -> None:
    upper = packed(entry("app", None), entry("app/.wh..wh..opq"), entry("app/b.json", "2"))
    assert kinds(compared(tmp_path, [SYSTEM, APP], [SYSTEM, APP, upper])) == {"app/a.json": "removed"}


def test_links_differ_by_where_they_lead(tmp_path: Path) -> None:
    one, other = packed(entry("l", link="app/a.json")), packed(entry("l", link="app/b.json"))
    assert kinds(compared(tmp_path, [APP, one], [APP, other])) == {"l": "changed"}


def test_different_layers_with_the_same_files_are_no_difference(tmp_path: Path) -> None:
    again = packed(entry("app/b.json", "2"), entry("app", None), entry("app/a.json", "1"))
    assert compared(tmp_path, [APP], [again]) == {}
