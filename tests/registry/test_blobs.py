"""Blobs: read from real and lying registries, redirected, cut off, and resumed."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable

import pytest

from agent.errors import InputError, RegistryError
from agent.host import Credentials
from agent.registry import RegistryClient
from agent.registry.auth import basic
from agent.registry.documents import Descriptor
from agent.registry.origin import Origin
from agent.registry.transport import Request, Transport
from tests.conftest import TestRun
from tests.registry.fake_server import Asked, FakeServer, Reply
from tests.registry.memory_registry import MemoryRegistry, described

JANE = Credentials(username="jane", password="s3cret")
CONTENT = bytes(range(256)) * 4_000


def client(server: FakeServer, credentials: Credentials | None = None) -> RegistryClient:
    return RegistryClient(server.name, credentials, pause=lambda _seconds: None)


def once(path: str, reply: Reply) -> Callable[[Asked], Reply | None]:
    """This answer for the first request whose path ends so, then no more."""
    waiting = [reply]
    return lambda asked: waiting.pop() if waiting and asked.path.endswith(path) else None


def test_real_registry_gives_back_what_was_uploaded(registry: str, test_run: TestRun) -> None:
    repository, blob = test_run.name("blob"), described(CONTENT)
    with RegistryClient(registry) as real:
        assert not real.has_blob(repository, blob.digest)
        real.upload_blob(repository, blob, lambda: [CONTENT])
        assert real.has_blob(repository, blob.digest)
        assert real.load_blob(repository, blob, len(CONTENT)) == CONTENT
        assert real.traffic.sent > len(CONTENT)


def test_a_blob_that_breaks_off_is_read_on_from_there(fake_registry: FakeServer) -> None:
    memory = MemoryRegistry()
    memory.serve(fake_registry)
    blob = memory.keep("app", CONTENT)
    memory.faults = once(blob.digest, Reply(body=CONTENT, cut=300_000))
    with client(fake_registry) as registry:
        assert b"".join(registry.read_blob("app", blob)) == CONTENT
    assert fake_registry.asked[-1].headers["Range"].startswith("bytes=")


def test_a_registry_that_begins_anew_is_read_on_all_the_same(fake_registry: FakeServer) -> None:
    memory = MemoryRegistry()
    memory.serve(fake_registry)
    blob = memory.keep("app", CONTENT)
    replies = [Reply(body=CONTENT), Reply(body=CONTENT, cut=300_000)]
    memory.faults = lambda asked: replies.pop() if replies and asked.path.endswith(blob.digest) else None
    with client(fake_registry) as registry:
        assert b"".join(registry.read_blob("app", blob)) == CONTENT


def test_a_blob_that_always_breaks_off_is_given_up(fake_registry: FakeServer) -> None:
    blob = described(CONTENT)
    fake_registry.script = lambda asked: Reply(body=CONTENT, cut=1_000 if "blobs" in asked.path else None)
    with client(fake_registry) as registry, pytest.raises(RegistryError):
        list(registry.read_blob("app", blob))
    assert len(fake_registry.asked) < 20


@pytest.mark.parametrize(
    ("size", "sent", "message"),
    [
        (len(CONTENT), CONTENT[:-1] + b"x", "something else than this digest says"),
        (len(CONTENT) - 1, CONTENT, "the image's manifest says"),
        (len(CONTENT) + 1, CONTENT, "the image's manifest says"),
    ],
)
def test_a_blob_that_is_not_what_it_claims_is_refused(
    fake_registry: FakeServer, size: int, sent: bytes, message: str
) -> None:
    blob = Descriptor(media_type="x/x", digest=described(CONTENT).digest, size=size)
    fake_registry.script = lambda asked: Reply(body=sent if "blobs" in asked.path else b"{}")
    with client(fake_registry) as registry, pytest.raises(RegistryError, match=message):
        list(registry.read_blob("app", blob))


def test_more_than_was_described_is_not_passed_on(fake_registry: FakeServer) -> None:
    blob = described(b"short")
    chunked = f"{4:x}\r\nshor\r\n{1_000:x}\r\n".encode() + b"t" * 1_000 + b"\r\n0\r\n\r\n"
    reply = Reply(headers={"Transfer-Encoding": "chunked"}, body=chunked)
    fake_registry.script = lambda asked: reply if "blobs" in asked.path else Reply()
    passed: list[bytes] = []
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="more than all"):
        passed.extend(registry.read_blob("app", blob))
    assert sum(map(len, passed)) <= blob.size


def test_sha512_is_verified_too(fake_registry: FakeServer) -> None:
    digest = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    fake_registry.script = lambda _asked: Reply(body=CONTENT)
    with client(fake_registry) as registry:
        blob = Descriptor(media_type="x/x", digest=digest, size=len(CONTENT))
        assert b"".join(registry.read_blob("app", blob)) == CONTENT


def test_a_large_one_is_not_loaded_whole(fake_registry: FakeServer) -> None:
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="too much"):
        registry.load_blob("app", described(CONTENT), 1_000)
    assert fake_registry.asked == []


def test_a_missing_blob_is_said(fake_registry: FakeServer) -> None:
    MemoryRegistry().serve(fake_registry)
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="not in the registry"):
        list(registry.read_blob("app", described(CONTENT)))


def test_a_redirect_is_followed_without_credentials(fake_registry: FakeServer, attacker: FakeServer) -> None:
    blob = described(CONTENT)
    attacker.script = lambda _asked: Reply(body=CONTENT)
    fake_registry.script = guarded(Reply(status=307, headers={"Location": f"{attacker.url}/store?sig=1"}))
    with client(fake_registry, JANE) as registry:
        assert b"".join(registry.read_blob("app", blob)) == CONTENT
    assert [(asked.path, asked.authorization) for asked in attacker.asked] == [("/store?sig=1", "")]


def test_coming_back_from_a_redirect_brings_no_credentials(fake_registry: FakeServer, attacker: FakeServer) -> None:
    blob = described(CONTENT)
    attacker.script = lambda _asked: Reply(status=302, headers={"Location": f"{fake_registry.url}/v2/private"})
    fake_registry.script = guarded(Reply(status=307, headers={"Location": f"{attacker.url}/x"}))
    with client(fake_registry, JANE) as registry, pytest.raises(RegistryError):
        list(registry.read_blob("app", blob))
    back = [asked for asked in fake_registry.asked if asked.path == "/v2/private"]
    assert [asked.authorization for asked in back] == [""]


def test_a_redirect_within_the_registry_keeps_the_credentials(fake_registry: FakeServer) -> None:
    blob = described(CONTENT)
    moved = guarded(Reply(status=308, headers={"Location": "/v2/blobs/moved"}))
    content = guarded(Reply(body=CONTENT))
    fake_registry.script = lambda asked: (content if asked.path.endswith("moved") else moved)(asked)
    with client(fake_registry, JANE) as registry:
        assert b"".join(registry.read_blob("app", blob)) == CONTENT


def test_a_lie_behind_a_redirect_is_found(fake_registry: FakeServer, attacker: FakeServer) -> None:
    attacker.script = lambda _asked: Reply(body=b"x" * len(CONTENT))
    fake_registry.script = lambda _asked: Reply(status=307, headers={"Location": attacker.url})
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="something else"):
        list(registry.read_blob("app", described(CONTENT)))


def test_redirects_without_end_are_left(fake_registry: FakeServer) -> None:
    fake_registry.script = lambda asked: Reply(status=302, headers={"Location": asked.path + "x"})
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="again and again"):
        list(registry.read_blob("app", described(CONTENT)))
    assert len(fake_registry.asked) < 10


@pytest.mark.parametrize(
    "location",
    [
        "",
        "file:///etc/passwd",
        "ftp://x.test/",
        "http://user:pw@x.test/",
        "http://x.test\\@y/",
        "//[::1",
        "ht tp://x",
    ],
)
def test_improper_redirects_are_not_followed(fake_registry: FakeServer, location: str) -> None:
    reply = Reply(status=307, headers={"Location": location})
    fake_registry.script = lambda asked: reply if "blobs" in asked.path else Reply(status=404)
    with client(fake_registry) as registry, pytest.raises(RegistryError):
        list(registry.read_blob("app", described(CONTENT)))
    assert {asked.path for asked in fake_registry.asked} <= {"/v2/", f"/v2/app/blobs/{described(CONTENT).digest}"}


def test_tls_is_not_left_for_plain_http(tls_server: FakeServer, attacker: FakeServer) -> None:
    tls_server.script = lambda _asked: Reply(status=307, headers={"Location": f"{attacker.url}/x"})
    with client(tls_server) as registry, pytest.raises(RegistryError, match="without TLS"):
        list(registry.read_blob("app", described(CONTENT)))
    assert attacker.asked == []


def test_a_repository_cannot_lead_astray(fake_registry: FakeServer) -> None:
    with client(fake_registry) as registry:
        for repository in ("../x", "a?b", "A", "a b"):
            with pytest.raises(InputError):
                list(registry.read_blob(repository, described(CONTENT)))
            with pytest.raises(InputError):
                registry.upload_blob(repository, described(CONTENT), lambda: [CONTENT])
    assert fake_registry.asked == []


def test_nothing_is_said_to_our_own_address_where_others_send_us(attacker: FakeServer) -> None:
    transport = Transport(lambda _origin: ssl.create_default_context(), pause=lambda _seconds: None)
    origin = Origin(scheme="http", host="localhost", port=attacker.port)
    with pytest.raises(RegistryError, match="address of this machine"):
        transport.stream(origin, Request(method="GET", path="/latest/meta-data"), only_public=True)
    assert attacker.asked == []


def guarded(reply: Reply) -> Callable[[Asked], Reply]:
    def script(asked: Asked) -> Reply:
        if asked.path == "/v2/private":
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="fake"'})
        if asked.path != "/v2/" and asked.authorization != basic(JANE):
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="fake"'})
        return reply if "blobs" in asked.path else Reply(body=b"{}")

    return script
