"""Too much of everything: connections, output, a disk without room; and hands that are quicker than expected."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from agent.errors import StorageError
from agent.report.events import Failed, Message, Output
from agent.report.stream import decode_line, encode_event, read_event
from agent.service.client import RefusedError
from agent.service.log import LogWriter, read_page
from agent.service.record import LOG, Progress, folder_name
from tests.patience import eventually
from tests.service.conftest import Agent
from tests.service.floods import flood
from tests.service.idle import KINDS, Kind, crowd, files_of, peer_side
from tests.service.test_listener import ask, ended


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of a megabyte."""
    folder = tmp_path / "agent" / "home" / "service" / "deployments"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


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


def test_upload_that_the_disk_has_no_room_for_is_refused_before_it_is_sent(agent: Agent, tmp_path: Path) -> None:
    folder = agent.home / "service" / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)], check=True)
    try:
        file = tmp_path / "data.bin"
        file.write_bytes(os.urandom(100_000))
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        with pytest.raises(RefusedError, match="has no room for 100,000 bytes; free some and push again") as caught:
            agent.client().upload(file, sha256)
        assert caught.value.status == 507
        assert [path for path in folder.rglob("*") if path.is_file()] == []
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


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
    data = os.urandom(3_000_000)
    sha256 = hashlib.sha256(data).hexdigest()
    ask(agent, "POST", "/v1/uploads", msgspec.json.encode({"sha256": sha256, "size": len(data)}))
    head = (
        f"PATCH /v1/uploads/{sha256} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with _speaking(agent) as connection:
        connection.sendall(head.encode() + data[:2_500_000])
        partial = agent.home / "service" / "blobs" / "partial" / f"{sha256}.{len(data)}"
        eventually(lambda: partial.stat().st_size >= 2_000_000)
    file = tmp_path / "data.bin"
    file.write_bytes(data)
    assert agent.client().upload(file, sha256) <= 1_000_000
    assert (agent.home / "service" / "blobs" / sha256).read_bytes() == data


def test_request_that_comes_again_after_a_newer_one_is_not_done_again(agent: Agent, tmp_path: Path) -> None:
    """A replay: known by its id; under another id, by its sequence and by what the variables were sealed for."""
    client = agent.client()
    mark = tmp_path / "runs.txt"
    blobs = agent.bundle(f"open({str(mark)!r}, 'a').write('x')")
    first = agent.request(client, blobs, id="D-1", target="Projects-1", sequence=1)
    client.deploy("D-1", first)
    ended(client, "D-1")
    client.deploy("D-2", agent.request(client, blobs, id="D-2", target="Projects-1", sequence=2))
    ended(client, "D-2")
    assert client.deploy("D-1", first).state == "succeeded"
    with pytest.raises(RefusedError, match="older than what was asked for last") as caught:
        client.deploy("D-3", first)
    assert caught.value.status == 409
    client.deploy("D-4", msgspec.structs.replace(first, target="Projects-2"))
    replayed = ended(client, "D-4")
    assert (replayed.state, replayed.exit_code) == ("failed", 3)
    assert "were not sealed for this agent and D-4" in replayed.error
    assert mark.read_text() == "xx"


def test_pieces_out_of_order_are_refused_and_the_upload_goes_on(agent: Agent, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    sha256 = hashlib.sha256(data).hexdigest()
    ask(agent, "POST", "/v1/uploads", msgspec.json.encode({"sha256": sha256, "size": len(data)}))

    def append(start: int, end: int) -> int:
        return ask(agent, "PATCH", f"/v1/uploads/{sha256}", data[start:end], {"Upload-Offset": str(start)})[0]

    assert append(100_000, 200_000) == 409  # before its turn
    assert append(0, 100_000) == 200
    assert append(0, 100_000) == 409  # once more
    assert append(200_000, 300_000) == 409
    assert append(100_000, 200_000) == 200
    assert ask(agent, "POST", f"/v1/uploads/{sha256}/commit")[0] == 409  # not all of it is there
    too_much = ask(agent, "PATCH", f"/v1/uploads/{sha256}", data[:200_000], {"Upload-Offset": "200000"})
    assert too_much[0] == 400, "more than was announced"
    file = tmp_path / "data.bin"
    file.write_bytes(data)
    assert agent.client().upload(file, sha256) <= 100_000
    assert (agent.home / "service" / "blobs" / sha256).read_bytes() == data


def test_body_and_head_that_do_not_come_are_given_up(agent: Agent) -> None:
    with _speaking(agent) as slow, _speaking(agent) as silent:
        slow.sendall(b"PUT /v1/deployments/D-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        silent.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: silent.recv(4096).endswith(b'{"status":"ok"}'))
        silent.sendall(b"GET /healthz HTTP/1.1\r\nHos")
        silent.settimeout(70)  # one that has asked before may otherwise be silent for longer
        assert silent.recv(4096) == b""
        answer = slow.recv(4096)
        with suppress(OSError):
            while piece := slow.recv(4096):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body came too slowly" in answer
    assert agent.client().deployments() == []


def _speaking(agent: Agent) -> ssl.SSLSocket:
    return peer_side(agent).wrap_socket(socket.create_connection(("127.0.0.1", agent.port), 90))


@pytest.mark.parametrize("kind", KINDS)
def test_many_who_say_nothing_keep_nobody_out(make_agent: Callable[[str], Agent], kind: Kind) -> None:
    """With few files at that: the listener sends the silent away before it has none left."""
    agent = make_agent("narrow")
    agent.start(files=180)
    client = agent.client(patience=60)
    client.capabilities()
    with crowd(agent, kind, 200):
        assert files_of(agent.process) < 170
        assert agent.client(patience=60).capabilities().protocol == 1
        client.deploy("D-1", agent.request(client, agent.bundle("pass")))
        assert ended(client, "D-1").state == "succeeded"
    assert client.capabilities().protocol == 1
    assert "Traceback" not in (agent.folder / "listener.txt").read_text()


def test_log_on_a_full_disk_keeps_whole_lines_and_says_that_some_are_missing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        progress = Progress()
        with LogWriter(disk / "log", progress, lambda: None) as log:
            filler = disk / "filler"
            filler.write_bytes(b"x" * 30_000)
            for number in range(2000):
                log.events(encode_event(Output(text=f"line {number}")).encode() + b"\n")
            with pytest.raises(StorageError, match="no room for the end of a log"):
                log.finish()
            filler.unlink()
            log.finish()
        lines, _ = read_page(disk / "log", 0)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    *kept, note = [read_event(decode_line(line)) for line in lines]
    assert [event.text for event in kept if isinstance(event, Output)] == [f"line {i}" for i in range(len(kept))]
    assert isinstance(note, Message)
    assert note.text == f"{2000 - len(kept):,} more lines were printed, and left out: the disk was full"


def test_deployment_whose_log_has_no_room_is_done_all_the_same(
    small_disk: Path, make_agent: Callable[[str], Agent]
) -> None:
    agent = make_agent("agent")
    agent.start()
    client = agent.client(patience=0)
    do = "for i in range(3000):\n    report.info('x' * 1000)"
    client.deploy("D-1", agent.request(client, agent.bundle(do)))
    log = small_disk / folder_name("D-1") / LOG
    eventually(lambda: log.exists() and log.stat().st_size > 700_000)
    time.sleep(1)
    assert client.status("D-1").state == "running"  # the end cannot be written down yet
    (small_disk / folder_name("D-1") / "claim").stat()
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    assert ended(client, "D-1").state == "succeeded"
    texts = [event.text for event in client.follow("D-1") if isinstance(event, Message)]
    assert "left out: the disk was full" in texts[-1]


def test_flood_is_kept_within_its_quota_and_says_so(
    make_agent: Callable[[str], Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKWRIGHT_LARGEST_LOG", "1000000")
    agent = make_agent("agent")
    agent.start()
    done = flood(agent, 5000, 1_000_000)
    assert done.status.state == "succeeded"
    assert 500 < done.lines < 1000
    first, last = done.warnings
    assert first == "the log is full; what is printed from here on is left out"
    missing = int(last.split()[0].replace(",", ""))
    assert missing >= 5000 - done.lines
    assert last.endswith("more lines were printed, and left out: the log was full")
