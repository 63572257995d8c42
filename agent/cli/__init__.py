"""The command line: options in, one call, an exit code out. What a command does is in the module it imports.

Heavy modules are imported by the command that needs them, so that `dockwright --version` answers at once.
"""

from agent.cli.main import main

__all__ = ["main"]
