"""Runs the cases of .NET configuration transforms: finding them, their order, and applying them."""

from __future__ import annotations

import ntpath
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.errors import TransformError
from agent.transform.config_definitions import PathStyle, find_transforms, parse_definition
from agent.transform.config_plan import Application, Plan, plan
from agent.transform.config_transforms import WorkspaceTree, apply, engine_level
from agent.transform.files import Workspace
from agent.transform.messages import Message, TransformFailure
from agent.transform.settings import ConfigTransformRules, settings_from
from agent.variables import Variable
from tests.conformance.config_configvars import check_reason
from tests.conformance.log_facts import log_reason
from tests.conformance.result import AreaResult
from tests.conformance.xml_cases import Case, run_cases, variables_of
from tests.conformance.xml_documents import same_document

_PACKAGE = "Octopus.Action.Package."


def run(folder: Path) -> AreaResult:
    """Every case of `config/transforms`."""
    return run_cases(
        folder,
        {
            "locate-transforms": _locate,
            "run-transforms": _run_transforms,
            "apply-transform": _apply_transform,
            "transform-logger": _logger,
        },
    )


class ListedTree:
    """`FileTree` over a list of paths, in the style of either system."""

    def __init__(self, root: str, paths: Sequence[str], style: PathStyle) -> None:
        self.root = root
        self.style = style
        self._paths = paths

    def names(self, folder: str) -> list[str] | None:
        """The names in a folder; None if no path is in it."""
        split = [self.style.split(path) for path in self._paths]
        found = [name for parent, name in split if self._key(parent) == self._key(folder)]
        return found or None

    def files(self) -> Iterator[str]:
        """Every path."""
        return iter(self._paths)

    def _key(self, folder: str) -> str:
        return folder.lower().rstrip("\\") if self.style.system == "windows" else folder


def _locate(case: Case, folder: Path) -> str | None:
    """As written for Windows, and in its POSIX form."""
    reason = _locate_in(case, "windows")
    if reason is None and case.get("posix"):
        reason = _locate_in(case["posix"], "posix")
    return reason


def _locate_in(case: Case, system: str) -> str | None:
    style = PathStyle(system="windows" if system == "windows" else "posix")
    tree = ListedTree(case.get("extraction_directory") or "", case["files"], style)
    definition = parse_definition(case["transform_definition"], style)
    assert definition is not None
    for each in case["expect"]:
        found = list(find_transforms(each["source"], definition, tree, lambda _: None))
        if sorted(found) != sorted(each["transforms"]):
            return f"{system}: {each['source']} gets {found}, not {each['transforms']}"
    return None


def _run_transforms(case: Case, folder: Path) -> str | None:
    if case.get("only_on") == "windows":
        root = case.get("directory") or "c:\\temp"
        paths = sorted(ntpath.join(root, name.replace("/", "\\")) for name in case["files"])
        if case.get("expect_log"):
            paths = [ntpath.join(root, name) for name in case["files"]]
        rules = settings_from(None, variables_of(case, root)).config_transforms
        tree = ListedTree(root, paths, PathStyle(system="windows"))
        planned = plan(tree, rules) if rules is not None else Plan()
        return _plan_reason(case, planned, root, ntpath)
    with tempfile.TemporaryDirectory() as work:
        for name in case["files"]:
            path = Path(work) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\xef\xbb\xbf")
        workspace = Workspace(Path(work))
        rules = settings_from(None, variables_of(case, str(workspace.root))).config_transforms
        planned = plan(WorkspaceTree(workspace), rules) if rules is not None else Plan()
        return _plan_reason(case, planned, str(workspace.root), posixpath)


def _plan_reason(case: Case, planned: Plan, root: str, paths: object) -> str | None:
    join = ntpath.join if paths is ntpath else posixpath.join
    normalise = ntpath.normpath if paths is ntpath else posixpath.normpath
    applied = [(step.source, step.transform) for step in planned.applications]
    for key, wanted in (("expect_applied", True), ("expect_not_applied", False)):
        for each in case.get(key) or ():
            pair = (normalise(join(root, each["source"])), normalise(join(root, each["transform"])))
            if (pair in applied) is not wanted:
                return f"{each['transform']} is {'not ' * wanted}applied to {each['source']}; applied: {applied}"
    count = case.get("expect_applied_count")
    if count is not None and len(applied) != count:
        return f"{len(applied)} are applied, not {count}"
    order = case.get("expect_transform_order")
    names = [posixpath.basename(transform) for _, transform in applied]
    if order and [name for name in names if name in order] != order:
        return f"the order is {names}"
    messages = [step for step in planned.steps if not isinstance(step, Application)]
    return log_reason(case, [*messages, *planned.closing], root)


def _apply_transform(case: Case, folder: Path) -> str | None:
    """The case calls the transformer on two files; here they are a tree, and the definition names them."""
    with tempfile.TemporaryDirectory() as work:
        for name in (case["input"], case["transform"]):
            (Path(work) / name).write_bytes((folder / name).read_bytes())
        before = (folder / case["input"]).read_bytes()
        definition = f"{case['transform']} => {case['input']}"
        listed = Variable(_PACKAGE + "AdditionalXmlConfigurationTransforms", definition)
        enabled = Variable("Octopus.Action.EnabledFeatures", "Octopus.Features.ConfigurationTransforms")
        variables = variables_of(case).merged((listed, enabled))
        rules = settings_from(None, variables).config_transforms
        assert rules is not None
        workspace = Workspace(Path(work))
        try:
            messages: Sequence[Message] = apply(workspace, rules, variables).messages
            failure = None
        except TransformError as error:
            failure = error
            messages = error.messages if isinstance(error, TransformFailure) else ()
        workspace.commit()
        after = (Path(work) / case["input"]).read_bytes()
    if bool(case.get("expect_error")) is not (failure is not None):
        return f"failed: {failure}" if failure else "should fail"
    if failure is not None and after != before:
        return "a failed transform touched the file"
    return log_reason(case, messages) or check_reason(case, after) or _document_reason(case, folder, after)


def _document_reason(case: Case, folder: Path, after: bytes) -> str | None:
    if not case.get("expected"):
        return None
    return None if same_document(after, (folder / case["expected"]).read_bytes()) else "another document"


def _logger(case: Case, folder: Path) -> str | None:
    options = set(case.get("options") or ())
    rules = ConfigTransformRules(
        warnings_as_errors="LogWarningsAsErrors" in options,
        ignore_errors=bool(options & {"LogExceptionsAsWarnings", "LogWarningsAsInfo"}),
    )
    event = "error" if case["event"] == "error" else "warning"
    level = engine_level("error" if event == "error" else "warning", rules)
    return log_reason(case, [Message(level=level, text=case["message"])])
