from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import TransformError
from agent.transform import Transformed, TransformSettings, transform
from agent.transform.settings import TargetRule
from agent.transform.substitute import substitute
from agent.transform.tokens import top_level_tokens
from agent.variables import Variables

VARIABLES = Variables.of({"a": "1", "name": "wörld", "Password": "hunter2", "t": "True"}, sensitive=["Password"])


def result(text: str) -> str:
    return substitute(text.encode(), VARIABLES, "f").data.decode()


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("hello #{name}\r\n", "hello wörld\r\n"),
        ("#{a}#{a} ##{a} ###{a}", "11 #{a} #1"),
        ("#{unknown} #{a}", "#{unknown} 1"),
        ("#{if t}#{a}#{/if}!", "1!"),
        ("#{unless t}#{a}#{/unless}!", "!"),
        ("# nothing { here }", "# nothing { here }"),
        ("#{broken #{a}", "#{broken 1"),
    ],
)
def test_tokens_are_replaced_and_nothing_else(text: str, new: str) -> None:
    assert result(text) == new


def test_a_change_is_told_for_each_token() -> None:
    done = substitute(b"x\n#{a} #{unknown}\n\n#{if t}\n#{a}#{/if} #{Password}", VARIABLES, "app.conf")
    assert [(change.place, change.rule, change.new, change.sensitive) for change in done.changes] == [
        ("line 2", "#{a}", "1", False),
        ("line 4", "#{if t}\n#{a}#{/if}", "\n1", False),
        ("line 5", "#{Password}", "hunter2", True),
    ]
    assert "hunter2" not in "".join(change.shown() for change in done.changes)
    assert "#{unknown}" in (done.error or "")


def run(tree: Path, settings: TransformSettings) -> Transformed:
    return transform(tree, settings, VARIABLES)


def test_files_are_changed_in_place_and_others_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"\xef\xbb\xbf#{name}\r\n")
    (tmp_path / "b.conf").write_bytes(b"no token\xff")
    (tmp_path / "c.txt").write_bytes(b"#{a}")
    done = run(tmp_path, TransformSettings(substitute=("*.conf",)))
    assert (tmp_path / "a.conf").read_bytes() == "\ufeffwörld\r\n".encode()
    assert [file.path for file in done.files] == ["a.conf"]
    assert (tmp_path / "c.txt").read_bytes() == b"#{a}"
    assert "Performing variable substitution on 'b.conf'" in [message.text for message in done.messages]


def test_unresolved_tokens_fail_only_if_asked_to(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"#{a} #{unknown}")
    with pytest.raises(TransformError, match=r"a\.conf.*#\{unknown\}"):
        run(tmp_path, TransformSettings(substitute=("a.conf",), fail_on_unresolved=True))
    assert (tmp_path / "a.conf").read_bytes() == b"#{a} #{unknown}"
    done = run(tmp_path, TransformSettings(substitute=("a.conf",)))
    assert (tmp_path / "a.conf").read_bytes() == b"1 #{unknown}"
    assert "#{unknown}" in done.messages[-1].text


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-8", "\ufeff1 é".encode()),
        ("utf-16", "\ufeff1 é".encode("utf-16-le")),
        ("iso-8859-1", b"1 \xe9"),
        ("us-ascii", b"1 ?"),
        ("utf-666", "1 é".encode()),
        (None, "1 é".encode()),
    ],
)
def test_another_encoding_is_written_if_it_is_known(encoding: str | None, data: bytes) -> None:
    assert substitute("#{a} é".encode(), VARIABLES, "f", encoding).data == data


def test_text_that_leaves_windows_1252_is_written_as_utf8() -> None:
    done = substitute("#{n} é".encode("cp1252"), Variables.of({"n": "ő"}), "f")
    assert done.data == "ő é".encode()
    assert [message.level for message in done.messages] == ["warn"]


def test_a_token_without_a_match_is_a_warning_or_what_the_rule_says(tmp_path: Path) -> None:
    done = run(tmp_path, TransformSettings(substitute=("*.conf",)))
    assert [message.level for message in done.messages] == ["warn"]
    assert "'*.conf'" in done.messages[0].text
    assert run(tmp_path, TransformSettings(substitute=("*.conf",), no_match="ignore")).messages == ()
    with pytest.raises(TransformError, match=r"\*\.conf"):
        run(tmp_path, TransformSettings(substitute=(TargetRule(target="*.conf", no_match="fail"),)))


@given(st.binary(max_size=60))
def test_without_tokens_every_byte_stays(data: bytes) -> None:
    data = data.replace(b"#", b".")
    assert substitute(data, VARIABLES, "f").data == data


@given(st.text(alphabet="#{}ab |/\n", max_size=30))
def test_the_changes_add_up_to_the_whole(text: str) -> None:
    done = substitute(text.encode(), VARIABLES, "f")
    assert done.data.decode() == VARIABLES.evaluate(text, halt_on_error=False).value
    assert (done.changes == ()) == (done.data == text.encode())


@pytest.mark.parametrize("piece", ["#{", "#{if a}", "#{/if}", "#", "##{", '#{a | F "', "#{a}", "#{each a in b}#{"])
def test_a_million_characters_of_open_tokens_are_walked_once(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    spans = top_level_tokens(text)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
