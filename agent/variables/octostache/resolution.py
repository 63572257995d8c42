"""Finds the value that a path leads to: through loop variables, variables, indexes and JSON, as Octostache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from agent.errors import RecursionInVariables
from agent.variables.octostache import json_values
from agent.variables.octostache.lexical import folded
from agent.variables.octostache.parser import TemplateError, parse
from agent.variables.octostache.printing import symbol_text
from agent.variables.octostache.results import Known, Limits, Trace
from agent.variables.octostache.store import Store
from agent.variables.octostache.syntax import NO_KEY, Identifier, Index, Step, Symbol, SymbolIndex, Template
from agent.variables.octostache.tree import Branch
from agent.variables.variable import Variable

_Path = tuple[tuple[str, int], ...]


class Scope:
    """Where a path starts: a loop's own names, then those around it, then the variables.

    `active` holds the paths that are being resolved from here, outermost first.
    """

    __slots__ = ("active", "parent", "root")

    def __init__(self, root: Branch | None, parent: Scope | None) -> None:
        self.root = root
        self.parent = parent
        self.active: list[_Path] = []


class Renders(Protocol):
    def render(self, template: Template, scope: Scope, trace: Trace) -> str: ...


class Resolver:
    """Resolves paths for one evaluation."""

    def __init__(self, store: Store, limits: Limits, renderer: Renders) -> None:
        self._store = store
        self._limits = limits
        self._renderer = renderer

    def resolve(self, symbol: Symbol, scope: Scope, trace: Trace) -> Branch | None:
        """The branch with its value evaluated, or without one but with its children; None if there is none.

        RecursionInVariables if that takes the same path again.
        """
        steps = symbol.steps if symbol.key != NO_KEY else self._with_indexes(symbol.steps, scope, trace)
        if not steps:
            return None
        start: Scope | None = scope
        while start is not None:
            if start.parent is None and symbol.key in self._store.bound:
                found = self._bound(symbol.key, steps, start, trace)
                if found is not None:
                    return found
            branch, ends = self._walked(steps, start, trace)
            if ends:
                return branch
            start = start.parent
        return None

    def items(self, symbol: Symbol, scope: Scope, trace: Trace) -> Sequence[Branch]:
        """What a loop over the path goes through: indexes, JSON, or the pieces between commas."""
        found = self.resolve(symbol, scope, trace)
        if found is None:
            return ()
        if found.indexes:
            return tuple(found.indexes.values())
        if found.value is None:
            return ()
        trace.sensitive = trace.sensitive or found.sensitive
        parsed = json_values.items(found.value)
        if parsed is None:
            self._limits.spend(found.value.count(","))
            return [Branch(piece, found.sensitive) for piece in found.value.split(",")]
        self._limits.spend(len(parsed))
        return [_json_item(name, text, found.sensitive) for name, text in parsed]

    def _with_indexes(self, steps: tuple[Step, ...], scope: Scope, trace: Trace) -> tuple[Step, ...]:
        """The steps with `[#{symbol}]` replaced by `[value]` where there is a value."""
        return tuple(self._index(step, scope, trace) if isinstance(step, SymbolIndex) else step for step in steps)

    def _index(self, step: SymbolIndex, scope: Scope, trace: Trace) -> Step:
        inner = Trace()
        found = self.resolve(step.symbol, scope, inner)
        trace.take_in(inner, with_missing=False)
        return step if found is None or found.value is None else Index(found.value)

    def _walked(self, steps: tuple[Step, ...], scope: Scope, trace: Trace) -> tuple[Branch | None, bool]:
        """What the steps lead to from this scope, and whether that is the end of the search."""
        root = self._store.root if scope.root is None else scope.root
        if not _begins_in(root, steps[0]):
            return None, False
        self._entered(steps, scope)
        try:
            branch = root
            for step in steps:
                if isinstance(step, SymbolIndex):
                    return None, True
                child = self._child(branch, step, scope, trace)
                if child is None:
                    return None, False
                branch = child
            return self._evaluated(branch, scope, trace), True
        finally:
            scope.active.pop()

    def _entered(self, steps: tuple[Step, ...], scope: Scope) -> None:
        """Note the path as being resolved.

        Paths are the same if their texts and their places in the templates are (as Octostache, where that
        decides what a value which quotes a part of itself comes to).
        """
        path = tuple((_step_text(step), step.position) for step in steps)
        ancestor: Scope | None = scope
        while ancestor is not None:
            if path in ancestor.active:
                raise RecursionInVariables(circle([_path_text(each) for each in (*ancestor.active, path)]))
            ancestor = ancestor.parent
        scope.active.append(path)

    def _child(self, branch: Branch, step: Identifier | Index, scope: Scope, trace: Trace) -> Branch | None:
        known = branch.named(step.text) if isinstance(step, Identifier) else branch.indexed(step.text)
        return self._json_child(branch, step.text, scope, trace) if known is None else known

    def _json_child(self, branch: Branch, name: str, scope: Scope, trace: Trace) -> Branch | None:
        if not branch.value or not name:
            return None
        inner = Trace()
        try:
            container = self._evaluated(branch, scope, inner)
        except RecursionInVariables as error:
            if type(error) is not RecursionInVariables:
                raise
            self._limits.spend_circle()
            trace.fleeting = True
            return None
        trace.take_in(inner, with_missing=False)
        text = json_values.child(container.value or "", name)
        return None if text is None else Branch(text, container.sensitive)

    def _evaluated(self, branch: Branch, scope: Scope, trace: Trace) -> Branch:
        """The branch's value as a leaf; the branch itself if it has none, or one that is no template."""
        if branch.value is None:
            return branch
        if branch.variable is not None:
            trace.uses[branch.variable.name] = None
        trace.sensitive = trace.sensitive or branch.sensitive
        if "#{" not in branch.value:
            return Branch(branch.value, branch.sensitive)
        try:
            template = parse(branch.value)
        except TemplateError:
            return branch
        if branch.variable is not None:
            known = self._known(branch.key, branch.variable, template, scope, trace)
            return Branch(known.value, known.sensitive)
        inner = Trace()
        value = self._renderer.render(template, scope, inner)
        trace.take_in(inner)
        return Branch(value, branch.sensitive or inner.sensitive)

    def _bound(self, key: str, steps: tuple[Step, ...], scope: Scope, trace: Trace) -> Branch | None:
        """A variable under its own name: no walk is needed. None if its value is no template."""
        known = self._store.known.get(key)
        if known is None:
            variable = self._store.bound[key]
            try:
                template = parse(variable.value or "")
            except TemplateError:
                return None
            self._entered(steps, scope)
            try:
                self._prepare(key, Symbol(steps, key), template, scope)
                known = self._known(key, variable, template, scope, trace)
            finally:
                scope.active.pop()
        else:
            trace.use(known)
        return Branch(known.value, known.sensitive)

    def _known(self, key: str, variable: Variable, template: Template, scope: Scope, trace: Trace) -> Known:
        """The variable's value; remembered unless it was had in passing."""
        known = self._store.known.get(key)
        if known is None:
            inner = Trace()
            inner.uses[variable.name] = None
            inner.sensitive = variable.sensitive
            value = self._renderer.render(template, scope, inner)
            known = Known(
                value=value,
                missing=tuple(inner.missing),
                sensitive=inner.sensitive,
                uses=tuple(inner.uses),
            )
            trace.fleeting = trace.fleeting or inner.fleeting
            if not inner.fleeting:
                self._store.remember(key, known)
        trace.use(known)
        return known

    def _prepare(self, key: str, symbol: Symbol, template: Template, scope: Scope) -> None:
        """Evaluate what the variable certainly needs, innermost first.

        So chains of variables may be as long as they like, and circles of any length are found.
        """
        opened = {key: symbol}
        waiting = [(key, self._needs(template))]
        while waiting:
            current, needs = waiting[-1]
            needed = next(needs, None)
            if needed is None:
                waiting.pop()
                symbol = opened.pop(current)
                if waiting:
                    self._settle(current, symbol, scope)
            elif needed.key in opened:
                raise RecursionInVariables(circle([symbol_text(each) for each in (*opened.values(), needed)]))
            else:
                inner = self._unsettled(needed.key)
                if inner is not None:
                    opened[needed.key] = needed
                    waiting.append((needed.key, self._needs(inner)))

    def _needs(self, template: Template) -> Iterator[Symbol]:
        """The paths of names that the template looks up whatever happens, and that take evaluating."""
        return (symbol for symbol in template.needs() if self._unsettled(symbol.key) is not None)

    def _unsettled(self, key: str) -> Template | None:
        variable = self._store.bound.get(key)
        if variable is None or key in self._store.known or "#{" not in (variable.value or ""):
            return None
        try:
            return parse(variable.value or "")
        except TemplateError:
            return None

    def _settle(self, key: str, symbol: Symbol, scope: Scope) -> None:
        template = self._unsettled(key)
        if template is not None:
            self._entered(symbol.steps, scope)
            try:
                self._known(key, self._store.bound[key], template, scope, Trace())
            finally:
                scope.active.pop()


