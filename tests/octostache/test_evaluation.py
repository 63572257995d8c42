"""What templates come to: conditions, loops, paths, JSON, calculations, and what stays unresolved."""

from __future__ import annotations

import pytest

from agent.errors import RecursionInVariables
from agent.variables import Variables


def value(template: str, **variables: str | None) -> str | None:
    return Variables.of(variables).evaluate(template).value


def value_of(template: str, variables: dict[str, str | None]) -> str | None:
    return Variables.of(variables).evaluate(template).value


@pytest.mark.parametrize("falsy", ["", "0", "no", "No", " no ", "false", "FALSE ", "\tFalse"])
def test_falsy_values(falsy: str) -> None:
    assert value("#{if A}yes#{else}no#{/if}", A=falsy) == "no"


@pytest.mark.parametrize("truthy", [" ", " 0", "00", "off", "x", "1", "true", "null"])
def test_all_other_values_are_truthy(truthy: str) -> None:
    assert value("#{if A}yes#{else}no#{/if}", A=truthy) == "yes"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('A == "a"', True),
        ('A == "A"', False),
        ('A == "a "', False),
        ('A != "b"', True),
        ('"a" == A', True),
        ("A == B", False),
        ("A == a", True),
        ("Unknown1 == Unknown2", True),
        ('Unknown == ""', True),
        ("A | ToUpper == B | ToUpper", False),
        ('A | ToUpper == "A"', True),
        ("A | Append b == AB", True),
    ],
)
def test_comparisons_are_ordinal(condition: str, holds: bool) -> None:
    template = f"#{{if {condition}}}yes#{{/if}}"
    assert value(template, A="a", B="b", AB="ab") == ("yes" if holds else "")


def test_condition_on_a_filter_that_comes_to_nothing_echoes_the_block() -> None:
    evaluation = Variables.of({"A": "x"}).evaluate('#{unless A | Nope x == "y"}t#{else}f#{/unless}')
    assert evaluation.value == '#{if A | Nope "x" == "y" }f#{else}t#{/if}'
    assert evaluation.missing == ('A | Nope "x"',)


def test_condition_on_an_unresolved_value_is_true_and_an_error() -> None:
    evaluation = Variables.of({"A": "#{B}"}).evaluate("#{if A}yes#{/if}")
    assert (evaluation.value, evaluation.missing) == ("yes", ("#{B}",))


@pytest.mark.parametrize(
    ("collection", "shown"),
    [
        ("a,b , c", "<a>< ><b ><"),
        ("", "<>"),
        (",", "<><>"),
        ("[]", ""),
        ("{}", ""),
        ('[1,"b",{"c":1.0},null,true,1.50]', '<1><b><{"c":1.0}><><True><1.5>'),
        ('{"a":1,"b":[2]}', "<a><b>"),
        ("5", "<5>"),
        ("[1,", "<[1><>"),
    ],
)
def test_loops_go_through_json_or_between_commas(collection: str, shown: str) -> None:
    result = value("#{each i in L}<#{i}>#{/each}", L=collection)
    assert result == (shown if collection != "a,b , c" else "<a><b >< c>")


def test_loop_over_a_json_object_has_key_and_value() -> None:
    template = "#{each i in L}#{i.Key}=#{i.Value.x},#{i.Value};#{/each}"
    assert value(template, L='{"a":{"x":1}}') == 'a=1,{"x":1};'


def test_loop_goes_through_indexes_only() -> None:
    variables: dict[str, str | None] = {"A.B": "named", "A[x].N": "1", "A[y]": "why", "A[z].N": "3"}
    assert value_of("#{each i in A}#{i}#{i.N},#{/each}", variables) == "x1,why#{i.N},z3,"


def test_loop_over_a_variable_with_indexes_and_a_value_goes_through_the_value() -> None:
    assert value_of("#{each i in A}#{i};#{/each}", {"A": "1,2", "A[x]": "y"}) == "1;2;"


def test_loop_knows_its_place() -> None:
    template = (
        "#{each i in L}#{Octopus.Template.Each.Index}#{Octopus.Template.Each.First}"
        "#{Octopus.Template.Each.Last} #{/each}"
    )
    assert value(template, L="a,b") == "0TrueFalse 1FalseTrue "


def test_loop_item_may_be_called_octopus() -> None:
    assert value("#{each Octopus in L}#{Octopus}#{/each}", L="a,b") == "ab"


def test_loop_variables_are_unknown_to_other_variables() -> None:
    evaluation = Variables.of({"L": "a", "B": "#{i}"}).evaluate("#{each i in L}#{B}#{/each}")
    assert (evaluation.value, evaluation.missing) == ("#{i}", ("#{i}",))


def test_loop_variables_are_known_to_values_under_the_item() -> None:
    assert value_of("#{each i in S}#{i.N}#{/each}", {"S[x].N": "<#{i}>"}) == "<x>"


