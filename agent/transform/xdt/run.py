"""One run of a transform over a target: the two documents, the log, the changes, and the XPaths between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from agent.transform.changes import Change
from agent.transform.xdt.copies import NAMESPACE
from agent.transform.xdt.locators import DEFAULT_PREFIX, Locator, parent_path, parse_locator, target_path
from agent.transform.xdt.report import Place, Problem, Report
from agent.transform.xml.document import Positions, XmlDocument
from agent.transform.xml.mirror import Found, TextRun, parse_strictly
from agent.transform.xml.namespaces import prefixes_of
from agent.transform.xml.nodes import Attribute, Element, Leaf
from agent.transform.xml.places import Places
from agent.transform.xml.xpath import NotAnXPath, exists, select

if TYPE_CHECKING:
    from agent.transform.xml.mirror import LxmlNode


@dataclass(kw_only=True)
class Run:
    """The state of a run. `source_name` and `transform_name` are what messages call the two files."""

    target: XmlDocument
    transform: XmlDocument
    source_name: str
    transform_name: str
    report: Report = field(default_factory=Report)
    changes: list[Change] = field(default_factory=list)
    places: Places = field(default_factory=Places)

    @cached_property
    def original(self) -> LxmlNode:
        """The target as it was before the first transform."""
        return parse_strictly(self.target.text)

    def in_transform(self, node: Element | Attribute) -> Place:
        """The place of a node of the transform file."""
        offset = node.offset if isinstance(node, Attribute) else node.start + 1
        return _place(self.transform_name, self.transform.positions, offset)

    def in_target(self, found: Found) -> Place | None:
        """The place of a node of the target; as the reference, a copied one keeps that of the transform file."""
        if not isinstance(found, Element | Attribute):
            return None
        element = found.owner if isinstance(found, Attribute) else found
        offset = found.offset if isinstance(found, Attribute) else found.start + 1
        for document in (self.target, self.transform):
            if element.source is document.text and offset >= 0:
                return _place(self.source_name, document.positions, offset)
        return None

    def changed(self, rule: Element, place: str, old: str | None, new: str | None) -> None:
        """Note a change. The rule is the line of the transform file that asked for it."""
        line = self.transform.positions.at(rule.start)[0]
        self.changes.append(
            Change(
                feature="config-transforms",
                file=self.source_name,
                place=place,
                rule=f"{self.transform_name}:{line}",
                old=old,
                new=new,
            )
        )


class Step:
    """An element of the transform file, with the paths and nodes that it stands for; each is found only once."""

    def __init__(self, run: Run, element: Element, above: Step | None) -> None:
        self.run = run
        self.element = element
        self.above = above
        self._targets: list[Found] | None = None
        self._parents: list[Found] | None = None

    @cached_property
    def prefixes(self) -> dict[str, str]:
        """The namespaces in scope at the element."""
        return prefixes_of(self.element)

    @cached_property
    def xdt(self) -> Mapping[str, Attribute]:
        """The element's attributes in XDT's namespace, by local name."""
        return {
            attribute.local: attribute
            for attribute in self.element.attributes
            if ":" in attribute.name and self.prefixes.get(attribute.name.partition(":")[0]) == NAMESPACE
        }

    @cached_property
    def locator(self) -> Locator:
        """How the element is found. A problem with it is reported at its attribute."""
        attribute = self.xdt.get("Locator")
        with _reported_at(self.run, attribute or self.element):
            return parse_locator(None if attribute is None else attribute.value)

    @cached_property
    def path(self) -> str:
        """The XPath of what the element stands for."""
        above = self.above.path if self.above else ""
        with _reported_at(self.run, self.element):
            return target_path(self.element, above, self.locator, self.prefixes)

    @cached_property
    def parent_path(self) -> str:
        """The XPath of what an insertion goes into; empty for the root element."""
        above = self.above.path if self.above else ""
        with _reported_at(self.run, self.element):
            return parent_path(self.element, above, self.locator, self.prefixes)

    @property
    def targets(self) -> list[Found]:
        """The nodes of the target that the element stands for."""
        if self._targets is None:
            self._targets = self._select(self.path)
        return self._targets

    @property
    def parents(self) -> list[Found]:
        """The nodes that an insertion may go into. The root element has none, and fails. As the reference."""
        if self._parents is None:
            if self.above is None:
                raise Problem("The root element of the transform has no parent in the target to insert into")
            self._parents = self._select(self.parent_path)
        return self._parents

    def existed(self) -> bool:
        """Whether the path did match something before the run."""
        return exists(self.run.original, self.path, self._namespaces)

    @cached_property
    def _namespaces(self) -> dict[str, str]:
        found = {prefix or DEFAULT_PREFIX: uri for prefix, uri in self.prefixes.items()}
        found.pop("xml", None)
        return found

    def _select(self, path: str) -> list[Found]:
        try:
            return select(self.run.target.mirror, path, self._namespaces)
        except NotAnXPath as error:
            raise Problem(str(error)) from error


@contextmanager
def _reported_at(run: Run, node: Element | Attribute) -> Iterator[None]:
    """Problems inside that have no place yet get this one."""
    try:
        yield
    except Problem as problem:
        problem.place = problem.place or run.in_transform(node)
        raise


def _place(file: str, positions: Positions, offset: int) -> Place:
    line, column = positions.at(offset)
    return Place(file=file, line=line, column=column)


def first_element(found: Sequence[Found]) -> Element:
    """The first node, which must be an element."""
    if not isinstance(found[0], Element):
        raise Problem("The XPath gives a node that is not an element; only elements can be transformed")
    return found[0]


def node_of(found: Found) -> Element | Leaf:
    """The node itself, which must have a parent; of a run of text, the first piece."""
    if isinstance(found, TextRun):
        found = found.pieces()[0]
    if isinstance(found, Element | Leaf) and found.parent is not None:
        return found
    raise Problem("An attribute has no parent node, so it cannot be taken out or replaced; use RemoveAttributes")
