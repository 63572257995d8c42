"""SetAttributes, RemoveAttributes and SetTokenizedAttributes, on one target at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.transform.xdt.call import Call
from agent.transform.xdt.copies import attributes_of
from agent.transform.xdt.report import Problem
from agent.transform.xml.attribute_paths import select_attributes
from agent.transform.xml.nodes import Attribute, Element
from agent.transform.xml.xpath import NotAnXPath

_TOKEN = re.compile(r"\$\(([\w:.]+)\)")


def set_attributes(call: Call, target: Element) -> None:
    """Set the transform element's attributes, or those that the arguments name, on the target."""
    chosen = _chosen(call, _offered(call))
    for attribute in chosen:
        _set(call, target, attribute, attribute.value)
    _sum_up(call, "Set", "set", len(chosen))


def set_tokenized_attributes(call: Call, target: Element) -> None:
    """The same, with each `$(name)` in a value replaced by the target's attribute of that name."""
    offered = _offered(call)
    chosen = _chosen(call, offered)
    for attribute in chosen:
        _set(call, target, attribute, _with_tokens(attribute, offered, target))
    _sum_up(call, "Set", "set", len(chosen))


def remove_attributes(call: Call, target: Element) -> None:
    """Remove the target's attributes, or those that the arguments name; never its namespace declarations."""
    chosen = _chosen(call, [each for each in target.attributes if each.declares is None])
    for attribute in chosen:
        call.changed(call.run.places.of(attribute), call.run.target.value(attribute), None)
        call.run.target.remove_attribute(attribute)
        call.run.report.verbose(f"Removed '{attribute.name}' attribute")
    if chosen:
        call.run.report.verbose(f"Removed {len(chosen)} attributes")
    else:
        place = call.run.in_target(target)
        call.run.report.warning("No attributes found to remove", place or call.place)


def _offered(call: Call) -> list[Attribute]:
    element = call.step.element
    return attributes_of(element, call.run.transform, element)


def _chosen(call: Call, offered: Sequence[Attribute]) -> list[Attribute]:
    """The attributes that the arguments name, in document order; one that names none is warned of."""
    if not call.arguments:
        return list(offered)
    picked: set[Attribute] = set()
    for argument in call.arguments:
        try:
            found = select_attributes(offered, argument)
        except NotAnXPath as error:
            raise Problem(str(error)) from error
        if not found:
            call.warn(f"Argument '{argument}' did not match any attributes")
        picked.update(found)
    return [attribute for attribute in offered if attribute in picked]


def _set(call: Call, target: Element, attribute: Attribute, value: str) -> None:
    document = call.run.target
    existing = target.attribute(attribute.name)
    if existing is not None:
        old = document.value(existing)
        if old != value:
            call.changed(call.run.places.of(existing), old, value)
        document.set_attribute(existing, value)
    else:
        call.changed(f"{call.run.places.of(target)}/@{attribute.name}", None, value)
        document.add_attribute(target, attribute.name, value, namespace=attribute.namespace or "")
    call.run.report.verbose(f"Set '{attribute.name}' attribute")


def _sum_up(call: Call, done: str, missed: str, count: int) -> None:
    if count:
        call.run.report.verbose(f"{done} {count} attributes")
    else:
        call.warn(f"No attributes found to {missed}")


def _with_tokens(attribute: Attribute, offered: Sequence[Attribute], target: Element) -> str:
    """The value with its tokens replaced. An apostrophe that comes in becomes `&apos;`, as in the reference."""

    def replaced(found: re.Match[str]) -> str:
        name = found.group(1)
        known = target.attribute(name)
        if known is None and name.lower() != attribute.name.lower():
            known = next((each for each in offered if each.name == name), None)
        if known is None:
            raise Problem(f"'{found.group()}' names no attribute of the target or of the transform element")
        return known.value.replace("'", "&apos;")

    return _TOKEN.sub(replaced, attribute.value)
