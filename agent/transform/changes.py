"""What the transforms did: every change with its place and its reason, and every rule that found no place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from agent.errors import TransformError
from agent.transform.messages import Level, Message

Feature = Literal["substitute", "config-transforms", "config-variables", "structured"]
Policy = Literal["ignore", "warn", "fail"]

MASK = "********"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that was replaced.

    `file` is a posix path relative to the tree; `place` is where in it (`line 3`, `Section:Key`, an XPath);
    `rule` is what asked for it: a variable's name, a token, a transform file and its line. `old` is None where
    something was added, `new` where something was removed.
    """

    feature: Feature
    file: str
    place: str
    rule: str
    old: str | None = field(repr=False)
    new: str | None = field(repr=False)
    sensitive: bool = False

    def shown(self) -> str:
        """The change in one line; sensitive values are masked, both of them."""
        return f"{self.file}: {self.place}: {self._side(self.old)} -> {self._side(self.new)} ({self.rule})"

    def _side(self, value: str | None) -> str:
        if value is None:
            return "(nothing)"
        return MASK if self.sensitive else repr(value)


class NoMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that found no place: a target without files, a transform without a source."""

    feature: Feature
    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChangedFile:
    """A file whose bytes differ. `path` is posix and relative to the tree, absolute outside of it."""

    path: str
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


class FeatureResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one feature did. The files themselves are staged in the `Workspace`.

    `used_as_transforms` are the files that served as XML transforms; config variables leave them alone.
    """

    changes: tuple[Change, ...] = ()
    unmatched: tuple[NoMatch, ...] = ()
    messages: tuple[Message, ...] = ()
    used_as_transforms: tuple[Path, ...] = ()


class Transformed(msgspec.Struct, frozen=True, kw_only=True):
    """What all features did to a tree."""

    changes: tuple[Change, ...] = ()
    unmatched: tuple[NoMatch, ...] = ()
    files: tuple[ChangedFile, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def summary(self) -> str:
        """`7 changes in 3 files`."""
        changes, files = len(self.changes), len(self.files)
        return f"{changes} change{'' if changes == 1 else 's'} in {files} file{'' if files == 1 else 's'}"


def settle(unmatched: NoMatch, policy: Policy | None, default: Level = "warn") -> tuple[Message, ...]:
    """The message for a rule without a match, none under `ignore`. TransformError under `fail`.

    Without a policy the message has the level `default`, which is Calamari's.
    """
    if policy == "fail":
        raise TransformError(
            f"{unmatched.feature}: {unmatched.reason}; the rule '{unmatched.rule}' says to fail then"
        )
    if policy == "ignore":
        return ()
    return (Message(level="warn" if policy == "warn" else default, text=unmatched.reason),)
