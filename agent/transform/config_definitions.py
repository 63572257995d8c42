"""Which XML transform goes to which file: Calamari's definitions (`*.Release.config => *.config`) and how they match.

Everything here works on names alone, in the style of either system, so that a package for Windows can be reasoned
about on Linux.
"""

from __future__ import annotations

import fnmatch
import ntpath
import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

Say = Callable[[str], None]
"""Takes a line of the search trace."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A transform definition. `transform` and `source` have lost the `*` or `*.` of a wildcard.

    Without a `source` it is a suffix: `Release` stands for `web.Release.config` beside `web.config`.
    """

    text: str
    transform: str
    source: str | None = None
    is_transform_wildcard: bool = False
    is_source_wildcard: bool = False


class FileTree(Protocol):
    """The files that transforms and their sources are looked for in. All paths are absolute, in one style."""

    @property
    def style(self) -> PathStyle: ...

    @property
    def root(self) -> str:
        """The folder of the package."""
        ...

    def names(self, folder: str) -> Collection[str] | None:
        """The names of the files directly in a folder; None if there is no such folder."""
        ...

    def files(self) -> Iterator[str]:
        """Every file that may be a source, in order."""
        ...


@dataclass(frozen=True, kw_only=True)
class PathStyle:
    """How a system writes paths, and whether it tells upper from lower case."""

    system: Literal["posix", "windows"]

    @property
    def separator(self) -> str:
        """What stands between folders."""
        return "/" if self.system == "posix" else "\\"

    def is_absolute(self, path: str) -> bool:
        """Whether a path starts at a root."""
        return posixpath.isabs(path) if self.system == "posix" else ntpath.isabs(path)

    def split(self, path: str) -> tuple[str, str]:
        """Folder and name."""
        return posixpath.split(path) if self.system == "posix" else ntpath.split(path)

    def join(self, *parts: str) -> str:
        """The parts as one path; an absolute one drops what is before it."""
        return posixpath.join(*parts) if self.system == "posix" else ntpath.join(*parts)

    def normalise(self, path: str) -> str:
        """The path without `.` and `..`."""
        return posixpath.normpath(path) if self.system == "posix" else ntpath.normpath(path)

    def relative(self, path: str, start: str) -> str:
        """The way from a folder to a path."""
        return posixpath.relpath(path, start) if self.system == "posix" else ntpath.relpath(path, start)

    def matching(self, names: Collection[str], pattern: str) -> Iterator[str]:
        """The names that fit a pattern; a plain name is looked up, not searched for."""
        if self.system == "posix" and "*" not in pattern and "?" not in pattern:
            return iter([pattern] if pattern in names else [])
        return (name for name in names if self.matches(name, pattern))

    def matches(self, name: str, pattern: str) -> bool:
        """Whether a name fits a pattern with `*` and `?`, as a folder listing takes it."""
        escaped = pattern.replace("[", "[[]")
        if self.system == "windows":
            return fnmatch.fnmatchcase(name.lower(), escaped.lower())
        return fnmatch.fnmatchcase(name, escaped)


def parse_definition(text: str, style: PathStyle) -> Definition | None:
    """A definition as written; None if one side of its arrow is empty."""
    if "=>" not in text:
        return Definition(text=text, transform=text)
    parts = [part.strip() for part in text.split("=>") if part.strip()]
    if len(parts) < 2:
        return None
    transform, source = parts[0], parts[1]
    wild_transform = style.split(transform)[1].startswith("*.")
    wild_source = style.split(source)[1].startswith("*.")
    return Definition(
        text=text,
        transform=_without_star(transform) if wild_transform else transform,
        source=_without_star(source) if wild_source else source,
        is_transform_wildcard=wild_transform,
        is_source_wildcard=wild_source,
    )


