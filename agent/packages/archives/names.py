"""Which entry names and link targets are taken: those that mean the same place on Linux and Windows, inside.

A package made on one system is deployed on another, so a name that only one of them would misread is refused on
both: `..`, absolute paths, `C:`, `a:stream`, `NUL`, a trailing dot, and names that differ only in case.
"""

from __future__ import annotations

import re
import unicodedata

from agent.packages.archives.entry import Refused

COMPONENT_BYTES = 255


def entry_parts(name: str, *, depth: int, name_bytes: int) -> tuple[str, ...]:
    """The name's components, empty for the root itself. Refused says what is wrong with it."""
    if not name:
        raise Refused("has no name")
    if len(name) > name_bytes or (not name.isascii() and _encoded_length(name) > name_bytes):
        raise Refused(f"has a name of more than {name_bytes:,} bytes")
    if name[0] == "/":
        raise Refused("has an absolute name")
    if _FORBIDDEN.search(name):
        raise Refused(f"has {_forbidden_in(name)} in its name")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if len(parts) > depth:
        raise Refused(f"lies deeper than {depth} folders")
    for part in parts:
        _check_component(part)
    return parts


def check_link(target: str, *, depth: int, name_bytes: int) -> None:
    """Refuse a link that could lead out of the tree, from a link `depth` folders below the root.

    `..` may stand only at the start, and no more often than the link is deep. Then each link is confined by
    itself, whatever other links it passes through, also such as another package brings later.
    """
    if not target:
        raise Refused("is a link to nowhere")
    if _encoded_length(target) > name_bytes:
        raise Refused(f"is a link to a name of more than {name_bytes:,} bytes")
    if target[0] == "/":
        raise Refused(f"is a link to the absolute path {shown(target)}")
    if _FORBIDDEN.search(target):
        raise Refused(f"is a link to {shown(target)}, which has {_forbidden_in(target)} in it")
    parts = [part for part in target.split("/") if part not in {"", "."}]
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    if climbs > depth:
        raise Refused(f"is a link to {shown(target)}, out of the package")
    if ".." in parts[climbs:]:
        raise Refused(f"is a link to {shown(target)}, which goes down and up again")


def folded(part: str) -> str:
    """One spelling for all names that some file system takes for the same."""
    return part.lower() if part.isascii() else unicodedata.normalize("NFC", part).casefold()


def shown(text: str) -> str:
    """An untrusted name for a message: quoted, escaped, and cut in the middle where it is long."""
    return ascii(text if len(text) <= 160 else f"{text[:100]}...{text[-50:]}")


class Names:
    """All names of one archive, kept as hashes: two entries for one place are refused."""

    def __init__(self) -> None:
        self._exact: dict[int, int] = {}
        self._files: set[int] = set()
        self._parent: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._exact)

    def add_file(self, parts: tuple[str, ...]) -> None:
        self._add_parents(parts)
        self._add_new(parts)
        self._files.add(hash(parts))

    def add_link(self, parts: tuple[str, ...]) -> None:
        self._add_parents(parts)
        self._add_new(parts)

    def add_folder(self, parts: tuple[str, ...]) -> None:
        self._add_parents((*parts, ""))

    def has_file(self, parts: tuple[str, ...]) -> bool:
        """Whether a file, and no link, of exactly this name was added."""
        return hash(parts) in self._files

    def _add_parents(self, parts: tuple[str, ...]) -> None:
        """Folders may be named any number of times, but each in one spelling only."""
        if parts[:-1] == self._parent:
            return
        for length in range(1, len(parts)):
            folder = parts[:length]
            exact = hash((folder, "folder"))
            if self._exact.setdefault(_key(folder), exact) != exact:
                raise Refused(
                    f"lies in {shown('/'.join(folder))}, which is also something else, or spelled otherwise"
                )
        self._parent = parts[:-1]

    def _add_new(self, parts: tuple[str, ...]) -> None:
        key = _key(parts)
        if key in self._exact:
            raise Refused("has the name of another entry, but for case or Unicode form at most")
        self._exact[key] = hash(parts)


_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "123456789\u00b9\u00b2\u00b3"]
)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\:\ud800-\udfff]")


def _check_component(part: str) -> None:
    if part == "..":
        raise Refused("leads out of the target folder")
    if len(part) > COMPONENT_BYTES or (not part.isascii() and _encoded_length(part) > COMPONENT_BYTES):
        raise Refused(f"has a name with a part of more than {COMPONENT_BYTES} bytes")
    if part[-1] in ". ":
        raise Refused("has a name with a part that ends in a dot or blank, which Windows drops")
    if part.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        raise Refused(f"is called as the Windows device {part.partition('.')[0].upper()}")


def _forbidden_in(name: str) -> str:
    match = _FORBIDDEN.search(name)
    assert match
    words = {"\\": "a backslash", ":": "a colon", "\x00": "a NUL character"}
    if match[0] >= "\ud800":
        return "bytes that are not UTF-8"
    return words.get(match[0], "a control character")


def _encoded_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _key(parts: tuple[str, ...]) -> int:
    return hash(tuple([folded(part) for part in parts]))
