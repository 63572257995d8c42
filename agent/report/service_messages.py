"""Octopus's service messages: `##octopus[name key="base64 of UTF-8" …]` on a line of its own.

A server reads them from everything a step prints. So they are written in one place only, and in foreign output
the label is broken up: no build log and no container can set a variable.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LABEL = "##octopus"

_SPLIT_LABEL = re.compile(r"#(?=[\r\n]*#(?:[\r\n]*o)(?:[\r\n]*c)(?:[\r\n]*t)(?:[\r\n]*o))", re.IGNORECASE)
_OPEN_LABEL = re.compile(r"(?:#|##|##o|##oc|##oct|##octo|##octop|##octopu)$", re.IGNORECASE)
_MESSAGE = re.compile(re.escape(LABEL) + r"([^\]]*)\]")
_PARTS = re.compile(
    r"""\s*(?P<name>[A-Za-z_:][\w:.-]*)(?P<attributes>(?:\s+[A-Za-z_:][\w:.-]*\s*=\s*(?:"[^"<&]*"|'[^'<&]*'))*)\s*"""
)
_ATTRIBUTE = re.compile(r"""([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


@dataclass(frozen=True, kw_only=True)
class ServiceMessage:
    """A message as read. The names of its properties are in lower case; values may be secret."""

    name: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)


def message(name: str, /, **properties: str | None) -> str:
    """One message, without a newline. Values are encoded, names stay as they are, None is left out."""
    encoded = (
        f' {key}="{base64.b64encode(value.encode("utf-8", "replace")).decode()}"'
        for key, value in properties.items()
        if value is not None
    )
    return f"{LABEL}[{name}{''.join(encoded)}]"


def break_up(text: str) -> str:
    """`text` with every label made harmless, also one that is cut by line breaks or by the text's own end.

    A line that ends in the middle of a label gets a space, so that the next line cannot complete it.
    """
    if "#" not in text:
        return text
    broken = _SPLIT_LABEL.sub("# ", text)
    return broken + " " if _OPEN_LABEL.search(broken) else broken


def parse(text: str) -> Iterator[ServiceMessage]:
    """The messages in `text`, wherever they stand in a line, as a server reads them.

    Line breaks inside a message do not count. One that is no XML element, repeats a property, or holds a value
    that is not base64 is passed over.
    """
    for found in _MESSAGE.finditer(text):
        if found.start() and text[found.start() - 1] == "#":
            continue  # as the server's scanner, which starts anew on a third #
        parsed = _parse_one(found[1].lstrip("[").replace("\r", "").replace("\n", ""))
        if parsed is not None:
            yield parsed


def _parse_one(body: str) -> ServiceMessage | None:
    parts = _PARTS.fullmatch(body)
    if parts is None:
        return None
    properties: dict[str, str] = {}
    for key, double, single in _ATTRIBUTE.findall(parts["attributes"]):
        value = _decoded(double or single)
        if value is None or key.lower() in properties:
            return None
        properties[key.lower()] = value
    return ServiceMessage(name=parts["name"], properties=properties)


def _decoded(value: str) -> str | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
