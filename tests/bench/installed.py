"""The command as users have it: an installer compiles modules once, an editable installation does not."""

from __future__ import annotations

import compileall
from pathlib import Path

ROOT = Path(__file__).parents[2]


def compile_packages() -> None:
    """Bytecode for the modules of the command that is measured; nothing to do where it is up to date."""
    for name in ("agent", "steps", "linux", "windows"):
        compileall.compile_dir(ROOT / name, quiet=2)
