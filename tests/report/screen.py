"""A terminal: runs a program on a pseudo-terminal and reads what stands on the screen afterwards."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_CODE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


@dataclass
class Screen:
    """What was printed, raw, and the screen that it makes: lines without colours, nothing scrolled away."""

    raw: str
    lines: list[str] = field(default_factory=lambda: [""])
    cursor_visible: bool = True
    _row: int = 0
    _column: int = 0

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)


def run_on_terminal(
    program: Path, *, environ: Mapping[str, str], columns: int = 80, interrupt_at: str = ""
) -> Screen:
    """Run a Python program; send it Ctrl-C once it has printed `interrupt_at`."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.execve(sys.executable, [sys.executable, str(program)], dict(environ))
    raw = b""
    while piece := _read(terminal):
        raw += piece
        if interrupt_at and interrupt_at.encode() in raw:
            os.kill(child, signal.SIGINT)
            interrupt_at = ""
    os.waitpid(child, 0)
    os.close(terminal)
    return draw(raw.decode(errors="replace"), columns)


def draw(raw: str, columns: int) -> Screen:
    """Follow the few codes that a live display needs."""
    screen = Screen(raw)
    at = 0
    while at < len(raw):
        code = _CODE.match(raw, at)
        if code:
            _control(screen, code[1], code[2])
            at = code.end()
        else:
            _put(screen, raw[at], columns)
            at += 1
    return screen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the last program has gone
        return b""


def _control(screen: Screen, argument: str, letter: str) -> None:
    match letter:
        case "A":
            screen._row = max(0, screen._row - int(argument or 1))
        case "K":
            screen.lines[screen._row] = ""
        case "h" | "l" if argument == "?25":
            screen.cursor_visible = letter == "h"
        case _:
            pass


def _put(screen: Screen, char: str, columns: int) -> None:
    if char == "\r":
        screen._column = 0
        return
    if char == "\n" or screen._column == columns:
        screen._row, screen._column = screen._row + 1, 0
        while len(screen.lines) <= screen._row:
            screen.lines.append("")
    if char != "\n":
        line = screen.lines[screen._row].ljust(screen._column)
        screen.lines[screen._row] = line[: screen._column] + char + line[screen._column + 1 :]
        screen._column += 1
