"""A container host behind WinRM: `winrm://user@host`."""

from windows.winrm.host import connect
from windows.winrm.shell import WinRMShell

__all__ = ["WinRMShell", "connect"]
