"""The WinRM server of the tests, as pywinrm's own client meets it: what other tests rely on."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from tests.winrm import soap
from tests.winrm.command_line import split
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Settings

PASSWORD = "Pässwörd 1"
Serve = Callable[..., WinRMServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def started(**settings: object) -> WinRMServer:
            programs = {name: path for name in ("cat", "sleep", "true") if (path := shutil.which(name))}
            plain = Settings(root=prepared(tmp_path), password=PASSWORD, programs=programs)
            return stack.enter_context(serving(replace(plain, **settings)))  # type: ignore[arg-type]

        yield started


def client(server: WinRMServer, password: str = PASSWORD, seconds: int = 20) -> Protocol:
    return Protocol(
        f"http://127.0.0.1:{server.port}/wsman",
        "ntlm",
        "deployer",
        password,
        proxy=None,
        ca_trust_path=None,  # type: ignore[arg-type]  # its way to say: not by the environment
        operation_timeout_sec=seconds,
        read_timeout_sec=seconds + 10,
    )


def fault_code(error: WSManFaultError) -> int | None:
    return error.wsman_fault_code


def test_command_runs_with_input_and_output(serve: Serve) -> None:
    protocol = client(serve())
    shell = protocol.open_shell(env_vars={"GREETING": "hello"})
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    data = bytes(range(256)) * 300
    protocol.send_command_input(shell, command, data, end=True)
    assert protocol.get_command_output(shell, command) == (data, b"", 0)
    protocol.cleanup_command(shell, command)
    echo = protocol.run_command(shell, "echo", ["%GREETING%", '"a b"'])
    assert protocol.get_command_output(shell, echo) == (b"hello a b\r\n", b"", 0)
    protocol.close_shell(shell)


def test_wrong_password_is_refused(serve: Serve) -> None:
    with pytest.raises(InvalidCredentialsError):
        client(serve(), "wrong").open_shell()


def test_program_that_is_not_there_ends_with_1_as_with_cmd(serve: Serve) -> None:
    protocol = client(serve())
    shell = protocol.open_shell()
    _, error, code = protocol.get_command_output(shell, protocol.run_command(shell, "nosuch"))
    assert code == 1
    assert b"'nosuch' is not recognized as an internal or external command" in error


def test_files_are_made_below_the_machines_root(serve: Serve) -> None:
    server = serve()
    protocol = client(server)
    shell = protocol.open_shell()
    for line in ('mkdir "C:\\a b"', 'cmd /c echo text> "C:\\a b\\file"'):
        program, *rest = line.split(" ", 1)
        assert protocol.get_command_output(shell, protocol.run_command(shell, program, rest))[2] == 0
    assert (server.settings.root / "C" / "a b" / "file").read_bytes() == b"text\r\n"


def test_silence_is_a_timeout_after_the_time_asked_for(serve: Serve) -> None:
    protocol = client(serve(), seconds=1)
    shell = protocol.open_shell()
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, protocol.run_command(shell, "sleep", ["30"]))


def test_same_message_gets_the_same_answer_and_another_the_next(serve: Serve) -> None:
    server = serve()
    protocol = client(server, seconds=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    protocol.send_command_input(shell, command, b"once")
    process = server.machine.shells[shell].commands[command]
    first = process.receive("uuid:1", 5)
    assert first == process.receive("uuid:1", 5) == ([("stdout", b"once")], None)
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)


def test_second_receive_at_once_is_refused(serve: Serve) -> None:
    server = serve()
    protocol, other = client(server, seconds=2), client(server)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep", ["30"])

    def wait() -> None:
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)

    waiting = threading.Thread(target=wait)
    waiting.start()
    sleep(0.5)
    with pytest.raises(WSManFaultError) as caught:
        other.get_command_output_raw(shell, command)
    assert fault_code(caught.value) == soap.CONCURRENCY
    waiting.join()


def test_input_goes_on_after_a_timeout_and_more_is_refused_meanwhile(serve: Serve) -> None:
    protocol = client(serve(), seconds=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep", ["30"], console_mode_stdin=False)
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.send_command_input(shell, command, b"x" * 100_000)
    with pytest.raises(WSManFaultError) as caught:
        protocol.send_command_input(shell, command, b"x")
    assert fault_code(caught.value) == soap.BUSY


def test_shell_quota_and_unknown_shells_are_faults(serve: Serve) -> None:
    protocol = client(serve(max_shells_per_user=1))
    shell = protocol.open_shell()
    with pytest.raises(WSManFaultError) as caught:
        protocol.open_shell()
    assert fault_code(caught.value) == soap.TOO_MANY_SHELLS
    protocol.close_shell(shell, close_session=False)
    with pytest.raises(WSManFaultError) as caught:
        protocol.run_command(shell, "true")
    assert fault_code(caught.value) == soap.NO_SUCH_SHELL


def test_idle_shells_end(serve: Serve) -> None:
    server = serve(idle_seconds=0.2)
    protocol = client(server)
    shell = protocol.open_shell()
    sleep(0.4)
    with pytest.raises(WSManFaultError) as caught:
        protocol.run_command(shell, "true")
    assert fault_code(caught.value) == soap.NO_SUCH_SHELL


def test_envelope_beyond_the_limit_is_http_413_without_soap(serve: Serve) -> None:
    protocol = client(serve(max_envelope_kb=50))
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    with pytest.raises(WinRMTransportError) as caught:
        protocol.send_command_input(shell, command, b"x" * 50_000)
    assert caught.value.code == 413


def test_deleting_a_shell_ends_what_runs_in_it(serve: Serve) -> None:
    server = serve()
    protocol = client(server)
    shell = protocol.open_shell()
    protocol.run_command(shell, "sleep", ["30"])
    assert len(server.machine.running()) == 1
    protocol.close_shell(shell)
    assert server.machine.running() == []


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ('"abc" d e', ["abc", "d", "e"]),
        ('a\\\\b d"e f"g h', ["a\\\\b", "de fg", "h"]),
        ('a\\\\\\"b c d', ['a\\"b', "c", "d"]),
        ('a\\\\\\\\"b c" d e', ["a\\\\b c", "d", "e"]),
        ('a"b"" c d', ['ab" c d']),
        ('x "" y', ["x", "", "y"]),
    ],
)
def test_lines_are_split_as_microsofts_documentation_says(line: str, arguments: list[str]) -> None:
    assert split(line) == arguments
