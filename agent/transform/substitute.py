"""Substitute variables in templates: the `#{…}` of text files, replaced in place. As Calamari.

Everything outside of the tokens stays, encoding and byte order mark included, unless another encoding is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.errors import TransformError
from agent.transform.changes import Change, FeatureResult, NoMatch, settle
from agent.transform.files import Workspace
from agent.transform.messages import Message, kept_on_failure, verbose
from agent.transform.settings import SubstituteRules, Target
from agent.transform.text import Document, bom_of, clean, decode, encode, is_unicode, known_encoding
from agent.transform.tokens import Span, top_level_tokens
from agent.variables import Evaluation, Variables


def apply(workspace: Workspace, rules: SubstituteRules, variables: Variables) -> FeatureResult:
    """Substitute in every file that the targets name. Unresolved tokens stay, and fail the run only if asked to."""
    run = _Run(workspace=workspace, rules=rules, variables=variables)
    with kept_on_failure(run.messages):
        for target in rules.targets:
            _apply_target(run, target)
    return FeatureResult(changes=tuple(run.changes), unmatched=tuple(run.unmatched), messages=tuple(run.messages))


@dataclass(frozen=True, kw_only=True)
class Substituted:
    """A file after substitution. `error` tells of tokens that could not be evaluated; they stand as written."""

    data: bytes = field(repr=False)
    changes: tuple[Change, ...] = ()
    messages: tuple[Message, ...] = ()
    error: str | None = None


def substitute(data: bytes, variables: Variables, file: str, output_encoding: str | None = None) -> Substituted:
    """The bytes of a file with its tokens replaced; the same bytes where nothing was. `file` is for the changes.

    An unknown `output_encoding` keeps the file's own. As Calamari.
    """
    chosen = known_encoding(output_encoding) if output_encoding else None
    if chosen is None and b"#" not in data:
        return Substituted(data=data)
    document = decode(data)
    text, changes, error = _evaluated(document.text, variables, file)
    if chosen is None:
        if text == document.text:
            return Substituted(data=data, error=error)
        encoded = encode(replace(document, text=text if clean(document.text) != document.text else clean(text)))
    else:
        changes += _encoding_change(document, chosen, file)
        output = Document(text=clean(text), encoding=chosen, bom=bool(bom_of(chosen)))
        encoded = encode(output, lenient=not is_unicode(chosen))
    return Substituted(data=encoded.data, changes=changes, messages=encoded.messages, error=error)


@dataclass(kw_only=True)
class _Run:
    """What has been said and done so far."""

    workspace: Workspace
    rules: SubstituteRules
    variables: Variables
    changes: list[Change] = field(default_factory=list)
    unmatched: list[NoMatch] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def miss(self, target: Target, reason: str) -> None:
        unmatched = NoMatch(feature="substitute", rule=target.pattern, reason=reason)
        self.unmatched.append(unmatched)
        self.messages += settle(unmatched, target.no_match)


def _apply_target(run: _Run, target: Target) -> None:
    files = run.workspace.find(target.pattern)
    changed = [_apply_file(run, path) for path in files]
    if not files:
        folder = run.workspace.root.as_posix()
        reason = f"No files were found in {folder} that match the substitution target pattern '{target.pattern}'"
        run.miss(target, reason)
    elif not any(changed) and target.no_match in {"warn", "fail"}:
        run.miss(target, f"No token was replaced in the files that match '{target.pattern}'")


def _apply_file(run: _Run, path: Path) -> bool:
    name = run.workspace.name(path)
    run.messages.append(verbose(f"Performing variable substitution on '{name}'"))
    data = run.workspace.read(path)
    done = substitute(data, run.variables, name, run.rules.output_encoding)
    run.messages += done.messages
    if done.error is not None:
        said = f"Parsing file '{name}' with Octostache returned the following error: `{done.error}`"
        if run.rules.fail_on_unresolved:
            hint = "This may be due to missing or sensitive variables."
            raise TransformError(f"{said}. {hint}")
        run.messages.append(verbose(said))
    run.changes += done.changes
    return done.data is not data and run.workspace.write(path, done.data)


def _evaluated(text: str, variables: Variables, file: str) -> tuple[str, tuple[Change, ...], str | None]:
    """The text with its tokens replaced, a change for each, and what could not be evaluated.

    Where the tokens one by one don't add up to the whole, the change is the whole. A null filter makes Octostache
    give no text at all; then only the token that it stands in is empty.
    """
    evaluation = variables.evaluate(text, halt_on_error=False)
    if evaluation.value == text:
        return text, (), evaluation.error
    values = _token_values(text, variables)
    joined = _joined(text, values)
    if evaluation.value is not None and evaluation.value != joined:
        whole = _change(file, 1, "the whole file", text, evaluation)
        return evaluation.value, (whole,), evaluation.error
    return joined, _changes(text, values, file), evaluation.error


def _token_values(text: str, variables: Variables) -> list[tuple[Span, Evaluation]]:
    return [
        ((start, end), variables.evaluate(text[start:end], halt_on_error=False))
        for start, end in top_level_tokens(text)
    ]


def _joined(text: str, values: list[tuple[Span, Evaluation]]) -> str:
    pieces, position = [], 0
    for (start, end), evaluation in values:
        pieces += [text[position:start], evaluation.value or ""]
        position = end
    return "".join([*pieces, text[position:]])


def _changes(text: str, values: list[tuple[Span, Evaluation]], file: str) -> tuple[Change, ...]:
    changes = []
    line, position = 1, 0
    for (start, end), evaluation in values:
        line, position = line + text.count("\n", position, start), start
        token = text[start:end]
        if evaluation.value != token:
            changes.append(_change(file, line, token, token, evaluation))
    return tuple(changes)


def _change(file: str, line: int, rule: str, old: str, evaluation: Evaluation) -> Change:
    return Change(
        feature="substitute",
        file=file,
        place=f"line {line}",
        rule=rule,
        old=old,
        new=evaluation.value,
        sensitive=evaluation.sensitive,
    )


def _encoding_change(document: Document, chosen: str, file: str) -> tuple[Change, ...]:
    if document.encoding == chosen:
        return ()
    place, rule = "encoding", "output encoding"
    return (Change(feature="substitute", file=file, place=place, rule=rule, old=document.encoding, new=chosen),)
