"""Argument lists as one line that cmd.exe hands on unchanged: every command over WinRM goes through it.

A program takes its line apart by the rules of Microsoft's C runtime; cmd.exe looks at the same line first, with
rules of its own. What needs no protection gets none, and only what quotes cannot protect gets carets: without them a
POSIX shell reads the line alike, which is what some servers of WinRM have behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.errors import HostError
from windows.winrm.envelopes import UNWRITABLE

LONGEST = 8191
"""Characters in one line of cmd.exe."""


def command_line(arguments: Sequence[str]) -> tuple[str, str]:
    """The program, and all its arguments in one text. HostError for what no line can hold."""
    for argument in arguments:
        if re.search(r"[\r\n]", argument):
            raise HostError(f"'{arguments[0]}': an argument has a line break, which cmd.exe cannot hand on")
        if UNWRITABLE.search(argument):
            raise HostError(f"'{arguments[0]}': an argument has a character that WinRM cannot carry")
    words = [_quoted(argument) for argument in arguments]
    if not _is_left_alone(" ".join(words)):
        words = [_shielded(word) for word in words]
    program, *rest = words
    joined = " ".join(rest)
    if len(program) + len(joined) + 1 > LONGEST:
        raise HostError(f"'{arguments[0]}': the command has more than the {LONGEST} characters that cmd.exe takes")
    return program, joined


def _quoted(argument: str) -> str:
    """For the program."""
    if re.fullmatch(r"[\w./:@+-]+", argument):
        return argument
    return '"' + _RUNS.sub(_doubled, argument) + '"'


_RUNS = re.compile(r'(\\*)("|$)')
"""Backslashes count only before a quote, be it the closing one."""


def _doubled(found: re.Match[str]) -> str:
    return found[1] * 2 + ('\\"' if found[2] else "")


def _is_left_alone(line: str) -> bool:
    """By cmd.exe, which knows no escaped quotes; it looks for a variable between any two percent signs.

    Parentheses are a matter of blocks, and so of a command's beginning.
    """
    outside = "".join(line.split('"')[::2])
    return not re.search(r"[!^<>&|]", outside) and line.count("%") < 2


def _shielded(word: str) -> str:
    """With carets, so that cmd.exe sees no quotes at all where it would misunderstand them."""
    if word.count('"') > 2 or "%" in word:
        return re.sub(r'([()%!^"<>&|])', r"^\1", word)
    return word
