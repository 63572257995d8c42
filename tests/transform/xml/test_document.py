"""The lossless document: what goes in comes out, and edits change single places only."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from agent.transform.xml.document import XmlDocument, parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.mirror import TextRun
from agent.transform.xml.nodes import Attribute, Element, Leaf, fill_all, touch
from agent.transform.xml.write import write
from agent.transform.xml.xpath import NotAnXPath, select
from tests.transform.xml.documents import documents, patient

_legal = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12)


@patient
@given(documents())
def test_writing_a_document_gives_it_back(text: str) -> None:
    assert write(parse(text).root) == text


@patient
@given(documents())
def test_writing_it_piece_by_piece_gives_it_back(text: str) -> None:
    document = parse(text)
    fill_all(document.root)
    for element in document.read_elements:
        touch(element)
    assert write(document.root) == text


@patient
@given(documents())
def test_spelling_every_start_tag_from_its_attributes_gives_it_back(text: str) -> None:
    document = parse(text)
    for element in document.read_elements:
        element.retag()
    assert write(document.root) == text


@patient
@given(documents(), _legal, st.data())
def test_a_set_attribute_reads_back_as_asked(text: str, value: str, data: st.DataObject) -> None:
    document = parse(text)
    attributes = [each for element in document.read_elements for each in element.attributes]
    assume(attributes)
    index = data.draw(st.integers(0, len(attributes) - 1))
    name, owner = attributes[index].name, attributes[index].owner
    document.set_attribute(attributes[index], value)
    again = parse(write(document.root)).read_elements[document.read_elements.index(owner)]
    found = again.attribute(name)
    assert found is not None
    assert found.value == value


@patient
@given(documents(), _legal, st.data())
def test_set_content_reads_back_as_asked(text: str, value: str, data: st.DataObject) -> None:
    document = parse(text)
    leaves = [each for each in document.read_elements if next(each.elements(), None) is None]
    element = data.draw(st.sampled_from(leaves))
    document.set_content(element, value)
    again = parse(write(document.root))
    assert again.text_of(again.read_elements[document.read_elements.index(element)]) == value


def _only(document: XmlDocument, path: str) -> Element | Leaf | Attribute | TextRun:
    found = select(document.mirror, path, {})
    assert len(found) == 1
    return found[0]


def test_a_changed_attribute_keeps_its_quotes_and_spaces() -> None:
    document = parse("<a  b = 'x'\n c=\"y\" />")
    attribute = _only(document, "/a/@b")
    assert isinstance(attribute, Attribute)
    document.set_attribute(attribute, "it's <new>")
    assert write(document.root) == "<a  b = 'it&apos;s &lt;new&gt;'\n c=\"y\" />"


def test_an_equal_value_keeps_its_spelling() -> None:
    text = '<a b="&#65;&gt;>">&#66;</a>'
    document = parse(text)
    attribute, element = _only(document, "/a/@b"), _only(document, "/a")
    assert isinstance(attribute, Attribute)
    assert isinstance(element, Element)
    document.set_attribute(attribute, "A>>")
    document.set_content(element, "B")
    assert write(document.root) == text


def test_an_added_attribute_stands_as_its_neighbour_does() -> None:
    document = parse('<r>\n  <a one="1"\n     two="2" />\n  <b c="1" d="2"/></r>')
    first, second = document.read_elements[1:]
    document.add_attribute(first, "three", "3")
    document.add_attribute(second, "e", "3")
    assert write(document.root) == '<r>\n  <a one="1"\n     two="2"\n     three="3" />\n  <b c="1" d="2" e="3"/></r>'


def test_a_self_closed_element_opens_for_content() -> None:
    document = parse("<r><a /><b></b></r>")
    for element in document.read_elements[1:]:
        document.set_content(element, "x")
    assert write(document.root) == "<r><a>x</a><b>x</b></r>"


def test_a_lone_cdata_section_stays_one_and_may_hold_its_own_end() -> None:
    document = parse("<a><![CDATA[old]]></a>")
    document.set_content(document.read_elements[0], "a]]>b")
    assert write(document.root) == "<a><![CDATA[a]]]]><![CDATA[>b]]></a>"
    assert parse(write(document.root)).text_of(parse(write(document.root)).read_elements[0]) == "a]]>b"


def test_xpath_sees_every_edit() -> None:
    document = parse("<r><a>1</a> <b/></r>")
    a, b = document.read_elements[1:]
    document.set_content(a, "2")
    document.add_attribute(b, "c", "3")
    document.set_markup(document.read_elements[0], "<a>2</a><d>4</d>")
    assert len(select(document.mirror, "/r/d[.='4']/preceding-sibling::a[.='2']", {})) == 1
    assert select(document.mirror, "//b", {}) == []


def test_a_fragment_may_use_the_prefixes_in_scope() -> None:
    document = parse('<r xmlns="urn:r" xmlns:p="urn:p"><s><t/></s></r>')
    document.set_markup(document.read_elements[1], '<p:new/> and <other a="1" />')
    assert write(document.root) == '<r xmlns="urn:r" xmlns:p="urn:p"><s><p:new/> and <other a="1" /></s></r>'
    assert len(select(document.mirror, "//p:new", {"p": "urn:p"})) == 1


@pytest.mark.parametrize(
    "markup", ["<", "</fragment><fragment>", "<q:x/>", "<!DOCTYPE a>", "&unknown;", "</fragment>"]
)
def test_what_is_no_fragment_changes_nothing(markup: str) -> None:
    document = parse("<r><s><t/></s></r>")
    with pytest.raises(XmlError):
        document.set_markup(document.read_elements[1], markup)
    assert write(document.root) == "<r><s><t/></s></r>"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("<a>\n  <b>\n</a>", 3, 5), ("<a b=1/>", 1, 6), ("<a>&nbsp;</a>", 1, 10), ("", 1, 1), ("<a/><b/>", 1, 5)],
)
def test_what_is_not_well_formed_is_told_with_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(XmlError) as raised:
        parse(text)
    assert (raised.value.line, raised.value.column) == (line, column)


def test_nesting_beyond_all_reason_is_refused() -> None:
    with pytest.raises(XmlError, match="nest too deeply"):
        parse("<a>" * 100_000 + "</a>" * 100_000)


def test_a_document_of_nothing_but_tags_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(XmlError, match="too large"):
        parse(f"<r>{'<a/>' * 2_500_000}</r>")


@pytest.mark.parametrize("path", ["//[", "count(//a)", "//p:a", "$x", "unknown()"])
def test_an_unusable_xpath_says_so(path: str) -> None:
    with pytest.raises(NotAnXPath):
        select(parse("<a/>").mirror, path, {})


@patient
@given(documents())
def test_our_tree_and_lxml_agree(text: str) -> None:
    document = parse(text)
    top = etree.fromstring(text.encode(), etree.XMLParser(encoding="utf-8", resolve_entities=False))
    assert [element.name for element in document.read_elements] == [each.tag for each in top.iter("*")]
    attributes = [
        {each.name: " ".join(each.value.replace("\r\n", "\n").split()) for each in element.attributes}
        for element in document.read_elements
    ]
    theirs = [{name: " ".join(str(value).split()) for name, value in each.attrib.items()} for each in top.iter("*")]
    assert attributes == theirs
