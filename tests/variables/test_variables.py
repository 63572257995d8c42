"""The dictionary of variables: names, order, evaluated values, secrets, explanations."""

from __future__ import annotations

import pytest

from agent.errors import RecursionInVariables, VariablesError
from agent.variables import Variable, Variables


def test_names_ignore_case_and_keep_their_first_spelling_and_place() -> None:
    variables = Variables([Variable("B", "1"), Variable("a", "2"), Variable("b", "3")])
    assert list(variables) == ["B", "a"]
    assert len(variables) == 2
    assert variables.get("b") == "3"
    assert "A" in variables
    assert "c" not in variables


def test_merged_gives_another_set_and_leaves_this_one() -> None:
    first = Variables.of({"A": "1", "B": "2"})
    second = first.merged([Variable("a", "9", source="later"), Variable("C", "3")])
    assert (first.get("A"), second.get("A")) == ("1", "9")
    assert list(second) == ["A", "B", "C"]
    assert second.variable("A") == Variable("A", "9", source="later")


def test_values_are_evaluated_and_raw_ones_are_not() -> None:
    variables = Variables.of({"A": "#{B}!", "B": "b", "N": None})
    assert variables.get("A") == "b!"
    assert variables.get_raw("A") == "#{B}!"
    assert variables.get("N", "default") == "default"
    assert variables.get("none") is None


def test_value_that_comes_to_null_is_not_the_default() -> None:
    assert Variables.of({"A": "#{ | null}"}).get("A", "default") is None


@pytest.mark.parametrize(
    ("text", "flag"),
    [("True", True), (" false ", False), ("1", True), ("yes", True), ("", True), ("#{T}", False)],
)
def test_flag_is_true_or_false_or_the_default(text: str, flag: bool) -> None:
    assert Variables.of({"A": text, "T": "false"}).flag("A", default=True) is flag


@pytest.mark.parametrize(
    ("text", "number"),
    [("99", 99), (" -5 ", -5), ("+7", 7), ("2147483648", None), ("1.0", None), ("", None), ("x", None)],
)
def test_int32(text: str, number: int | None) -> None:
    assert Variables.of({"A": text}).int32("A") == number


def test_strings_and_paths_are_trimmed_and_never_empty() -> None:
    variables = Variables.of({"S": " a ,, b;c", "P": "x\r\n\r\n y\n", "N": None})
    assert variables.strings("S") == ("a", "b;c")
    assert variables.strings("S", ";,") == ("a", "b", "c")
    assert variables.paths("P") == ("x", "y")
    assert variables.strings("N") == ()


def test_require_names_the_variable_that_is_missing() -> None:
    variables = Variables.of({"A": "1", "B": ""})
    assert variables.require("A") == "1"
    for name in ("B", "C"):
        with pytest.raises(VariablesError, match=f"The variable '{name}' is required but no value is set."):
            variables.require(name)


def test_indexes_are_those_of_a_loop() -> None:
    variables = Variables.of({"A[x].N": "1", "A[y].N": "2", "L": "a,b", "J": '{"k":1}'})
    assert variables.indexes("A") == ("x", "y")
    assert variables.indexes("L") == ("a", "b")
    assert variables.indexes("J") == ("k",)
    assert variables.indexes("Z") == ()
    with pytest.raises(VariablesError, match="null or empty"):
        variables.indexes(" ")
    with pytest.raises(VariablesError, match="Could not evaluate indexes for path"):
        variables.indexes("$")


def test_truthiness_takes_a_text_without_errors() -> None:
    variables = Variables.of({"A": "x", "N": "no"})
    assert variables.is_truthy("#{A}")
    assert variables.is_truthy("yes")
    assert not variables.is_truthy("#{N}")
    assert not variables.is_truthy("#{missing}")


