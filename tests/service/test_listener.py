"""What a listener does with what it is asked: once, in order, across restarts, and for those it trusts."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.errors import HostError
from agent.report.events import Message, Succeeded, VariableSet
from agent.service import processes
from agent.service.certificate import own_certificate
from agent.service.client import AgentClient, RefusedError
from agent.service.protocol import FINAL, DeploymentRequest, DeploymentStatus
from tests.patience import eventually
from tests.service.conftest import Agent

FORKS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1], "a") as file:
            file.write(f"{os.getpid()} ")
        time.sleep(100)
"""
HEAVY = ("docker", "lxml", "paramiko", "winrm", "jinja2", "rich", "cryptography")


def ended(client: AgentClient, deployment: str) -> DeploymentStatus:
    eventually(lambda: client.status(deployment).state in FINAL)
    return client.status(deployment)


def test_deployment_is_run_and_told(agent: Agent) -> None:
    client = agent.client()
    blobs = agent.bundle("report.info('hello from the step')")
    client.deploy("D-1", agent.request(client, blobs))
    events = list(client.follow("D-1"))
    assert Message(level="info", text="hello from the step") in events
    assert any(isinstance(event, VariableSet) and event.name == "Answer" for event in events)
    assert isinstance(events[-1], Succeeded)
    status = client.status("D-1")
    assert (status.state, status.exit_code, status.outputs, status.by) == ("succeeded", 0, {"Answer": "42"}, "tests")


def test_failure_has_the_exit_code_of_the_command_line(agent: Agent) -> None:
    status = agent.run("from agent.errors import ContainerError\nraise ContainerError('it never became healthy')")
    assert (status.state, status.exit_code, status.stage) == ("failed", 9, "work")
    assert status.error == "it never became healthy"


def test_same_request_again_is_run_once(agent: Agent, tmp_path: Path) -> None:
    client = agent.client()
    mark = tmp_path / "runs.txt"
    request = agent.request(client, agent.bundle(f"open({str(mark)!r}, 'a').write('x')"))
    first = client.deploy("D-1", request)
    assert client.deploy("D-1", request).accepted == first.accepted
    ended(client, "D-1")
    assert client.deploy("D-1", request).state == "succeeded"
    assert mark.read_text() == "x"


def test_same_id_with_another_body_is_refused(agent: Agent) -> None:
    client = agent.client()
    request = agent.request(client, agent.bundle("pass"))
    client.deploy("D-1", request)
    with pytest.raises(RefusedError, match="asked for before, with another content") as caught:
        client.deploy("D-1", msgspec.structs.replace(request, time_limit=5))
    assert caught.value.status == 409


def test_sequence_that_is_behind_is_refused_also_after_a_restart(agent: Agent) -> None:
    client = agent.client()
    request = agent.request(client, agent.bundle("pass"), target="Projects-1", sequence=7)
    client.deploy("D-1", request)
    ended(client, "D-1")
    agent.stop()
    agent.start()
    with pytest.raises(RefusedError, match="older than what was asked for last"):
        client.deploy("D-2", msgspec.structs.replace(request, sequence=6))


def test_full_queue_says_later(make_agent: Callable[[str], Agent]) -> None:
    agent = make_agent("small")
    agent.start("--workers", "1", "--queue", "1")
    client = agent.client(patience=0)
    blobs = agent.bundle("import time; time.sleep(60)")
    for number in (1, 2):
        client.deploy(f"D-{number}", agent.request(client, blobs, id=f"D-{number}"))
        if number == 1:
            eventually(lambda: client.status("D-1").state == "running")
    with pytest.raises(RefusedError, match="as many deployments waiting as it takes") as caught:
        client.deploy("D-3", agent.request(client, blobs, id="D-3"))
    assert caught.value.status == 429
    for number in (2, 1):
        client.cancel(f"D-{number}")
        assert ended(client, f"D-{number}").state == "cancelled"


def test_deployments_that_name_one_slot_are_begun_one_after_another(agent: Agent, tmp_path: Path) -> None:
    client = agent.client()
    file = tmp_path / "order.txt"
    do = f"import time\nf = open({str(file)!r}, 'a', buffering=1)\nf.write('<')\ntime.sleep(0.5)\nf.write('>')"
    blobs = agent.bundle(do)
    for number in range(3):
        client.deploy(f"D-{number}", agent.request(client, blobs, id=f"D-{number}", slot="shop"))
    for number in range(3):
        assert ended(client, f"D-{number}").state == "succeeded"
    assert file.read_text() == "<><><>"


def test_cancel_ends_everything_that_was_started(agent: Agent, tmp_path: Path) -> None:
    client = agent.client()
    pids, forks = tmp_path / "pids.txt", tmp_path / "forks.py"
    forks.write_text(FORKS)
    do = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "{forks}", "{pids}"])
