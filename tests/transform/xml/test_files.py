"""Encodings of XML files: found, kept, and left only where nothing else helps."""

from __future__ import annotations

import pytest

from agent.transform.text import Document
from agent.transform.xml.files import declared_encoding, encode_xml, read_xml, redeclared


@pytest.mark.parametrize(
    ("data", "text", "encoding", "bom"),
    [
        ("<a>é</a>".encode(), "<a>é</a>", "utf-8", False),
        ("\ufeff<a>é</a>".encode(), "<a>é</a>", "utf-8", True),
        ("\ufeff<a>é</a>".encode("utf-16-le"), "<a>é</a>", "utf-16", True),
        ("\ufeff<a>é</a>".encode("utf-16-be"), "<a>é</a>", "utf-16BE", True),
        (b"<?xml version='1.0' encoding='iso-8859-2'?><a>\xb3</a>", "ł", "iso-8859-2", False),
        (b'<?xml version="1.0" encoding="utf-16"?><a>x</a>', "<a>x</a>", "utf-8", False),
        (b"<a>\x80</a>", "<a>€</a>", "windows-1252", False),
        (b'<?xml version="1.0" encoding="no-such"?><a>\xc3\xa9</a>', "<a>é</a>", "utf-8", False),
    ],
)
def test_the_encoding_is_found_and_written_again(data: bytes, text: str, encoding: str, bom: bool) -> None:
    document = read_xml(data)
    assert text in document.text
    assert (document.encoding, document.bom) == (encoding, bom)
    assert encode_xml(document) == data


def test_what_the_encoding_lacks_is_written_as_references() -> None:
    document = Document(text='<?xml version="1.0" encoding="iso-8859-1"?><a b="é€">😀</a>', encoding="iso-8859-1")
    assert encode_xml(document) == b'<?xml version="1.0" encoding="iso-8859-1"?><a b="\xe9&#x20AC;">&#x1F600;</a>'


@pytest.mark.parametrize("inner", ["<!--€-->", "<![CDATA[€]]>", "<?p €?>", "<€uro/>", '<b €="1"/>'])
def test_where_no_reference_may_stand_the_file_becomes_utf_8(inner: str) -> None:
    text = f'<?xml version="1.0" encoding="iso-8859-1"?><a>{inner}</a>'
    data = encode_xml(Document(text=text, encoding="iso-8859-1"))
    assert data.decode("utf-8") == text.replace("iso-8859-1", "utf-8")


def test_a_declaration_keeps_its_quotes_when_it_names_another_encoding() -> None:
    document = redeclared(Document(text="<?xml version='1.0'  encoding='latin1' ?><a encoding='x'/>"), "utf-8")
    assert document.text == "<?xml version='1.0'  encoding='utf-8' ?><a encoding='x'/>"
    assert declared_encoding(document.text) == "utf-8"
