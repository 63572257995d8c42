from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import ParseFailure, Replaced
from agent.transform.structured.properties import replace
from agent.variables import Variables

FILE = """\
# a comment = no entry \\
! another
key1 = value one
key2:value\\ttwo
ke\\
   y3   three \\
    continued
key\\ 4=x
key5 =
key6

  key7\tsome text
k\\u1E1By = y
a.b.c=1
key1=again
"""


def replaced(text: str, variables: dict[str, str | None]) -> Replaced:
    return replace(text.encode(), Candidates(Variables.of(variables)), "app.properties")


def result(text: str, variables: dict[str, str | None]) -> str:
    return replaced(text, variables).data.decode()


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("key2", "x", "value\\ttwo", "x"),
        ("KEY2", "x", "value\\ttwo", "x"),
        ("key3", "x", "three \\\n    continued", "x"),
        ("key 4", "y", "=x", "=y"),
        ("key5", "  x", "key5 =", "key5 =\\  x"),
        ("key6", "x", "key6", "key6:x"),
        ("key7", "=x", "some text", "\\=x"),
        ("kḛy", "ΘÉ😀", "= y", "= \\u0398\\u00c9\\ud83d\\ude00"),
        ("a.b.c", "C:\\x\r\n\ty=z", "=1", "=C:\\\\x\\r\\n\\ty=z"),
        ("a:b:c", "x", "", ""),
        ("b", "x", "", ""),
        ("key2", None, "", ""),
    ],
)
def test_only_the_value_moves(key: str, value: str | None, old: str, new: str) -> None:
    assert result(FILE, {key: value}) == FILE.replace(old, new)


def test_every_entry_of_a_key_changes() -> None:
    done = replaced(FILE, {"key1": "x"})
    assert done.data.decode() == FILE.replace("value one", "x").replace("again", "x")
    assert [(change.place, change.old, change.new) for change in done.changes] == [
        ("key1", "value one", "x"),
        ("key1", "again", "x"),
    ]


def test_every_octopus_name_is_left_out() -> None:
    text = "Octopus.Release=1\nOctopus:Section=2\nOctopus\\:Section=3\nMyOctopus=4"
    done = replaced(text, dict.fromkeys(["Octopus.Release", "Octopus:Section", "Octopus", "MyOctopus"], "x"))
    assert [change.place for change in done.changes] == ["MyOctopus"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encoding_and_newlines_stay(newline: str, encoding: str) -> None:
    text = newline.join(["é = ä \\", "  more", "", "b", ""])
    done = replace(text.encode(encoding), Candidates(Variables.of({"é": "n", "B": "1"})), "x")
    assert done.data == newline.join(["é = n", "", "b:1", ""]).encode(encoding)


def test_equal_values_keep_their_spelling() -> None:
    done = replaced(FILE, {"key2": "value\ttwo", "key3": "three continued"})
    assert (done.data.decode(), done.changes, done.matched) == (FILE, (), 2)


def test_a_broken_unicode_escape_is_refused_with_its_place() -> None:
    with pytest.raises(ParseFailure) as failure:
        replaced("a=1\nb = x\\u12", {})
    assert (failure.value.line, failure.value.column) == (2, 6)


@pytest.mark.parametrize("text", ["", "\n\n", "\\", "a\\", "a=\\", "\\\n", "=", ":x", " = = ", "#", "a" * 100_000])
def test_odd_files_stay(text: str) -> None:
    assert result(text, {"zz": "1"}) == text


def test_a_million_odd_characters_take_one_walk() -> None:
    for piece in ("\\", "\\\n", "= ", "\\u0041", " \\\n"):
        text = piece * (1_000_000 // len(piece))
        assert result(text, {"zz": "1"}) == text


files = st.text(alphabet="ab=:#! \\\n\r\t\fé", max_size=40)


@given(files)
def test_without_a_match_every_byte_stays(text: str) -> None:
    assert result(text, {"zz": "1"}) == text


@given(files, st.sampled_from("ab"), st.text(alphabet="ab=:#! \\\n\r\t\fé😀", max_size=8), files)
def test_a_replaced_value_reads_back_and_the_rest_stays(head: str, key: str, value: str, tail: str) -> None:
    head = re.sub(r"[ab]", "c", head).rstrip("\\\r") + "\n"  # nothing that would take the next line in
    tail = re.sub(r"[ab]", "c", tail)
    written = result(f"{head}{key} = old\n{tail}", {key: value})
    assert written.startswith(head)
    assert written.endswith("\n" + tail)
    again = replaced(written, {key: "another"})
    assert [change.old for change in again.changes] == [value]
    assert result(written, {key: value}) == written
