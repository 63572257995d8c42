"""Who runs this, as far as the system tells: in containers a user often has neither a name nor a home."""

from __future__ import annotations

import getpass
from pathlib import Path

from agent.errors import InputError


def user_name() -> str:
    """The user's name, or "" for a user without one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # ImportError: Windows without $USERNAME
        return ""


def user_home() -> Path | None:
    """The user's home folder, whether or not it exists; None for a user who has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expanded(path: str) -> Path:
    """A path that may begin with `~` or `~name`. InputError if there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path}: no such home folder is known; give the whole path, or set HOME") from error
