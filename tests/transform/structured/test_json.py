from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import ParseFailure, Replaced
from agent.transform.structured.json import replace
from agent.variables import Variables


def replaced(text: str, variables: dict[str, str | None], sensitive: tuple[str, ...] = ()) -> Replaced:
    return replace(text.encode(), Candidates(Variables.of(variables, sensitive)), "app.json")


def result(text: str, variables: dict[str, str | None]) -> str:
    return replaced(text, variables).data.decode()


COMMENTED = """\
// settings
{
    "a": 1.10, /* one */ 'b': "x",
    "c": {"d": [1, 2, {"e": null}], },
    "A:B": true, f: [],
    "g": {
        "h": 0x1F
    }
} // end
"""


def test_only_the_value_moves() -> None:
    assert result(COMMENTED, {"b": "y"}) == COMMENTED.replace('"x"', '"y"')
    assert result(COMMENTED, {"C:D:2:E": "v"}) == COMMENTED.replace("null", '"v"')
    assert result(COMMENTED, {"a:b": "False"}) == COMMENTED.replace("true", "false")
    assert result(COMMENTED, {"g:h": "32"}) == COMMENTED.replace("0x1F", "32")


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ('"s"', "33", '"33"'),
        ('"s"', "[3, 2]", '"[3, 2]"'),
        ('"s"', 'q"\\\n\t\x01é\u2028', '"q\\"\\\\\\n\\t\\u0001é\\u2028"'),
        ('"s"', None, "null"),
        ("null", "33", '"33"'),
        ("null", None, "null"),
        ("undefined", "x", '"x"'),
        ("1", "33", "33"),
        ("1", " +33 ", "33"),
        ("1", "-007", "-7"),
        ("1", "50.0", "50.0"),
        ("1.5", "456e-5", "456e-5"),
        ("1", "1,234.5", "1234.5"),
        ("1", ".5", "0.5"),
        ("1", "12345678901234567890123", "12345678901234567890123"),
        ("1", "1e999", '"1e999"'),
        ("1", "NaN", '"NaN"'),
        ("1", "0x10", '"0x10"'),
        ("1", "true", '"true"'),
        ("1", "", '""'),
        ("NaN", "1", "1"),
        ("true", " FALSE ", "false"),
        ("true", "yes", '"yes"'),
        ("true", "1", '"1"'),
        ("{}", "[1,2]", "[1, 2]"),
        ('[1, {"a": 2}]', "{\"b\":{},c:'d',}", '{"b": {}, "c": "d"}'),
        ("{}", '"text"', '"text"'),
        ("{}", "5 // five", "5"),
        ("[]", "[0x1F, .5, NaN, undefined, Infinity]", '[31, 0.5, "NaN", null, "Infinity"]'),
    ],
)
def test_a_value_takes_the_type_of_what_it_replaces(old: str, value: str | None, new: str) -> None:
    assert result(f'{{"k": {old}}}', {"k": value}) == f'{{"k": {new}}}'


@pytest.mark.parametrize(
    ("old", "value"), [("1", None), ("true", None), ("{}", None), ("[1]", "{<<<<"), ("{}", "text"), ("{}", "")]
)
def test_what_cannot_be_set_is_kept_and_said(old: str, value: str | None) -> None:
    done = replaced(f'{{"k": {old}}}', {"k": value})
    assert done.data.decode() == f'{{"k": {old}}}'
    assert [message.level for message in done.messages] == ["verbose", "warn"]
    assert "Unable to set value for k." in done.messages[1].text
    assert done.matched == 1


def test_a_replaced_structure_takes_the_indentation_of_its_place() -> None:
    text = '{\r\n\t"a": {\r\n\t\t"b": [\r\n\t\t\t1\r\n\t\t]\r\n\t}\r\n}'
    assert result(text, {"a:b": '[1,{"x":[]}]'}) == text.replace(
        "[\r\n\t\t\t1\r\n\t\t]", '[\r\n\t\t\t1,\r\n\t\t\t{\r\n\t\t\t\t"x": []\r\n\t\t\t}\r\n\t\t]'
    )