child = subprocess.Popen(["sleep", "100"], start_new_session=True)
open("{pids}", "a").write(f"{{child.pid}} ")
time.sleep(100)
"""
    client.deploy("D-1", agent.request(client, agent.bundle(do)))
    eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    client.cancel("D-1")
    status = ended(client, "D-1")
    assert (status.state, status.cancelled_by) == ("cancelled", "tests")
    for pid in pids.read_text().split():
        eventually(lambda pid=pid: processes.birth(int(pid)) == "")  # type: ignore[misc]


def test_one_that_takes_too_long_is_ended(agent: Agent) -> None:
    status = agent.run("import time; time.sleep(60)", time_limit=1.5)
    assert status.state == "timed-out"
    assert "longer than 1.5 s" in status.error


def test_listener_that_is_killed_adopts_what_runs(agent: Agent) -> None:
    client = agent.client()
    do = "import time\nfor i in range(30):\n    report.info(f'line {i}')\n    time.sleep(0.1)"
    client.deploy("D-1", agent.request(client, agent.bundle(do)))
    before = client.log("D-1", wait=10)
    agent.kill()
    time.sleep(0.5)
    agent.start()
    texts = [bytes(raw) for raw in before.events]
    cursor = before.next
    while True:
        page = client.log("D-1", cursor, 5)
        texts += [bytes(raw) for raw in page.events]
        cursor = page.next
        if not page.events and page.state in FINAL:
            break
    numbers = [i for i in range(30) if sum(b'"line %d"' % i in text for text in texts) == 1]
    assert numbers == list(range(30))
    assert client.status("D-1").state == "succeeded"


def test_one_that_ended_while_nobody_listened_is_told_of(agent: Agent) -> None:
    client = agent.client()
    client.deploy("D-1", agent.request(client, agent.bundle("import time; time.sleep(1)")))
    eventually(lambda: client.status("D-1").state == "running")
    agent.kill()
    time.sleep(2.5)
    agent.start()
    assert client.status("D-1").state == "succeeded"


def test_child_that_is_killed_is_told_of(agent: Agent) -> None:
    client = agent.client()
    client.deploy("D-1", agent.request(client, agent.bundle("import time; time.sleep(60)")))
    eventually(lambda: client.status("D-1").state == "running")
    for child in processes.descendants(agent.process):
        os.kill(child, signal.SIGKILL)
    status = ended(client, "D-1")
    assert status.state == "failed"
    assert "killed from outside" in status.error or "ended" in status.error or status.exit_code


def test_variables_lie_nowhere_after_the_end(agent: Agent, tmp_path: Path) -> None:
    client = agent.client()
    do = "import os\nreport.info('variables: ' + context.variables.get('Octopus.Project.Id'))"
    client.deploy("D-1", agent.request(client, agent.bundle(do)))
    ended(client, "D-1")
    files = [path for path in agent.home.rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix not in {".jsonl", ".db", ".db-wal"}]
    assert 0 < len(kept) < len(files)
    assert [path for path in kept if b"Octopus.Release.Number" in path.read_bytes()] == []


def test_log_ends_with_its_last_line_and_may_go_when_complete(agent: Agent) -> None:
    agent.run("report.info('one')")
    client = agent.client()
    assert client.complete("D-1").completed
    assert client.log("D-1").events == []
    assert client.status("D-1").state == "succeeded"


def test_revoked_peer_is_refused_on_its_live_connection(agent: Agent) -> None:
    client = agent.client(patience=0)
    client.capabilities()
    agent.peers.revoke("tests")
    with pytest.raises(RefusedError, match="not trusted here") as caught:
        client.capabilities()
    assert caught.value.status == 403


def test_added_peer_can_connect_at_once(agent: Agent, tmp_path: Path) -> None:
    other = own_certificate(tmp_path / "other", "other")
    client = agent.client(other, patience=5)
    with pytest.raises(HostError, match="does not trust us"):
        client.capabilities()
    agent.trust(other, "read", name="other")
    assert client.capabilities().protocol == 1


def test_scopes_are_kept(agent: Agent, tmp_path: Path) -> None:
    reader = own_certificate(tmp_path / "reader", "reader")
    agent.trust(reader, "read", name="reader")
    client = agent.client(reader, patience=2)
    assert client.deployments() == []
    with pytest.raises(RefusedError, match="reader may not deploy here; it may read"):
        client.deploy("D-1", DeploymentRequest())


def test_agent_with_another_certificate_is_told_nothing(agent: Agent) -> None:
    client = AgentClient(agent.url, "ab" * 32, agent.own, patience=0)
    with pytest.raises(HostError, match="nothing was sent"):
        client.capabilities()


@pytest.mark.parametrize("certificate", ["none", "rogue", "with the same name"])
def test_others_come_no_further_than_the_handshake(agent: Agent, tmp_path: Path, certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate != "none":
        rogue = own_certificate(tmp_path / "rogue", "tests" if "same" in certificate else "rogue")
        context.load_cert_chain(rogue.certificate, rogue.key)
    connection = http.client.HTTPSConnection("127.0.0.1", agent.port, context=context, timeout=5)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        _status(connection)
    connection.close()


def _status(connection: http.client.HTTPSConnection) -> int:
    connection.request("GET", "/healthz")
    return connection.getresponse().status


def ask(
    agent: Agent, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """A request by hand."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(agent.own.certificate, agent.own.key)
    connection = http.client.HTTPSConnection("127.0.0.1", agent.port, context=context, timeout=10)
    try:
        connection.request(method, path, body or None, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/deployments/a%2Fb", b"{}", 404),
        ("PUT", "/v1/deployments/..", b"{}", 400),
        ("PUT", "/v1/deployments/" + "x" * 200, b"{}", 400),
        ("PUT", "/v1/deployments/D-1", b"{", 400),
        ("PUT", "/v1/deployments/D-1", b'{"surprise": 1}', 400),
        ("PUT", "/v1/deployments/D-1", b'{"bundle": 7}', 400),
        ("PUT", "/v1/deployments/D-1", b"[" * 100_000, 400),
        ("PUT", "/v1/deployments/D-1", b'{"bundle": "' + b"a" * 64 + b'"}', 422),
        ("PUT", "/v1/deployments/D-1", b'{"bundle": "x"}', 400),
        ("PUT", "/v1/deployments/D-1", b'{"time_limit": -1, "command": "rollback"}', 400),
        ("POST", "/v1/uploads", b'{"sha256": "../x", "size": 1}', 400),
        ("POST", "/v1/uploads", b'{"sha256": "' + b"a" * 64 + b'", "size": 99999999999999}', 400),
        ("PATCH", "/v1/uploads/" + "a" * 64, b"x", 400),
        ("GET", "/v1/deployments/D-1/log?after=-1", b"", 400),
        ("GET", "/v1/deployments/unknown", b"", 404),
        ("GET", "/v1/deployments/unknown/log?after=1e9", b"", 400),
        ("GET", "/v2/other", b"", 404),
        ("DELETE", "/v1/deployments/D-1", b"", 405),
    ],
)
def test_wrong_requests_are_answered_in_one_line(
    agent: Agent, method: str, path: str, body: bytes, status: int
) -> None:
    code, answer = ask(agent, method, path, body)
    assert code == status
    assert b"Traceback" not in answer
    assert answer.count(b"\n") == 0