def test_what_the_item_has_not_is_looked_up_outside() -> None:
    assert value_of("#{each i in S}#{i.x}#{/each}", {"S": "a", "i.x": "global"}) == "global"


def test_paths_ignore_case_and_keep_names_and_indexes_apart() -> None:
    variables: dict[str, str | None] = {"A.B": "name", "A[B]": "index"}
    assert value_of("#{a.b}#{A[b]}", variables) == "nameindex"


def test_star_is_the_first_index() -> None:
    assert value_of("#{A[*].N}#{B[*]}", {"A[x].N": "1", "A[y].N": "2"}) == "1#{B[*]}"


def test_null_is_empty_in_templates() -> None:
    assert value("<#{P}>", P=None) == "<>"


@pytest.mark.parametrize("name", ["A$", "A.", "A[x", "A "])
def test_names_bind_as_far_as_they_are_paths(name: str) -> None:
    assert value_of("#{A}", {"A": "first", name: "second"}) == "second"


def test_name_that_begins_with_no_identifier_cannot_be_reached() -> None:
    assert value_of("#{x}", {"$x": "1", "[x]": "2", ".x": "3", "": "4"}) == "#{x}"


def test_name_with_a_symbol_index_does_no_harm() -> None:
    assert value_of("#{A}", {"A": "1", "B[#{k}]": "2"}) == "1"


def test_value_that_is_no_template_stays_as_it_is() -> None:
    evaluation = Variables.of({"A": "x #{b", "A[i]": "y"}).evaluate("#{A}#{each i in A}(#{i})#{/each}")
    assert (evaluation.value, evaluation.error) == ("x #{b(y)", None)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("J.a", "1"),
        ("J[a]", "1"),
        ("J.A", ""),
        ("J.none", ""),
        ("J.nil", ""),
        ("J.yes", "True"),
        ("J.real", "1.5"),
        ("J.whole", "1"),
        ("J.list[0]", "x"),
        ("J.list.0", "x"),
        ("J.list[9]", ""),
        ("J.list[-1]", "#{J.list[-1]}"),
        ("J.list.z", "#{J.list.z}"),
        ("J.list[*]", "#{J.list[*]}"),
        ("J[a.b]", "dotted"),
        ("J.date", "05/22/2030 09:05:00"),
        ("J.dates", '["2030-05-22T09:05:00Z"]'),
        ("J.inner", '{"c":1.0,"d":"#"}'),
        ("J.text.k", "v"),
        ("J.template", "V"),
        ("J.a.b", "#{J.a.b}"),
        ("J.big", "123456789012345678901234567890"),
    ],
)
def test_paths_go_on_into_json(path: str, shown: str) -> None:
    document = (
        '{"a":1,"nil":null,"yes":true,"real":1.50,"whole":1.0,"list":["x"],"a.b":"dotted",'
        '"date":"2030-05-22T09:05:00","dates":["2030-05-22T09:05:00Z"],"inner":{"c":1.0,"d":"#"},'
        '"text":"{k: \'v\'}","template":"#{V}","big":123456789012345678901234567890}'
    )
    document = document.replace("#{V}", "##{V}")
    assert value_of(f"#{{{path}}}", {"J": document, "V": "V"}) == shown


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ("{a: 1}", "1"),
        ("{'a': 'x'}", "x"),
        ('{"a": 1,}', "1"),
        ("{a: 1} // c", "1"),
        ("/* c */ {a: 1}", "1"),
        ("{a: 0x10}", "16"),
        ("{a: NaN}", "NaN"),
        ("{a: undefined}", ""),
        ("{a: 1, a: 2}", "2"),
        ('{"a":"x\ny"}', "x\ny"),
        ('{a: "\\u0041\\n"}', "A\n"),
        ("{a: 1} x", "#{J.a}"),
        ("{a: b}", "#{J.a}"),
        ("{a}", "#{J.a}"),
        ("5", "#{J.a}"),
        ('"a"', "#{J.a}"),
        ("", "#{J.a}"),
        ("[" * 65 + "]" * 65, "#{J.a}"),
    ],
)
def test_json_is_read_leniently(document: str, shown: str) -> None:
    assert value_of("#{J.a}", {"J": document}) == shown


def test_json_nested_64_deep_is_read_and_deeper_is_not() -> None:
    assert value_of("#{J[0]}", {"J": "[" * 64 + "]" * 64}) == "[" * 63 + "]" * 63
    assert value_of("#{J[0]}", {"J": "[" * 65 + "]" * 65}) == "#{J[0]}"


def test_explicit_variables_win_over_json_and_hide_it() -> None:
    variables: dict[str, str | None] = {"J": '{"a":{"b":1}}', "J.a.c": "x"}
    assert value_of("#{J.a.c}", variables) == "x"
    assert value_of("#{J.a.b}#{J.a}", variables) == "#{J.a.b}#{J.a}"


