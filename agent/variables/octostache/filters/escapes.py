"""Escapes a value for the format it is put into. None of them takes an option."""

from __future__ import annotations

import re
from urllib.parse import quote

_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "/": "&#x2F;"})
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
_JSON = str.maketrans({'"': '\\"', "\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t"})
_CONTROLS = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t"}
_YAML_SPECIAL = re.compile(r'[\\"]|[^ -~]')
_KEY_SPECIAL = re.compile(r"[ :=\\\r\n\t]|[^\x00-\xfe]")
_VALUE_SPECIAL = re.compile(r"\A |[\\\r\n\t]|[^\x00-\xfe]")
_NEWLINES = re.compile(r"[\r\n]+")
_URI_KEPT = "-_.~;/?:@&=+$,#[]!'()*"


def html(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else value.translate(_HTML)


def xml(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else value.translate(_XML)


def json(value: str | None, options: tuple[str, ...]) -> str | None:
    """For a JSON string; other control characters stay (as Octostache)."""
    return None if value is None or options else value.translate(_JSON)


def yaml_single_quote(value: str | None, options: tuple[str, ...]) -> str | None:
    """Each run of newlines gains one, since YAML folds it, and quotes are doubled."""
    if value is None or options:
        return None
    return _NEWLINES.sub(_one_more, value).replace("'", "''")


def yaml_double_quote(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else _YAML_SPECIAL.sub(_yaml_escape, value)


def properties_key(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else _KEY_SPECIAL.sub(_properties_escape, value)


def properties_value(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else _VALUE_SPECIAL.sub(_properties_escape, value)


def uri(value: str | None, options: tuple[str, ...]) -> str | None:
    """Keeps what has a meaning in a URI."""
    return None if value is None or options else _percent_encoded(value, _URI_KEPT)


def uri_data(value: str | None, options: tuple[str, ...]) -> str | None:
    """Keeps letters, digits and `-_.~` only."""
    return None if value is None or options else _percent_encoded(value, "-_.~")


def _one_more(newlines: re.Match[str]) -> str:
    return ("\r\n" if newlines[0].startswith("\r") else "\n") + newlines[0]


def _yaml_escape(character: re.Match[str]) -> str:
    if character[0] == '"':
        return '\\"'
    return _CONTROLS.get(character[0]) or _unicode_escape(character[0])


def _properties_escape(character: re.Match[str]) -> str:
    if character[0] in " :=":
        return "\\" + character[0]
    return _CONTROLS.get(character[0]) or _unicode_escape(character[0])


def _unicode_escape(character: str) -> str:
    """`\\uxxxx` for each UTF-16 unit."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _percent_encoded(value: str, kept: str) -> str:
    """UTF-8; half a surrogate pair is encoded as U+FFFD (as .NET)."""
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return quote(whole, safe=kept)
