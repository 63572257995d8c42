"""What holds for any document and any run of transforms."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from agent.transform.xdt import transform_document
from agent.transform.xdt.engine import run_transforms
from agent.transform.xdt.run import Run
from agent.transform.xml.document import parse
from agent.transform.xml.nodes import fill_all
from agent.transform.xml.write import write
from tests.transform.xml.documents import LETTERS, documents, names, patient

_XDT = 'xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform"'
_NOTHING = f"<none {_XDT}/>".encode()


@patient
@given(documents())
def test_a_transform_without_rules_keeps_every_byte(text: str) -> None:
    assert transform_document(text.encode(), _NOTHING, layout="kept").output == text.encode()


@patient
@given(documents())
def test_the_reference_layout_is_the_same_document_and_settles(text: str) -> None:
    once = transform_document(text.encode(), _NOTHING).output
    assert _flat(once) == _flat(text.encode())
    assert transform_document(once, _NOTHING).output == once


_paths = st.sampled_from(["//{}", "//{}[1]", "//*[@{}]", "/*/{}", "//comment()", "//text()", "/*"])
_calls = st.sampled_from(
    [
        "Remove",
        "RemoveAll",
        "Replace",
        "Insert",
        "InsertIfMissing",
        "SetAttributes",
        "RemoveAttributes({})",
        "InsertBefore(*)",
        "InsertAfter(*[2])",
        "InsertBefore(//{})",
        "CommentOut",
    ]
)


@st.composite
def _rules(draw: st.DrawFn) -> str:
    rules = []
    for _ in range(draw(st.integers(1, 5))):
        name = draw(names)
        path = draw(_paths).format(draw(st.sampled_from(LETTERS)))
        call = draw(_calls).format(name)
        inside = draw(st.sampled_from(["", "<x/>t<!--c-->", " u <y z='1'><![CDATA[d]]></y>"]))
        rules.append(f'<{name} k="1" xdt:Locator="XPath({path})" xdt:Transform="{call}">{inside}</{name}>')
    return f"<r {_XDT}>{''.join(rules)}</r>"


@patient
@given(documents().filter(lambda text: "--" not in text.replace("<!--", "").replace("-->", "")), _rules())
def test_lxml_sees_what_is_written_whatever_was_done(text: str, rules: str) -> None:
    run = Run(target=parse(text), transform=parse(rules), source_name="source", transform_name="transform")
    fill_all(run.target.root)
    if "CommentOut" in rules and "<!--" in text:
        return
    run_transforms(run)
    top = run.target.mirror.top
    if top is None:
        assert run.target.top is None
        return
    assert _flat(etree.tostring(top.getroottree(), encoding="utf-8")) == _flat(write(run.target.root).encode())


def _flat(data: bytes) -> list[tuple[str, str, str, dict[str, str]]]:
    """Tags, texts, tails and attributes in order, newlines and the space in attributes aside."""
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False)
    return [
        (
            str(node.tag),
            (node.text or "").replace("\r\n", "\n").replace("\r", "\n"),
            (node.tail or "").replace("\r\n", "\n").replace("\r", "\n"),
            {str(name): " ".join(str(value).split()) for name, value in node.items()},
        )
        for node in etree.fromstring(data, parser).getroottree().iter()
    ]
