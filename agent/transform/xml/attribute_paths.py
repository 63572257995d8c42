"""Choosing among an element's attributes by an XPath step, without any prefixes bound."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from agent.transform.xml.nodes import Attribute
from agent.transform.xml.xpath import NotAnXPath, compile_path, evaluate

_PLAIN = re.compile(r"[^\W\d][\w.-]*")


def select_attributes(attributes: Sequence[Attribute], step: str) -> list[Attribute]:
    """The attributes for which `@step` stands. NotAnXPath if it is none; a prefix in it is not bound to anything."""
    if step == "*":
        return list(attributes)
    if _PLAIN.fullmatch(step):
        return [each for each in attributes if each.name == step and not each.namespace]
    stand_in = etree.Element("element")
    for index, attribute in enumerate(attributes):
        name = f"{{urn:{index}}}{attribute.local}" if _has_namespace(attribute) else attribute.name
        stand_in.set(name, attribute.value)
    found = evaluate(compile_path(f"@{step}", {}), stand_in, f"@{step}")
    order = dict(zip(stand_in.attrib, attributes, strict=False))
    chosen = []
    for result in found:
        known = order.get(getattr(result, "attrname", None) or "")
        if known is None:
            raise NotAnXPath(f"'@{step}' gives something that is no attribute")
        chosen.append(known)
    return chosen


def _has_namespace(attribute: Attribute) -> bool:
    return bool(attribute.namespace) or ":" in attribute.name
