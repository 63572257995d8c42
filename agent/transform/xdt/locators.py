"""Where an element of the transform file points to: the XPath that it stands for in the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.transform.xdt.arguments import parse_call, split_arguments
from agent.transform.xdt.report import Problem
from agent.transform.xml.nodes import Element

DEFAULT_PREFIX: Final = "_defaultNamespace"
LOCATORS: Final = frozenset({"DefaultLocator", "Match", "Condition", "XPath"})


@dataclass(frozen=True, kw_only=True)
class Locator:
    """A locator as written: its name and its arguments."""

    name: str = "DefaultLocator"
    arguments: list[str] = field(default_factory=list)


def parse_locator(value: str | None) -> Locator:
    """The locator of an element, from its attribute. Problem for one that is not known."""
    if value is None:
        return Locator()
    name, text = parse_call(value)
    if name not in LOCATORS:
        raise Problem(f"Could not resolve '{name}' as a type of Locator")
    return Locator(name=name, arguments=split_arguments(text))


def target_path(element: Element, above: str, locator: Locator, prefixes: Mapping[str, str]) -> str:
    """The path of an element whose parent in the transform file has the path `above`."""
    if locator.name == "XPath":
        return _free_path(element, above, locator.arguments, prefixes)
    return _step(above, _node_test(element, prefixes), _predicate(locator.name, element, locator.arguments))


def parent_path(element: Element, above: str, locator: Locator, prefixes: Mapping[str, str]) -> str:
    """The path of what an insertion goes into: `above`, but for the XPath locator its own path. As the reference."""
    return _free_path(element, above, locator.arguments, prefixes) if locator.name == "XPath" else above


def _free_path(element: Element, above: str, arguments: list[str], prefixes: Mapping[str, str]) -> str:
    _require("XPath", arguments)
    if arguments[0].startswith("/"):
        return arguments[0]
    return _step(_step(above, _node_test(element, prefixes)), arguments[0]).replace("/./", "/")


def _node_test(element: Element, prefixes: Mapping[str, str]) -> str:
    if ":" not in element.name and "" in prefixes:
        return f"{DEFAULT_PREFIX}:{element.name}"
    return element.name


def _predicate(name: str, element: Element, arguments: list[str]) -> str:
    match name:
        case "Match":
            return _match(element, arguments)
        case "Condition":
            _require(name, arguments)
            return arguments[0]
        case _:
            return ""


def _match(element: Element, arguments: list[str]) -> str:
    if not arguments:
        raise Problem("Match requires at least 1 arguments")
    found = []
    for name in arguments:
        attribute = element.attribute(name)
        if attribute is None:
            raise Problem(f"No attribute '{name}' exists for the Match Locator")
        found.append(f"@{attribute.name}='{attribute.value}'")
    return " and ".join(found)


def _require(name: str, arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise Problem(f"{name} requires exactly 1 arguments")


def _step(path: str, step: str, predicate: str = "") -> str:
    if predicate and not predicate.startswith("["):
        predicate = "[" + predicate
    if predicate and not predicate.endswith("]"):
        predicate += "]"
    return f"{path}{'' if path.endswith('/') else '/'}{step}{predicate}"
