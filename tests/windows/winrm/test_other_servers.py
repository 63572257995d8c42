"""Answers as servers other than Windows give them, and Windows itself on other days."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from agent.engine.shell import Command
from agent.errors import HostError
from agent.host import HostAddress
from tests.windows.winrm.conftest import OpenMachine
from tests.winrm import soap
from tests.winrm.settings import Mishap
from windows.winrm import WinRMShell, envelopes, failures
from windows.winrm.target import read

ENVELOPE = f'<e:Envelope xmlns:e="{soap.ENVELOPE}"><e:Body>%s</e:Body></e:Envelope>'
REASON = "<e:Reason><e:Text>Not now.</e:Text></e:Reason>"
FAULT = f"<e:Fault><e:Code><e:Value>e:Receiver</e:Value>%s</e:Code>{REASON}</e:Fault>"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("TimedOut", failures.NO_OUTPUT_YET),
        ("QuotaLimit", failures.TOO_MANY_OPERATIONS),
        ("AccessDenied", failures.ACCESS_DENIED),
        ("Anything", 0),
    ],
)
def test_fault_without_a_number_is_known_by_its_subcode(name: str, code: int) -> None:
    fault = FAULT % f"<e:Subcode><e:Value>wsman:{name}</e:Value></e:Subcode>"
    assert envelopes.read_fault((ENVELOPE % fault).encode()) == (code, "Not now.")


def test_new_shell_may_be_told_without_a_selector() -> None:
    shell = f'<Shell xmlns="{soap.SHELL}"><Owner>me</Owner><ShellId> uuid:1 </ShellId></Shell>'
    assert envelopes.read_shell_id((ENVELOPE % shell).encode()) == "uuid:1"


def test_shell_that_takes_no_more_commands_is_left_for_another(open_machine: OpenMachine) -> None:
    machine = open_machine(max_processes_per_shell=1)
    streams = [machine.shell.open(Command(arguments=("cat",))) for _ in range(3)]
    for number, stream in enumerate(streams):
        stream.sendall(bytes([number]))
        assert stream.recv(1) == bytes([number])
        stream.close()
    assert machine.server.asked.count("Create") == 3


def test_a_worn_out_shell_is_deleted_for_a_fresh_one(open_machine: OpenMachine) -> None:
    machine = open_machine()
    assert machine.run("true").code == 0
    machine.server.order(Mishap(kind="fault", action="Command", code=2150859241))
    assert machine.run("true").code == 0
    assert len(machine.server.machine.shells) == 1


def test_quota_that_no_other_shell_has_left_is_told(open_machine: OpenMachine) -> None:
    with pytest.raises(HostError, match="cannot run 'true': the user has more going on there than its quotas allow"):
        open_machine(max_processes_per_shell=0).run("true")


class _Stranger(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its own name for it
        pass


@contextmanager
def _stranger(status: int) -> Iterator[int]:
    kind = type("Stranger", (_Stranger,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("options", ["scheme=http", "scheme=http&transport=basic&message-encryption=never"])
@pytest.mark.parametrize("status", [200, 302, 403, 405])
def test_what_is_no_winrm_is_told_at_once(status: int, options: str) -> None:
    with _stranger(status) as port:
        shell = WinRMShell(read(HostAddress(url=f"winrm://jane@127.0.0.1:{port}?{options}", password="x")))
        with closing(shell), pytest.raises(HostError, match="it is not WinRM; see the port"):
            shell.run(Command(arguments=("cat",)), print, print)