def test_json_is_evaluated_before_it_is_read() -> None:
    assert value_of("#{J.k}", {"J": '{"#{K}": "#{V}"}', "K": "k", "V": "v"}) == "v"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("3+2*2", "7"),
        ("(3+2)*2", "10"),
        ("8/4/2", "1"),
        ("0.1+0.2", "0.30000000000000004"),
        ("A*2", "10"),
        ("{A}-2", "3"),
        ("1/3", "0.3333333333333333"),
        ("1/0", "Infinity"),
        ("0/0", "NaN"),
        ("2-3/0", "-Infinity"),
        ("10000000*100000000", "1E+15"),
        ("1/100000", "1E-05"),
        ("1/10000", "0.0001"),
        ("T+0", "1234.5"),
        ("E+0", "1000"),
        ("C+2", "#{C+2}"),
        ("2*(N+1)", "#{2*N+1}"),
    ],
)
def test_calculations(expression: str, result: str) -> None:
    evaluation = Variables.of({"A": "5", "T": " 1,234.50 ", "E": "1e3", "N": "x"}).evaluate(f"#{{calc {expression}}}")
    assert (evaluation.value, evaluation.error) == (result, None)


def test_missing_tokens_are_named_once_and_innermost() -> None:
    evaluation = Variables.of({"P": "#{Q}"}).evaluate("#{P}#{P | ToUpper}#{X | ToUpper}#{X | ToUpper}")
    assert evaluation.value == "#{Q}#{Q}#{X | ToUpper}#{X | ToUpper}"
    assert evaluation.error == ("The following tokens were unable to be evaluated: '#{Q}', '#{X | ToUpper}'")


def test_unresolved_option_is_passed_on_as_its_echo() -> None:
    evaluation = Variables.of({"A": "x"}).evaluate("#{A | Append #{Y}}")
    assert (evaluation.value, evaluation.missing) == ("x#{Y}", ("#{Y}",))


@pytest.mark.parametrize(
    "template",
    ["#{ | null}", "a#{A | ToUpper | null}", "#{if A}#{ | null}#{/if}", "#{each i in A}#{i | null}#{/each}"],
)
def test_null_filter_makes_the_whole_null(template: str) -> None:
    evaluation = Variables.of({"A": "x"}).evaluate(template)
    assert (evaluation.value, evaluation.error) == (None, None)


def test_null_in_another_spelling_is_an_unknown_filter() -> None:
    assert Variables.of({}).evaluate("#{ | Null}").missing == ("#{ | Null}",)


def test_null_within_a_value_is_echoed() -> None:
    evaluation = Variables.of({"A": "#{ | null}"}).evaluate("x#{A}")
    assert (evaluation.value, evaluation.error) == ("x#{ | null}", None)


@pytest.mark.parametrize(
    ("variables", "chain"),
    [
        ({"Foo": "#{Foo}"}, "Foo -> Foo"),
        ({"Foo": "#{Fox}", "Fox": "#{Fax}", "Fax": "#{Foo}"}, "Foo -> Fox -> Fax -> Foo"),
    ],
)
def test_circles_are_errors_that_name_the_chain(variables: dict[str, str | None], chain: str) -> None:
    with pytest.raises(RecursionInVariables, match=chain):
        value_of("#{Foo}", variables)


@pytest.mark.parametrize(
    "variables",
    [
        {"Foo": "#{if Foo}x#{/if}"},
        {"Foo": "#{if Bar}#{Bar}#{/if}", "Bar": "#{each i in Foo}#{i}#{/each}"},
        {"Foo": "#{X | Append #{Foo}}", "X": "x"},
        {"Foo": "#{calc {Foo}+1}"},
        {"Foo": "#{X[#{Foo}]}"},
    ],
)
def test_circles_through_blocks_and_options_are_found(variables: dict[str, str | None]) -> None:
    with pytest.raises(RecursionInVariables, match="self referencing loop"):
        value_of("#{Foo}", variables)


def test_circle_in_a_branch_that_is_not_taken_does_no_harm() -> None:
    assert value_of("#{Foo}", {"Foo": "a#{if No}#{Foo}#{/if}", "No": "false"}) == "a"


def test_value_may_quote_a_part_of_itself() -> None:
    assert value_of("#{T.Name}", {"T": '{Name: "#{T.Value}", Value: 12}'}) == "12"


def test_text_without_tokens_is_not_touched() -> None:
    assert Variables.of({}).evaluate("## # $").value == "## # $"


def test_text_that_is_no_template_comes_back_with_an_error() -> None:
    evaluation = Variables.of({"a": "1"}).evaluate("#{a} #{b")
    assert evaluation.value == "#{a} #{b"
    assert evaluation.error is not None
    assert evaluation.missing == ()


def test_not_halting_replaces_what_can_be_read() -> None:
    evaluation = Variables.of({"a": "1"}).evaluate("#{a} #{", halt_on_error=False)
    assert (evaluation.value, evaluation.error) == ("1 #{", None)
