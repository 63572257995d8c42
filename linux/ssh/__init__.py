"""A container host behind SSH: `ssh://user@host`."""

from linux.ssh import installer
from linux.ssh.host import connect, open_shell
from linux.ssh.shell import SSHShell

__all__ = ["SSHShell", "connect", "installer", "open_shell"]
