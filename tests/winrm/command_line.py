"""Command lines as cmd.exe and the C runtime of Windows read them, as far as an agent sends such lines.

One program, its arguments, `%VARIABLES%`, carets, quotes, `>` and `<`. No pipes, no blocks, no batch files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line taken apart. `output` and `input` are the files that it was told to use."""

    arguments: list[str] = field(default_factory=list)
    output: str = ""
    input: str = ""


def parse(line: str, environment: Mapping[str, str]) -> Line:
    """In the order of cmd.exe: percent signs, then carets and redirection, then the program's own splitting.

    ValueError for operators that are not emulated.
    """
    plain, output, source = _redirected(_expanded(line, environment))
    return Line(arguments=split(plain), output=output, input=source)


def split(line: str) -> list[str]:
    """As CommandLineToArgvW: backslashes count before a quote only, and a doubled quote inside quotes is one."""
    arguments: list[str] = []
    current, quoted, started, position = "", False, False, 0
    while position < len(line):
        backslashes = len(line) - position - len(line[position:].lstrip("\\"))
        position += backslashes
        following = line[position : position + 1]
        if following == '"':
            current += "\\" * (backslashes // 2)
            started = True
            if backslashes % 2:
                current += '"'
            elif quoted and line[position + 1 : position + 2] == '"':
                current += '"'
                position += 1
            else:
                quoted = not quoted
            position += 1
            continue
        current += "\\" * backslashes
        started = started or backslashes > 0
        if following in (" ", "\t") and following and not quoted:
            if started:
                arguments.append(current)
            current, started = "", False
        else:
            current += following
            started = started or bool(following)
        position += 1
    if started:
        arguments.append(current)
    return arguments


def _expanded(line: str, environment: Mapping[str, str]) -> str:
    """A name that is not set stays as it was written, as on an interactive line."""
    known = {name.lower(): value for name, value in environment.items()}
    return re.sub(r"%([^%]+)%", lambda found: known.get(found[1].lower(), found[0]), line)


def _redirected(line: str) -> tuple[str, str, str]:
    plain, files, quoted, position = "", {">": "", "<": ""}, False, 0
    while position < len(line):
        character = line[position]
        position += 1
        if character == "^" and not quoted:
            plain += line[position : position + 1]
            position += 1
        elif character in "<>" and not quoted:
            found = re.compile(r'\s*("[^"]*"|\S+)').match(line, position)
            if found is None:
                raise ValueError("The syntax of the command is incorrect.")
            files[character] = found[1].strip('"')
            position = found.end()
        elif character in "&|" and not quoted:
            raise ValueError(f"{character} was unexpected at this time.")
        else:
            quoted ^= character == '"'
            plain += character
    return plain, files[">"], files["<"]
