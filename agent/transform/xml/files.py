"""From a file's bytes to the text of its document and back, in the encoding that the file is in."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.transform.text import Document, decode, encode, known_encoding

_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z][\w.-]*)["']""", re.ASCII)
_ENCODING = re.compile(r"""(<\?xml\s[^>]*?\bencoding\s*=\s*)("[^"]*"|'[^']*')""")
_CHARACTER = re.compile(r"[^\x00-\x7f]")
_MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<!DOCTYPE[^>]*|</?[^\s>]+|\s[^\s=\"'<>]+(?=\s*=\s*[\"'])", re.DOTALL
)


def read_xml(data: bytes) -> Document:
    """The text of an XML file: a byte order mark decides, then the declaration, UTF-8, Windows-1252.

    A declaration that is itself in single bytes lies when it says UTF-16 or UTF-32; it is not followed then.
    """
    found = _DECLARED.match(data)
    declared = found.group(1).decode("ascii") if found else None
    if declared and (known_encoding(declared) or "").lower().startswith(("utf-16", "utf-32")):
        declared = None
    return decode(data, declared)


def declared_encoding(text: str) -> str | None:
    """What the declaration of a document says."""
    found = _ENCODING.match(text)
    return found.group(2)[1:-1] if found else None


def redeclared(document: Document, encoding: str) -> Document:
    """A document whose declaration, if it has one that names an encoding, names another."""
    text = _ENCODING.sub(lambda found: f"{found.group(1)}{found.group(2)[0]}{encoding}{found.group(2)[0]}",
                         document.text, count=1)  # fmt: skip
    return replace(document, text=text)


def encode_xml(document: Document) -> bytes:
    """The bytes of a document. What its encoding cannot hold is written as character references.

    Where no reference may stand (comments, CDATA, names), the document goes over to UTF-8, and says so.
    """
    encoded = encode(document)
    if not encoded.messages:
        return encoded.data
    missing: dict[str, str] = {
        found: f"&#x{ord(found):X};"
        for found in set(_CHARACTER.findall(document.text))
        if encode(replace(document, text=found)).messages
    }
    if any(character in piece for piece in _MARKUP.findall(document.text) for character in missing):
        return encode(redeclared(replace(document, encoding="utf-8", bom=False), "utf-8")).data
    return encode(
        replace(document, text=document.text.translate({ord(one): reference for one, reference in missing.items()}))
    ).data
