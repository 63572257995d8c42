"""On which lines the instructions of a Dockerfile begin."""

from __future__ import annotations

import pytest
from hypothesis import given
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
        ("from a\n  run b", [(1, "FROM"), (2, "RUN")]),
    ],
)
def test_instructions_begin_where_docker_says(text: str, expected: list[tuple[int, str]]) -> None:
    assert lines(text) == expected


def test_continued_instruction_is_joined_to_one_line() -> None:
    (run,) = instructions("RUN apt-get update \\\n  # quietly\n  && apt-get install x\n")
    assert run.text == "RUN apt-get update && apt-get install x"


@given(st.text(alphabet="RUN \\`#<E\n\r\t", max_size=60))
def test_any_text_is_cut_into_rising_lines(text: str) -> None:
    found = [instruction.line for instruction in instructions(text)]
    assert found == sorted(set(found))
    assert all(1 <= line <= len(text.splitlines()) for line in found)
