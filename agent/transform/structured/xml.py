"""Structured variables in XML files: a variable whose name is an XPath gives its value to every node it finds.

As Calamari, but that everything else in the file stays as it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as with_fields

from agent.errors import TransformError
from agent.transform.changes import MASK, Change
from agent.transform.messages import Message, warn
from agent.transform.structured.formats import Names, ParseFailure, Replaced, nothing_found
from agent.transform.structured.formats import found as found_message
from agent.transform.text import Document, dominant_newline, encode
from agent.transform.xml.characters import illegal_character, with_newline
from agent.transform.xml.document import XmlDocument, parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.files import read_xml, redeclared
from agent.transform.xml.mirror import Found, TextRun
from agent.transform.xml.namespaces import declared_prefixes
from agent.transform.xml.nodes import Attribute, Element, Leaf
from agent.transform.xml.places import Places
from agent.transform.xml.write import write
from agent.transform.xml.xpath import NotAnXPath
from agent.transform.xml.xpath2 import XPath2


def replace(data: bytes, names: Names, file: str) -> Replaced:
    """The file with the value of each variable in the nodes that its name finds; the same bytes if none does.

    ParseFailure if it is not XML; TransformError for a value that no XML can hold, or an XPath that fails on the
    way. Where the file's encoding lacks a character, the file goes over to UTF-8, and its declaration with it.
    """
    document = read_xml(data)
    try:
        tree = parse(document.text)
    except XmlError as error:
        raise ParseFailure(error.message, error.line, error.column) from error
    run = _Run(tree=tree, names=names, file=file, newline=dominant_newline(document.text))
    namespaces = _prefix_table(run)
    paths = XPath2(tree.mirror, namespaces)
    for name in names.all:
        if "/" in name or ":" in name:
            _replace_all(run, paths, name)
    if not run.matched:
        run.messages.append(nothing_found())
    return _result(run, data, document)


@dataclass(kw_only=True)
class _Run:
    """One file and what has been done to it."""

    tree: XmlDocument
    names: Names
    file: str
    newline: str
    changes: list[Change] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    places: Places = field(default_factory=Places)
    matched: int = 0


def _prefix_table(run: _Run) -> dict[str, str]:
    """Each prefix with the first namespace that it is bound to anywhere in the document."""
    table: dict[str, str] = {}
    if "xmlns:" not in run.tree.text:
        return table
    for prefix, uri in declared_prefixes(run.tree.read_elements):
        if table.setdefault(prefix, uri) != uri:
            run.messages.append(
                warn(
                    f"The namespace '{uri}' could not be mapped to the '{prefix}' prefix, as another namespace "
                    f"'{table[prefix]}' is already mapped to that prefix. XPath selectors using this prefix may not "
                    "return the expected nodes. You can avoid this by ensuring all namespaces in your document have "
                    "unique prefixes."
                )
            )
    return table


def _replace_all(run: _Run, paths: XPath2, name: str) -> None:
    if name.strip() == "/":
        run.messages += [found_message(name), warn("XML Node of type 'Document' is not supported")]
        run.matched += 1
        return
    try:
        nodes = paths.select(name)
    except NotAnXPath:
        return
    except ValueError as error:
        raise TransformError(f"{run.file}: the variable '{name}' cannot be evaluated as an XPath: {error}") from error
    if not nodes:
        return
    value = run.names.value(name) or ""
    illegal = illegal_character(value)
    if illegal is not None:
        raise TransformError(
            f"{run.file}: the value of the variable '{name}' holds {illegal}, which XML cannot; take it out"
        )
    for node in nodes:
        run.messages.append(found_message(name))
        run.matched += 1
        _replace_one(run, name, node, value)
    paths.changed()


def _replace_one(run: _Run, name: str, node: Found, value: str) -> None:
    place, old = run.places.of(node), _old_value(run.tree, node)
    reason = _set(run, node, value)
    sensitive = run.names.is_sensitive(name)
    if reason is not None:
        shown = MASK if sensitive else value
        run.messages.append(
            warn(f"Could not set the value of the XML {reason[0]} '{name}' to '{shown}'. {reason[1]}")
        )
        return
    run.changes.append(
        Change(feature="structured", file=run.file, place=place, rule=name, old=old, new=value, sensitive=sensitive)
    )


def _old_value(tree: XmlDocument, node: Found) -> str:
    if isinstance(node, Attribute):
        return tree.value(node)
    if isinstance(node, TextRun):
        return "".join(piece.value for piece in node.pieces())
    if isinstance(node, Leaf):
        return node.value
    if not node.touched and next(node.elements(), None) is not None:
        return node.source[node.tag_end : node.close]
    return tree.text_of(node)


def _set(run: _Run, node: Found, value: str) -> tuple[str, str] | None:
    """Set a node; what it is and why not, if its kind cannot take the value."""
    if isinstance(node, Attribute):
        run.tree.set_attribute(node, value)
        return None
    value = with_newline(value, run.newline)
    if isinstance(node, TextRun):
        run.tree.set_run(node, value)
        return None
    return _set_element(run, node, value) if isinstance(node, Element) else _set_leaf(run, node, value)


def _set_element(run: _Run, element: Element, value: str) -> tuple[str, str] | None:
    if next(element.elements(), None) is None:
        run.tree.set_content(element, value)
        return None
    try:
        run.tree.set_markup(element, value)
    except XmlError:
        return "element at XPath", "Expected a valid XML fragment. Skipping replacement of this element."
    return None


def _set_leaf(run: _Run, leaf: Leaf, value: str) -> tuple[str, str] | None:
    if leaf.kind == "comment" and "--" not in value and not value.endswith("-"):
        run.tree.set_leaf(leaf, f"<!--{value}-->", value)
        return None
    if leaf.kind == "instruction" and "?>" not in value:
        run.tree.set_leaf(leaf, f"<?{leaf.name} {value}?>" if value else f"<?{leaf.name}?>", value)
        return None
    return f"{leaf.kind} at XPath", "No such node can hold this value. Skipping replacement of this node."


def _result(run: _Run, data: bytes, document: Document) -> Replaced:
    text = write(run.tree.root)
    messages = run.messages
    if text != document.text:
        document = with_fields(document, text=text)
        encoded = encode(document)
        if encoded.messages:
            messages = [*messages, *encoded.messages]
            encoded = encode(redeclared(with_fields(document, encoding="utf-8", bom=False), "utf-8"))
        data = encoded.data
    return Replaced(data=data, changes=tuple(run.changes), messages=tuple(messages), matched=run.matched)
