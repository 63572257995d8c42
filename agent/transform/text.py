"""Reading and writing text as Calamari does, without losing a byte.

A file's encoding is found, kept, and left only where a new value cannot be written in it. Whatever `decode` takes,
`encode` gives back byte for byte: bytes that are wrong in their encoding travel as lone surrogates.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache, cached_property

from agent.transform.messages import Message, warn

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32BE"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16BE"),
)
_CODECS = {"utf-16": "utf-16-le", "utf-16be": "utf-16-be", "utf-32": "utf-32-le", "utf-32be": "utf-32-be"}
_ALIASES = {
    "utf8": "utf-8",
    "unicode": "utf-16",
    "utf-16le": "utf-16",
    "ucs-2": "utf-16",
    "iso-10646-ucs-2": "utf-16",
    "unicodefffe": "utf-16BE",
    "utf-16be": "utf-16BE",
    "utf-32le": "utf-32",
    "utf-32be": "utf-32BE",
    "ascii": "us-ascii",
    "latin1": "iso-8859-1",
}
_KNOWN = re.compile(
    r"utf-8|utf-16(?:be)?|utf-32(?:be)?|us-ascii|iso-8859-\d{1,2}|windows-(?:874|125\d)|ibm\d{3}|cp\d{3,4}"
    r"|koi8-[ru]|macintosh|shift_jis|euc-jp|euc-kr|gb2312|gbk|gb18030|big5",
    re.IGNORECASE,
)
_UNICODE = re.compile("utf-", re.IGNORECASE)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file's text, its encoding by .NET name (`utf-8`, `utf-16`, `windows-1252`), and whether a BOM leads it."""

    text: str
    encoding: str = "utf-8"
    bom: bool = False


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A document's bytes; `encoding` and `bom` are what they came out in, `messages` why if it is another."""

    data: bytes
    encoding: str
    bom: bool
    messages: tuple[Message, ...] = ()


def decode(data: bytes, declared: str | None = None) -> Document:
    """The text of a file. As Calamari: a BOM decides, then `declared` (an XML declaration), UTF-8, Windows-1252."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            document = _decoded(data[len(bom) :], encoding, bom=True)
            if document is not None:
                return document
            break
    named = known_encoding(declared) if declared else None
    if named is not None and (document := _decoded(data, named, bom=False)) is not None:
        return document
    try:
        return Document(text=data.decode("utf-8"))
    except UnicodeDecodeError:
        return Document(text=_decode_1252(data), encoding="windows-1252")


def encode(document: Document, *, lenient: bool = False) -> Encoded:
    """The bytes of a document, in its own encoding if it can hold the text, else in UTF-8 without a BOM.

    `lenient`, for an encoding that the user chose: characters that it lacks become `?`. As Calamari.
    """
    bom = bom_of(document.encoding) if document.bom else b""
    try:
        data = bom + _encoded(document.text, document.encoding, errors="strict")
    except UnicodeEncodeError:
        return _encode_otherwise(document, bom, lenient=lenient)
    return Encoded(data=data, encoding=document.encoding, bom=document.bom)


def with_text(document: Document, text: str) -> Document:
    """The same document with another text."""
    return replace(document, text=text)


def known_encoding(name: str) -> str | None:
    """The .NET name of an encoding that can be read and written here, or None."""
    name = name.strip()
    name = _ALIASES.get(name.lower(), name)
    if not _KNOWN.fullmatch(name):
        return None
    try:
        codecs.lookup(_codec(name))
    except LookupError:
        return None
    return name if name.endswith("BE") else name.lower()


def is_unicode(encoding: str) -> bool:
    """Whether an encoding holds every character."""
    return _UNICODE.match(encoding) is not None


def bom_of(encoding: str) -> bytes:
    """The byte order mark of an encoding, empty if it has none."""
    return next((bom for bom, name in _BOMS if name.lower() == encoding.lower()), b"")


def dominant_newline(text: str) -> str:
    """The newline that a file uses most; on a tie the first to appear; CRLF where there is none, as Calamari."""
    windows = text.count("\r\n")
    unix = text.count("\n") - windows
    if windows == unix:
        first = text.find("\n")
        return "\n" if first >= 0 and text[max(first - 1, 0)] != "\r" else "\r\n"
    return "\r\n" if windows > unix else "\n"


def clean(value: str) -> str:
    """A value without lone surrogates, which no encoding can hold; they become U+FFFD, as .NET writes them."""
    if value.isascii():
        return value
    return _LONE_SURROGATE.sub("\ufffd", value)


class Lines:
    """Where the lines of a text begin; counted once, when first asked, so that asking often costs little."""

    def __init__(self, text: str) -> None:
        self._text = text

    def start(self, offset: int) -> int:
        """Where the line begins that an offset is on."""
        return self._starts[bisect_right(self._starts, offset) - 1]

    def number(self, offset: int) -> int:
        """The number, from 1, of the line that an offset is on."""
        return bisect_right(self._starts, offset)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self._text))]


def _decoded(data: bytes, encoding: str, *, bom: bool) -> Document | None:
    if encoding == "windows-1252":
        return Document(text=_decode_1252(data), encoding=encoding)
    try:
        if encoding == "utf-8":
            text = data.decode("utf-8", errors="surrogateescape" if bom else "strict")
        else:
            text = data.decode(_codec(encoding), errors="surrogatepass" if is_unicode(encoding) else "strict")
        if not is_unicode(encoding) and text.encode(_codec(encoding)) != data:
            return None
    except UnicodeError:
        return None
    return Document(text=text, encoding=encoding, bom=bom)


def _encoded(text: str, encoding: str, *, errors: str) -> bytes:
    if encoding == "windows-1252":
        return codecs.charmap_encode(text, errors, _table_1252()[1])[0]
    if encoding == "utf-8":
        return text.encode("utf-8", errors="surrogateescape")
    return text.encode(_codec(encoding), errors="surrogatepass" if is_unicode(encoding) else errors)


def _encode_otherwise(document: Document, bom: bytes, *, lenient: bool) -> Encoded:
    if lenient:
        data = bom + _encoded(document.text, document.encoding, errors="replace")
        said = f"The encoding {document.encoding} cannot hold every character of the output; the others become '?'."
        return Encoded(data=data, encoding=document.encoding, bom=document.bom, messages=(warn(said),))
    said = f"Unable to represent the output with encoding {document.encoding}. Trying next the alternative: utf-8."
    data = clean(document.text).encode("utf-8")
    return Encoded(data=data, encoding="utf-8", bom=False, messages=(warn(said),))


def _codec(encoding: str) -> str:
    return _CODECS.get(encoding.lower(), encoding)


def _decode_1252(data: bytes) -> str:
    return codecs.charmap_decode(data, "strict", _table_1252()[0])[0]


@cache
def _table_1252() -> tuple[str, dict[int, int]]:
    """Windows-1252 as .NET has it: the five bytes without a character stand for the control of the same number."""
    table = "".join(
        chr(byte) if byte in {0x81, 0x8D, 0x8F, 0x90, 0x9D} else bytes([byte]).decode("cp1252") for byte in range(256)
    )
    return table, {ord(character): byte for byte, character in enumerate(table)}
