"""Requests that nobody would make: `python -m tests.service.fuzz [SECONDS]`.

Half of them are HTTP with wrong pieces, half are bytes that only begin like it. The listener must answer each with
a status below 500 or hang up, must tell nothing in its own log, and must still be there afterwards.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.service.conftest import Agent

WORDS = [
    "D-1", "..", "a%2Fb", "%00", "x" * 300, "é", "%c3%28", "-1", "0", "1e9", "9" * 30, "nan", "inf", "", " ", "null",
    "a" * 64, "A" * 64, "a" * 64 + ".lock", "partial", "../../etc/passwd", "deployments", "#{x}", "{", "\x7f",
]  # fmt: skip
PATHS = [
    "/v1/capabilities", "/v1/blobs/{}", "/v1/uploads", "/v1/uploads/{}", "/v1/uploads/{}/commit", "/v1/deployments",
    "/v1/deployments/{}", "/v1/deployments/{}/log?after={}&wait=0", "/v1/deployments/{}/events?after={}",
    "/v1/deployments/{}/cancel", "/v1/deployments/{}/complete", "/v1/history?slot={}&limit={}", "/healthz", "/readyz",
    "/metrics", "/", "/deployments/{}", "/static/{}", "/rollback", "/{}", "/v1/{}/{}",
]  # fmt: skip
METHODS = [*["GET", "POST"] * 6, *["PUT", "PATCH"] * 2, "HEAD", "DELETE", "OPTIONS", "TRACE", "FOO"]
KEYS = ["command", "bundle", "packages", "variables", "slot", "to", "target", "sequence", "time_limit", "sha256"]
KEYS += ["size", "name", "surprise"]


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder) / "agent")
        agent.start()
        try:
            answers = fuzz(agent, seconds, random.Random(time.time_ns()))
        finally:
            agent.close()
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(answers.items()))
    print(f"{answers.total():,} requests in {seconds:g} s ({told}): no 5xx, nothing in the listener's log")


def fuzz(agent: Agent, seconds: float, chance: random.Random) -> Counter[str]:
    """What the answers were; AssertionError for one that should not be, with the request."""
    deadline = time.monotonic() + seconds
    answers: Counter[str] = Counter()
    context = _context(agent)
    while time.monotonic() < deadline:
        request = structured(chance)
        if chance.random() < 0.5:
            request = damaged(request, chance)
        answer = _answer(agent, context, request)
        assert not answer.startswith("5"), (answer, request)
        answers[answer] += 1
    _answer_well(agent, context)
    told = (agent.folder / "listener.txt").read_text()
    assert told == "", told
    return answers


def structured(chance: random.Random) -> bytes:
    """A request that is well-formed, as HTTP."""
    path = chance.choice(PATHS)
    path = path.format(*(_word(chance).encode("utf-8", "replace").decode("latin-1") for _ in range(path.count("{}"))))
    path = "".join(letter if 32 < ord(letter) < 127 else f"%{ord(letter):02x}" for letter in path)
    body = json.dumps(_value(chance, 0)).encode() if chance.random() < 0.6 else b""
    lines = [f"{chance.choice(METHODS)} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    for name in ("Upload-Offset", "Last-Event-ID", "Cookie", "Origin"):
        if chance.random() < 0.3:
            word = _word(chance)
            lines.append(f"{name}: {word if word.isprintable() and word.isascii() else 'x'}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def damaged(request: bytes, chance: random.Random) -> bytes:
    """Some bytes of it changed, taken out, doubled; or its end."""
    data = bytearray(request)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) or 1)
        match chance.randrange(4):
            case 0:
                data[place : place + 1] = chance.randbytes(1)
            case 1:
                del data[place : place + chance.randint(1, 20)]
            case 2:
                data[place:place] = data[place : place + chance.randint(1, 50)]
            case _:
                data = data[: max(1, place)] if chance.random() < 0.3 else data
        data = data or bytearray(b"\n")
    return bytes(data)


def _word(chance: random.Random) -> str:
    return chance.choice(WORDS)


def _value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(7)
    if depth == 0 or (kind < 2 and depth < 3):
        return {chance.choice(KEYS): _value(chance, depth + 1) for _ in range(chance.randint(0, 5))}
    if kind == 2 and depth < 3:
        return [_value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    numbers = [0, -1, 1.5, 10**30, True, None, "rollback", "run", 64 * "a"]
    return chance.choice([*numbers, _word(chance), "\ud800".encode("utf-8", "replace").decode()])


def _answer(agent: Agent, context: ssl.SSLContext, request: bytes) -> str:
    """The status, or "none" if it hung up or waits for more."""
    try:
        with _connected(agent, context) as connection:
            connection.sendall(request)
            connection.settimeout(0.2)
            return connection.recv(12)[9:12].decode("latin-1") or "none"
    except (OSError, ssl.SSLError):
        return "none"


def _answer_well(agent: Agent, context: ssl.SSLContext) -> None:
    with _connected(agent, context) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200"), "the listener is gone"


def _context(agent: Agent) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(agent.own.certificate, agent.own.key)
    return context


def _connected(agent: Agent, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection(("127.0.0.1", agent.port), 5))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
