"""The few programs of Windows that clients of the tests may ask for, besides those in the settings.

`cmd /c` with mkdir, rmdir, del, type, echo and findstr; where; and paths such as `C:\\Users\\x` that become
folders below the machine's root.
"""

from __future__ import annotations

import ntpath
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.winrm.command_line import Line, parse
from tests.winrm.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Native:
    """What really runs: a program of this machine, and the file its output goes to."""

    arguments: Sequence[str]
    output: Path | None = None


def resolve(line: str, environment: Mapping[str, str], settings: Settings) -> Native:
    """The program of this machine that does what the line says. Nothing is run yet."""
    try:
        parsed = parse(line, environment)
        return _resolve(parsed, environment, settings)
    except ValueError as error:
        return _printing("", str(error), 1)


def native_path(text: str, root: Path) -> str:
    """`C:\\Users\\x` and `C:/Users/x` as a path below the root; anything else as it is."""
    found = re.fullmatch(r"(?s)([A-Za-z]):[\\/](.*)", text)
    if found is None:
        return text
    inside = ntpath.normpath(found[2]).replace("\\", "/").lstrip("./") if found[2] else ""
    return str(root / found[1].upper() / inside)


def _resolve(line: Line, environment: Mapping[str, str], settings: Settings) -> Native:
    if not line.arguments:
        return _printing("", "", 0)
    name = ntpath.basename(line.arguments[0]).lower().removesuffix(".exe")
    rest = line.arguments[1:]
    output = Path(native_path(line.output, settings.root).replace("\\", "/")) if line.output else None
    if name == "cmd":
        return _in_shell(rest, environment, settings, output)
    if name in _BUILT_IN:
        native = [native_path(a, settings.root) for a in rest]
        return Native(arguments=[sys.executable, "-I", "-c", _BUILT_IN[name], *native], output=output)
    if name == "where":
        there = bool(rest) and rest[-1].lower().removesuffix(".exe") in settings.programs
        found = _printing(f"C:\\Program Files\\{rest[-1]}", "", 0) if there else _printing("", "INFO: not found", 1)
        return _redirected(found, output)
    program = settings.programs.get(name)
    if program is None or shutil.which(program) is None:
        message = f"'{line.arguments[0]}' is not recognized as an internal or external command,\r\n"
        return _printing("", f"{message}operable program or batch file.\r\n", 1)
    return Native(arguments=[program, *(_translated(a, settings.root) for a in rest)], output=output)


def _in_shell(
    arguments: Sequence[str], environment: Mapping[str, str], settings: Settings, output: Path | None
) -> Native:
    """`cmd /c ...`: the rest is a line once more."""
    inner = [a for a in arguments if not a.startswith("/")]
    if not any(a.lower() == "/c" for a in arguments):
        return _printing("", "", 0)
    line = inner[0] if len(inner) == 1 else _joined(inner)
    return _redirected(resolve(line, environment, settings), output)


def _translated(argument: str, root: Path) -> str:
    """Paths inside options, `--config=C:\\x` and `id=x,src=C:\\x`, too."""
    if native := re.fullmatch(r"(?s)(--?[\w-]+=|(?:[\w-]+=[^,]*,)*src=)([A-Za-z]:[\\/].*)", argument):
        return native[1] + native_path(native[2], root)
    return native_path(argument, root)


def _joined(arguments: Sequence[str]) -> str:
    return " ".join(f'"{a}"' if " " in a or not a else a for a in arguments)


def _redirected(native: Native, output: Path | None) -> Native:
    return Native(arguments=native.arguments, output=output or native.output)


def _printing(out: str, err: str, code: int) -> Native:
    script = "import sys; sys.stdout.write(sys.argv[1]); sys.stderr.write(sys.argv[2]); sys.exit(int(sys.argv[3]))"
    return Native(arguments=[sys.executable, "-I", "-c", script, out, err, str(code)])


_BUILT_IN = {
    "mkdir": "import os, sys; [os.makedirs(p) for p in sys.argv[1:]]",
    "md": "import os, sys; [os.makedirs(p) for p in sys.argv[1:]]",
    "rmdir": "import shutil, sys; [shutil.rmtree(p) for p in sys.argv[1:] if p.lower() not in ('/s', '/q')]",
    "rd": "import shutil, sys; [shutil.rmtree(p) for p in sys.argv[1:] if p.lower() not in ('/s', '/q')]",
    "del": "import os, sys; [os.unlink(p) for p in sys.argv[1:] if p.lower() not in ('/f', '/q')]",
    "type": "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer)",
    "echo": "import sys; print(' '.join(sys.argv[1:]), end='\\r\\n')",
    "findstr": "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)",
    "more": "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)",
    "exit": "import sys; sys.exit(int(sys.argv[-1]))",
}
