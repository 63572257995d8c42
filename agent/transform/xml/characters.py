"""Characters as XML spells them: references resolved, values escaped, and what no document can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

NO_ENTITIES: Final[Mapping[str, str]] = {}

_PREDEFINED: Final[Mapping[str, str]] = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_REFERENCE = re.compile(r"&(#[xX][0-9a-fA-F]+|#[0-9]+|[^;&\s]+);")
_ILLEGAL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_ATTRIBUTE_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#xA;", "\r": "&#xD;"})
_TEXT_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def decode(raw: str, entities: Mapping[str, str] = NO_ENTITIES) -> str:
    """The value that a piece of a document spells; references to unknown entities stay as they are."""
    if "&" not in raw:
        return raw
    return _REFERENCE.sub(lambda found: _resolved(found, entities), raw)


def escape_attribute(value: str, quote: str = '"') -> str:
    """A value as it stands between quotes and is read back the same: line breaks and tabs as references too."""
    return reference_attribute(value, quote).replace("\t", "&#x9;")


def reference_attribute(value: str, quote: str = '"') -> str:
    """A value as .NET's writer puts it between quotes: a tab stays a tab."""
    return value.translate(_ATTRIBUTE_ESCAPES).replace(quote, "&quot;" if quote == '"' else "&apos;")


def escape_text(value: str) -> str:
    """A value as it stands between tags; a lone carriage return as a reference, or it would be read as a newline."""
    escaped = value.translate(_TEXT_ESCAPES)
    return _LONE_RETURN.sub("&#xD;", escaped) if "\r" in escaped else escaped


def reference_text(value: str) -> str:
    """A value as .NET's writer puts it between tags: every newline as it is."""
    return value.translate(_TEXT_ESCAPES)


def cdata(value: str) -> str:
    """A CDATA section; where the value holds its end, two."""
    return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"


def with_newline(value: str, newline: str) -> str:
    """A value with its line breaks in the file's own style. A lone carriage return is none."""
    return value.replace("\r\n", "\n").replace("\n", newline) if "\n" in value else value


def illegal_character(value: str) -> str | None:
    """The first character that no XML document can hold, as `U+0001`; None if there is none."""
    found = _ILLEGAL.search(value)
    return f"U+{ord(found.group()):04X}" if found else None


def _resolved(found: re.Match[str], entities: Mapping[str, str]) -> str:
    name = found.group(1)
    if name[0] == "#":
        code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
        return chr(code) if code <= 0x10FFFF else found.group()
    return _PREDEFINED.get(name) or entities.get(name) or found.group()