def circle(names: Sequence[str]) -> str:
    """The message about a chain of names whose last one came before (as Octostache; a long one is cut)."""
    shown = names if len(names) <= 20 else (*names[:10], "...", *names[-9:])
    return (
        f'An attempt to parse the variable symbol "{names[-1]}" appears to have resulted in a self referencing '
        f"loop ({' -> '.join(shown)}). Ensure that recursive loops do not exist in the variable values."
    )


def _begins_in(root: Branch, step: Step) -> bool:
    return root.names is not None and isinstance(step, Identifier) and folded(step.text) in root.names


def _json_item(name: str | None, text: str, sensitive: bool) -> Branch:
    """An element of a JSON array, or a property: its name, with `.Key` and `.Value`."""
    if name is None:
        return Branch(text, sensitive)
    item = Branch(name, sensitive)
    item.add_name("Key", Branch(name, sensitive))
    item.add_name("Value", Branch(text, sensitive))
    return item


def _step_text(step: Step) -> str:
    if isinstance(step, SymbolIndex):
        return f"[#{{{symbol_text(step.symbol)}}}]"
    return step.text if isinstance(step, Identifier) else f"[{step.text}]"


def _path_text(path: _Path) -> str:
    """The path as it is written."""
    return "".join(text if text.startswith("[") else f".{text}" for text, _ in path)[1:]
