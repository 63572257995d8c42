"""What a document type may declare here: nothing that could fetch, and nothing that could grow.

Old configuration files do have a DOCTYPE, with element and attribute declarations or a plain text entity. Entities
that name a file or an address, parameter entities, and entities made of entities are refused before any parser
sees them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agent.repeats import any_number_of
from agent.transform.xml.characters import NO_ENTITIES, decode
from agent.transform.xml.errors import XmlError

MAXIMUM_ENTITIES: Final = 256
MAXIMUM_ENTITY_CHARACTERS: Final = 65_536
MAXIMUM_EXPANSION: Final = 10_000_000

_LITERALS = any_number_of(r"""[^"'<>\[\]]|"[^"]*+"|'[^']*+'""")
_SUBSET = any_number_of(rf"""[^\]"'<%]|<!--(?s:.*?)-->|<\?(?s:.*?)\?>|<!{_LITERALS}>|%[^;\s]*+;?""")
DOCTYPE: Final = rf"<!DOCTYPE{_LITERALS}(?:\[{_SUBSET}\]\s*+)?>"
_SPACE_AND_NOTES: Final = any_number_of(r"\s++|<\?(?s:.*?)\?>|<!--(?s:.*?)-->")
_PROLOG = re.compile(rf"\ufeff?{_SPACE_AND_NOTES}(?:({DOCTYPE})|<[^?!])")
_DECLARATION = re.compile(rf"<!--.*?-->|<\?.*?\?>|(<!{_LITERALS}>)|(%[^;\s]*;?)", re.DOTALL)
_ENTITY = re.compile(r"""<!ENTITY\s+([^\s%"'&]+)\s+(?:"([^"]*)"|'([^']*)')\s*>""")
_REFERENCE = re.compile(r"&([^\s;&#][^\s;&]*);")


def check_doctype(text: str) -> Mapping[str, str]:
    """The entities that a document declares, by name. XmlError for a declaration that could hurt."""
    if "<!DOCTYPE" not in text:
        return NO_ENTITIES
    found = _PROLOG.match(text)
    if found is None:
        line = text.count("\n", 0, text.index("<!DOCTYPE")) + 1
        raise XmlError("the document type cannot be read, and so not be checked; correct or remove it", line, 1)
    declared = found.group(1)
    if declared is None:
        return NO_ENTITIES
    entities: dict[str, str] = {}
    for declaration in _DECLARATION.finditer(declared.partition("[")[2]):
        markup, parameter = declaration.groups()
        if parameter is not None:
            raise XmlError(f"the document type uses the parameter entity '{parameter}', which is refused; remove it")
        if markup is not None and markup.startswith("<!ENTITY"):
            name, value = _entity(markup)
            entities.setdefault(name, value)
    if len(entities) > MAXIMUM_ENTITIES:
        raise XmlError(f"the document type declares more than {MAXIMUM_ENTITIES} entities; take some out")
    _check_expansion(text, entities)
    return entities


def _entity(markup: str) -> tuple[str, str]:
    found = _ENTITY.fullmatch(markup)
    if found is None:
        raise XmlError(
            f"the document type declares a parameter or external entity, which is refused: {markup[:60]}; remove it"
        )
    name, value = found[1], found[2] if found[2] is not None else found[3]
    if len(value) > MAXIMUM_ENTITY_CHARACTERS:
        raise XmlError(f"the entity '{name}' is longer than {MAXIMUM_ENTITY_CHARACTERS:,} characters; shorten it")
    decoded = decode(value)
    if "&" in decoded or "<" in decoded:
        raise XmlError(f"the entity '{name}' holds other entities or markup, which is refused; write its text out")
    return name, decoded


def _check_expansion(text: str, entities: Mapping[str, str]) -> None:
    grown = sum(len(entities.get(name, "")) for name in _REFERENCE.findall(text)) if entities else 0
    if grown > MAXIMUM_EXPANSION:
        raise XmlError(f"the entities would grow to more than {MAXIMUM_EXPANSION:,} characters; write them out")
