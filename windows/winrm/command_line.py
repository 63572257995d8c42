"""Argument lists as one line that cmd.exe hands on unchanged: every command over WinRM goes through it.

A program takes its line apart by the rules of Microsoft's C runtime; cmd.exe looks at the same line first, with
rules of its own. What needs no protection gets none, and only what quotes cannot protect gets carets.
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
    program, *rest = [_quoted(argument) for argument in arguments]
    joined = " ".join(rest)
    if len(program) + len(joined) + 1 > LONGEST:
        raise HostError(f"'{arguments[0]}': the command has more than the {LONGEST} characters that cmd.exe takes")
    return program, joined


def _quoted(argument: str) -> str:
    if re.fullmatch(r"[\w./:\\@{}\[\]+*?#~$-]+", argument) and not argument.endswith("\\"):
        return argument
    quoted = '"' + _RUNS.sub(_doubled, argument) + '"'
    if '"' in argument or "%" in argument:
        return re.sub(r'([()%!^"<>&|])', r"^\1", quoted)
    return quoted


_RUNS = re.compile(r'(\\*)("|$)')
"""Backslashes count only before a quote, be it the closing one."""


def _doubled(found: re.Match[str]) -> str:
    return found[1] * 2 + ('\\"' if found[2] else "")