def test_upload_that_is_cut_goes_on_where_it_was(agent: Agent, tmp_path: Path) -> None:
    import hashlib

    data = os.urandom(5_000_000)
    sha256 = hashlib.sha256(data).hexdigest()
    ask(agent, "POST", "/v1/uploads", msgspec.json.encode({"sha256": sha256, "size": len(data)}))
    ask(agent, "PATCH", f"/v1/uploads/{sha256}", data[:3_000_000], {"Upload-Offset": "0"})
    file = tmp_path / "data.bin"
    file.write_bytes(data)
    client = agent.client()
    assert client.upload(file, sha256) == 2_000_000
    assert client.upload(file, sha256) == 0
    assert (agent.home / "service" / "blobs" / sha256).read_bytes() == data


def test_file_that_two_send_at_once_is_there_for_both(agent: Agent, tmp_path: Path) -> None:
    import hashlib
    from concurrent.futures import ThreadPoolExecutor

    for number in range(5):
        file = tmp_path / f"{number}.bin"
        file.write_bytes(os.urandom(500_000))
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        clients = [agent.client() for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda client: client.upload(file, sha256), clients))  # noqa: B023
        assert (agent.home / "service" / "blobs" / sha256).read_bytes() == file.read_bytes()


def test_upload_with_another_hash_is_refused_and_forgotten(agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    file.write_bytes(b"something else")
    with pytest.raises(RefusedError, match="another SHA-256 than announced"):
        agent.client().upload(file, "a" * 64)
    assert [path for path in (agent.home / "service" / "blobs").rglob("*") if path.is_file()] == []


def test_body_that_is_too_large_is_refused_before_it_comes(agent: Agent) -> None:
    code, answer = ask(agent, "PUT", "/v1/deployments/D-1", headers={"Content-Length": "10000000000"})
    assert code == 413
    assert b"at most" in answer


def test_listener_loads_none_of_the_heavy_libraries(agent: Agent) -> None:
    client = agent.client()
    client.deploy("D-1", agent.request(client, agent.bundle("pass")))
    ended(client, "D-1")
    loaded = Path(f"/proc/{agent.process}/maps").read_text()
    assert [name for name in ("lxml", "cryptography", "_ruamel") if f"/{name}/" in loaded] == []
    code = "import sys, agent.service.listener; print(' '.join(sys.modules))"
    import subprocess
    import sys

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in HEAVY if name in modules] == []


def test_metrics_are_in_prometheus_form(agent: Agent) -> None:
    agent.run("pass")
    code, text = ask(agent, "GET", "/metrics")
    assert code == 200
    assert b'dockwright_deployments{state="succeeded"} 1\n' in text
