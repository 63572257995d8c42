"""How the reference engine's writer spells what it writes: one kind of quotes, one way to escape."""

from __future__ import annotations

import re

from agent.transform.xml.characters import decode, reference_attribute, reference_text
from agent.transform.xml.nodes import Leaf

_ENTITY = re.compile(r"(&(?!#|lt;|gt;|amp;|quot;|apos;)[^;\s]+;)")
_INSTRUCTION = re.compile(r"<\?(\S+?)(?:\s+(.*?))?\?>", re.DOTALL)
_PSEUDO_ATTRIBUTE = re.compile(r"""\b(version|encoding|standalone)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([^\s\[>]+)\s*(\[.*\])?\s*>", re.DOTALL)
_EXTERNAL = re.compile(
    r"""<!DOCTYPE\s+(\S+)\s+(SYSTEM|PUBLIC)\s+("[^"]*"|'[^']*')(?:\s+("[^"]*"|'[^']*'))?\s*(\[.*\])?\s*>""", re.DOTALL
)


def attribute_spelling(raw: str) -> str:
    """A raw value as it is written between double quotes. References to general entities stay."""
    if "&" not in raw:
        return reference_attribute(raw)
    pieces = _ENTITY.split(raw)
    return "".join(piece if i % 2 else reference_attribute(decode(piece)) for i, piece in enumerate(pieces))


def leaf_spelling(leaf: Leaf) -> str:
    """A node without children as it is written."""
    raw = leaf.raw
    match leaf.kind:
        case "text":
            return _text(raw)
        case "instruction":
            return _instruction(raw)
        case "declaration":
            return _declaration(raw)
        case "doctype":
            return _doctype(raw)
        case _:
            return raw


def _text(raw: str) -> str:
    if "&" not in raw:
        return reference_text(raw)
    return reference_text(decode(raw))


def _instruction(raw: str) -> str:
    found = _INSTRUCTION.fullmatch(raw)
    return raw if found is None else f"<?{found.group(1)} {found.group(2) or ''}?>"


def _declaration(raw: str) -> str:
    found = {name: double or single for name, double, single in _PSEUDO_ATTRIBUTE.findall(raw)}
    ordered = (name for name in ("version", "encoding", "standalone") if name in found)
    return "<?xml " + " ".join(f'{name}="{found[name]}"' for name in ordered) + "?>"


def _doctype(raw: str) -> str:
    external = _EXTERNAL.fullmatch(raw)
    if external is not None:
        name, kind, first, second, subset = external.groups()
        identifiers = " ".join(f'"{part[1:-1]}"' for part in (first, second) if part)
        return f"<!DOCTYPE {name} {kind} {identifiers}{subset or '[]'}>"
    internal = _DOCTYPE.fullmatch(raw)
    return raw if internal is None else f"<!DOCTYPE {internal.group(1)}{internal.group(2) or '[]'}>"
