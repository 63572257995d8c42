"""The walk over the transform file: each element's transform is run, then its children's. As the reference."""

from __future__ import annotations

from agent.transform.xdt.arguments import parse_call
from agent.transform.xdt.call import Call
from agent.transform.xdt.copies import NAMESPACE
from agent.transform.xdt.imports import check_import
from agent.transform.xdt.locators import LOCATORS
from agent.transform.xdt.report import Problem, XdtFatal
from agent.transform.xdt.run import Run, Step
from agent.transform.xdt.transforms import ABSTRACT, TRANSFORMS, execute
from agent.transform.xml.namespaces import prefixes_of


def run_transforms(run: Run) -> None:
    """Apply the whole transform file. XdtFatal if it cannot even be begun."""
    prefixes = _xdt_prefixes(run)
    if not prefixes:
        run.report.normal(
            "The expected namespace http://schemas.microsoft.com/XML-Document-Transform was not found in the "
            "transform file"
        )
        return
    _prepare(run, prefixes)
    top = run.transform.top
    waiting = [] if top is None else [Step(run, top, None)]
    while waiting:
        step = waiting.pop()
        if _handle(step):
            waiting.extend(reversed([Step(run, child, step) for child in step.element.elements()]))


def _xdt_prefixes(run: Run) -> set[str]:
    """The prefixes that mean XDT's namespace, anywhere in the transform file; `` if it is a default namespace."""
    return {
        attribute.declares
        for element in run.transform.read_elements
        if element.may_declare()
        for attribute in element.attributes
        if attribute.declares is not None and attribute.value == NAMESPACE
    }


def _prepare(run: Run, prefixes: set[str]) -> None:
    """Look at every element in XDT's own namespace: imports must make sense, others are not known."""
    for element in run.transform.read_elements:
        prefix = element.name.rpartition(":")[0]
        if prefix not in prefixes or prefixes_of(element).get(prefix) != NAMESPACE:
            continue
        if element.local != "Import":
            run.report.warning(f"Unknown tag '{element.name}'", run.in_transform(element))
            continue
        try:
            check_import(run, element)
        except Problem as problem:
            place = problem.place or run.in_transform(element)
            run.report.error(str(problem), place)
            text = f"{place.file}, line {place.line}: {problem}"
            raise XdtFatal(text, messages=tuple(run.report.messages)) from problem


def _handle(step: Step) -> bool:
    """Run one element's transform; whether its children come next."""
    attribute = step.xdt.get("Transform")
    if attribute is None:
        return True
    report = step.run.report
    try:
        call = _call(step, attribute.value)
    except Problem as problem:
        report.error(str(problem), problem.place or step.run.in_transform(attribute))
        return False
    try:
        report.quiet = _quiet(step)
    except Problem as problem:
        report.error(str(problem), step.run.in_transform(step.element))
        return False
    try:
        execute(call)
    finally:
        report.quiet = False
    return True


def _call(step: Step, value: str) -> Call:
    name, arguments = parse_call(value)
    if name in ABSTRACT:
        raise Problem(f"'Microsoft.Web.XmlTransform.{name}' must have a public no-argument constructor")
    if name in LOCATORS:
        raise Problem(f"'Microsoft.Web.XmlTransform.{name}' is not a type of Transform")
    if name not in TRANSFORMS:
        raise Problem(f"Could not resolve '{name}' as a type of Transform")
    return Call(step=step, name=name, text=arguments, kind=TRANSFORMS[name])


def _quiet(step: Step) -> bool:
    attribute = step.xdt.get("SupressWarnings")
    if attribute is None:
        return False
    value = attribute.value.strip().lower()
    if value not in {"true", "false"}:
        raise Problem("String was not recognized as a valid Boolean.")
    return value == "true"
