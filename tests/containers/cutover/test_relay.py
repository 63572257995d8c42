import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.containers.cutover import relay
from agent.containers.cutover.relay import Relay

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "CONNECT_SECONDS", 0.1)


def test_who_finds_the_applications_queue_full_comes_again(tmp_path: Path) -> None:
    assert asyncio.run(asked(Relay(60, tmp_path / "state.json"), frees=True)) == ANSWER


def test_who_finds_it_full_for_too_long_is_told_so(tmp_path: Path) -> None:
    answer = asyncio.run(asked(Relay(0.5, tmp_path / "state.json"), frees=False))
    assert answer.startswith(b"HTTP/1.1 503 ")


async def asked(front: Relay, *, frees: bool) -> bytes:
    """What a client gets through the relay from an application whose queue is full when it comes."""
    with ExitStack() as opened:
        application = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = application.getsockname()[1]
        for _ in range(4):  # more than the queue takes, whichever way the system counts
            early = opened.enter_context(socket.socket())
            early.setblocking(False)
            early.connect_ex(("127.0.0.1", port))
        front.switch("127.0.0.1")
        server = await asyncio.start_server(front._accepting(port), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(REQUEST)
        answering = []
        if frees:
            await asyncio.sleep(0.5)
            answering = [asyncio.create_task(answer_all(application))]
        got = await asyncio.wait_for(reader.read(), 60)
        for task in answering:
            task.cancel()
        writer.close()
        server.close()
        return got


async def answer_all(application: socket.socket) -> None:
    application.setblocking(False)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as answering:
        while True:
            caller, _ = await loop.sock_accept(application)
            answering.create_task(answer(caller))


async def answer(caller: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with caller:
        caller.setblocking(False)
        if await loop.sock_recv(caller, 1000):
            await loop.sock_sendall(caller, ANSWER)
