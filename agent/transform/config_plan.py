"""What config transforms will do to a tree, found out before anything is done: which transform, on what, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.transform.changes import NoMatch, settle
from agent.transform.config_definitions import Definition, FileTree, find_transforms, parse_definition
from agent.transform.messages import Message, info, verbose
from agent.transform.settings import ConfigTransformRules, Target

_HINT = (
    "For detailed diagnostic logging, please set a variable "
    "'Octopus.Action.Package.EnableDiagnosticsConfigTransformationLogging' with a value of 'True'."
)


@dataclass(frozen=True, kw_only=True)
class Application:
    """A transform to apply to a source; `definition` is what asked for it. Paths are absolute."""

    source: str
    transform: str
    definition: Definition


@dataclass(kw_only=True)
class Plan:
    """What to apply and to say, in order; what to say at the end; and the definitions that found nothing."""

    steps: list[Application | Message] = field(default_factory=list)
    closing: list[Message] = field(default_factory=list)
    unmatched: list[NoMatch] = field(default_factory=list)

    @property
    def applications(self) -> list[Application]:
        """The transforms to apply, in order."""
        return [step for step in self.steps if isinstance(step, Application)]


def plan(tree: FileTree, rules: ConfigTransformRules) -> Plan:
    """Find every transform for every source. Explicit definitions come before automatic ones, for each file."""
    explicit = [(target, parse_definition(target.pattern, tree.style)) for target in rules.definitions]
    automatic = [Definition(text=name, transform=name) for name in _automatic(rules)]
    known = [definition for _, definition in explicit if definition is not None]
    search = _Search(tree=tree, rules=rules)
    patterns = _source_patterns(known, rules)
    search.trace(f"Recursively searching for transformation files that match {' or '.join(patterns)} in folder "
                 f"'{tree.root}'")  # fmt: skip
    for source in _sources(tree, patterns):
        search.trace(f"Found config file '{source}'")
        for definition in [*known, *automatic]:
            search.trace(f" - checking against transform '{definition.text}'")
            search.find(source, definition)
    _close(search, explicit, automatic)
    return search.plan


@dataclass(kw_only=True)
class _Search:
    """The plan as far as it goes."""

    tree: FileTree
    rules: ConfigTransformRules
    plan: Plan = field(default_factory=Plan)
    applied: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def trace(self, text: str) -> None:
        if self.rules.diagnostics:
            self.plan.steps.append(verbose(text))

    def find(self, source: str, definition: Definition) -> None:
        for transform in find_transforms(source, definition, self.tree, self.trace):
            if (transform, source) in self.pairs:
                self.trace(
                    f" - Skipping as target '{source}' has already been transformed by transform '{transform}'"
                )
                self.repeated.add(definition.text)
                continue
            self.pairs.add((transform, source))
            self.applied.add(definition.text)
            self.plan.steps.append(info(f"Transforming '{source}' using '{transform}'."))
            self.plan.steps.append(Application(source=source, transform=transform, definition=definition))


def _automatic(rules: ConfigTransformRules) -> list[str]:
    if not rules.automatic:
        return []
    return [name for name in ("Release", rules.environment, rules.tenant) if name and name.strip()]


def _source_patterns(explicit: list[Definition], rules: ConfigTransformRules) -> list[str]:
    """Which files may be sources. None of these means every file. As Calamari."""
    patterns = ["*.config"] if rules.automatic else []
    patterns += ["*" + _extension(definition.source) for definition in explicit if definition.source is not None]
    return list(dict.fromkeys(patterns))


def _extension(pattern: str) -> str:
    dot = pattern.rfind(".")
    return pattern[dot:] if dot > max(pattern.rfind("/"), pattern.rfind("\\")) else ""


def _sources(tree: FileTree, patterns: list[str]) -> Iterator[str]:
    for path in tree.files():
        name = tree.style.split(path)[1]
        if not patterns or any(tree.style.matches(name, pattern) for pattern in patterns):
            yield path


def _close(search: _Search, explicit: list[tuple[Target, Definition | None]], automatic: list[Definition]) -> None:
    """What came of the explicit definitions. As Calamari, nothing found is only a detail, unless a rule says more."""
    plan_ = search.plan
    for target, definition in explicit:
        if definition is None:
            text = f'The transform pattern "{target.pattern}" lacks one side of its arrow.'
            _miss(plan_, target, text, search.rules)
        elif definition.text not in search.applied | search.repeated:
            text = f'The transform pattern "{target.pattern}" was not performed as no matching files could be found.'
            _miss(plan_, target, text, search.rules)
    names = {definition.text for definition in automatic}
    plan_.closing += [
        verbose(f'The transform pattern "{text}" was not performed as it overlapped with another transform.')
        for text in dict.fromkeys(definition.text for _, definition in explicit if definition is not None)
        if text in search.repeated and text not in names
    ]


def _miss(plan_: Plan, target: Target, text: str, rules: ConfigTransformRules) -> None:
    unmatched = NoMatch(feature="config-transforms", rule=target.pattern, reason=text)
    plan_.unmatched.append(unmatched)
    plan_.closing += settle(unmatched, target.no_match, "verbose")
    if not rules.diagnostics:
        plan_.closing.append(verbose(_HINT))