def test_secrets_never_show_in_representations() -> None:
    variables = Variables.of({"Password": "hunter2"}, sensitive=["password"])
    shown = repr(variables) + repr(variables.variable("Password")) + repr(variables.evaluate("#{Password}"))
    shown += repr(variables.explain("#{Password}"))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "template",
    [
        "#{P}",
        "#{P | ToUpper}",
        "#{A | Append #{P}}",
        "#{C}",
        "#{each i in P}#{i}#{/each}",
        "#{J.k}",
        "#{each i in J}#{i.Value}#{/each}",
        "#{calc P+1}",
    ],
)
def test_what_is_made_from_a_sensitive_variable_is_sensitive(template: str) -> None:
    variables = Variables.of({"P": "5", "C": "x#{P}", "J": '{"k": "v"}', "A": "a"}, sensitive=["P", "J"])
    assert variables.evaluate(template).sensitive
    assert variables.evaluate(template).sensitive
    assert not variables.evaluate("#{A}").sensitive


def test_sensitive_values_are_the_given_and_the_evaluated_ones() -> None:
    variables = Variables.of(
        {"P": "se#{A}", "A": "cret", "Url": "u:#{P}@h", "Has": '#{P | Contains "x"}', "E": "", "R": "#{R}"},
        sensitive=["P", "E", "R"],
    )
    assert variables.sensitive_values() == (
        ("P", "se#{A}"),
        ("P", "secret"),
        ("Url", "u:secret@h"),
        ("R", "#{R}"),
    )
    assert variables.is_sensitive("url")
    assert not variables.is_sensitive("A")
    assert not variables.is_sensitive("none")


def test_clock_is_read_anew_each_time() -> None:
    variables = Variables.of({"Now": "#{ | NowDateUtc}", "Copy": "#{Now}"})
    shown = {variables.get("Copy") for _ in range(50)}
    assert len(shown) > 1


def test_errors_in_one_variable_leave_the_others() -> None:
    variables = Variables.of({"R": "#{R}", "A": "a"})
    with pytest.raises(RecursionInVariables):
        variables.get("R")
    assert variables.get("A") == "a"


def test_explanation_names_the_variables_and_their_sources() -> None:
    variables = Variables(
        [
            Variable("Url", "http://#{Host}/", source="project.json"),
            Variable("Host", "h", source="target.json"),
            Variable("Key", "k", sensitive=True, source="secret.json"),
        ]
    )
    url, key = variables.explain("a #{Url} b #{Key | ToUpper}")
    assert (url.token, url.value, url.reason, url.sensitive) == ("#{Url}", "http://h/", "", False)
    assert url.sources == (("Url", "project.json"), ("Host", "target.json"))
    assert (key.value, key.sensitive, key.sources) == ("K", True, (("Key", "secret.json"),))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("#{Databse}", "#{Databse}: no variable is called 'Databse'; did you mean 'Database'?"),
        ("#{Zzz}", "#{Zzz}: no variable is called 'Zzz'"),
        ("#{Indirect}", "#{Databas}: no variable is called 'Databas'; did you mean 'Database'?"),
        ("#{Database | ToUper}", "#{Database | ToUper}: no filter is called 'ToUper'; did you mean 'toupper'?"),
        (
            "#{Database | Substring x}",
            '#{Database | Substring "x"}: its filters cannot use this value or these options',
        ),
        ("#{Database | Append #{Nope}}", "#{Nope}: no variable is called 'Nope'"),
        ("#{if Database | Nope}x#{/if}", "Database | Nope: no filter is called 'Nope'"),
    ],
)
def test_explanation_says_why_a_token_stays(token: str, reason: str) -> None:
    (explanation,) = Variables.of({"Database": "d", "Indirect": "#{Databas}"}).explain(token)
    assert explanation.reason == reason


def test_explanation_of_what_is_no_template_is_its_error() -> None:
    (explanation,) = Variables.of({}).explain("a #{b")
    assert explanation.value is None
    assert "line 1, column 3" in explanation.reason


def test_json_form_holds_names_and_values_as_given() -> None:
    assert Variables.of({"A": "1", "B": None}).as_json() == '{\n  "A": "1",\n  "B": null\n}'


def test_host_filters_come_after_the_built_in_ones() -> None:
    def shout(value: str | None, options: tuple[str, ...]) -> str | None:
        return None if value is None or options else f"{value}!"

    variables = Variables([Variable("A", "a")], {"Shout": shout, "ToUpper": shout})
    assert variables.evaluate("#{A | shout}#{A | ToUpper}#{A | ToUpper x}").value == 'a!A#{A | ToUpper "x"}'
