"""XDT transforms on whole documents, in the layout that keeps what no transform touches."""

from __future__ import annotations

import pytest

from agent.transform.xdt import Layout, XdtFatal, XdtResult, transform_document

_NAMESPACE = "http://schemas.microsoft.com/XML-Document-Transform"
_SOURCE = """<?xml version="1.0"?>
<configuration>
  <!-- kept -->
  <appSettings>
    <add  key='A' value='1' />
    <add  key='B' value='2' />
  </appSettings>
</configuration>
"""


def _run(source: str, rules: str, layout: Layout = "kept") -> XdtResult:
    transform = f'<configuration xmlns:xdt="{_NAMESPACE}">{rules}</configuration>'
    return transform_document(source.encode(), transform.encode(), layout=layout)


def _settings(rule: str) -> str:
    return _run(_SOURCE, f"<appSettings>{rule}</appSettings>").output.decode()


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        (
            '<add key="B" value="9" xdt:Transform="SetAttributes" xdt:Locator="Match(key)"/>',
            "<add  key='B' value='2' />",
            "<add  key='B' value='9' />",
        ),
        (
            '<add key="B" xdt:Transform="RemoveAttributes(value)" xdt:Locator="Match(key)"/>',
            "<add  key='B' value='2' />",
            "<add  key='B' />",
        ),
        (
            '<add key="C" value="3" xdt:Transform="Insert"/>',
            "<add  key='B' value='2' />\n",
            "<add  key='B' value='2' />\n    <add key=\"C\" value=\"3\"/>\n",
        ),
        (
            '<add key="A" xdt:Transform="Remove" xdt:Locator="Match(key)"/>',
            "    <add  key='A' value='1' />\n",
            "",
        ),
        (
            '<add m="it\'s" value="$(value)$(m)" xdt:Transform="SetTokenizedAttributes" xdt:Locator="Condition(2)"/>',
            "value='2' />",
            "value='2it&amp;apos;s' m=\"it's\" />",
        ),
        (
            '<add xdt:Transform="CommentOut" xdt:Locator="Condition(2)"/>',
            "<add  key='B' value='2' />",
            '<!-- <add key="B" value="2" /> -->',
        ),
        (
            "<add xdt:Transform=\"InsertBefore(add[@key='B'])\" key='x'><in> </in>text</add>",
            "<add  key='B'",
            "<add key=\"x\">\n      <in>\n      </in>text</add>\n    <add  key='B'",
        ),
    ],
)
def test_only_what_a_transform_asks_for_changes(rule: str, old: str, new: str) -> None:
    assert old in _SOURCE
    assert _settings(rule) == _SOURCE.replace(old, new)


def test_every_change_names_its_place_and_the_line_that_asked() -> None:
    rules = '<appSettings>\n<add key="B" value="9" xdt:Transform="SetAttributes" xdt:Locator="Match(key)"/>\n'
    rules += '<add key="C" xdt:Transform="Insert"/>\n'
    rules += '<add xdt:Transform="Remove" xdt:Locator="Condition(1)"/></appSettings>'
    changes = _run(_SOURCE, rules).changes
    assert [(change.place, change.rule, change.old, change.new) for change in changes] == [
        ("/configuration/appSettings/add[2]/@value", "transform.config:2", "2", "9"),
        (
            "/configuration/appSettings/add",
            "transform.config:3",
            None,
            '<add key="C" />',
        ),
        ("/configuration/appSettings/add[1]", "transform.config:4", "<add  key='A' value='1' />", None),
    ]


def test_a_transform_that_changes_nothing_leaves_every_byte() -> None:
    source = "<r  a = '1'\n>&#65;<![CDATA[x]]><b ></b ></r >\n"
    assert _run(source, "").output.decode() == source


def test_the_reference_layout_spells_everything_anew() -> None:
    source = "<r  a = '1'\n>&#65;<![CDATA[x]]><b ></b ></r >\n"
    assert _run(source, "", "reference").output.decode() == '<r  a="1"\n>A<![CDATA[x]]><b ></b></r>\n'


def test_errors_do_not_stop_the_run_and_are_told_with_their_place() -> None:
    result = _run(
        "<configuration><a/></configuration>", '<a xdt:Transform="No"/>\n<a b="1" xdt:Transform="SetAttributes"/>'
    )
    assert result.output == b'<configuration><a b="1"/></configuration>'
    assert [(error.file, error.line, error.column) for error in result.errors] == [("transform.config", 1, 83)]


