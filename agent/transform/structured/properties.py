"""Structured variables in Java properties: the values of existing keys, and nothing else of the file.

As Calamari: a whole key is compared, by what it says rather than how it is spelt, and every entry of that key gets
the value; a null leaves it alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.repeats import any_number_of, at_most_one
from agent.transform.changes import Change
from agent.transform.structured.formats import Names, Replaced, failure_at, found, nothing_found
from agent.transform.structured.paths import fold
from agent.transform.text import decode, encode, with_text

_CONTINUED = r"\\(?:\r\n|\r|\n)[ \t\f]*+"
_ESCAPED = rf"{_CONTINUED}|\\[^\r\n]|\\\Z"
_BLANK = any_number_of(rf"[ \t\f]|{_CONTINUED}")
_IN_KEY = any_number_of(rf"[^=:\ \t\f\r\n\\]|{_ESCAPED}")
_IN_VALUE = any_number_of(rf"[^\r\n\\]++|{_ESCAPED}")
_SIGN = at_most_one(f"[=:]{_BLANK}")
_LINE = re.compile(
    rf"""
    [ \t\f]*+
    (?: [#!][^\r\n]*+
      | (?P<key>{_IN_KEY})
        (?P<separator>{_BLANK}{_SIGN})
        (?P<value>{_IN_VALUE})
    )
    (?:\r\n|\r|\n|\Z)
    """,
    re.VERBOSE,
)
_SPELT = re.compile(rf"{_CONTINUED}|\\u([0-9A-Fa-f]{{4}})|\\(u)|\\([^\r\n])|\\\Z")
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_TO_ESCAPE = re.compile(r"[\\\r\n\t\f]|^ |[^\x00-\x7f]")
_ESCAPES = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t", "\f": "\\f", " ": "\\ "}


def replace(data: bytes, names: Names, file: str) -> Replaced:
    """Replace the values of the keys that variables name. ParseFailure for a broken unicode escape."""
    document = decode(data)
    edits = [edit for entry in _entries(document.text) if (edit := _edit(entry, names)) is not None]
    if not edits:
        return Replaced(data=data, messages=(nothing_found(),))
    messages = tuple(found(edit.name) for edit in edits)
    changed = [edit for edit in edits if edit.entry.says != edit.value]
    if not changed:
        return Replaced(data=data, messages=messages, matched=len(edits))
    encoded = encode(with_text(document, _spliced(document.text, changed)))
    return Replaced(
        data=encoded.data,
        changes=tuple(_change(edit, names, file) for edit in changed),
        messages=messages + encoded.messages,
        matched=len(edits),
    )


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A key and its value, by what they say; `separator` as written, the value at `text[start:end]`."""

    key: str
    separator: str
    says: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class _Edit:
    entry: _Entry
    name: str
    value: str


def _entries(text: str) -> Iterator[_Entry]:
    position = 0
    while position < len(text):
        line = _LINE.match(text, position)
        assert line is not None
        position = line.end()
        if line["key"] or line["separator"]:
            yield _Entry(
                key=_said(text, *line.span("key")),
                separator=line["separator"],
                says=_said(text, *line.span("value")),
                start=line.start("value"),
                end=line.end("value"),
            )


def _said(text: str, start: int, end: int) -> str:
    spelt = text[start:end]
    if "\\" not in spelt:
        return spelt

    def meaning(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2]:
            raise failure_at("a unicode escape needs four hexadecimal digits", text, start + match.start())
        return _LETTERS.get(match[3], match[3]) if match[3] else ""

    said = _SPELT.sub(meaning, spelt)
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "\\u" in spelt else said


def _edit(entry: _Entry, names: Names) -> _Edit | None:
    name = names.keys.get(fold(entry.key))
    value = None if name is None else names.value(name)
    return None if name is None or value is None else _Edit(entry=entry, name=name, value=value)


def _spliced(text: str, edits: list[_Edit]) -> str:
    pieces, position = [], 0
    for edit in edits:
        pieces += [text[position : edit.entry.start], _written(edit)]
        position = edit.entry.end
    return "".join([*pieces, text[position:]])


def _written(edit: _Edit) -> str:
    """The value's source text, and before it the colon that a bare key lacks."""
    written = _TO_ESCAPE.sub(_escape, edit.value)
    if not edit.entry.separator:
        return ":" + written
    if written[:1] in {"=", ":"} and not re.search("[=:]", edit.entry.separator):
        return "\\" + written
    return written


def _escape(match: re.Match[str]) -> str:
    if match[0] in _ESCAPES:
        return _ESCAPES[match[0]]
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))


def _change(edit: _Edit, names: Names, file: str) -> Change:
    return Change(
        feature="structured",
        file=file,
        place=edit.entry.key,
        rule=edit.name,
        old=edit.entry.says,
        new=edit.value,
        sensitive=names.is_sensitive(edit.name),
    )
