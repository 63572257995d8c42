"""On which lines the instructions of a Dockerfile begin, and which words they are made of."""

from __future__ import annotations

import dockerfile
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.engine.dockerfile import instructions


def lines(text: str) -> list[tuple[int, str]]:
    return [(instruction.line, instruction.keyword) for instruction in instructions(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# only\n\n# comments\n", []),
        ("FROM a\nRUN b", [(1, "FROM"), (2, "RUN")]),
        ("\ufeffFROM a\r\n\r\nRUN b\r\n", [(1, "FROM"), (3, "RUN")]),
        ("FROM a\nRUN b \\\n  && c \\\n\n# comment\n  && d\nCMD e\n", [(1, "FROM"), (2, "RUN"), (7, "CMD")]),
        ("# escape=`\nFROM a\nRUN b `\n  c\nRUN d \\\nCMD e", [(2, "FROM"), (3, "RUN"), (5, "RUN"), (6, "CMD")]),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a `\n b\nRUN c", [(3, "FROM"), (5, "RUN")]),
        ("# a comment\n# escape=`\nFROM a `\nRUN c", [(3, "FROM"), (4, "RUN")]),
        ("FROM a\nCOPY <<EOF /x\nRUN not\nEOF\nRUN b", [(1, "FROM"), (2, "COPY"), (5, "RUN")]),
        ("FROM a\nRUN <<-'E' sh\nCMD not\n\tE\nRUN b", [(1, "FROM"), (2, "RUN"), (5, "RUN")]),
        ("FROM a\nCOPY <<A <<B /x/\n1\nA\n2\nB\nRUN b", [(1, "FROM"), (2, "COPY"), (7, "RUN")]),
        ("FROM a\nRUN cat <<<x\nCMD b", [(1, "FROM"), (2, "RUN"), (3, "CMD")]),
        ("FROM a\nRUN b <<EOF\nnever ends\nCMD c", [(1, "FROM"), (2, "RUN"), (3, "NEVER"), (4, "CMD")]),
        ("FROM a\nRUN b \\", [(1, "FROM"), (2, "RUN")]),
        ("FROM a\nRUN dir c:\\\\\nCMD b", [(1, "FROM"), (2, "RUN"), (3, "CMD")]),
        ("FROM a\nRUN echo x\x0by\x85z\u2028w\nCMD b", [(1, "FROM"), (2, "RUN"), (3, "CMD")]),
        ("FROM a\nRUN cat<<EOF\nCMD b", [(1, "FROM"), (2, "RUN"), (3, "CMD")]),
        ("FROM a\nRUN 3<<'E F'\nnot\nE F\nCMD b", [(1, "FROM"), (2, "RUN"), (5, "CMD")]),
        ("FROM a\nONBUILD COPY <<EOF /x\nnot\nEOF\nCMD b", [(1, "FROM"), (2, "ONBUILD"), (5, "CMD")]),
        ('FROM a\nRUN ["sh", "<<EOF"]\nCMD b', [(1, "FROM"), (2, "RUN"), (3, "CMD")]),
        ("FROM a\nLABEL x=<<EOF\nCMD b", [(1, "FROM"), (2, "LABEL"), (3, "CMD")]),
        ("from a\n  run b", [(1, "FROM"), (2, "RUN")]),
    ],
)
def test_instructions_begin_where_docker_says(text: str, expected: list[tuple[int, str]]) -> None:
    assert lines(text) == expected


def test_continued_instruction_is_joined_to_one_line() -> None:
    (run,) = instructions("RUN apt-get update \\\n  # quietly\n  && apt-get install x\n")
    assert run.text == "RUN apt-get update && apt-get install x"


def test_words_of_one_name_are_joined_across_lines_as_docker_does() -> None:
    (run,) = instructions("RUN apt-get inst\\\nall x\n")
    assert run.words == ("apt-get", "install", "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ENV A=b C='d e' F=\"g h\" I=j\\ k", ("A=b", "C=d e", "F=g h", "I=j k")),
        ('COPY --from=x --chown=1:1 ["a b", "c"]', ("--from=x", "--chown=1:1", "a b", "c")),
        ("# escape=`\nCOPY a` b c:\\", ("a b", "c:\\")),
        ("ARG A", ("A",)),
        ("ARG", ()),
        ("RUN echo 'never ends", ("echo", "never", "ends")),
        ('COPY ["broken', ("[broken",)),
    ],
)
def test_words_are_without_quotes_and_escapes(text: str, words: tuple[str, ...]) -> None:
    assert instructions(text)[0].words == words


def test_heredocs_are_kept_apart() -> None:
    (copy,) = instructions("COPY <<A <<-B /x/\none\nA\n\ttwo\n\tB\n")
    assert copy.bodies == ("one", "\ttwo")
    assert copy.text == "COPY <<A <<-B /x/"


def test_very_many_heredocs_that_never_end_take_no_time() -> None:
    text = "".join(f"RUN <<E{number}\n" for number in range(50_000))
    assert len(instructions(text)) == 50_000


PIECES = [
    *("RUN ", "COPY ", "ADD ", "ENV ", "ONBUILD ", "FROM a", "\n", "\r\n", "\\\n", "`\n", "\\\\\n", "#", "# c\n"),
    *(" ", "\t", "<<", "<<-", "<<<", "3<<", "EOF", "'EOF'", '"E O"', "\nEOF\n", "\n\tEOF\n", "x", "'", '"', '["a"]'),
]
HEADS = ["", "# escape=`\n", "#escape = \\\n", "# syntax=x\n# escape=`\n", "\n# escape=`\n", "\ufeff"]


@given(st.sampled_from(HEADS), st.lists(st.sampled_from(PIECES), max_size=14))
def test_lines_are_those_of_dockers_own_parser(head: str, pieces: list[str]) -> None:
    text = f"{head}FROM a\n{''.join(pieces)}"
    try:
        expected = [(found.start_line, found.cmd.upper()) for found in dockerfile.parse_string(text) if found.cmd]
    except dockerfile.GoParseError:
        assume(False)
    assert lines(text) == expected


@given(st.text(alphabet="RUN \\`#<E\n\r\t", max_size=60))
def test_any_text_is_cut_into_rising_lines(text: str) -> None:
    found = [instruction.line for instruction in instructions(text)]
    assert found == sorted(set(found))
    assert all(1 <= line <= text.count("\n") + 1 for line in found)
