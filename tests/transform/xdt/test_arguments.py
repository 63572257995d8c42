"""The language of Transform and Locator attributes."""

from __future__ import annotations

import pytest

from agent.transform.xdt.arguments import parse_call, split_arguments
from agent.transform.xdt.report import Problem


@pytest.mark.parametrize(
    ("value", "call"),
    [
        ("Remove", ("Remove", "")),
        (" Name (x) ", ("Name", "x")),
        ("Name()", ("Name", "")),
        ("Name(a(b)c)", ("Name", "a(b)c")),
        ("Name(a\nb)", ("Name", "a\nb")),
    ],
)
def test_a_call_is_a_name_and_what_is_in_the_parentheses(value: str, call: tuple[str, str]) -> None:
    assert parse_call(value) == call


@pytest.mark.parametrize("value", ["", "a.b", "Name(x) y", "Name(x", "#Name#", "Name:x"])
def test_anything_else_is_a_problem(value: str) -> None:
    with pytest.raises(Problem):
        parse_call(value)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", []),
        (" key ", [" key "]),
        ("a, b ,c", ["a", "b", "c"]),
        ("contains(@k,'a')", ["contains(@k,'a')"]),
        ("@k='a,b'", ["@k='a", "b'"]),
        ("f(a,b), c", ["f(a,b)", "c"]),
        ("f(a, b, c", ["f(a, b, c"]),
    ],
)
def test_commas_split_outside_of_parentheses_only(text: str, arguments: list[str]) -> None:
    assert split_arguments(text) == arguments
