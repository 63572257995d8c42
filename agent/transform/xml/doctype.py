"""What a document type may declare here: nothing that could fetch, and nothing that could grow.

Old configuration files do have a DOCTYPE, with element and attribute declarations or a plain text entity. Entities
that name a file or an address, parameter entities, and entities made of entities are refused before any parser
sees them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agent.transform.xml.characters import NO_ENTITIES, decode
from agent.transform.xml.errors import XmlError

MAXIMUM_ENTITIES: Final = 256
MAXIMUM_ENTITY_CHARACTERS: Final = 65_536
MAXIMUM_EXPANSION: Final = 10_000_000

_LITERALS = r"""(?:[^"'<>\[\]]|"[^"]*+"|'[^']*+')*+"""
DOCTYPE: Final = (
    rf"<!DOCTYPE{_LITERALS}(?:\[(?:[^\]\"'<%]|<!--(?s:.*?)-->|<\?(?s:.*?)\?>|<!{_LITERALS}>|%[^;\s]*+;?)*+\]\s*+)?>"
)
_PROLOG = re.compile(rf"(?:\s++|<\?(?s:.*?)\?>|<!--(?s:.*?)-->)*+({DOCTYPE})")
_ENTITY = re.compile(r"""<!ENTITY\s+(%\s+)?([^\s%"']+)\s+(?:(SYSTEM|PUBLIC)\b|"([^"]*)"|'([^']*)')""")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_REFERENCE = re.compile(r"&([^\s;&#][^\s;&]*);")


def check_doctype(text: str) -> Mapping[str, str]:
    """The entities that a document declares, by name. XmlError for a declaration that could hurt."""
    if "<!DOCTYPE" not in text:
        return NO_ENTITIES
    found = _PROLOG.match(text)
    if found is None:
        return _unread(text)
    declared = _COMMENT.sub("", found.group(1))
    entities: dict[str, str] = {}
    for entity in _ENTITY.finditer(declared):
        name, value = entity.group(2), entity.group(4) if entity.group(4) is not None else entity.group(5)
        _check_entity(name, value, parameter=entity.group(1) is not None)
        entities.setdefault(name, decode(value))
    if "%" in re.sub(r"\"[^\"]*\"|'[^']*'", "", declared) or declared.count("<!ENTITY") > MAXIMUM_ENTITIES:
        raise XmlError("the document type uses parameter entities, or too many entities; take them out of the file")
    _check_expansion(text, entities)
    return entities


def _unread(text: str) -> Mapping[str, str]:
    """A DOCTYPE where none may stand, or a broken one: the parser will say so, if it comes to harm no one."""
    if "<!ENTITY" in text:
        line = text.count("\n", 0, text.index("<!DOCTYPE")) + 1
        raise XmlError("the document type declares entities in a way that cannot be checked; remove it", line, 1)
    return NO_ENTITIES


def _check_entity(name: str, value: str | None, *, parameter: bool) -> None:
    if parameter:
        raise XmlError(f"the document type declares the parameter entity '{name}', which is refused; remove it")
    if value is None:
        raise XmlError(f"the entity '{name}' names something outside of the file, which is refused; remove it")
    if len(value) > MAXIMUM_ENTITY_CHARACTERS:
        raise XmlError(f"the entity '{name}' is longer than {MAXIMUM_ENTITY_CHARACTERS:,} characters; shorten it")
    if "&" in decode(value) or "<" in decode(value):
        raise XmlError(f"the entity '{name}' holds other entities or markup, which is refused; write its text out")


def _check_expansion(text: str, entities: Mapping[str, str]) -> None:
    grown = sum(len(entities.get(name, "")) for name in _REFERENCE.findall(text)) if entities else 0
    if grown > MAXIMUM_EXPANSION:
        raise XmlError(f"the entities would grow to more than {MAXIMUM_EXPANSION:,} characters; write them out")
