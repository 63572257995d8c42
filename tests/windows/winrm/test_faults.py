"""What becomes of a command when something fails on the way: its result, or one clear line, and no orphan."""

from __future__ import annotations

import pytest

from agent.errors import HostError
from tests.windows.winrm.conftest import Machine, OpenMachine
from tests.winrm import soap
from tests.winrm.settings import Kind, Mishap

DATA = b"0123456789" * 90_000
ACTIONS = ("Create", "Command", "Receive", "Signal")


@pytest.mark.parametrize("kind", ["drop", "lose", "truncate", "reset", "error", "unauthorized", "delay"])
@pytest.mark.parametrize("action", ACTIONS)
def test_loss_of_a_request_is_made_good(machine: Machine, kind: Kind, action: str) -> None:
    machine.server.order(Mishap(kind=kind, action=action, seconds=0.2))
    assert machine.run("cat", standard_input=[DATA]).output == DATA
    assert machine.server.machine.lines.count("cat") == 1
    assert machine.server.machine.running() == []
    machine.shell.close()
    assert machine.server.machine.shells == {}


@pytest.mark.parametrize("kind", ["drop", "lose", "truncate", "reset", "error"])
def test_lost_input_is_never_sent_twice(machine: Machine, kind: Kind) -> None:
    machine.server.order(Mishap(kind=kind, action="Send", nth=2))
    with pytest.raises(HostError, match=r"connection was lost while input was sent to 'cat' .*run it again$"):
        machine.run("cat", standard_input=[DATA])
    assert machine.server.machine.running() == []
    assert machine.run("cat", standard_input=[DATA]).output == DATA


def test_input_that_was_not_let_in_is_sent_again(machine: Machine) -> None:
    machine.server.order(Mishap(kind="unauthorized", action="Send", nth=2))
    assert machine.run("cat", standard_input=[DATA]).output == DATA


def test_busy_machine_is_waited_for(machine: Machine) -> None:
    machine.server.order(*(Mishap(kind="fault", action="Send", nth=n, code=soap.BUSY) for n in (2, 3)))
    assert machine.run("cat", standard_input=[DATA]).output == DATA


def test_input_that_takes_long_to_be_accepted_counts_as_accepted(open_machine: OpenMachine) -> None:
    machine = open_machine(operation_seconds=0.3)
    ran = machine.run("sh", "-c", "sleep 1; cat", standard_input=[DATA])
    assert ran.output == DATA


def test_envelope_limit_is_read(open_machine: OpenMachine) -> None:
    machine = open_machine(max_envelope_kb=100)
    assert machine.run("cat", standard_input=[DATA]).output == DATA
    assert machine.server.asked.count("Send") == 12


def test_envelope_limit_that_may_not_be_read_is_found_out(open_machine: OpenMachine) -> None:
    machine = open_machine(max_envelope_kb=100, answers_configuration=False)
    whole = DATA * 5
    assert machine.run("cat", standard_input=[whole]).output == whole


def test_tiny_envelope_limit_is_told(open_machine: OpenMachine) -> None:
    machine = open_machine(max_envelope_kb=4, answers_configuration=False)
    with pytest.raises(HostError, match="raise MaxEnvelopeSizekb"):
        machine.run("cat", standard_input=[DATA])


@pytest.mark.parametrize("action", ["Create", "Command", "Receive"])
def test_refusal_of_a_small_message_as_too_large_is_told(machine: Machine, action: str) -> None:
    machine.server.order(Mishap(kind="too-large", action=action))
    with pytest.raises(HostError, match="raise MaxEnvelopeSizekb"):
        machine.run("cat")
    machine.shell.close()
    assert machine.server.machine.shells == {}


@pytest.mark.parametrize("action", ["Create", "Command", "Signal", "Delete"])
def test_what_was_not_done_in_time_is_looked_after(machine: Machine, action: str) -> None:
    machine.server.order(Mishap(kind="slow", action=action))
    assert machine.run("sh", "-c", "echo once").output == b"once\n"
    machine.shell.close()
    assert sum("once" in line for line in machine.server.machine.lines) == 1
    assert machine.server.machine.shells == {}


@pytest.mark.parametrize("action", ["Signal", "Delete"])
def test_end_that_is_refused_is_asked_for_again(machine: Machine, action: str) -> None:
    machine.server.order(Mishap(kind="fault", action=action, code=soap.TOO_MANY_OPERATIONS))
    with pytest.raises(HostError, match="was ended"):
        machine.run("sleep", "30", timeout=1)
    machine.shell.close()
    assert machine.server.machine.shells == {}


def test_idle_shell_is_opened_anew(machine: Machine) -> None:
    machine.run("true")
    machine.server.machine.end_all()
    assert machine.run("sh", "-c", "echo again").output == b"again\n"


def test_shell_quota_is_told(open_machine: OpenMachine) -> None:
    with pytest.raises(HostError, match="as many shells open there as MaxShellsPerUser allows"):
        open_machine(max_shells_per_user=0).run("true")


def test_missing_rights_are_told(machine: Machine) -> None:
    machine.server.order(Mishap(kind="fault", action="Create", code=soap.ACCESS_DENIED))
    with pytest.raises(HostError, match="Remote Management Users"):
        machine.run("true")


def test_unknown_fault_is_told_in_its_own_words(machine: Machine) -> None:
    machine.server.order(Mishap(kind="fault", action="Command", code=4711))
    with pytest.raises(HostError, match=r"cannot run 'true': fault 4711$"):
        machine.run("true")


@pytest.mark.parametrize("action", ["Receive", "Send"])
def test_machine_that_restarts_meanwhile_is_told(machine: Machine, action: str) -> None:
    machine.server.order(Mishap(kind="reboot", action=action, nth=2, seconds=0.5))
    with pytest.raises(HostError, match=r"(may have restarted|connection was lost)"):
        machine.run("sh", "-c", "echo 1; cat; sleep 30", standard_input=[DATA])
    assert machine.server.machine.running() == []
    assert machine.run("sh", "-c", "echo back").output == b"back\n"


def test_machine_that_stays_away_is_given_up(open_machine: OpenMachine) -> None:
    machine = open_machine(patience=1)
    machine.server.order(Mishap(kind="reboot", action="Receive", nth=1, seconds=60))
    with pytest.raises(HostError, match=r"whether 'sleep 30' has done its work is not known: "):
        machine.run("sleep", "30")


@pytest.mark.parametrize("kind", ["lose", "drop"])
def test_command_of_unknown_fate_is_ended_where_ids_are_the_machines(open_machine: OpenMachine, kind: Kind) -> None:
    machine = open_machine(honours_ids=False)
    machine.server.order(Mishap(kind=kind, action="Command"))
    with pytest.raises(HostError, match="whether 'sleep 30' has done its work is not known"):
        machine.run("sleep", "30")
    assert machine.server.machine.running() == []


def test_lost_command_whose_shell_is_gone_is_not_started_twice(machine: Machine) -> None:
    machine.run("true")
    machine.server.order(
        Mishap(kind="lose", action="Command"), Mishap(kind="reboot", action="Receive", nth=1, seconds=0.2)
    )
    with pytest.raises(HostError, match="may have restarted") as caught:
        machine.run("sh", "-c", "echo once")
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert sum("once" in line for line in machine.server.machine.lines) == 1
