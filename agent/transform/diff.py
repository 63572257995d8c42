"""A changed file as a unified diff, for a plan or a log."""

from __future__ import annotations

from collections.abc import Callable

from agent.transform.changes import ChangedFile
from agent.transform.text import decode

MAXIMUM_LINES = 20_000


def unified_diff(file: ChangedFile, mask: Callable[[str], str]) -> str:
    """The difference between before and after, masked on both sides; empty where only bytes, not text, differ.

    Each side is decoded by its own encoding. A file of more than 20,000 lines is summed up in one line.
    """
    import difflib

    before, after = (mask(decode(side).text) for side in (file.before, file.after))
    old, new = (side.splitlines() for side in (before, after))
    if len(old) + len(new) > MAXIMUM_LINES:
        return f"--- a/{file.path}\n+++ b/{file.path}\n({len(old):,} lines before, {len(new):,} after)\n"
    lines = difflib.unified_diff(old, new, f"a/{file.path}", f"b/{file.path}", lineterm="")
    return "".join(line + "\n" for line in lines)
