"""A real registry behind a door that only Jane passes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from agent.host import Credentials
from tests.registry.fake_server import Asked, FakeServer, Reply, serving

JANE = Credentials(username="jane", password="s3cret:with:colons")


@contextmanager
def guarding(registry: str) -> Iterator[FakeServer]:
    """The door's address is the server's name."""
    with serving(None) as door:
        door.script = lambda asked: _passed_on(asked, registry)
        yield door


def _passed_on(asked: Asked, registry: str) -> Reply:
    if asked.authorization != f"Basic {b64encode(f'{JANE.username}:{JANE.password}'.encode()).decode()}":
        return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="door"'})
    connection = HTTPConnection(registry, timeout=30)
    dropped = ("authorization", "transfer-encoding", "content-length")
    headers = {name: value for name, value in asked.headers.items() if name.lower() not in dropped}
    connection.request(asked.method, asked.path, asked.body, headers | {"Content-Length": str(len(asked.body))})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    passed = {name: value for name, value in answer.getheaders() if name.lower() != "transfer-encoding"}
    return Reply(status=answer.status, headers=passed, body=body)
