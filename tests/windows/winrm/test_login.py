"""Who gets in, how, and what those are told who do not."""

from __future__ import annotations

import http.server
import logging
import socket
import threading
from pathlib import Path

import pytest

from agent.engine.shell import Command
from agent.errors import HostError
from agent.host import HostAddress
from tests.windows.winrm.conftest import PASSWORD, Machine, OpenMachine
from tests.winrm.certificates import Certificates, make
from windows.winrm import WinRMShell
from windows.winrm.target import read


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


def secure(open_machine: OpenMachine, certificates: Certificates, options: str, *authentication: str) -> Machine:
    return open_machine(
        options=f"&ca={certificates.authority}{options}",
        certificate=certificates.certificate,
        key=certificates.key,
        clients=certificates.authority,
        authentication=authentication,
    )


def test_ntlm_over_http_seals_every_message(machine: Machine) -> None:
    machine.server.records = True
    assert machine.run("sh", "-c", "echo visible-argument").output == b"visible-argument\n"
    heard = b"".join(machine.server.heard)
    assert b"visible-argument" not in heard
    assert b"CommandLine" not in heard


@pytest.mark.parametrize("login", ["ntlm", "basic", "certificate"])
def test_https_takes_every_login(open_machine: OpenMachine, certificates: Certificates, login: str) -> None:
    options = f"&transport={login}&certificate={certificates.client}&key={certificates.client_key}"
    machine = secure(open_machine, certificates, options, "Negotiate", "Basic", "Certificate")
    data = b"x" * 1_500_000
    assert machine.run("cat", standard_input=[data]).output == data


def test_messages_can_be_sealed_over_https_too(open_machine: OpenMachine, certificates: Certificates) -> None:
    machine = secure(open_machine, certificates, "&message-encryption=always", "Negotiate")
    machine.server.records = True
    machine.run("sh", "-c", "echo visible-argument")
    assert b"visible-argument" not in b"".join(machine.server.heard)


def test_basic_over_http_works_where_both_sides_allow_it(open_machine: OpenMachine) -> None:
    machine = open_machine(
        options="&transport=basic&message-encryption=never", authentication=("Basic",), allow_unencrypted=True
    )
    assert machine.run("sh", "-c", "echo in").output == b"in\n"


@pytest.mark.parametrize("login", ["ntlm", "basic"])
def test_wrong_password_is_told(open_machine: OpenMachine, certificates: Certificates, login: str) -> None:
    machine = open_machine(
        options=f"&ca={certificates.authority}&transport={login}",
        password="wrong",
        certificate=certificates.certificate,
        key=certificates.key,
        authentication=("Negotiate", "Basic"),
    )
    with pytest.raises(HostError, match=r"deployer is refused: the password is wrong, or the account is locked"):
        machine.run("true")
    assert machine.server.asked == []


def test_wrong_password_is_told_over_http(open_machine: OpenMachine) -> None:
    machine = open_machine(password="wrong")
    with pytest.raises(HostError, match="the password is wrong"):
        machine.run("true")


def test_basic_that_the_machine_refuses_over_http_is_told(open_machine: OpenMachine) -> None:
    machine = open_machine(options="&transport=basic&message-encryption=never", authentication=("Negotiate", "Basic"))
    with pytest.raises(
        HostError, match=r"basic logins are refused there over http; it offers Negotiate: use transport=ntlm"
    ):
        machine.run("true")


def test_ntlm_that_the_machine_does_not_offer_is_told(open_machine: OpenMachine, certificates: Certificates) -> None:
    machine = secure(open_machine, certificates, "&transport=ntlm", "Basic")
    with pytest.raises(HostError, match=r"NTLM is refused there; it offers Basic: choose another transport="):
        machine.run("true")


def test_unencrypted_messages_that_the_machine_refuses_are_told(open_machine: OpenMachine) -> None:
    machine = open_machine(options="&message-encryption=never")
    with pytest.raises(HostError, match="Unencrypted traffic is disabled"):
        machine.run("true")


def test_certificate_that_nobody_vouches_for_is_refused(
    open_machine: OpenMachine, certificates: Certificates
) -> None:
    machine = open_machine(certificate=certificates.certificate, key=certificates.key)
    with pytest.raises(HostError, match=r"its certificate is not trusted: .*give its authority with ca=FILE"):
        machine.run("true")


def test_certificate_for_another_name_is_refused(open_machine: OpenMachine, tmp_path: Path) -> None:
    other = make(tmp_path, name="127.0.0.2")
    with pytest.raises(HostError, match="its certificate is not trusted"):
        secure(open_machine, other, "", "Negotiate").run("true")


def test_winrm_that_is_off_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(HostError, match=rf"WinRM cannot be reached at 127\.0\.0\.1:{port}: .*winrm quickconfig"):
            shell_at(port).run(Command(arguments=("true",)), print, print)


def test_another_server_is_told() -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its own name for it
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with pytest.raises(HostError, match="it is not WinRM"):
            shell_at(server.server_port).run(Command(arguments=("true",)), print, print)
        server.shutdown()


def test_password_is_nowhere(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    machine.server.records = True
    machine.run("sh", "-c", "env; cat", standard_input=[b"input"])
    machine.shell.close()
    everything = [
        *(text.encode() for text in (caplog.text, repr(machine.shell), repr(vars(machine.shell)))),
        *machine.server.heard,
        *(line.encode() for line in machine.server.machine.lines),
        *machine.pieces,
        *(path.read_bytes() for path in machine.server.settings.root.rglob("*") if path.is_file()),
    ]
    for form in (PASSWORD.encode(), PASSWORD.encode("utf-16-le")):
        assert all(form not in text for text in everything)


def shell_at(port: int) -> WinRMShell:
    return WinRMShell(read(HostAddress(url=f"winrm://deployer@127.0.0.1:{port}", password=PASSWORD)), patience=2)