@pytest.mark.parametrize(
    ("rule", "warnings", "errors"),
    [
        ('<a xdt:Transform="Remove"/>', 1, 0),
        ('<a xdt:Transform="Remove" xdt:SupressWarnings="true"/>', 0, 0),
        ('<a xdt:Transform="Insert"/>', 0, 0),
        ('<x><a xdt:Transform="Insert"/></x>', 0, 1),
        ('<b xdt:Transform="Remove(x)"/>', 2, 0),
        ('<b xdt:Transform="SetAttributes(nope)"/>', 4, 0),
        ('<b xdt:Transform="SetAttributes(p:id)"/>', 0, 2),
        ('<b n="$(nope)" xdt:Transform="SetTokenizedAttributes"/>', 0, 2),
        ('<b xdt:Transform="Remove" xdt:Locator="Match(nope)"/>', 0, 1),
        ('<b xdt:Transform="Remove" xdt:Locator="XPath(//@c)"/>', 0, 1),
        ('<b xdt:Transform="InsertAfter(/configuration)"/>', 0, 1),
        ('<xdt:Other><b xdt:Transform="Remove"/></xdt:Other>', 2, 0),
        (f'<b xdt:Transform="Remove" xdt:Locator="Condition({"x" * 20_000})"/>', 0, 1),
    ],
)
def test_warnings_and_errors_are_counted_as_the_reference_counts_them(rule: str, warnings: int, errors: int) -> None:
    result = _run('<configuration><b c="1"/><b/></configuration>', rule)
    assert (len(result.warnings), len(result.errors)) == (warnings, errors)


def test_new_nodes_keep_their_namespaces() -> None:
    source = '<configuration xmlns="urn:c" xmlns:p="urn:p"><s/></configuration>'
    rules = (
        '<s xmlns="urn:c" xmlns:q="urn:p"><q:a q:b="1" c="2" xml:lang="en" xdt:Transform="Insert">'
        '<plain xmlns=""/></q:a></s>'
    )
    transform = f'<configuration xmlns="urn:c" xmlns:xdt="{_NAMESPACE}">{rules}</configuration>'
    output = transform_document(source.encode(), transform.encode(), layout="kept").output.decode()
    assert '<p:a p:b="1" c="2" xml:lang="en">' in output
    assert '<plain xmlns=""/>' in output


def test_the_document_element_can_be_replaced_and_removed() -> None:
    transform = f'<a xmlns:xdt="{_NAMESPACE}" xdt:Transform="{{}}"><b/></a>'
    replaced = transform_document(b"<!--x-->\n<a/>\n<!--y-->", transform.format("Replace").encode())
    assert replaced.output == b"<!--x-->\n<a>\n\t<b/>\n</a>\n<!--y-->"
    removed = transform_document(b"<!--x-->\n<a/>", transform.format("Remove").encode())
    assert not removed.has_root
    assert b"<a" not in removed.output


def test_values_that_the_files_encoding_lacks_become_references() -> None:
    source = '<?xml version="1.0" encoding="iso-8859-1"?><configuration><a b="é"/></configuration>'.encode(
        "iso-8859-1"
    )
    rules = f'<configuration xmlns:xdt="{_NAMESPACE}"><a b="é€" xdt:Transform="SetAttributes"/></configuration>'
    assert b'<a b="\xe9&#x20AC;"/>' in transform_document(source, rules.encode(), layout="kept").output


@pytest.mark.parametrize("bom", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_stay(bom: str) -> None:
    source = _SOURCE.encode(bom)
    rules = f'<configuration xmlns:xdt="{_NAMESPACE}"><new xdt:Transform="Insert"/></configuration>'.encode(bom)
    output = transform_document(source, rules, layout="kept").output
    assert output[:2] == source[:2]
    assert "<new/>" in output.decode(bom)


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ("<configuration>", ""),
        ("<a", ""),
        ("<configuration><a><!--x--></a></configuration>", '<a xdt:Transform="CommentOut"/>'),
        ("<configuration/>", '<xdt:Import path="x.dll" namespace="N"/>'),
        ("<configuration/>", '<xdt:Import assembly="No.Such" namespace="N"/>'),
        ("<configuration/>", '<xdt:Import path="x" assembly="y" namespace="N"/>'),
        ("<configuration/>", '<xdt:Import assembly="mscorlib"/>'),
        ("<configuration/>", '<xdt:Import assembly="mscorlib" namespace="N" other="x"/>'),
        ('<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>', ""),
        ("<a>" * 100_000, ""),
    ],
)
def test_what_cannot_be_begun_or_ended_is_fatal(source: str, rules: str) -> None:
    with pytest.raises(XdtFatal):
        _run(source, rules)


def test_a_broken_transform_file_is_named() -> None:
    with pytest.raises(XdtFatal, match=r"web\.Release\.config is not a usable XML document: .*line 1"):
        transform_document(b"<a/>", b"<a>", transform_name="web.Release.config")