def test_the_whole_wins_over_its_parts_if_it_can_be_set() -> None:
    text = '{"a": {"b": 1, "c": 2}}'
    assert result(text, {"a:b": "5", "a": '{"b": 9}'}) == '{"a": {"b": 9}}'
    assert result(text, {"a:b": "5", "a": "<"}) == '{"a": {"b": 5, "c": 2}}'


def test_of_places_with_the_same_path_the_last_is_meant() -> None:
    assert result('{"a": 1, "A": 2}', {"a": "5"}) == '{"a": 1, "A": 5}'
    assert result('{"a:b": 1, "a": {"b": 2}}', {"a:b": "5"}) == '{"a:b": 1, "a": {"b": 5}}'
    assert result('{"a": {"b": 2}, "a:b": 1}', {"a:b": "5"}) == '{"a": {"b": 2}, "a:b": 5}'


def test_arrays_are_counted_from_nothing_at_any_length() -> None:
    numbers = list(range(500))
    text = json.dumps([numbers, {"x": numbers}])
    done = json.loads(result(text, {"0:0": "-1", "0:130": "-2", "0:499": "-3", "1:x:64": "-4", "0:500": "-5"}))
    assert [done[0][0], done[0][130], done[0][499], done[1]["x"][64]] == [-1, -2, -3, -4]
    assert sum(done[0]) == sum(numbers) - 0 - 130 - 499 - 6


def test_octopus_names_are_left_out_but_not_octopus_sections() -> None:
    text = '{"OctopusRocks": 1, "Octopus.Rocks": 1, "Octopus": {"Section": 1}, "IThinkOctopus": 1}'
    names = ("OctopusRocks", "octopus.rocks", "Octopus", "Octopus:Section", "IThinkOctopus")
    done = replaced(text, dict.fromkeys(names, "2"))
    assert [change.rule for change in done.changes] == ["Octopus:Section", "IThinkOctopus"]


def test_a_change_tells_where_why_and_what() -> None:
    done = replaced('{"Db": {"Password": "old"}}', {"db:password": "new"}, sensitive=("db:password",))
    (change,) = done.changes
    assert (change.file, change.place, change.rule) == ("app.json", "Db:Password", "db:password")
    assert (change.old, change.new, change.sensitive) == ("old", "new", True)
    assert "new" not in change.shown()
    assert "old" not in change.shown()


def test_no_match_changes_nothing_and_says_so() -> None:
    done = replaced(COMMENTED, {"nothing": "x"})
    assert (done.data.decode(), done.changes, done.matched) == (COMMENTED, (), 0)
    assert [message.level for message in done.messages] == ["info"]


def test_equal_values_keep_their_spelling() -> None:
    text = r'{"a": "\u00e9", "b": 1, "c": true}'
    done = replaced(text, {"a": "é", "b": "1", "c": "TRUE"})
    assert (done.data.decode(), done.changes, done.matched) == (text, (), 3)


@pytest.mark.parametrize("data", [b"", codecs.BOM_UTF8])
def test_an_empty_file_stays_empty(data: bytes) -> None:
    assert replace(data, Candidates(Variables.of({"a": "b"})), "x").data == data


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_stays(encoding: str) -> None:
    text = '{"é": "ä",\r\n "b": 1}'
    done = replace(text.encode(encoding), Candidates(Variables.of({"é": "ö"})), "x")
    assert done.data == text.replace("ä", "ö").encode(encoding)


