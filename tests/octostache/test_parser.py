"""The grammar: what is text, what is a token, and what cannot be read."""

from __future__ import annotations

import pytest

from agent.variables.octostache import TemplateError, argument_names, parse, tokens_text
from agent.variables.octostache.syntax import Calculation, Conditional, Repetition, Substitution, Text

VALUE = {"a": "V"}


def canonical(text: str, halt_on_error: bool = True) -> str:
    return tokens_text(parse(text, halt_on_error).tokens)


@pytest.mark.parametrize(
    ("source", "literal"),
    [
        ("# ## ###", "# ## ###"),
        ("######", "######"),
        ("#", "#"),
        ("##{a}", "#{a}"),
        ("####{a}", "###{a}"),
        ("##{a", "#{a"),
        ("a\\n\"'$\n", "a\\n\"'$\n"),
        ("#a##{b}", "#a#{b}"),
    ],
)
def test_text_and_its_escapes(source: str, literal: str) -> None:
    (token,) = parse(source).tokens
    assert isinstance(token, Text)
    assert token.text == literal


@pytest.mark.parametrize(("source", "text"), [("###{a}", "#"), ("#####{a}", "###"), ("x###{a}", "x#")])
def test_odd_hashes_before_a_token_are_text_but_for_two(source: str, text: str) -> None:
    first, second = parse(source).tokens
    assert isinstance(first, Text)
    assert first.text == text
    assert isinstance(second, Substitution)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("#{Foo Bar}", "#{Foo Bar}"),
        ("#{ A . B | F }", "#{A.B | F}"),
        ("#{\n A \n| F\n}", "#{A | F}"),
        ("#{A b:c}", "#{A b:c}"),
        ("#{a/b}#{a~b}#{(abc)}#{@a}#{a_b-c}", "#{a/b}#{a~b}#{(abc)}#{@a}#{a_b-c}"),
        ("#{Grüße 変数}", "#{Grüße 変数}"),
        ("#{A[b]}", "#{A[b]}"),
        ("#{A[ b ]}", "#{A[b ]}"),
        ("#{A[]}", "#{A[]}"),
        ("#{A[#{k}].B}", "#{A[#{k}].B}"),
        ("#{A[ #{k} ].B}", "#{A[#{k}].B}"),
        ("#{A[#{k | F}].B}", "#{A[#{k | F}].B}"),
        ("#{A[p#{k}]}", "#{A[p#{k}]}"),
        ("#{A[b[c][d]].E}", "#{A[b[c][d]].E}"),
        ("#{ | NowDate}", "#{ | NowDate}"),
        ("#{|Append x}", '#{ | Append "x"}'),
        ("#{Foo | X 6}", '#{Foo | X "6"}'),
        ('#{Foo | X "a""b"}', '#{Foo | X "a" "b"}'),
        ('#{foo | X \\"# } \\"}', '#{foo | X "# } "}'),
        ("#{A | F #{a}#{b}}", "#{A | F #{a} #{b}}"),
        ("#{A | F #{a}| G}", "#{A | F #{a} | G}"),
        ("#{A | F #{a} x | G}", '#{A | F #{a} "x" | G}'),
        ("#{A | F x #{a}}", '#{A | F "x" #{a}}'),
        ("#{A | F #{a} }", "#{A | F #{a}}"),
        ("#{A | F #{if b}c#{/if}}", "#{A | F #{if b}c#{/if}}"),
        ("#{calc 2*(3+1)}", "#{2*3+1}"),
        ("#{if A}x", "#{if A}x"),
        ("#{ifA}#{each}#{else}#{elseif Foo}#{ELSE}", "#{ifA}#{each}#{else}#{elseif Foo}#{ELSE}"),
    ],
)
def test_substitutions_have_one_canonical_form(source: str, shown: str) -> None:
    tokens = parse(source).tokens
    assert tokens_text(tokens) == shown
    assert not any(isinstance(token, Conditional | Repetition) for token in tokens)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("#{if A}x#{/if}", "#{if A}x#{/if}"),
        ("#{ IF A }x#{/if}", "#{if A}x#{/if}"),
        ("#{unless A}x#{/unless}", "#{if A}#{else}x#{/if}"),
        ('#{if A == "x"}y#{/if}', '#{if A == "x" }y#{/if}'),
        ('#{if "x" == A}y#{/if}', '#{if A == "x" }y#{/if}'),
        ('#{if A=="x"}y#{/if}', '#{if A == "x" }y#{/if}'),
        ("#{if A != B}y#{/if}", "#{if A != B }y#{/if}"),
        ("#{if A | F == B | G x }y#{/if}", '#{if A | F == B | G "x" }y#{/if}'),
        ('#{if A | F "O" }y#{/if}', '#{if A | F "O"}y#{/if}'),
        ("#{if A}1#{elseif B}2#{else}3#{/if}", "#{if A}1#{else}#{if B}2#{else}3#{/if}#{/if}"),
        ("#{if A}#{else}#{else}#{/if}", "#{if A}#{else}#{else}#{/if}"),
        ("#{if A}#{else}#{elseif B}#{/if}", "#{if A}#{else}#{elseif B}#{/if}"),
        ("#{unless A}#{elseif B}#{/unless}", "#{if A}#{else}#{elseif B}#{/if}"),
        ("#{if a}#{if b}c#{/if}", "#{if a}#{if b}c#{/if}"),
        ("#{each a in B.C}x#{/each}", "#{each a in B.C}x#{/each}"),
        ("#{EACH  a b  in  B }x#{/each}", "#{each a b in B}x#{/each}"),
        ("#{each a in B}#{else}#{/each}", "#{each a in B}#{else}#{/each}"),
        ("#{if A}###{b}#{/if}", "#{if A}###{b}#{/if}"),
    ],
)
def test_blocks_have_one_canonical_form(source: str, shown: str) -> None:
    assert canonical(source) == shown


