"""XPath over a document: 1.0 by lxml in C; what only 2.0 can say, by elementpath over the same tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lxml import etree

from agent.transform.xml.mirror import Found, LxmlNode, Mirror
from agent.transform.xml.xpath_cost import is_too_costly


class NotAnXPath(Exception):  # noqa: N818  whether it is an error, the caller knows
    """A text that cannot be used as an XPath here, and why."""


def select(mirror: Mirror, path: str, namespaces: Mapping[str, str], context: LxmlNode | None = None) -> list[Found]:
    """What an XPath 1.0 gives, in document order. NotAnXPath if it is none, or does not give nodes.

    It is evaluated from `context`, else from the document.
    """
    compiled = compile_path(path, namespaces)
    if is_too_costly(path, mirror.size):
        raise NotAnXPath(f"'{path}' could take hours in a document of this size; look less far around each node")
    top = context if context is not None else mirror.top
    if top is None:
        return []
    return mirror.found(evaluate(compiled, top, path))


def exists(top: LxmlNode, path: str, namespaces: Mapping[str, str]) -> bool:
    """Whether an XPath 1.0 gives anything; one that cannot be used gives nothing."""
    try:
        return bool(evaluate(compile_path(path, namespaces), top, path))
    except NotAnXPath:
        return False


def compile_path(path: str, namespaces: Mapping[str, str]) -> etree.XPath:
    """A compiled XPath 1.0. NotAnXPath for a syntax error."""
    try:
        return etree.XPath(path, namespaces=dict(namespaces), regexp=False)
    except (etree.XPathError, ValueError, TypeError) as error:
        raise NotAnXPath(f"'{path}' is not a valid XPath: {error}") from error


def evaluate(compiled: etree.XPath, top: LxmlNode, path: str) -> list[object]:
    """The nodes of an XPath from an element on. NotAnXPath if it fails, or gives no nodes."""
    try:
        result = compiled(top)
    except etree.XPathError as error:
        raise NotAnXPath(f"'{path}' cannot be evaluated: {error}") from error
    if not isinstance(result, list):
        raise NotAnXPath(f"'{path}' must evaluate to nodes")
    return cast("list[object]", result)
