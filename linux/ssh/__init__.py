"""A container host behind SSH: `ssh://user@host`."""

from linux.ssh.host import connect, open_shell
from linux.ssh.shell import SSHShell

__all__ = ["SSHShell", "connect", "open_shell"]
