from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import TransformError
from agent.transform.globs import matching, normalise

TREE = ["a.json", "b.txt", "app/a.json", "app/deep/er/a.json", "app/.hidden", "x/app/a.json"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.json", ["a.json"]),
        ("*.json", ["a.json"]),
        ("?.json", ["a.json"]),
        ("**/*.json", ["a.json", "app/a.json", "app/deep/er/a.json", "x/app/a.json"]),
        ("app/**", ["app/a.json", "app/deep/er/a.json", "app/.hidden"]),
        ("app/**/a.json", ["app/a.json", "app/deep/er/a.json"]),
        ("**/app/*.json", ["app/a.json", "x/app/a.json"]),
        ("**/app/**/a.*", ["app/a.json", "app/deep/er/a.json", "x/app/a.json"]),
        ("app\\*.json", ["app/a.json"]),
        ("./app//a.json", ["app/a.json"]),
        ("{a,b}.{json,txt}", ["a.json", "b.txt"]),
        ("{app/a,b}.{json,txt}", ["b.txt", "app/a.json"]),
        ("[ab].*", ["a.json", "b.txt"]),
        ("[!a].*", ["b.txt"]),
        ("[a-b].txt", ["b.txt"]),
        ("A.json", []),
        ("none/*", []),
        ("", []),
    ],
)
def test_patterns_find_what_they_say(pattern: str, found: list[str]) -> None:
    assert matching(pattern, TREE) == found


@pytest.mark.parametrize(
    "folder", ["[Configuration]", "Configuration]", "[Configuration", "{Configuration}", "{a,b}", "a}b", "[!x]"]
)
def test_folders_that_hold_brackets_match_as_they_stand(folder: str) -> None:
    assert matching(f"{folder}/*.txt", [f"{folder}/Foo.txt"]) == [f"{folder}/Foo.txt"]


@pytest.mark.parametrize(
    "pattern", ["[", "[]", "[]]", "[z-a]", "[\\", "{", "}", "{}", "{,", "[^]", "[!]", "[&&]", "[a~~b]", "a*\0"]
)
def test_odd_brackets_never_fail(pattern: str) -> None:
    assert matching(pattern, ["other"]) == []


def test_many_wildcards_take_no_longer_than_the_name() -> None:
    assert matching("*a" * 120 + "b", ["a" * 250]) == []
    assert matching("**/a*/" * 40 + "b", ["/".join(["aa"] * 120)]) == []


def test_groups_without_end_are_refused() -> None:
    with pytest.raises(TransformError, match="too many"):
        matching("{a,b}" * 40, ["a"])
    with pytest.raises(TransformError, match="too many"):
        matching("{" * 1000 + "}" * 1000, ["a"])


def test_a_hundred_thousand_files_are_sifted() -> None:
    names = [f"folder{i % 300}/sub/file{i}.{'json' if i % 1000 == 0 else 'dll'}" for i in range(100_000)]
    assert len(matching("**/*.json", names)) == 100


@given(st.text(alphabet="ab*?.", max_size=8), st.text(alphabet="ab.", max_size=8))
def test_within_one_folder_patterns_agree_with_fnmatch(pattern: str, name: str) -> None:
    if "**" in pattern or not name or normalise(pattern) != pattern:
        return
    assert bool(matching(pattern, [name])) == fnmatch.fnmatchcase(name, pattern)
