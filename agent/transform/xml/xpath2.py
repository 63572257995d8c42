"""XPath 2.0 over a document, as structured variables need it.

What is valid 1.0 as well, and means the same, runs in lxml. The rest runs in elementpath over the same tree, which is
slow on large files, and is loaded only then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from agent.transform.xml.mirror import Found, LxmlNode, Mirror, TextRun
from agent.transform.xml.nodes import Element
from agent.transform.xml.xpath import NotAnXPath
from agent.transform.xml.xpath_cost import is_too_costly

if TYPE_CHECKING:
    from elementpath import XPathContext

_LITERAL = r""""[^"]*"|'[^']*'"""
_ANY_NAMESPACE = re.compile(rf"({_LITERAL})|(?<![\w.\-\])])\*:([^\W\d][\w.\-]*)")
_COMPARES = re.compile(rf"({_LITERAL})|[<>]")
_PREDICATE = re.compile(rf"({_LITERAL})|\[[^\[\]\"']*\]")
_STARTS_RELATIVE = re.compile(r"[^\W\d]|[*@.]")
_COLON_PATH = re.compile(r"[\w\s.\-:#]+")
_PREFIXED = re.compile(r"([^\W\d][\w.\-]*):([^\W\d][\w.\-]*)")
_REFUSED: Final = frozenset({"doc", "doc-available", "collection", "to"})


class XPath2:
    """Finds nodes by XPath 2.0 under one table of prefixes. `changed` must be called after each edit."""

    def __init__(self, mirror: Mirror, namespaces: Mapping[str, str]) -> None:
        self._mirror = mirror
        self._namespaces = dict(namespaces)
        self._context: XPathContext | None = None

    def changed(self) -> None:
        """Say that the document is no longer what it was."""
        self._context = None

    def select(self, path: str) -> list[Found]:
        """What the path gives, evaluated from the document; no nodes, if it gives something else.

        NotAnXPath if it does not compile here. ValueError, with the reason, if it cannot be evaluated.
        """
        if self._is_hopeless(path):
            raise NotAnXPath(path)
        if is_too_costly(path, self._mirror.size):
            raise ValueError("it could take hours in a document of this size; look less far around each node")
        fast = _as_version_1(path)
        top = self._mirror.top
        if fast is not None and top is not None:
            try:
                result = etree.XPath(fast, namespaces=self._namespaces, regexp=False)(top)
                return self._mirror.found(result) if isinstance(result, list) else []
            except (etree.XPathError, ValueError, TypeError):
                pass
        return self._select_slowly(path)

    def _is_hopeless(self, path: str) -> bool:
        """Configuration paths such as `Logging:Level` are far more common than XPaths; most are told at a glance."""
        if not _COLON_PATH.fullmatch(path) or "::" in path:
            return False
        prefixed = _PREFIXED.fullmatch(path)
        return prefixed is None or prefixed.group(1) not in self._namespaces

    def _select_slowly(self, path: str) -> list[Found]:
        from elementpath import ElementPathError, XPath2Parser, XPathContext

        try:
            token = XPath2Parser(namespaces=self._namespaces).parse(path)
        except (ElementPathError, RecursionError) as error:
            raise NotAnXPath(str(error)) from error
        if any(each.symbol in _REFUSED for each in token.iter()):
            raise NotAnXPath("functions that open files, and ranges, are not for variable names")
        if self._mirror.top is None:
            return []
        if self._context is None:
            self._context = XPathContext(root=self._mirror.top.getroottree())
        context = XPathContext(root=self._context.root)
        try:
            nodes = list(token.select(context))
        except (ElementPathError, RecursionError) as error:
            raise ValueError(str(error)) from error
        return [found for node in nodes if (found := self._found(node)) is not None]

    def _found(self, node: Any) -> Found | None:
        kind = getattr(node, "node_kind", None)
        if kind in {"element", "comment", "processing-instruction"}:
            return self._mirror.node(node.obj)
        parent: LxmlNode | None = getattr(getattr(node, "parent", None), "obj", None)
        if parent is None:
            return None
        if kind == "attribute":
            return self._mirror.attribute(parent, node.name)
        return self._text(node, parent) if kind == "text" else None

    def _text(self, node: Any, parent: LxmlNode) -> TextRun:
        siblings = node.parent.children
        index = next(i for i, sibling in enumerate(siblings) if sibling is node)
        if index == 0:
            return self._mirror.run_of(parent, tail=False)
        element = self._mirror.node(parent)
        assert isinstance(element, Element)
        return TextRun(parent=element, after=self._mirror.node(siblings[index - 1].obj))


def _as_version_1(path: str) -> str | None:
    """The same in XPath 1.0, from the document on; None where the two versions differ, or may differ."""
    if any(not literal for literal in _COMPARES.findall(path)):
        return None
    path = _ANY_NAMESPACE.sub(lambda found: found.group(1) or f"*[local-name()='{found.group(2)}']", path.strip())
    if path.startswith("/") and "|" not in path:
        return path
    outside = path
    while (shorter := _PREDICATE.sub(lambda found: "''" if found.group(1) else "", outside)) != outside:
        outside = shorter
    if "|" in outside:
        parts = outside.split("|")
        return path if all(part.strip().startswith("/") for part in parts) else None
    if path.startswith("("):
        return path if path.startswith("(/") else None
    return "/" + path if _STARTS_RELATIVE.match(path) else path
