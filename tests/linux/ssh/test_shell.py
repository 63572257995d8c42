"""Programs over SSH: what goes in, what comes out, and what happens when the way is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.engine.shell import Command
from agent.errors import HostError
from agent.host import HostAddress
from linux.ssh import SSHShell, open_shell
from linux.ssh.connection import Patience
from linux.ssh.target import read
from tests.patience import eventually
from tests.ssh.server import CuttingProxy, SSHServer, cutting, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def shell(server: SSHServer) -> Iterator[SSHShell]:
    with closing(open_shell(HostAddress(url=server.url()))) as shell:
        yield shell


def ended(shell: SSHShell, command: Command) -> tuple[int, bytes, bytes]:
    out, errors = bytearray(), bytearray()
    code = shell.run(command, out.extend, errors.extend)
    return code, bytes(out), bytes(errors)


def test_output_errors_and_exit_code_come_back(shell: SSHShell) -> None:
    command = Command(arguments=["sh", "-c", "echo out; echo wrong >&2; exit 3"])
    assert ended(shell, command) == (3, b"out\n", b"wrong\n")


@pytest.mark.parametrize("text", ["a b", "it's", '"$HOME" `id`', "a\\'b", "line\nbreak", "Grüße", "--", "", "*;&|<>"])
def test_arguments_arrive_as_they_are(shell: SSHShell, text: str) -> None:
    assert ended(shell, Command(arguments=["printf", "%s", text]))[1] == text.encode()


def test_environment_arrives(shell: SSHShell) -> None:
    command = Command(arguments=["sh", "-c", 'printf %s "$GREETING"'], environment={"GREETING": "it's $me"})
    assert ended(shell, command)[1] == b"it's $me"


def test_program_that_is_not_there_gives_127(shell: SSHShell) -> None:
    assert ended(shell, Command(arguments=["no-such-program"]))[0] == 127


def test_bytes_pass_unchanged_both_ways_at_once(shell: SSHShell) -> None:
    pieces = [bytes(range(256)) * 4096] * 8
    code, out, _ = ended(shell, Command(arguments=["cat"], standard_input=pieces, timeout=60))
    assert (code, out) == (0, b"".join(pieces))


def test_program_that_ends_before_its_input_is_no_failure(shell: SSHShell) -> None:
    endless = (b"x" * 65536 for _ in iter(int, 1))
    assert ended(shell, Command(arguments=["head", "-c", "3"], standard_input=endless, timeout=30))[:2] == (0, b"xxx")


def test_input_that_fails_is_what_failed(shell: SSHShell) -> None:
    def source() -> Iterator[bytes]:
        yield b"begin"
        raise HostError("the file is gone")

    with pytest.raises(HostError, match="the file is gone"):
        ended(shell, Command(arguments=["cat"], standard_input=source(), timeout=30))


@pytest.mark.parametrize(("timeout", "silence"), [(1, 0), (0, 1)])
def test_program_that_takes_too_long_is_ended(shell: SSHShell, timeout: float, silence: float) -> None:
    seconds = f"86{timeout}{silence}{os.getpid()}"
    with pytest.raises(HostError, match="was ended") as failed:
        ended(shell, Command(arguments=["sleep", seconds], timeout=timeout, silence=silence))
    assert isinstance(failed.value.__cause__, TimeoutError)
    look = ["pgrep", "-f", f"^sleep {seconds}$"]
    eventually(lambda: subprocess.run(look, check=False, capture_output=True).returncode == 1)


def test_program_that_closes_its_output_is_waited_for_and_held_to_its_time(shell: SSHShell) -> None:
    command = Command(arguments=["sh", "-c", 'exec >&- 2>&-; sleep "$0"; exit 3', "0.5"])
    assert ended(shell, command) == (3, b"", b"")
    with pytest.raises(HostError, match="has not ended within 1 s"):
        ended(shell, replace(command, arguments=[*command.arguments[:3], "30"], timeout=1))


def test_greeting_of_a_login_shell_is_no_obstacle(tmp_path: Path) -> None:
    greeting = tmp_path / "greeting"
    greeting.write_text(
        '#!/bin/sh\nprintf "welcome\\n86\\n" >&2\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n', encoding="utf-8"
    )
    greeting.chmod(0o755)
    with (
        serving(tmp_path, more=f"ForceCommand {greeting}") as server,
        closing(open_shell(HostAddress(url=server.url()))) as shell,
    ):
        command = Command(arguments=["sh", "-c", "echo wrong >&2"])
        assert ended(shell, command) == (0, b"", b"welcome\n86\nwrong\n")
        with pytest.raises(HostError, match="was ended"):
            ended(shell, Command(arguments=["sleep", "86"], timeout=1))
        eventually(lambda: not any("sleep" in line for line in server.programs()))


def test_stream_carries_both_ways_and_ends_with_its_input(shell: SSHShell) -> None:
    with closing(shell.open(Command(arguments=["cat"]))) as stream:
        stream.settimeout(20)
        stream.sendall(b"hello")
        assert stream.recv(100) == b"hello"
        stream.shutdown(1)
        assert stream.recv(100) == b""


def test_stream_that_is_closed_ends_its_program(server: SSHServer, shell: SSHShell) -> None:
    mark = f"86123{os.getpid()}"
    stream = shell.open(Command(arguments=["sh", "-c", 'echo begun; exec cat - "$0"', mark]))
    stream.settimeout(60)
    assert stream.recv(100) == b"begun\n"
    eventually(lambda: any(mark in line for line in server.programs()))
    stream.close()
    eventually(lambda: not any(mark in line for line in server.programs()))


@pytest.fixture
def proxy(server: SSHServer) -> Iterator[CuttingProxy]:
    with cutting(server.port) as proxy:
        yield proxy


def test_lost_connection_is_said_and_made_again(server: SSHServer, proxy: CuttingProxy) -> None:
    with closing(open_shell(HostAddress(url=server.at(proxy.port).url()))) as shell:
        assert ended(shell, Command(arguments=["echo", "one"]))[1] == b"one\n"
        proxy.cut_at = proxy.pieces + 12
        with pytest.raises(HostError, match="the SSH connection was lost") as failed:
            ended(shell, Command(arguments=["sh", "-c", "while :; do echo x; sleep 0.05; done"], timeout=30))
        assert isinstance(failed.value.__cause__, ConnectionError)
        assert ended(shell, Command(arguments=["echo", "two"]))[1] == b"two\n"


def test_machine_that_stays_away_is_given_up_and_not_waited_for_again(server: SSHServer, proxy: CuttingProxy) -> None:
    target = read(HostAddress(url=server.at(proxy.port).url()))
    with closing(SSHShell(target, patience=Patience(away=6))) as shell:
        assert ended(shell, Command(arguments=["echo", "one"]))[1] == b"one\n"
        proxy.refusing, proxy.cut_at = True, proxy.pieces + 1
        for refused in (True, False):
            before = proxy.refusals
            with pytest.raises(HostError, match=r"(does not speak SSH|connection was lost)"):
                ended(shell, Command(arguments=["true"]))
            assert (proxy.refusals > before + 1) == refused
        proxy.refusing = False
        assert ended(shell, Command(arguments=["echo", "two"]))[1] == b"two\n"


def test_connection_over_which_nothing_passes_any_more_is_left_for_another(
    server: SSHServer, proxy: CuttingProxy
) -> None:
    with closing(open_shell(HostAddress(url=server.at(proxy.port).url()))) as shell:
        assert ended(shell, Command(arguments=["echo", "one"]))[1] == b"one\n"
        proxy.stalls, proxy.cut_at = True, proxy.pieces + 1
        assert ended(shell, Command(arguments=["echo", "two"]))[1] == b"two\n"
        assert proxy.cuts == 1


def test_machine_that_hangs_while_a_program_runs_is_given_up(server: SSHServer, proxy: CuttingProxy) -> None:
    target = read(HostAddress(url=server.at(proxy.port).url()))
    with closing(SSHShell(target, patience=Patience(silent=5))) as shell:
        assert ended(shell, Command(arguments=["sh", "-c", "sleep 7; echo there"]))[1] == b"there\n"
        proxy.stalls, proxy.cut_at = True, proxy.pieces + 6
        with pytest.raises(HostError, match="the SSH connection was lost"):
            ended(shell, Command(arguments=["sh", "-c", "while :; do echo x; sleep 0.05; done"]))
        assert ended(shell, Command(arguments=["echo", "back"]))[1] == b"back\n"


def test_connection_that_is_cut_at_any_moment_ends_in_time(server: SSHServer, proxy: CuttingProxy) -> None:
    url = server.at(proxy.port).url()
    for moment in range(1, 22, 3):
        proxy.pieces, proxy.cut_at = 0, moment
        with suppress(HostError), closing(open_shell(HostAddress(url=url))) as shell:
            ended(shell, Command(arguments=["cat"], standard_input=[b"x" * 100_000], timeout=20))
    assert proxy.cuts >= 5
    proxy.cut_at = 0
    with closing(open_shell(HostAddress(url=url))) as shell:
        assert ended(shell, Command(arguments=["echo", "fine"]))[1] == b"fine\n"


def test_machine_without_room_for_sessions_is_said(tmp_path: Path) -> None:
    with (
        serving(tmp_path, more="MaxSessions 1") as server,
        closing(open_shell(HostAddress(url=server.url()))) as shell,
        closing(shell.open(Command(arguments=["cat"]))),
        pytest.raises(HostError, match="opens no more sessions"),
    ):
        ended(shell, Command(arguments=["true"]))
