"""Whether this machine is a Windows one. Quick to load: it is asked wherever nobody names a host."""

from __future__ import annotations

import sys


def at_home() -> bool:
    """Whether the engine on this machine is one behind a named pipe."""
    return sys.platform == "win32"
