"""CredSSP against pyspnego's own server side: TLS within HTTP, and NTLM within that."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import HostError
from tests.windows.winrm.conftest import PASSWORD, Machine, OpenMachine
from tests.winrm.certificates import Certificates, make
from tests.winrm.settings import Mishap

LONG = bytes(range(256)) * 6000


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def opened(open_machine: OpenMachine) -> Machine:
    return open_machine(options="&transport=credssp", authentication=("CredSSP",))


def secure(open_machine: OpenMachine, certificates: Certificates, options: str = "") -> Machine:
    return open_machine(
        options=f"&transport=credssp&ca={certificates.authority}{options}",
        certificate=certificates.certificate,
        key=certificates.key,
        authentication=("CredSSP", "Negotiate"),
    )


def test_every_message_over_http_is_sealed(opened: Machine) -> None:
    opened.server.records = True
    assert opened.run("sh", "-c", "echo visible-argument").output == b"visible-argument\n"
    heard = b"".join(opened.server.heard)
    assert b"HTTP-CredSSP-session-encrypted" in heard
    assert b"visible-argument" not in heard
    assert b"CommandLine" not in heard
    assert PASSWORD.encode("utf-16-le") not in heard


def test_long_input_goes_up_in_full_envelopes(opened: Machine) -> None:
    assert opened.run("cat", standard_input=[LONG]).output == LONG
    sends = [action for action in opened.server.asked if action == "Send"]
    assert len(sends) <= len(LONG) // 350_000 + 2


@pytest.mark.parametrize("options", ["", "&message-encryption=always"])
def test_works_over_https(open_machine: OpenMachine, certificates: Certificates, options: str) -> None:
    machine = secure(open_machine, certificates, options)
    machine.server.records = True
    assert machine.run("cat", standard_input=[LONG]).output == LONG
    sealed = b"HTTP-CredSSP-session-encrypted" in b"".join(machine.server.heard)
    assert sealed == bool(options)


def test_fault_on_a_fresh_connection_is_no_failed_login(
    open_machine: OpenMachine, certificates: Certificates
) -> None:
    """Sending and receiving at once need two connections; on the second, whichever it is, a fault comes first."""
    machine = secure(open_machine, certificates)
    machine.server.order(
        Mishap(kind="fault", action="Receive", nth=1, code=2150858793),
        Mishap(kind="fault", action="Send", nth=1, code=170),
    )
    assert machine.run("sh", "-c", "sleep 1; cat", standard_input=[LONG]).output == LONG


@pytest.mark.parametrize("action", ["Send", "Receive"])
def test_connection_that_is_lost_is_logged_in_anew(opened: Machine, action: str) -> None:
    opened.server.order(Mishap(kind="unauthorized", action=action, nth=1))
    assert opened.run("cat", standard_input=[LONG]).output == LONG


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrong_password_is_told(open_machine: OpenMachine, certificates: Certificates, scheme: str) -> None:
    over = {"certificate": certificates.certificate, "key": certificates.key} if scheme == "https" else {}
    machine = open_machine(
        options=f"&transport=credssp&ca={certificates.authority}",
        password="wrong",
        authentication=("CredSSP",),
        **over,
    )
    with pytest.raises(HostError, match=r"deployer is refused: the user or the password is wrong$"):
        machine.run("true")
    assert machine.server.asked == []


def test_machine_that_does_not_offer_it_is_told(open_machine: OpenMachine) -> None:
    machine = open_machine(options="&transport=credssp")
    with pytest.raises(HostError, match=r"CredSSP is refused there; it offers Negotiate: .*Enable-WSManCredSSP"):
        machine.run("true")


def test_password_is_in_no_file_and_no_command_of_the_machine(opened: Machine) -> None:
    opened.run("sh", "-c", "env; cat", standard_input=[b"input"])
    files = [path.read_bytes() for path in Path(opened.server.settings.root).rglob("*") if path.is_file()]
    said = [line.encode() for line in opened.server.machine.lines]
    assert all(PASSWORD.encode() not in text for text in (*files, *said, *opened.pieces))
