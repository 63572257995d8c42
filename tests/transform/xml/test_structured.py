"""Structured variables in XML files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import TransformError
from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import ParseFailure, Replaced
from agent.transform.structured.xml import replace
from agent.variables import Variables
from tests.transform.xml.documents import documents, patient


def _replaced(text: str, variables: dict[str, str | None], sensitive: tuple[str, ...] = ()) -> Replaced:
    return replace(text.encode("utf-8"), Candidates(Variables.of(variables, sensitive)), "app.xml")


def _text(text: str, variables: dict[str, str | None]) -> str:
    return _replaced(text, variables).data.decode("utf-8")


@patient
@given(documents())
def test_a_document_that_no_variable_names_stays_byte_for_byte(text: str) -> None:
    data = text.encode("utf-8")
    names = Candidates(Variables.of({"//nowhere": "x", "A:B:C": "y", "/a/b[": "z", "plain": "w", "//q:x": "v"}))
    assert replace(data, names, "app.xml").data is data


@patient
@given(documents(), st.text("abc <>&'\"é]", max_size=8))
def test_replacing_twice_is_replacing_once(text: str, value: str) -> None:
    variables: dict[str, str | None] = {"//@a": value, "//@b": value}
    once = _text(text, variables)
    assert _text(once, variables) == once


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("/r/a/@b", "<r><a b='V'>t<!--c--></a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"),
        ("/r/a/text()", "<r><a b='1'>V<!--c--></a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"),
        ("//comment()", "<r><a b='1'>t<!--V--></a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"),
        ("/r/d", "<r><a b='1'>t<!--c--></a><d><![CDATA[V]]></d><e><f/></e><?p q?></r>"),
        ("/r/d/text()", "<r><a b='1'>t<!--c--></a><d><![CDATA[V]]></d><e><f/></e><?p q?></r>"),
        ("/r/e", "<r><a b='1'>t<!--c--></a><d><![CDATA[x]]></d><e>V</e><?p q?></r>"),
        ("//f", "<r><a b='1'>t<!--c--></a><d><![CDATA[x]]></d><e><f>V</f></e><?p q?></r>"),
        ("//processing-instruction('p')", "<r><a b='1'>t<!--c--></a><d><![CDATA[x]]></d><e><f/></e><?p V?></r>"),
        ("r/e/f", "<r><a b='1'>t<!--c--></a><d><![CDATA[x]]></d><e><f>V</f></e><?p q?></r>"),
        ("r/*:a", "<r><a b='1'>V</a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"),
        ("/r/(e|x)/f", "<r><a b='1'>t<!--c--></a><d><![CDATA[x]]></d><e><f>V</f></e><?p q?></r>"),
        ("//a[@b lt '2']/@b", "<r><a b='V'>t<!--c--></a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"),
        ("for $x in //f return $x", None),
        ("//d[matches(., 'x')]/text()", "<r><a b='1'>t<!--c--></a><d><![CDATA[V]]></d><e><f/></e><?p q?></r>"),
        ("//(a/text())", "<r><a b='1'>V<!--c--></a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"),
    ],
)
def test_each_kind_of_node_takes_the_value(name: str, after: str | None) -> None:
    before = "<r><a b='1'>t<!--c--></a><d><![CDATA[x]]></d><e><f/></e><?p q?></r>"
    expected = before.replace("<f/>", "<f>V</f>") if after is None else after
    assert _text(before, {name: "V"}) == expected


def test_variables_apply_in_order_on_what_earlier_ones_made() -> None:
    variables: dict[str, str | None] = {
        "/r/s": "<new><x/></new>",
        "//new/x": "deep",
        "/r/s/new/x[.='deep']/text()": "er",
    }
    assert _text("<r><s><t/></s></r>", variables) == "<r><s><new><x>er</x></new></s></r>"


def test_the_first_of_two_bindings_of_a_prefix_counts() -> None:
    text = '<r><a xmlns:p="urn:1"><p:x/></a><b xmlns:p="urn:2"><p:x/></b></r>'
    done = _replaced(text, {"//p:x": "v"})
    assert done.data.decode() == text.replace("<p:x/>", "<p:x>v</p:x>", 1)
    assert any("'urn:2' could not be mapped to the 'p' prefix" in message.text for message in done.messages)


def test_what_cannot_stand_in_its_place_is_skipped_with_a_warning() -> None:
    text = "<r><a><b/></a><!--c--><?p q?></r>"
    done = _replaced(text, {"/r/a": "<<<", "//comment()": "a--b", "//processing-instruction()": "?>", "/": "x"})
    assert done.data.decode() == text
    assert [message.level for message in done.messages if message.level == "warn"] == ["warn"] * 4
    assert done.matched == 4


def test_a_secret_is_masked_in_warnings_and_changes() -> None:
    done = _replaced("<r><a><b/></a><c>1</c></r>", {"/r/a": "<hush", "/r/c": "hush"}, ("/r/a", "/r/c"))
    assert not any("hush" in message.text for message in done.messages)
    assert [(change.place, change.sensitive, "hush" in change.shown()) for change in done.changes] == [
        ("/r/c", True, False)
    ]


def test_line_breaks_take_the_files_own_style() -> None:
    assert _text("<r>\r\n<a>1</a>\r\n</r>", {"/r/a": "x\ny"}) == "<r>\r\n<a>x\r\ny</a>\r\n</r>"
    assert _text('<r>\r\n<a b=""/>\r\n</r>', {"/r/a/@b": "x\ny"}) == '<r>\r\n<a b="x&#xA;y"/>\r\n</r>'


def test_a_character_that_the_encoding_lacks_moves_the_file_to_utf_8() -> None:
    data = '<?xml version="1.0" encoding="iso-8859-2"?>\n<r>ł</r>'.encode("iso-8859-2")
    done = replace(data, Candidates(Variables.of({"/r": "张"})), "app.xml")
    assert done.data.decode("utf-8") == '<?xml version="1.0" encoding="utf-8"?>\n<r>张</r>'
    assert any("iso-8859-2" in message.text and message.level == "warn" for message in done.messages)


def test_a_value_that_no_xml_can_hold_fails_and_is_not_shown() -> None:
    with pytest.raises(TransformError, match=r"'/r' holds U\+0001") as raised:
        _replaced("<r/>", {"/r": "hush\x01"})
    assert "hush" not in str(raised.value)


def test_an_xpath_that_fails_on_the_way_fails_the_run() -> None:
    with pytest.raises(TransformError, match="cannot be evaluated"):
        _replaced("<r a='x'/>", {"/r[@a > 5]": "v"})


@pytest.mark.parametrize(
    "name", ["doc('file:///etc/passwd')/*", "collection('file:///etc')/*", "//r[1 to 9000000000]"]
)
def test_names_that_would_open_files_or_count_for_ever_are_no_paths(name: str) -> None:
    assert _text("<r/>", {name: "v"}) == "<r/>"


def test_malformed_xml_is_a_parse_failure_with_its_place() -> None:
    with pytest.raises(ParseFailure) as raised:
        _replaced("<r>\n<a></r>", {"/r": "v"})
    assert (raised.value.line, raised.value.column) == (2, 8)


def test_ten_thousand_ordinary_names_are_told_from_xpaths_quickly() -> None:
    names: dict[str, str | None] = {f"Section{index}:Key:{index}": "v" for index in range(10_000)}
    assert _text("<r/>", names) == "<r/>"


def test_every_match_of_many_has_its_own_place() -> None:
    done = _replaced("<r>" + "<a/>" * 3 + "<b/><a/></r>", {"//a": "v"})
    assert [change.place for change in done.changes] == ["/r/a[1]", "/r/a[2]", "/r/a[3]", "/r/a[4]"]
