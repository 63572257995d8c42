"""Too much of everything: connections, output, a disk without room; and hands that are quicker than expected."""

from __future__ import annotations

import os
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agent.report.events import Failed, Message, Output
from agent.report.stream import decode_line, encode_event, read_event
from agent.service.client import RefusedError
from agent.service.log import LogWriter, read_page
from agent.service.record import Progress
from tests.patience import eventually
from tests.service.conftest import Agent
from tests.service.test_listener import ask, ended

IDLE = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of a megabyte."""
    folder = tmp_path / "agent" / "home" / "service" / "deployments"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_silent_connections_keep_nobody_waiting(agent: Agent) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(agent.own.certificate, agent.own.key)
    silent: list[socket.socket] = []
    try:
        for number in range(IDLE):
            connection = socket.create_connection(("127.0.0.1", agent.port))
            if number % 4 == 0:
                connection = context.wrap_socket(connection)
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
            silent.append(connection)
        client = agent.client()
        waits = []
        for _ in range(30):
            began = time.perf_counter()
            client.capabilities()
            waits.append(time.perf_counter() - began)
        assert statistics.median(waits) < 0.2
    finally:
        for connection in silent:
            connection.close()


def test_log_that_is_full_says_so_and_keeps_its_beginning(tmp_path: Path) -> None:
    progress = Progress()
    with LogWriter(tmp_path / "log", progress, lambda: None, largest=10_000) as log:
        for number in range(2000):
            log.events(encode_event(Output(text=f"line {number}")).encode() + b"\n")
        failed = Failed(stage="work", message="known all the same", output="", exit_code=9)
        log.events(encode_event(failed).encode() + b"\n")
        log.finish()
    assert (tmp_path / "log").stat().st_size < 11_000
    lines, _ = read_page(tmp_path / "log", 0)
    events = [read_event(decode_line(line)) for line in lines]
    texts = [event.text for event in events if isinstance(event, Output | Message)]
    assert texts[0] == "line 0"
    assert "the log is full" in texts[-2]
    assert "more lines were printed" in texts[-1]
    assert progress.error == "known all the same"


def test_output_without_end_takes_no_memory(agent: Agent) -> None:
    do = "line = 'x' * 1000\nfor i in range(20000):\n    report.info(line)"
    client = agent.client()
    client.deploy("D-1", agent.request(client, agent.bundle(do)))
    assert ended(client, "D-1").state == "succeeded"
    lines = sum(isinstance(event, Message) and event.text == "x" * 1000 for event in client.follow("D-1"))
    assert lines == 20000
    status = Path(f"/proc/{agent.process}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 80_000


def test_full_disk_takes_nothing_by_half_and_goes_on_with_room(
    small_disk: Path, make_agent: Callable[[str], Agent]
) -> None:
    agent = make_agent("agent")
    agent.start()
    client = agent.client(patience=0)
    request = agent.request(client, agent.bundle("report.info('done')"))
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * 2_000_000)
    with pytest.raises(RefusedError, match=r"disk|written|keep") as caught:
        client.deploy("D-1", request)
    assert caught.value.status == 507
    assert ask(agent, "GET", "/v1/deployments/D-1")[0] == 404
    filler.unlink()
    client.deploy("D-1", request)
    assert ended(client, "D-1").state == "succeeded"
    assert "Traceback" not in (agent.folder / "listener.txt").read_text()


def test_request_again_after_its_files_are_gone_has_the_same_answer(agent: Agent) -> None:
    client = agent.client()
    request = agent.request(client, agent.bundle("pass"))
    client.deploy("D-1", request)
    first = ended(client, "D-1")
    (agent.home / "service" / "blobs" / request.bundle).unlink()
    assert client.deploy("D-1", request) == first
    with pytest.raises(RefusedError, match="is not here; upload it first"):
        client.deploy("D-2", request)


def test_damaged_blob_is_noticed_before_it_is_used(agent: Agent) -> None:
    client = agent.client()
    request = agent.request(client, agent.bundle("pass"))
    blob = agent.home / "service" / "blobs" / request.bundle
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    client.deploy("D-1", request)
    status = ended(client, "D-1")
    assert status.state == "failed"
    assert "was damaged on the agent's disk and is removed; push again" in status.error


def test_cancel_right_after_the_request_is_heard(agent: Agent) -> None:
    client = agent.client()
    blobs = agent.bundle("import time; time.sleep(60)")
    for number in range(4):
        name = f"D-{number}"
        client.deploy(name, agent.request(client, blobs, id=name))
        time.sleep(number * 0.15)
        client.cancel(name)
        assert ended(client, name).state == "cancelled"


def test_body_that_ends_early_is_kept_as_far_as_it_came(agent: Agent, tmp_path: Path) -> None:
    import hashlib

    data = os.urandom(3_000_000)
    sha256 = hashlib.sha256(data).hexdigest()
    ask(agent, "POST", "/v1/uploads", msgspec.json.encode({"sha256": sha256, "size": len(data)}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(agent.own.certificate, agent.own.key)
    head = (
        f"PATCH /v1/uploads/{sha256} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with context.wrap_socket(socket.create_connection(("127.0.0.1", agent.port))) as connection:
        connection.sendall(head.encode() + data[:2_500_000])
        partial = agent.home / "service" / "blobs" / "partial" / f"{sha256}.{len(data)}"
        eventually(lambda: partial.stat().st_size >= 2_000_000)
    file = tmp_path / "data.bin"
    file.write_bytes(data)
    assert agent.client().upload(file, sha256) <= 1_000_000
    assert (agent.home / "service" / "blobs" / sha256).read_bytes() == data
