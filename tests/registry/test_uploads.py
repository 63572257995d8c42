"""Uploads and mounts: to a real registry, and to one that cuts, refuses, or sends us elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import RegistryError
from agent.host import Credentials
from agent.registry import RegistryClient
from agent.registry.session import Session
from agent.registry.uploads import upload_blob
from tests.conftest import TestRun
from tests.registry.fake_server import Asked, FakeServer, Reply
from tests.registry.memory_registry import MemoryRegistry, described

CONTENT = bytes(range(256)) * 40
BLOB = described(CONTENT)
PIECE = 3_000


@pytest.fixture
def memory(fake_registry: FakeServer) -> MemoryRegistry:
    memory = MemoryRegistry()
    memory.serve(fake_registry)
    return memory


@pytest.fixture
def session(fake_registry: FakeServer) -> Iterator[Session]:
    session = opened(fake_registry.name)
    yield session
    session.close()


def opened(registry: str) -> Session:
    return Session(registry, None, insecure=False, certificates=Path("/nonexistent"), pause=lambda _seconds: None)


def methods(server: FakeServer) -> list[str]:
    return [asked.method for asked in server.asked if asked.path != "/v2/"]


def test_a_small_blob_goes_in_two_requests(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    upload_blob(session, "app", BLOB, lambda: [CONTENT])
    assert memory.blobs["app", BLOB.digest] == CONTENT
    assert methods(fake_registry) == ["POST", "PUT"]


def test_a_large_one_goes_in_pieces(memory: MemoryRegistry, session: Session, fake_registry: FakeServer) -> None:
    upload_blob(session, "app", BLOB, lambda: [CONTENT], PIECE)
    assert memory.blobs["app", BLOB.digest] == CONTENT
    assert methods(fake_registry) == ["POST", *["PATCH"] * 4, "PUT"]


def test_a_real_registry_takes_pieces(registry: str, test_run: TestRun) -> None:
    repository = test_run.name("pieces")
    session = opened(registry)
    upload_blob(session, repository, BLOB, lambda: [CONTENT], PIECE)
    session.close()
    with RegistryClient(registry) as real:
        assert real.load_blob(repository, BLOB, BLOB.size) == CONTENT


def test_pieces_are_as_large_as_the_registry_wants(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    memory.smallest_piece = 6_000
    upload_blob(session, "app", BLOB, lambda: [CONTENT], PIECE)
    assert methods(fake_registry).count("PATCH") == 2


def test_a_cut_piece_is_resumed_where_the_registry_has_got_to(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    def half_of_the_second(asked: Asked) -> Reply | None:
        if asked.method != "PATCH" or len(memory.uploads["upload-0"]) != PIECE:
            return None
        memory.uploads["upload-0"] += asked.body[:1_000]
        return Reply(cut=-1)

    memory.faults = half_of_the_second
    upload_blob(session, "app", BLOB, lambda: [CONTENT], PIECE)
    assert memory.blobs["app", BLOB.digest] == CONTENT
    assert methods(fake_registry).count("POST") == 1
    resumed = [asked for asked in fake_registry.asked if asked.headers.get("Content-Range") == "4000-5999"]
    assert len(resumed) == 1


def test_an_upload_that_cannot_be_resumed_is_begun_anew(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    lost: list[bytes] = []

    def lose_the_upload(asked: Asked) -> Reply | None:
        if asked.method != "PATCH" or lost or not memory.uploads["upload-0"]:
            return None
        lost.append(memory.uploads.pop("upload-0"))
        return Reply(cut=-1)

    memory.faults = lose_the_upload
    upload_blob(session, "app", BLOB, lambda: [CONTENT], PIECE)
    assert memory.blobs["app", BLOB.digest] == CONTENT
    assert methods(fake_registry).count("POST") == 2


def test_a_lost_answer_to_the_last_request_is_no_failure(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    def take_it_and_hang_up(asked: Asked) -> Reply | None:
        if asked.method != "PUT" or memory.blobs:
            return None
        memory.answer(asked)
        return Reply(cut=-1)

    memory.faults = take_it_and_hang_up
    upload_blob(session, "app", BLOB, lambda: [CONTENT])
    assert memory.blobs["app", BLOB.digest] == CONTENT


def test_a_registry_that_never_takes_it_is_left_after_three_attempts(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    memory.faults = lambda asked: Reply(status=500) if asked.method == "PUT" else None
    with pytest.raises(RegistryError, match="in trouble"):
        upload_blob(session, "app", BLOB, lambda: [CONTENT])
    assert methods(fake_registry).count("POST") == 3


@pytest.mark.parametrize("pieces", [PIECE, 1_000_000])
@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b"y" * len(CONTENT)])
def test_content_that_is_another_is_not_left_there(
    memory: MemoryRegistry, session: Session, content: bytes, pieces: int
) -> None:
    with pytest.raises(RegistryError, match="another digest or length"):
        upload_blob(session, "app", BLOB, lambda: [content], pieces)
    assert memory.blobs == {}
    assert memory.uploads == {}


def test_a_registry_that_took_something_else_is_not_believed(memory: MemoryRegistry, session: Session) -> None:
    other = {"Docker-Content-Digest": described(b"other").digest}
    memory.faults = lambda asked: Reply(status=201, headers=other) if asked.method == "PUT" else None
    with pytest.raises(RegistryError, match="the registry took"):
        upload_blob(session, "app", BLOB, lambda: [CONTENT])


def test_nothing_is_uploaded_to_another_place(
    memory: MemoryRegistry, fake_registry: FakeServer, attacker: FakeServer
) -> None:
    begun = Reply(status=202, headers={"Location": f"{attacker.url}/v2/app/blobs/uploads/1"})
    memory.faults = lambda asked: begun if asked.method == "POST" else None
    jane = Credentials(username="jane", password="s3cret")
    with RegistryClient(fake_registry.name, jane) as registry, pytest.raises(RegistryError, match="another place"):
        registry.upload_blob("app", BLOB, lambda: [CONTENT])
    assert attacker.asked == []
    assert methods(fake_registry) == ["POST"]


def test_a_registry_behind_a_proxy_may_not_know_its_own_scheme(
    memory: MemoryRegistry, fake_registry: FakeServer, session: Session
) -> None:
    memory.uploads["upload-0"] = b""
    place = f"https://{fake_registry.name}/v2/app/blobs/uploads/upload-0?state=x"
    memory.faults = lambda asked: Reply(status=202, headers={"Location": place}) if asked.method == "POST" else None
    upload_blob(session, "app", BLOB, lambda: [CONTENT])
    assert memory.blobs["app", BLOB.digest] == CONTENT


def test_who_may_not_write_is_told_at_once(
    memory: MemoryRegistry, session: Session, fake_registry: FakeServer
) -> None:
    memory.faults = lambda asked: Reply(status=403) if asked.method == "POST" else None
    with pytest.raises(RegistryError, match="refuses this"):
        upload_blob(session, "app", BLOB, lambda: [CONTENT])
    assert methods(fake_registry) == ["POST"]


def test_a_blob_is_mounted_from_another_repository(memory: MemoryRegistry, fake_registry: FakeServer) -> None:
    blob = memory.keep("team/app", CONTENT)
    with RegistryClient(fake_registry.name) as registry:
        assert registry.copy_blob("team/app", "live/app", blob)
    assert memory.blobs["live/app", blob.digest] == CONTENT
    assert methods(fake_registry) == ["POST"]


@pytest.mark.parametrize("status", [202, 400, 405])
def test_where_nothing_is_mounted_it_is_copied(
    memory: MemoryRegistry, fake_registry: FakeServer, status: int
) -> None:
    memory.mounts = False
    blob = memory.keep("team/app", CONTENT)
    if status != 202:
        memory.faults = lambda asked: Reply(status=status) if "mount=" in asked.path else None
    with RegistryClient(fake_registry.name) as registry:
        assert not registry.copy_blob("team/app", "live/app", blob)
    assert memory.blobs["live/app", blob.digest] == CONTENT
    assert memory.uploads == {}


def test_a_real_registry_mounts(registry: str, test_run: TestRun) -> None:
    source, target = test_run.name("mount/from"), test_run.name("mount/to")
    with RegistryClient(registry) as real:
        real.upload_blob(source, BLOB, lambda: [CONTENT])
        assert real.copy_blob(source, target, BLOB)
        assert real.has_blob(target, BLOB.digest)


def test_a_mount_asks_for_both_repositories(memory: MemoryRegistry, fake_registry: FakeServer) -> None:
    blob = memory.keep("team/app", CONTENT)
    challenge = {"WWW-Authenticate": f'Bearer realm="{fake_registry.url}/token",service="fake"'}

    def with_token(asked: Asked) -> Reply | None:
        if asked.path.startswith("/token"):
            return Reply(body=b'{"token": "t"}')
        known = asked.path == "/v2/" or asked.authorization == "Bearer t"
        return None if known else Reply(status=401, headers=challenge)

    memory.faults = with_token
    with RegistryClient(fake_registry.name) as registry:
        assert registry.copy_blob("team/app", "live/app", blob)
    (token,) = [asked.path for asked in fake_registry.asked if asked.path.startswith("/token")]
    assert "scope=repository%3Alive%2Fapp%3Apull%2Cpush&scope=repository%3Ateam%2Fapp%3Apull" in token
