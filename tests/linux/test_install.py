"""Installing the agent, on a throw-away view of this machine: its files change, the machine's do not."""

from __future__ import annotations

import configparser
import os
import signal
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from socket import socket

import pytest

from agent.commands.installing import own_wheel
from agent.engine.shell import ByteSink, Command
from agent.errors import HostError
from agent.host import HostAddress, OperatingSystem
from linux.install import install, uninstall
from linux.ssh import open_shell
from tests.ssh.server import serving

ROOT = Path(__file__).parents[2]
_OVERLAY = """
for place in etc opt var/lib home; do
    mkdir -p {scratch}/$place/upper {scratch}/$place/work
    mount -t overlay overlay -o lowerdir=/$place,upperdir={scratch}/$place/upper,workdir={scratch}/$place/work /$place
done
touch {scratch}/ready
exec sleep 1000
"""


class NamespaceShell:
    """A Shell in a mount namespace where /etc, /opt and /var/lib are written to a scratch folder."""

    url = "ssh://scratch"
    address = "127.0.0.1"
    operating_system: OperatingSystem = "linux"

    def __init__(self, process: int) -> None:
        self.enter = ["nsenter", f"--mount=/proc/{process}/ns/mnt", "--"]

    def run(self, command: Command, output: ByteSink, error: ByteSink) -> int:
        given = b"".join(command.standard_input or ())
        ended = subprocess.run([*self.enter, *command.arguments], input=given, capture_output=True, check=False)
        output(ended.stdout)
        error(ended.stderr)
        return ended.returncode

    def text(self, *arguments: str) -> str:
        out = bytearray()
        assert self.run(Command(arguments=arguments), out.extend, lambda _data: None) == 0
        return out.decode()

    def open(self, command: Command) -> socket:
        raise AssertionError(f"nothing is opened: {command}")

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def scratch_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamespaceShell]:
    scratch = tmp_path_factory.mktemp("scratch")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch], check=True)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _OVERLAY.format(scratch=scratch)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        while not (scratch / "ready").exists():
            assert process.poll() is None, "the namespace could not be made"
        yield NamespaceShell(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        subprocess.run(["umount", scratch], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_wheel(tmp_path_factory.mktemp("wheel"))


def test_wheel_holds_all_that_an_agent_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "agent/cli/main.py",
        "steps/source_image/__init__.py",
        "linux/dockwright.service",
        "windows/iis/site.py",
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith("tests/")]


@pytest.mark.system
@pytest.mark.timeout(600)
def test_agent_is_installed_again_and_taken_away(scratch_machine: NamespaceShell, wheel: Path) -> None:
    told: list[str] = []
    known = install(scratch_machine, wheel, told.append, service=False)
    assert "thumbprint" in known
    trusting = known.splitlines()[-1].partition(": ")[2].partition(" add NAME")[0]
    assert scratch_machine.text("sh", "-c", f"{trusting} show --home /var/lib/dockwright") in known
    assert scratch_machine.text("/opt/dockwright/bin/dockwright", "--version").startswith("dockwright ")
    assert not Path("/opt/dockwright").exists()
    assert scratch_machine.text("stat", "-c", "%U %a", "/var/lib/dockwright").split() == ["dockwright", "700"]
    writable = scratch_machine.text("find", "/opt/dockwright", "-perm", "/022", "-not", "-type", "l")
    assert writable == ""
    uninstall(scratch_machine, told.append)
    assert scratch_machine.text("sh", "-c", "ls /opt; ls /var/lib/dockwright").split().count("service") == 1
    uninstall(scratch_machine, told.append, purge=True)
    assert scratch_machine.text("sh", "-c", "ls -d /var/lib/dockwright 2>/dev/null || true") == ""


@pytest.mark.system
@pytest.mark.timeout(600)
def test_agent_is_installed_over_ssh(scratch_machine: NamespaceShell, wheel: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with (
        serving(tmp_path, within=scratch_machine.enter) as server,
        closing(open_shell(HostAddress(url=server.url()))) as shell,
    ):
        assert "thumbprint" in install(shell, wheel, told.append, service=False)
        assert scratch_machine.text("/opt/dockwright/bin/dockwright", "--version").startswith("dockwright ")
        uninstall(shell, told.append, purge=True)
    assert scratch_machine.text("sh", "-c", "ls -d /opt/dockwright /var/lib/dockwright 2>/dev/null || true") == ""
    assert not Path("/opt/dockwright").exists()


def test_wheel_that_cannot_be_installed_leaves_nothing_in_place(
    scratch_machine: NamespaceShell, tmp_path: Path
) -> None:
    broken = tmp_path / "dockwright-9-py3-none-any.whl"
    broken.write_bytes(b"not a wheel")
    with pytest.raises(HostError, match="cannot install the agent"):
        install(scratch_machine, broken, lambda _text: None, service=False)
    assert scratch_machine.text("sh", "-c", "ls -d /opt/dockwright 2>/dev/null || true") == ""


class _Missing(NamespaceShell):
    """A machine without something."""

    def __init__(self, program: str) -> None:
        self._program = program

    def run(self, command: Command, output: ByteSink, error: ByteSink) -> int:
        if list(command.arguments)[-1] == "-u":
            output(b"0\n")
            return 0
        error(f"{self._program} is not installed\n".encode())
        return 3


@pytest.mark.parametrize("program", ["python3", "docker"])
def test_what_is_missing_there_is_told(program: str, wheel: Path) -> None:
    with pytest.raises(HostError, match=f"cannot prepare the host: {program} is not installed"):
        install(_Missing(program), wheel, lambda _text: None)


def test_unit_lets_running_deployments_live_and_the_agent_do_little_else() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "linux" / "dockwright.service")
    service = unit["Service"]
    assert service["KillMode"] == "process"
    assert service["Restart"] == "always"
    assert service["User"] == "dockwright"
    hardened: Sequence[str] = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID")
    assert all(service[name] == "yes" for name in hardened)
