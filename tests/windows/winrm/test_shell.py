"""Programs on a Windows machine: what goes in, what comes out, and that nothing of them stays."""

from __future__ import annotations

import hashlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest

from agent.engine import stream_pair
from agent.engine.shell import Command
from agent.errors import HostError
from tests.patience import PATIENCE, eventually
from tests.windows.winrm.conftest import Machine, OpenMachine

ALL_BYTES = bytes(range(256))


def test_output_error_and_exit_code_come_apart(machine: Machine) -> None:
    ran = machine.run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ran.code, ran.output, ran.error) == (3, b"out\n", b"err\n")


def test_input_and_output_are_carried_byte_by_byte(machine: Machine) -> None:
    data = [os.urandom(70_000) + ALL_BYTES for _ in range(30)]
    assert machine.run("cat", standard_input=data).output == b"".join(data)


def test_empty_input_ends(machine: Machine) -> None:
    assert machine.run("cat", standard_input=()).output == b""


def test_input_that_nobody_wants_is_not_an_error(machine: Machine) -> None:
    ran = machine.run("head", "-c", "10", standard_input=(b"x" * 100_000 for _ in range(200)))
    assert (ran.code, ran.output) == (0, b"x" * 10)


def test_output_arrives_while_the_program_runs(machine: Machine) -> None:
    arrived = threading.Event()

    def answer() -> Iterator[bytes]:
        yield b"too late\n" if not arrived.wait(PATIENCE) else b"heard\n"

    output = bytearray()

    def hear(piece: bytes) -> None:
        output.extend(piece)
        arrived.set()

    command = Command(arguments=("sh", "-c", 'echo first; read answer; echo "$answer"'), standard_input=answer())
    machine.shell.run(command, hear, hear)
    assert output == b"first\nheard\n"


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "a b",
        'say "hello"',
        "path with blank\\",
        "100%",
        "%PATH%",
        "a&b|c<d>e^f",
        "(x)",
        "--format={{json .}}",
        "ü€",
    ],
)
def test_arguments_arrive_as_they_are(machine: Machine, argument: str) -> None:
    ran = machine.run("sh", "-c", 'printf "%s|" "$@"', "sh", argument, "end")
    assert ran.output.decode() == f"{argument}|end|"


def test_line_break_in_an_argument_is_refused(machine: Machine) -> None:
    with pytest.raises(HostError, match="line break"):
        machine.run("sh", "a\nb")


def test_variables_reach_the_program_and_no_other(machine: Machine) -> None:
    ran = machine.run("printenv", "DOCKER_CONFIG", environment={"DOCKER_CONFIG": "C:\\Temp & <x>"})
    assert ran.output == b"C:\\Temp & <x>\n"
    assert machine.run("printenv", "DOCKER_CONFIG").code == 1
    assert len(machine.server.machine.shells) == 1


def test_variables_of_several_lines_arrive_as_they_are(machine: Machine) -> None:
    value = "-----BEGIN-----\r\n  <a>&amp;\ttab\n"
    assert machine.run("printenv", "KEY", environment={"KEY": value}).output.decode() == f"{value}\n"


def test_variable_that_cannot_be_carried_is_refused(machine: Machine) -> None:
    with pytest.raises(HostError, match="the variable KEY has a character that WinRM cannot carry"):
        machine.run("true", environment={"KEY": "secret\x00"})


def test_program_that_is_not_there_is_127(machine: Machine) -> None:
    assert machine.run("nosuch", "x").code == 127


def test_failing_program_that_names_itself_is_not_taken_for_missing(machine: Machine) -> None:
    assert machine.run("sh", "-c", "echo \"'sh' failed\" >&2; exit 1").code == 1


def test_program_that_runs_too_long_is_ended(machine: Machine) -> None:
    with pytest.raises(HostError, match=r"'sleep 30': it has not ended within 1 s, and was ended$") as caught:
        machine.run("sleep", "30", timeout=1)
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert machine.server.machine.running() == []


def test_program_that_says_nothing_is_ended(machine: Machine) -> None:
    with pytest.raises(HostError, match="said nothing for 1 s"):
        machine.run("sleep", "30", silence=1)
    assert machine.server.machine.running() == []


def test_failure_of_the_input_ends_the_program_and_is_what_is_told(machine: Machine) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        machine.run("cat", standard_input=broken())
    assert machine.server.machine.running() == []


def test_one_shell_serves_many_commands_and_is_deleted(machine: Machine) -> None:
    for _ in range(5):
        machine.run("true")
    assert machine.server.asked.count("Create") == 1
    machine.shell.close()
    assert machine.server.machine.shells == {}


def test_commands_run_beside_each_other(machine: Machine) -> None:
    results: list[bytes] = []

    def digest(number: int) -> None:
        ran: list[bytes] = []
        command = Command(arguments=("sha256sum",), standard_input=[bytes([number]) * 500_000])
        machine.shell.run(command, ran.append, ran.append)
        results.append(b"".join(ran)[:64])

    threads = [threading.Thread(target=digest, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(hashlib.sha256(bytes([n]) * 500_000).hexdigest().encode() for n in range(8))


def test_opened_program_answers_and_half_close_ends_its_input(machine: Machine) -> None:
    with closing(machine.shell.open(Command(arguments=("cat",)))) as stream:
        stream.settimeout(PATIENCE)
        stream.sendall(b"ping")
        assert stream.recv(100) == b"ping"
        data = os.urandom(900_000)

        def send() -> None:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert read_all(stream) == data
        sender.join()


def test_closing_the_stream_ends_the_program(machine: Machine) -> None:
    stream = machine.shell.open(Command(arguments=("sleep", "600")))
    eventually(lambda: bool(machine.server.machine.running()))
    stream.close()
    eventually(lambda: not machine.server.machine.running())


def test_streams_need_no_poll_which_windows_has_not(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_pair, "select", SimpleNamespace(select=select.select))
    test_opened_program_answers_and_half_close_ends_its_input(machine)
    test_closing_the_stream_ends_the_program(machine)


def test_end_of_the_program_ends_the_stream(machine: Machine) -> None:
    with closing(machine.shell.open(Command(arguments=("sh", "-c", "echo bye")))) as stream:
        stream.settimeout(PATIENCE)
        assert read_all(stream) == b"bye\n"


def test_stream_that_no_attempt_can_mend_ends_with_the_reason(open_machine: OpenMachine) -> None:
    machine = open_machine(max_envelope_kb=4, answers_configuration=False)
    with closing(machine.shell.open(Command(arguments=("cat",)))) as stream, stream.makefile("rb") as file:
        stream.settimeout(PATIENCE)
        stream.sendall(bytes(100_000))
        with pytest.raises(ConnectionAbortedError, match="raise MaxEnvelopeSizekb") as caught:
            file.read()
    assert isinstance(caught.value.__cause__, HostError)


def test_stream_whose_machine_is_lost_just_ends(machine: Machine) -> None:
    with closing(machine.shell.open(Command(arguments=("cat",)))) as stream, stream.makefile("rb") as file:
        stream.settimeout(PATIENCE)
        machine.server.reboot(0)
        assert file.read() == b""


def test_more_commands_than_a_shell_may_run_get_a_second_shell(open_machine: OpenMachine) -> None:
    machine = open_machine(max_processes_per_shell=4)
    streams = [machine.shell.open(Command(arguments=("sleep", "60"))) for _ in range(6)]
    assert len(machine.server.machine.shells) == 2
    for stream in streams:
        stream.close()


def read_all(stream: socket.socket) -> bytes:
    pieces = []
    while piece := stream.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
