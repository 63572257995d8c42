"""What holds for any template and any variables."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.errors import VariablesError
from agent.variables import Variables
from agent.variables.octostache import TemplateError, filter_names, parse, tokens_text

_FRAGMENTS = st.sampled_from(
    [
        "#{", "}", "#", "##", "##{", "|", "[", "]", ".", " ", "\n", '"', '\\"', "==", "!=", "(", ")", "{", "+", "-",
        "*", "/",
        "if ", "unless ", "each ", " in ", "calc ", "#{else}", "#{elseif ", "#{/if}", "#{/each}", "#{/unless}",
        "#{if A}", "#{each i in A}", "#{unless B}", "#{A}", "#{B | ToUpper}", "A", "B", "i", "x1", "1.5", "null",
        " | ToUpper", " | Append ", " | Replace ", " | Format ", " | Substring ", " | null", "[#{A}]", "[*]", "é",
        "\ud800", "\U0001f600",
        '{"a":1}', "[1,2]", ",",
    ]
)  # fmt: skip
_SOUP = st.one_of(st.lists(_FRAGMENTS, max_size=40).map("".join), st.text(max_size=60))
_NAMES = st.sampled_from(["A", "B", "A.B", "A[x]", "A[x].i", "B[0]", "i", "Octopus", "A[#{B}]", "", "$"])
_VARIABLES = st.dictionaries(_NAMES, st.one_of(_SOUP, st.none()), max_size=6)

_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_patient
@given(template=_SOUP, variables=_VARIABLES, halt=st.booleans())
def test_evaluation_raises_nothing_but_its_own_error(
    template: str, variables: dict[str, str | None], halt: bool
) -> None:
    given_variables = Variables.of(variables, sensitive=["B"])
    try:
        evaluation = given_variables.evaluate(template, halt)
        given_variables.explain(template)
    except VariablesError:
        return
    assert evaluation.value is None or isinstance(evaluation.value, str)
    assert (evaluation.error is None) == (not evaluation.missing) or not evaluation.missing


@_patient
@given(template=_SOUP)
@example(template="###{A}#{if A}##{x#{/if}")
@example(template="#{if a}#{else}#{if b}#{/if}#{/if}")
def test_printing_what_was_printed_and_parsed_changes_nothing(template: str) -> None:
    try:
        printed = tokens_text(parse(template).tokens)
        again = parse(printed)
    except TemplateError:
        return
    assert tokens_text(again.tokens) == printed


@_patient
@given(template=_SOUP)
def test_reading_on_after_errors_reads_the_same_where_there_are_none(template: str) -> None:
    lenient = parse(template, halt_on_error=False)
    try:
        strict = parse(template)
    except TemplateError:
        return
    assert tokens_text(lenient.tokens) == tokens_text(strict.tokens)


@_patient
@given(template=_SOUP, variables=_VARIABLES)
def test_remembered_values_are_the_ones_that_are_had_anew(template: str, variables: dict[str, str | None]) -> None:
    remembering = Variables.of(variables)
    try:
        first = remembering.evaluate(template)
        for name in variables:
            _quietly(remembering, name)
        second = remembering.evaluate(template)
    except VariablesError:
        return
    if "now" not in f"{template}{variables}".lower():
        assert second == first


def _quietly(variables: Variables, name: str) -> None:
    try:
        variables.get(name)
    except VariablesError:
        return


_FILTERS = [name for name in filter_names() if name != "null"]
_ODD_VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["2030-05-22T09:05:00+02:00", "1e308", "-0.5", "9999-12-31", "http://a:b@c:1/d?e#f", "1.2.3-x+y"]
    ),
    st.from_regex(r"[-+0-9.,eE :/TZ]{1,25}", fullmatch=True),
)
_ODD_OPTIONS = st.one_of(
    st.text(max_size=12), st.sampled_from(["int", "double", "date", "0.0#", "C2", "zzz", "(a+)+$", "-1"])
)


@pytest.mark.parametrize("name", _FILTERS)
@_patient
@given(value=_ODD_VALUES, options=st.lists(_ODD_OPTIONS, max_size=3))
def test_filters_take_any_value_and_any_options(name: str, value: str, options: list[str]) -> None:
    variables = Variables.of({"V": value, **{f"O{place}": each for place, each in enumerate(options)}})
    shown = "".join(f"#{{O{place}}}" for place in range(len(options)))
    try:
        evaluation = variables.evaluate(f"#{{V | {name} {shown}}}#{{ | {name} {shown}}}")
    except VariablesError:
        return
    assert evaluation.value is None or isinstance(evaluation.value, str)