def find_transforms(source: str, definition: Definition, tree: FileTree, say: Say) -> Iterator[str]:
    """The files that a definition wants applied to a source file, in order. As Calamari, skip by skip."""
    style = tree.style
    if definition.is_transform_wildcard and definition.source is not None:
        ending = style.split(definition.source)[1]
        if not source.lower().endswith(ending.lower()):
            say(
                f" - skipping transform as its a wildcard transform and source file '{source}' "
                f"does not end with '{ending}'"
            )
            return
    plain = _candidate(source, definition, definition.transform, style)
    default = plain
    if not definition.transform.endswith(".config"):
        default = _candidate(source, definition, definition.transform + ".config", style)
    folder = style.normalise(style.join(style.split(source)[0], style.split(plain)[0]))
    names = tree.names(folder)
    if names is None:
        say(f" - Skipping as transform folder '{folder}' does not exist")
        return
    patterns = [style.split(default)[1], style.split(plain)[1]]
    found = dict.fromkeys(name for pattern in patterns for name in style.matching(names, pattern))
    if not found:
        say(_not_found(patterns[0], patterns[1], folder))
    for name in found:
        transform = style.join(folder, name)
        reason = _refusal(source, definition, transform, plain, tree)
        if reason is None:
            yield transform
        else:
            say(f" - Skipping as {reason}")


def _without_star(pattern: str) -> str:
    """`*.bar.config` as `bar.config`, `*.config` as `.config`. As Calamari."""
    star = pattern.index("*")
    dropped = 2 if pattern.rindex(".") > star + 2 else 1
    return pattern[:star] + pattern[star + dropped :]


def _candidate(source: str, definition: Definition, pattern: str, style: PathStyle) -> str:
    """The path that a transform would have, a listing pattern in its name if it is a wildcard."""
    folder, name = style.split(source)
    if definition.source is None:
        return style.join(folder, _with_extension(name, pattern))
    base = _base_folder(folder, definition.source, style)
    if not definition.is_transform_wildcard:
        return style.join(base, pattern)
    below, rest = style.split(pattern)
    if not definition.is_source_wildcard:
        return style.join(base, below, "*." + rest.lstrip("."))
    ending = style.split(definition.source)[1]
    if definition.source.startswith("."):
        ending = definition.source[1:]
    return style.join(base, below, _with_extension(name.replace(ending, ""), rest))


def _base_folder(folder: str, pattern: str, style: PathStyle) -> str:
    """The source's folder, without the folders that the source pattern names."""
    named = pattern.rpartition(style.separator)[0]
    if named and folder.lower().endswith(named.lower()):
        return folder[: len(folder) - len(named)]
    return folder


def _with_extension(name: str, extension: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return f"{stem if dot else name}{'' if extension.startswith('.') else '.'}{extension}"


def _refusal(source: str, definition: Definition, transform: str, candidate: str, tree: FileTree) -> str | None:
    """Why a transform that is there does not go to the source."""
    if definition.source is not None:
        name = _source_name(source, definition.source, transform, candidate, tree)
        if not definition.is_source_wildcard and name.lower() != definition.source.lower():
            return f"file name '{name}' does not match the target pattern '{definition.source}'"
        if definition.is_source_wildcard and not _fits(name, definition.source, tree.style):
            return f"file name '{name}' does not match the wildcard target pattern '{definition.source}'"
    if source.lower() == transform.lower():
        return f"target '{source}' is the same as transform '{transform}'"
    return None


def _source_name(source: str, pattern: str, transform: str, candidate: str, tree: FileTree) -> str:
    """What the source pattern is compared with: the bare name, or the way to it, if the pattern has folders."""
    style = tree.style
    if pattern.startswith("." + style.separator) and style.is_absolute(candidate):
        return "." + style.separator + style.relative(source, tree.root)
    if style.separator in pattern:
        return style.relative(source, style.split(transform)[0]).lstrip("." + style.separator)
    return style.split(source)[1]


def _fits(name: str, pattern: str, style: PathStyle) -> bool:
    folder, rest = style.split(pattern)
    before = re.escape(folder + style.separator) if folder else ""
    return re.search(f"{before}.*?{re.escape('.' + rest.lstrip('.'))}", name, re.IGNORECASE) is not None


def _not_found(default: str, plain: str, folder: str) -> str:
    if default == plain:
        return f" - skipping as transform '{default}' could not be found in '{folder}'"
    return f" - skipping as neither transform '{default}' nor transform '{plain}' could be found in '{folder}'"
