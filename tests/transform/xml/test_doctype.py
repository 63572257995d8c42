"""Document types: plain ones pass, those that fetch or grow are refused before any parser runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.transform.xml.document import parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.write import write


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE r [<!ENTITY e "ent">]><r a="&e;">&e; and &e;<b/>&e;</r>',
        '<!DOCTYPE r SYSTEM "log4j.dtd"><r/>',
        '<!DOCTYPE r PUBLIC "-//x//y" \'y.dtd\' [ <!ELEMENT r ANY> <!ATTLIST r a CDATA "it\'s"> ]>\n<r/>',
        "<!DOCTYPE r [<!-- it's > a ] note --><?pi ]>?>]><r/>",
        '<r><!-- <!DOCTYPE x [<!ENTITY a SYSTEM "b">]> --><![CDATA[<!DOCTYPE x [<!ENTITY]]></r>',
    ],
)
def test_a_harmless_document_type_passes_unchanged(text: str) -> None:
    assert write(parse(text).root) == text


def test_an_entity_has_its_value_in_attributes() -> None:
    document = parse('<!DOCTYPE r [<!ENTITY e "a &#66;">]><r/>')
    assert document.entities == {"e": "a B"}


def _bomb() -> str:
    levels = "".join('<!ENTITY l{} "{}">'.format(index, f"&l{index - 1};" * 10) for index in range(1, 10))
    return f'<!DOCTYPE r [<!ENTITY l0 "lol">{levels}]><r>&l9;</r>'


@pytest.mark.parametrize(
    "text",
    [
        _bomb(),
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>',
        '<!DOCTYPE r [<!ENTITY e PUBLIC "x" "http://x/">]><r>&e;</r>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://x/">%p;]><r/>',
        '<!DOCTYPE r [<!ENTITY % p "x">]><r/>',
        '<!DOCTYPE r [<!ENTITY a "<!--"><!ENTITY b SYSTEM "file:///etc/passwd"><!ENTITY c "-->">]><r>&b;</r>',
        '<!DOCTYPE r [<!ENTITY a "&#38;b;">]><r>&a;</r>',
        f'<!DOCTYPE r [<!ENTITY e "{"x" * 60_000}">]><r>{"&e;" * 100_000}</r>',
        f'<!DOCTYPE r [<!ENTITY e "{"x" * 6_000}">]><r a="{"&e;" * 1_000}"/>',
        "<!DOCTYPE r [" + "".join(f"<!ENTITY e{index} 'x'>" for index in range(300)) + "]><r/>",
        f"<!DOCTYPE {'[' * 100_000}",
        f"<!DOCTYPE r [{'<!--' * 100_000}",
    ],
)
def test_a_document_type_that_fetches_or_grows_is_refused(text: str) -> None:
    with pytest.raises(XmlError):
        parse(text)


def test_an_external_document_type_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "x.dtd").write_text('<!ENTITY e "from the file">', encoding="utf-8")
    document = parse(f'<!DOCTYPE r SYSTEM "{(tmp_path / "x.dtd").as_uri()}"><r>&e;</r>')
    assert document.text_of(document.read_elements[0]) == "&e;"
