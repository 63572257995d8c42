"""The transforms, one function each, and how one of them is run: find what it needs, apply, say what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agent.transform.xdt.attribute_transforms import remove_attributes, set_attributes, set_tokenized_attributes
from agent.transform.xdt.call import Call, Kind
from agent.transform.xdt.copies import copy_of
from agent.transform.xdt.plain import outer_xml
from agent.transform.xdt.report import Problem, XdtFatal
from agent.transform.xdt.run import Step, first_element, node_of
from agent.transform.xml.mirror import Found, TextRun
from agent.transform.xml.nodes import Attribute, Element, Leaf
from agent.transform.xml.places import spelling
from agent.transform.xml.xpath import NotAnXPath, select


def execute(call: Call) -> None:
    """Run a transform. Whatever fails in it is logged as an error, and ends only this transform."""
    report = call.run.report
    title = f"{call.name} (transform line {call.place.line}, {call.place.column})"
    begun = failed = False
    try:
        if _has_target(call):
            begun = True
            report.verbose(f"Executing {title}")
            report.verbose(f"on {call.step.path}")
            _apply(call)
    except Problem as problem:
        failed = True
        report.error(str(problem), problem.place or call.place)
    if not begun:
        report.normal(f"Not executing {title}")
    else:
        report.verbose(f"{'Error during' if failed else 'Done executing'} {call.name}")


def _has_target(call: Call) -> bool:
    if call.kind.inserts:
        if call.step.parents:
            return True
        missing = _outermost(call.step, lambda step: bool(step.parent_path) and not step.parents)
    else:
        if call.step.targets:
            return True
        missing = _outermost(call.step, lambda step: not step.targets)
    if missing.existed():
        text = (
            f"'{missing.path}' did not find a match, because matching nodes in the source document were modified or "
            "removed by a previous transform"
        )
    else:
        text = f"No element in the source document matches '{missing.path}'"
    place = call.run.in_transform(missing.element)
    if call.kind.inserts:
        raise Problem(text, place)
    call.run.report.warning(text, place)
    return False


def _outermost(step: Step, is_missing: Callable[[Step], bool]) -> Step:
    while step.above is not None and is_missing(step.above):
        step = step.above
    return step


def _apply(call: Call) -> None:
    if call.kind.inserts:
        _apply_to(call, call.step.parents[0])
        return
    if not call.kind.all:
        _apply_to(call, call.step.targets[0])
        return
    for target in call.step.targets:
        try:
            _apply_to(call, target)
        except Problem as problem:
            call.run.report.error(str(problem), problem.place)


def _apply_to(call: Call, found: Found) -> None:
    place = call.run.in_target(found)
    where = f"source line {place.line}, {place.column}" if place else "no source line info"
    call.run.report.verbose(f"Applying to '{_name(found)}' element ({where})")
    call.kind.apply(call, found)


def _name(found: Found) -> str:
    if isinstance(found, TextRun):
        return "#text"
    return found.name if isinstance(found, Element | Attribute) else found.name or f"#{found.kind}"


def _replace(call: Call, found: Found) -> None:
    _expect_no_arguments(call)
    _warn_of_many(call)
    old = node_of(found)
    assert old.parent is not None
    if not old.parent.name and not isinstance(old, Element):
        raise Problem("This document already has a document element; nothing else can be put beside it")
    copy = copy_of(call.step.element, call.run.transform)
    call.changed(call.run.places.of(old), spelling(old), outer_xml(copy))
    parent, following = old.parent, old.next
    call.run.target.remove(old)
    call.run.target.insert(parent, copy, following)
    call.run.report.verbose(f"Replaced '{_name(old)}' element")


def _remove(call: Call, found: Found) -> None:
    _expect_no_arguments(call)
    if not call.kind.all:
        _warn_of_many(call)
    node = node_of(found)
    call.changed(call.run.places.of(node), spelling(node), None)
    call.run.target.remove(node)
    call.run.report.verbose(f"Removed '{_name(node)}' element")


def _insert(call: Call, found: Found) -> None:
    _expect_no_arguments(call)
    _put(call, first_element([found]), None)


def _insert_if_missing(call: Call, found: Found) -> None:
    _expect_no_arguments(call)
    if not call.step.targets:
        _put(call, first_element([found]), None)


def _insert_before(call: Call, found: Found) -> None:
    sibling = _sibling(call, found)
    assert sibling.parent is not None
    _put(call, sibling.parent, sibling)


def _insert_after(call: Call, found: Found) -> None:
    sibling = _sibling(call, found)
    assert sibling.parent is not None
    _put(call, sibling.parent, sibling.next, after=True)


def _comment_out(call: Call, found: Found) -> None:
    node = node_of(found)
    assert node.parent is not None
    text = f" {outer_xml(node)} "
    if "--" in text:
        raise XdtFatal(
            f"{call.run.transform_name}, line {call.place.line}: '{_name(node)}' cannot be commented out: it "
            "holds '--', which no comment may; use Remove",
            messages=tuple(call.run.report.messages),
        )
    raw = f"<!--{text}-->"
    call.changed(call.run.places.of(node), spelling(node), raw)
    parent, following = node.parent, node.next
    call.run.target.remove(node)
    call.run.target.insert(parent, Leaf("comment", raw, 0, len(raw)), following)
    call.run.report.verbose(f"Commented out '{_name(node)}' element")


def _put(call: Call, parent: Element, before: Element | Leaf | None, *, after: bool = False) -> None:
    if not parent.name:
        side = "after" if after else "beside"
        raise Problem(f"This document already has a document element; nothing can be put {side} it")
    copy = copy_of(call.step.element, call.run.transform)
    call.changed(f"{call.run.places.of(parent)}/{copy.name}", None, outer_xml(copy))
    call.run.target.insert(parent, copy, before)
    call.run.report.verbose(f"Inserted '{copy.name}' element")


def _sibling(call: Call, found: Found) -> Element:
    if not call.arguments:
        raise Problem(f"{call.name} requires an XPath argument")
    if len(call.arguments) > 1:
        raise Problem(f"Too many arguments to {call.name}")
    path = call.arguments[0]
    mirror = call.run.target.mirror
    try:
        siblings = select(mirror, path, {}, mirror.twin(first_element([found])))
    except NotAnXPath as error:
        raise Problem(str(error)) from error
    if not siblings:
        raise Problem(f"No element in the source document matches '{path}'")
    if not isinstance(siblings[0], Element):
        raise Problem(f"'{path}' does not evaluate to an element")
    return siblings[0]


def _expect_no_arguments(call: Call) -> None:
    if call.text:
        call.warn(f"{call.name} does not expect arguments; ignoring")


def _warn_of_many(call: Call) -> None:
    if len(call.step.targets) > 1:
        call.warn(f"Found multiple target elements, but the '{call.name}' Transform only applies to the first match")


def _set_attributes(call: Call, found: Found) -> None:
    set_attributes(call, first_element([found]))


def _remove_attributes(call: Call, found: Found) -> None:
    remove_attributes(call, first_element([found]))


def _set_tokenized_attributes(call: Call, found: Found) -> None:
    set_tokenized_attributes(call, first_element([found]))


TRANSFORMS: Final[Mapping[str, Kind]] = {
    "Replace": Kind(apply=_replace),
    "Remove": Kind(apply=_remove),
    "RemoveAll": Kind(apply=_remove, all=True),
    "Insert": Kind(apply=_insert, inserts=True),
    "InsertIfMissing": Kind(apply=_insert_if_missing, inserts=True),
    "InsertBefore": Kind(apply=_insert_before, inserts=True),
    "InsertAfter": Kind(apply=_insert_after, inserts=True),
    "SetAttributes": Kind(apply=_set_attributes, all=True),
    "RemoveAttributes": Kind(apply=_remove_attributes, all=True),
    "SetTokenizedAttributes": Kind(apply=_set_tokenized_attributes, all=True),
    "CommentOut": Kind(apply=_comment_out),
}
ABSTRACT: Final = frozenset({"AttributeTransform", "InsertBase"})