@pytest.mark.parametrize(
    "source",
    [
        "#{",
        "#{}",
        "#{ }",
        "#{Foo",
        "#{a in b}",
        "#{a.}",
        "#{A[b].}",
        "#{A[b] .C}",
        "#{A [b}",
        "#{/if}",
        "#{Foo | X 'a'}",
        "#{Foo | X 1.5}",
        '#{Foo | X "a#b"}',
        '#{Foo | X "#{a}"}',
        "#{A | F #{a} #{b}}",
        "#{A | F #{a} | G}",
        "#{A | }",
        '#{if A == "x"}y',
        "#{each a in B}",
        "#{each a in B | F}x#{/each}",
        '#{if "a" == "b"}x#{/if}',
        '#{if A == "x" | F}y#{/if}',
        "#{if A}x#{/IF}#{/if}",
        '#{unless A}#{elseif B == "x"}#{/unless}',
        "#{calc (2+A)}",
        "###{",
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(source: str) -> None:
    with pytest.raises(TemplateError, match="line 1, column"):
        parse(source)


def test_calculation_reads_names_before_operators() -> None:
    (token,) = parse("#{calc {B}-2*x y/3 + .5}").tokens
    assert isinstance(token, Calculation)
    assert tokens_text((token,)) == "#{B-2*x y/3+0.5}"


@pytest.mark.parametrize("source", ["#{calc 2A}", "#{calcA}", "#{calc}"])
def test_what_is_no_calculation_is_a_variable(source: str) -> None:
    assert isinstance(parse(source).tokens[0], Substitution)


@pytest.mark.parametrize("source", ["#{if A}x", "#{unless A}x", "#{if A}y#{/if}#{if A}x", "#{if A}#{/unless}"])
def test_a_condition_that_nothing_ends_is_a_variable(source: str) -> None:
    last = [token for token in parse(source, halt_on_error=False).tokens if isinstance(token, Substitution)][-1]
    assert tokens_text((last,)) in {"#{if A}", "#{unless A}"}


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('"#{"===e', ['"', "#{", '"===e']),
        ("a#{/if}b", ["a", "#", "{/if}b"]),
        ("x#{Foo", ["x", "#{Foo"]),
        ('#{if A == "x"}y#{B}z', ['#{if A == "x"}y#{B}z']),
        ("#{", ["#{"]),
    ],
)
def test_reading_on_after_an_error_keeps_what_was_read_as_text(source: str, texts: list[str]) -> None:
    tokens = parse(source, halt_on_error=False).tokens
    assert [token.text for token in tokens if isinstance(token, Text)] == texts
    assert len(tokens) == len(texts)


def test_reading_on_after_an_error_finds_the_next_token() -> None:
    assert [type(token) for token in parse("#{ #{a}", halt_on_error=False).tokens] == [Text, Substitution]


def test_argument_names_are_those_that_are_looked_up() -> None:
    template = parse(
        '#{a.b[c]}#{d | F #{e}}#{f[#{g}]}#{if h == "i"}#{j}#{/if}#{each k in l}#{m}#{/each}#{calc n+{o}}##{p}'
    )
    assert argument_names(template) == ("a", "b", "d", "e", "f", "g", "h", "i", "j", "l", "n", "o")
