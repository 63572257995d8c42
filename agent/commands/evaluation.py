"""`dockwright evaluate`: what a template comes to, and with `--explain` why."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from agent.errors import InputError
from agent.report import Masker
from agent.report.masking import MASK
from agent.variables import TokenExplanation, Variables

UNRESOLVED_EXIT = 4


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to print. `verbatim` text is printed without a newline added."""

    text: str
    complaints: tuple[str, ...] = ()
    exit_code: int = 0
    verbatim: bool = False


def evaluate(template: str, variables: Variables, *, explain: bool, reveal: bool) -> Answer:
    """The value; what could not be resolved stays as it is and is complained about (exit code as for variables).

    Sensitive values, and those computed from one, are masked unless they are to be revealed.
    """
    if explain:
        return _explained(template, variables, reveal=reveal)
    evaluation = variables.evaluate(template)
    mask = str if reveal else Masker(variables.sensitive_values()).mask
    complaints = (mask(evaluation.error),) if evaluation.error else ()
    text = mask(evaluation.value or "")
    return Answer(
        text=text,
        complaints=complaints,
        exit_code=UNRESOLVED_EXIT if complaints else 0,
        verbatim=text.endswith("\n"),
    )


def read_standard_input() -> str:
    """All of it, as UTF-8, newlines untouched."""
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the template on standard input is not UTF-8 (byte {error.start}); convert it first"
        ) from error


def _explained(template: str, variables: Variables, *, reveal: bool) -> Answer:
    """Token by token: what it came to, the variables that went into it with their sources, or why it did not."""
    mask = str if reveal else Masker(variables.sensitive_values()).mask
    blocks = [_block(token, reveal=reveal) for token in variables.explain(template)]
    return Answer(text=mask("\n".join(blocks)) if blocks else "there is no token in the text")


def _block(token: TokenExplanation, *, reveal: bool) -> str:
    value = MASK if token.sensitive and not reveal else repr(token.value)
    lines = [token.token, f"    unresolved: {token.reason}" if token.reason else f"    = {value}"]
    lines += [f"    {name} from {source or 'an unnamed place'}" for name, source in token.sources]
    return "\n".join(lines)
