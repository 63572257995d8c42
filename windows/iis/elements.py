"""Walking through a configuration file by paths, as IIS reads it: whatever the namespace, `<location>` included."""

from __future__ import annotations

from collections.abc import Iterator

from agent.transform.xml.nodes import Element


def all_at(top: Element, path: str) -> Iterator[Element]:
    """Elements by path, as `system.web/compilation`, below the top and below each `<location>`."""
    for start in (top, *(each for each in top.elements() if each.local == "location")):
        found = [start]
        for name in path.split("/"):
            found = [child for each in found for child in each.elements() if child.local == name]
        yield from found


def has(top: Element, path: str) -> bool:
    """Whether there is any element at the path."""
    return next(all_at(top, path), None) is not None


def value_at(top: Element, path: str, name: str) -> str:
    """The first value of an attribute that is not empty, or nothing."""
    return next(filter(None, (attribute(each, name) for each in all_at(top, path))), "")


def is_true(top: Element, path: str, name: str) -> bool:
    """Whether an attribute says `true`, in any case."""
    return any(attribute(each, name).lower() == "true" for each in all_at(top, path))


def attribute(element: Element, name: str) -> str:
    """An attribute's value without blanks around it; nothing if it is not there."""
    found = element.attribute(name)
    return found.value.strip() if found else ""
