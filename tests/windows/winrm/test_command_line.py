"""Lines for cmd.exe: what a program gets is what was meant."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.errors import HostError
from tests.winrm.command_line import parse
from windows.winrm.command_line import command_line

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30)
SPECIAL = st.text(st.sampled_from('ab \\"%^&|<>()!,;='), max_size=12)


@given(st.lists(TEXT | SPECIAL, max_size=4))
@example(["a\\", "b c\\", '\\"', '%PATH%"', "100% & more", ""])
def test_program_gets_the_arguments_that_were_meant(arguments: list[str]) -> None:
    program, rest = command_line(["docker", *arguments])
    assert parse(f"{program} {rest}", {"PATH": "C:\\Windows", "a": "b"}).arguments == ["docker", *arguments]


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("--format={{json .}}", '"--format={{json .}}"'),
        ("C:\\Temp\\x", '"C:\\Temp\\x"'),
        ("C:\\Temp\\", '"C:\\Temp\\\\"'),
        ("a*", '"a*"'),
        ("a&b", '"a&b"'),
        ("100%", '"100%"'),
        ("%PATH%", '^"^%PATH^%^"'),
        ('a"b', '"a\\"b"'),
        ('a"&"b', '^"a\\^"^&\\^"b^"'),
    ],
)
def test_only_what_needs_protection_gets_it(argument: str, written: str) -> None:
    assert command_line(["docker", argument]) == ("docker", written)


@pytest.mark.parametrize(
    "arguments",
    [
        ["version", "--format={{json .Server}}"],
        ["create", '--health-cmd=test -f "a b"', "--label=a=b & c | d", "app", "sh", "-c", "exit 1; echo <x>"],
        ["build", "--build-arg=RATE=100%", "--build-arg=DIR=C:\\Temp\\x", "--label=~#*?[a]{b,c}'", "-"],
    ],
)
def test_a_posix_shell_reads_the_same(arguments: list[str]) -> None:
    program, rest = command_line(["docker", *arguments])
    assert shlex.split(f"{program} {rest}") == ["docker", *arguments]


@pytest.mark.parametrize("argument", ["a\nb", "a\rb", "a\0b", "a\x1bb", "a\ud800b"])
def test_what_no_line_can_hold_is_refused(argument: str) -> None:
    with pytest.raises(HostError, match=r"line break|cannot carry"):
        command_line(["docker", argument])


def test_too_long_a_line_is_refused() -> None:
    with pytest.raises(HostError, match="8191"):
        command_line(["docker", "x" * 8200])
