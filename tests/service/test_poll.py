"""An agent that nobody can reach asks for work, and tells what it did until the broker has all of it."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from agent.report.stream import decode_line
from agent.service.broker import Broker, Queued
from agent.service.certificate import own_certificate
from agent.service.connection import Connection
from agent.service.doorway import PeerServer
from agent.service.peers import Peers
from agent.service.protocol import DeploymentRequest, Poll
from agent.service.push import Blob
from agent.service.sealing import seal
from agent.service.tls import PeerConnection, peer_context, server_config
from tests.patience import eventually
from tests.service.conftest import VARIABLES, WHEN, Agent

T = TypeVar("T")


class Serving:
    """A broker that is served on loopback, as a deployment server would embed it."""

    def __init__(self, folder: Path) -> None:
        self.own = own_certificate(folder / "broker", "broker")
        self.peers = Peers(folder / "broker" / "peers.json")
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        """At the same port as before, if there was one; what was queued before is forgotten."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(60)

    async def _serve(self, ready: threading.Event) -> None:
        self.loop = asyncio.get_running_loop()
        self.broker = Broker(self.peers)
        context = peer_context(self.own, self.peers)
        self._server = PeerServer(server_config(self.broker.app, "127.0.0.1", self.port, context))
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        self.port = self._server.port
        ready.set()
        await serving

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()

    def connections(self) -> list[socket.socket]:
        """The sockets of those who are connected."""
        inside = self._server.server_state.connections
        return [each.transport.get_extra_info("socket") for each in inside if isinstance(each, PeerConnection)]

    def do(self, work: Awaitable[T]) -> T:
        """Run a method of the broker in its loop."""

        async def run() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(60)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    one = Serving(tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def polling(make_agent: Callable[[str], Agent], serving: Serving) -> Agent:
    """An agent that the broker trusts; it trusts the broker by its thumbprint."""
    agent = make_agent("far")
    own = own_certificate(agent.home / "service", "far")
    serving.peers.add("far", own.pem, own.thumbprint, ("read",), WHEN)
    agent.start("--poll", serving.url, "--poll-thumbprint", serving.own.thumbprint)
    return agent


def queue(serving: Serving, agent: Agent, blobs: tuple[Blob, ...], deployment: str = "D-1", **more: Any) -> None:
    key = serving.do(serving.broker.sealing_key(agent.thumbprint))
    entries = [{"k": name, "v": value, "s": False} for name, value in VARIABLES.items()]
    sealed = seal(msgspec.json.encode(entries), key, deployment, b"broker")
    variables = base64.b64encode(sealed).decode()
    request = DeploymentRequest(bundle=blobs[0].sha256, variables=variables, **more)
    files = {blob.sha256: blob.path for blob in blobs}
    serving.do(serving.broker.enqueue(agent.thumbprint, deployment, request, files))


def texts(queued: Queued) -> list[str]:
    lines = [decode_line(event) for event in queued.events]
    return [str(line.data.get("text", "")) for line in lines if line.event == "message"]


def test_work_is_fetched_done_and_told(serving: Serving, polling: Agent) -> None:
    queue(serving, polling, polling.bundle("report.info('done far away')"))
    done = serving.do(serving.broker.wait("D-1"))
    assert done.status is not None
    assert (done.status.state, done.status.outputs) == ("succeeded", {"Answer": "42"}), done.status.error
    assert "done far away" in texts(done)


def test_cancel_reaches_the_agent(serving: Serving, polling: Agent) -> None:
    queue(serving, polling, polling.bundle("import time\ntime.sleep(60)"))
    eventually(lambda: serving.broker.look("D-1").taken)
    eventually(lambda: polling.client().status("D-1").state == "running")
    serving.do(serving.broker.cancel("D-1"))
    done = serving.do(serving.broker.wait("D-1"))
    assert done.status is not None
    assert done.status.state == "cancelled"


def test_agent_that_is_killed_meanwhile_tells_the_rest(serving: Serving, polling: Agent) -> None:
    do = "import time\nfor i in range(25):\n    report.info(f'line {i}')\n    time.sleep(0.1)"
    queue(serving, polling, polling.bundle(do))
    eventually(lambda: "line 3" in texts(serving.broker.look("D-1")))
    polling.kill()
    time.sleep(0.5)
    polling.start("--poll", serving.url, "--poll-thumbprint", serving.own.thumbprint)
    done = serving.do(serving.broker.wait("D-1"))
    assert [text for text in texts(done) if text.startswith("line")] == [f"line {i}" for i in range(25)]


def test_same_work_queued_again_is_done_once(serving: Serving, polling: Agent, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    blobs = polling.bundle(f"open({str(mark)!r}, 'a').write('x')")
    queue(serving, polling, blobs)
    serving.do(serving.broker.wait("D-1"))
    queue(serving, polling, blobs)
    time.sleep(1)
    assert mark.read_text() == "x"


def test_small_answers_are_not_held_back(serving: Serving, tmp_path: Path) -> None:
    """Without this option an answer of two parts waits for the other side's acknowledgement of the first."""
    own = own_certificate(tmp_path / "peer", "peer")
    serving.peers.add("peer", own.pem, own.thumbprint, ("read",), WHEN)
    connection = Connection(serving.url, serving.own.thumbprint, own)
    connection.ask("POST", "/v1/agents/poll", msgspec.json.encode(Poll(sealing_key="", wait=0)))
    [held] = serving.connections()
    assert held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    connection.close()


def test_broker_that_the_agent_does_not_know_is_told_nothing(
    make_agent: Callable[[str], Agent], serving: Serving
) -> None:
    agent = make_agent("careful")
    own = own_certificate(agent.home / "service", "careful")
    serving.peers.add("careful", own.pem, own.thumbprint, ("read",), WHEN)
    agent.start("--poll", serving.url, "--poll-thumbprint", "ab" * 32)
    with pytest.raises(TimeoutError):
        serving.do(asyncio.wait_for(serving.broker.sealing_key(agent.thumbprint), 1.5))
