"""The words of COPY and ADD: what they stand for in the context, and where in the image they lead.

Only what is certain without knowing the base image. Paths in an image are without the slash in front, those of
Windows without the drive, and "" is the root.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from agent.engine.dockerfile import Instruction
    from agent.host import OperatingSystem

_REFERENCE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^${}]*))?\})")
_DRIVE: Final = re.compile(r"[A-Za-z]:")


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """The names in the context that a word means; `literal` if it has no wildcards."""

    names: tuple[str, ...] = ()
    literal: bool = True
    uncertain: bool = False


def flags_and_words(instruction: Instruction) -> tuple[dict[str, str], tuple[str, ...]]:
    """`--from=build` and its like, by their names, and what follows them."""
    words = list(instruction.words)
    flags: dict[str, str] = {}
    while words and words[0].startswith("--"):
        name, _, value = words.pop(0).partition("=")
        flags[name.lower()] = value
    return flags, tuple(words)


def expanded(text: str, values: Mapping[str, str | None]) -> str | None:
    """The text with `$NAME`, `${NAME}` and `${NAME:-default}` replaced; None where a value is not known."""
    parts: list[str] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        value = values.get(match[1] or match[2])
        if value is None:
            return None
        parts += (text[end : match.start()], value or match[3] or "")
        end = match.end()
    rest = text[end:]
    return None if "$" in "".join(parts[::2]) + rest else "".join(parts) + rest


def image_path(text: str, workdir: str | None, system: OperatingSystem) -> str | None:
    """A path of the image, relative to its root; None if it starts from a folder that is not known."""
    if system == "windows":
        text = text.replace("\\", "/")
        if _DRIVE.match(text):
            if text[0] not in "cC":
                return None
            text = "/" + text[2:].lstrip("/")
    if not text.startswith("/"):
        if workdir is None or not text:
            return None
        text = f"/{workdir}/{text}"
    return posixpath.normpath(text).lstrip("/")


def copied_path(path: str, root: str, into: str) -> str:
    """Where a file below the copied folder `root` comes to be."""
    below = path[len(root) :].lstrip("/") if root else path
    return f"{into}/{below}" if into else below


def matching_names(word: str, names: Iterable[str], system: OperatingSystem) -> Sources:
    """What of the context a word means. As Go's path matching, of which only `*` and `?` are taken for certain."""
    text = word.replace("\\", "/") if system == "windows" else word
    cleaned = posixpath.normpath("/" + text).lstrip("/")
    if ".." in text.split("/") or re.search(r"[\[\]\\]|\*\*", cleaned):
        return Sources(literal=False, uncertain=True)
    if re.search(r"[*?]", cleaned):
        return _wild(cleaned, names, system)
    known = set(names)
    if not cleaned or cleaned in known or any(name.startswith(f"{cleaned}/") for name in known):
        return Sources(names=(cleaned,))
    folded = cleaned.lower()
    return Sources(uncertain=system == "windows" and any(name.lower().startswith(folded) for name in known))


def _wild(pattern: str, names: Iterable[str], system: OperatingSystem) -> Sources:
    escaped = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    flags = re.IGNORECASE if system == "windows" else re.NOFLAG
    if escaped.count("[^/]*") > 4:
        return Sources(literal=False, uncertain=True)
    fits = re.compile(escaped, flags | re.DOTALL).fullmatch
    return Sources(names=tuple(name for name in names if fits(name)), literal=False)