def test_a_value_that_the_encoding_cannot_hold_makes_the_file_utf8() -> None:
    done = replace('{"é": "ä"}'.encode("cp1252"), Candidates(Variables.of({"é": "ő"})), "x")
    assert done.data.decode() == '{"é": "ő"}'
    assert done.messages[-1].level == "warn"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (" ", 1, 2),
        ("{", 1, 2),
        ('{"a": 1', 1, 8),
        ('{"a" 1}', 1, 6),
        ('{"a": 1}\n x', 2, 2),
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3),
        ('{"a": tru}', 1, 7),
        ('{"a": "x\\q"}', 1, 7),
        ('["a"', 1, 5),
        ("[1 2]", 1, 4),
        ("[1}", 1, 3),
        ("{]", 1, 2),
        ("[,]", 1, 2),
        ("key=value", 1, 1),
        ("key: value", 1, 1),
        ("<a/>", 1, 1),
        ("12 13", 1, 4),
        ("/* open", 1, 1),
        ('{"a": 01.}x', 1, 11),
    ],
)
def test_what_is_not_json_is_refused_where_it_ends_to_be(text: str, line: int, column: int) -> None:
    with pytest.raises(ParseFailure) as failure:
        replaced(text, {"a": "b"})
    assert (failure.value.line, failure.value.column) == (line, column)


def test_depth_costs_nothing() -> None:
    depth = 100_000
    path = ":".join(["a"] * depth)
    assert result('{"a":' * depth + "1" + "}" * depth, {path: "2"}) == '{"a":' * depth + "2" + "}" * depth
    with pytest.raises(ParseFailure):
        replaced("[" * depth, {"0:0": "1"})
    done = replaced('{"a": {}}', {"a": "[" * depth + "]" * depth})
    assert done.changes == ()
    assert "nested deeper" in done.messages[1].text


def test_duplicate_structures_under_thousands_of_names_take_one_walk() -> None:
    text = "{" + ",".join('"a": [1]' for _ in range(20_000)) + "}"
    names = {f"a:{index}": "2" for index in range(5_000)}
    assert len(replaced(text, dict(names)).changes) == 1


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
layouts = st.sampled_from([{}, {"indent": 2}, {"indent": "\t"}, {"separators": (",", ":")}])


@given(documents, layouts, st.booleans())
def test_without_a_match_every_byte_stays(document: Any, layout: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, **layout)
    data = text.encode("utf-8", "replace")
    done = replace(data, Candidates(Variables.of({"no:such:name": "x"})), "f")
    assert done.data == data


def paths(document: Any, prefix: str = "") -> list[tuple[str, Any]]:
    items = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in items:
        path = f"{prefix}:{key}" if prefix else str(key)
        found.append((path, value))
        if isinstance(value, dict | list):
            found += paths(value, path)
    return found


names = st.text(alphabet="abcXYZ019é", min_size=1, max_size=4)
named = st.recursive(
    scalars, lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(names, inner, max_size=4)
).filter(lambda document: isinstance(document, dict | list) and bool(document))


@given(named, layouts, st.data())
def test_a_replaced_value_reads_back_and_the_rest_stays(document: Any, layout: dict[str, Any], data: Any) -> None:
    found = paths(document)
    folded = [path.upper() for path, _ in found]
    path, old = data.draw(st.sampled_from(found))
    assume(folded.count(path.upper()) == 1)
    assume(not any(char in path for char in "\x00") and not path.upper().startswith("OCTOPUS"))
    value = data.draw(st.text(alphabet='ab"\\\n é😀#1', max_size=6) if isinstance(old, str) else st.just("[7, {}]"))
    assume("#" not in value)
    text = json.dumps(document, **layout)
    once = result(text, {path: value})
    new = dict(paths(json.loads(once)))[path]
    if isinstance(old, str):
        assert new == value
    elif isinstance(old, dict | list):
        assert new == [7, {}]
    else:
        assert new == "[7, {}]"
    below = path.upper() + ":"
    rest = [
        (at, each) for at, each in found if not at.upper().startswith(below) and not isinstance(each, dict | list)
    ]
    after = dict(paths(json.loads(once)))
    assert all(after[at] == each for at, each in rest if at != path)
    assert result(once, {path: value}) == once
