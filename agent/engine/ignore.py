"""`.dockerignore`, as Docker reads it: which paths of a build context stay at home.

Not gitignore's rules: a pattern without a slash matches at the root only, and `**` may stand anywhere.
docker-py brings a matcher too, but it tries every pattern on every parent of every path. Patterns come with
packages and are hostile until proven otherwise, so all matching together has a time budget.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from agent.errors import BuildError

if TYPE_CHECKING:
    from regex import Pattern

_MOST_PATTERNS = 2_000


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One line of the file. `keep` marks an exception (`!pattern`)."""

    text: str
    keep: bool
    pattern: Pattern[str] = field(repr=False, compare=False)

    def may_match_below(self, folder: str) -> bool:
        """Whether an exception can bring back something below an excluded folder.

        As Docker: only if it spells the folder out; `!**/README.md` reaches into none.
        """
        return self.text.startswith(folder + "/")


Matches = tuple[bool, ...]
"""For one path: which rules match it or one of its parents."""


class Ignore:
    """The rules of one `.dockerignore`. Ask top down: a path's matches build on those of its parent.

    All matching together may take `budget_seconds`.
    """

    def __init__(self, text: str, *, budget_seconds: float = 20.0) -> None:
        patterns = _patterns(text)
        if len(patterns) > _MOST_PATTERNS:
            raise BuildError(f".dockerignore: more than {_MOST_PATTERNS} patterns; shorten it")
        self.rules = tuple(_rule(number, line) for number, line in patterns)
        self._budget = budget_seconds

    @property
    def at_root(self) -> Matches:
        return (False,) * len(self.rules)

    def matches(self, path: str, parent: Matches) -> Matches:
        """`path` with forward slashes, relative to the context."""
        begun = monotonic()
        try:
            return tuple(
                above or rule.pattern.fullmatch(path, timeout=max(self._budget, 0.001)) is not None
                for rule, above in zip(self.rules, parent, strict=True)
            )
        except TimeoutError as error:
            raise BuildError(
                ".dockerignore: its patterns took more than their time to match; simplify them"
            ) from error
        finally:
            self._budget -= monotonic() - begun

    def excludes(self, matches: Matches) -> bool:
        """The last rule that matches decides."""
        return next(
            (not rule.keep for rule, hit in zip(reversed(self.rules), reversed(matches), strict=True) if hit),
            False,
        )

    def needs_descent(self, folder: str) -> bool:
        return any(rule.keep and rule.may_match_below(folder) for rule in self.rules)


def _patterns(text: str) -> list[tuple[int, str]]:
    lines = text.removeprefix("\ufeff").splitlines()
    stripped = ((number, line.strip()) for number, line in enumerate(lines, start=1) if line[:1] != "#")
    return [(number, line) for number, line in stripped if line not in ("", ".", "/")]


def _rule(number: int, line: str) -> Rule:
    import regex

    keep = line.startswith("!")
    text = line[1:].strip() if keep else line
    cleaned = posixpath.normpath(text).lstrip("/")
    if not text or not cleaned or len(cleaned) > 1_000:
        raise BuildError(f".dockerignore:{number}: {line[:60]!r} is no pattern")
    try:
        return Rule(text=cleaned, keep=keep, pattern=regex.compile(_expression(cleaned), regex.DOTALL))
    except (regex.error, IndexError) as error:
        raise BuildError(f".dockerignore:{number}: {line[:60]!r} is no valid pattern ({error})") from error


def _expression(glob: str) -> str:
    """Go's file path patterns as a regular expression, with Docker's `**`: any folders, or none.

    As Docker: at the very start, with nothing else special behind it, it is any beginning (`**.md`).
    """
    import regex

    if glob.startswith("**") and not set(glob[2:]) & set("*?[]\\/"):
        return ".*" + regex.escape(glob[2:])
    parts: list[str] = []
    at = 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/"):
            step, part = 3, "(?:.*/)?"
        elif rest.startswith("**"):
            step, part = 2, ".*" if rest == "**" else "(?:.*/)?"
        elif rest[0] == "*":
            step, part = 1, "[^/]*"
        elif rest[0] == "?":
            step, part = 1, "[^/]"
        elif rest[0] == "[":
            step, part = _character_class(rest)
        elif rest[0] == "\\":
            step, part = 2, regex.escape(rest[1])
        else:
            step, part = 1, regex.escape(rest[0])
        parts.append(part)
        at += step
    return "".join(parts)


def _character_class(rest: str) -> tuple[int, str]:
    """(length in the glob, expression) of the `[…]` that `rest` starts with; IndexError if it never ends."""
    import regex

    negated = rest[1] == "^"
    at = 2 if negated else 1
    members: list[str] = []
    if rest[at] == "]":
        raise IndexError("nothing in the brackets")
    while rest[at] != "]":
        if rest[at] == "\\":
            at += 1
        member = rest[at]
        range_sign = member == "-" and members and rest[at - 1] != "\\"
        members.append("-" if range_sign else regex.escape(member))
        at += 1
    return at + 1, f"[{'^/' if negated else ''}{''.join(members)}]"
