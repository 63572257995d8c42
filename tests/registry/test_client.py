"""The registry client against a real registry, and against servers that misbehave."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import InputError, RegistryError
from agent.host import BuildRequest, ContainerHost, Credentials
from agent.registry.auth import basic
from agent.registry.client import RegistryClient
from agent.registry.origin import Origin
from agent.registry.transport import Request, Transport
from tests.conftest import TestRun
from tests.objections import objection
from tests.registry.fake_server import Asked, Certificate, FakeServer, Reply

JANE = Credentials(username="jane", password="s3cret")
DIGEST = "sha256:" + "ab" * 32
NOWHERE = Path("/nonexistent")


def client(server: FakeServer, credentials: Credentials | None = None) -> RegistryClient:
    return RegistryClient(server.name, credentials, certificates=NOWHERE, pause=lambda _seconds: None)


def test_real_registry_answers_a_ping_and_takes_uploads(registry: str, test_run: TestRun) -> None:
    with RegistryClient(registry) as real:
        assert objection(real.ping) == ""
        assert real.can_write(test_run.name("writable"))


def test_real_registry_knows_the_digest_that_the_engine_pushed(
    registry: str, engine_host: ContainerHost, base_image: str, test_run: TestRun, tmp_path: Path
) -> None:
    repository = test_run.name("client")
    (tmp_path / "Dockerfile").write_text(f"FROM {base_image}\n", encoding="utf-8")
    tag = f"{registry}/{repository}:1.2.0-deployments-75"
    engine_host.build(BuildRequest(context=tmp_path, tags=(tag,)), lambda _line: None)
    digest = engine_host.push(tag, None, lambda _done, _total: None)
    with RegistryClient(registry) as real:
        assert real.manifest_digest(repository, "1.2.0-deployments-75") == digest
        assert real.manifest_digest(repository, digest) == digest
        assert real.manifest_digest(repository, "1.2.0-deployments-76") is None
        assert real.manifest_digest(f"{repository}/other", "1") is None


def test_real_registry_can_be_written_and_no_upload_stays(
    registry: str, sandbox_state: Path, test_run: TestRun
) -> None:
    repository = test_run.name("write")
    with RegistryClient(registry) as real:
        assert real.can_write(repository)
    begun = [path for path in sandbox_state.rglob("_uploads/*/startedat") if repository in str(path)]
    assert begun == []


def test_digest_is_computed_where_the_registry_names_none(fake_registry: FakeServer) -> None:
    manifest = b'{"schemaVersion": 2}'
    fake_registry.script = lambda _asked: Reply(body=manifest)
    with client(fake_registry) as registry:
        assert registry.manifest_digest("app", "1") == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "a" * 32, DIGEST.upper(), DIGEST + "\tx"])
def test_wrong_digest_is_refused(fake_registry: FakeServer, digest: str) -> None:
    fake_registry.script = lambda _asked: Reply(headers={"Docker-Content-Digest": digest or "x"})
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="wrong digest"):
        registry.manifest_digest("app", "1")


def test_other_digest_than_asked_for_is_refused(fake_registry: FakeServer) -> None:
    fake_registry.script = lambda _asked: Reply(headers={"Docker-Content-Digest": DIGEST})
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="wrong digest"):
        registry.manifest_digest("app", "sha256:" + "cd" * 32)


@pytest.mark.parametrize("repository", ["../v1/x", "a/../b", "A", "a?x=1", "a b", "", "-x", "a\r\nHost: x"])
def test_repository_cannot_lead_a_request_astray(fake_registry: FakeServer, repository: str) -> None:
    with client(fake_registry) as registry:
        with pytest.raises(InputError):
            registry.manifest_digest(repository, "1")
        with pytest.raises(InputError):
            registry.can_write(repository)
    assert fake_registry.asked == []


@pytest.mark.parametrize(
    "name", ["", "nodots", "http://r.io", "r.io/x", "user@r.io", "r.io:99999", "-r.io", "r_r.io"]
)
def test_what_is_no_registrys_name_is_refused(name: str) -> None:
    with pytest.raises((InputError, RegistryError)):
        RegistryClient(name)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=404), "not as a registry"),
        (Reply(body=b"<html>"), "not as a registry"),
        (Reply(status=401), "refuses access without credentials"),
    ],
)
def test_ping_says_what_is_wrong(fake_registry: FakeServer, reply: Reply, message: str) -> None:
    fake_registry.script = lambda _asked: reply
    with client(fake_registry) as registry, pytest.raises(RegistryError, match=message):
        registry.ping()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "refuses this to access without credentials"),
        (429, "limit is reached"),
        (500, "in trouble"),
        (301, "redirects to 'https://elsewhere.test/x'; name that instead"),
        (418, "answers 418"),
    ],
)
def test_refusals_say_what_to_do(fake_registry: FakeServer, status: int, message: str) -> None:
    fake_registry.script = lambda _asked: Reply(status=status, headers={"Location": "https://elsewhere.test/x"})
    with client(fake_registry) as registry, pytest.raises(RegistryError, match=message):
        registry.manifest_digest("app", "1")


def test_nobody_at_the_address_is_said(fake_registry: FakeServer) -> None:
    with RegistryClient("127.0.0.1:9") as registry, pytest.raises(RegistryError, match="nobody answers"):
        registry.ping()


def test_trouble_that_passes_is_waited_out(fake_registry: FakeServer) -> None:
    replies = iter([Reply(body=b"{}"), Reply(status=503, headers={"Retry-After": "7"}), Reply(status=502)])
    fake_registry.script = lambda _asked: next(replies, Reply(headers={"Docker-Content-Digest": DIGEST}))
    pauses: list[float] = []
    with RegistryClient(fake_registry.name, pause=pauses.append) as registry:
        registry.ping()
        assert registry.manifest_digest("app", "1") == DIGEST
    assert pauses == [7.0, 2.0]


def test_pause_that_a_registry_asks_for_has_a_limit(fake_registry: FakeServer) -> None:
    fake_registry.script = lambda _asked: Reply(status=429, headers={"Retry-After": "86400"})
    pauses: list[float] = []
    with RegistryClient(fake_registry.name, pause=pauses.append) as registry, pytest.raises(RegistryError):
        registry.manifest_digest("app", "1")
    assert max(pauses) <= 20


def test_endless_answer_is_cut(fake_registry: FakeServer) -> None:
    fake_registry.script = lambda asked: Reply(body=b"" if asked.path == "/v2/" else b"x" * (9 * 1024 * 1024))
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="too large"):
        registry.manifest_digest("app", "1")


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_registry_that_refuses_an_upload_cannot_be_written(fake_registry: FakeServer, status: int) -> None:
    fake_registry.script = lambda asked: Reply(status=200 if asked.path == "/v2/" else status)
    with client(fake_registry) as registry:
        assert not registry.can_write("app")


@pytest.mark.parametrize("location", ["/v2/app/u/1?state=x%3D", "{url}/v2/app/u/1?state=x%3D"])
def test_upload_that_was_begun_is_cancelled(fake_registry: FakeServer, location: str) -> None:
    headers = {"Location": location.replace("{url}", fake_registry.url)}
    fake_registry.script = lambda _asked: Reply(status=202, headers=headers)
    with client(fake_registry) as registry:
        assert registry.can_write("app")
    assert [(asked.method, asked.path) for asked in fake_registry.asked[-2:]] == [
        ("POST", "/v2/app/blobs/uploads/"),
        ("DELETE", "/v2/app/u/1?state=x%3D"),
    ]


def test_upload_elsewhere_is_not_cancelled_there(fake_registry: FakeServer, attacker: FakeServer) -> None:
    fake_registry.script = lambda _asked: Reply(status=202, headers={"Location": f"{attacker.url}/v2/app/u/1"})
    with client(fake_registry, JANE) as registry:
        assert registry.can_write("app")
    assert attacker.asked == []


def test_basic_credentials_are_sent_only_once_asked_for(fake_registry: FakeServer) -> None:
    fake_registry.script = basic_registry
    with client(fake_registry, JANE) as registry:
        assert registry.manifest_digest("app", "1") == DIGEST
    assert fake_registry.asked[0].authorization == ""


def test_wrong_password_is_said_without_it(fake_registry: FakeServer) -> None:
    fake_registry.script = basic_registry
    wrong = Credentials(username="jane", password="wr0ng")
    with client(fake_registry, wrong) as registry, pytest.raises(RegistryError, match="refuses user jane") as failed:
        registry.ping()
    assert "wr0ng" not in repr(failed.value)


def test_token_is_fetched_for_its_scope_and_kept(fake_registry: FakeServer) -> None:
    fake_registry.script = token_registry(fake_registry)
    with client(fake_registry, JANE) as registry:
        assert registry.manifest_digest("app", "1") == DIGEST
        assert registry.manifest_digest("app", "2") == DIGEST
    tokens = [asked for asked in fake_registry.asked if asked.path.startswith("/token")]
    assert [asked.path for asked in tokens] == ["/token?service=fake&scope=repository%3Aapp%3Apull"]
    assert tokens[0].authorization.startswith("Basic ")


def test_token_without_credentials_is_asked_for_anonymously(fake_registry: FakeServer) -> None:
    fake_registry.script = token_registry(fake_registry)
    with client(fake_registry) as registry:
        assert registry.manifest_digest("app", "1") == DIGEST
    assert not any(asked.authorization.startswith("Basic") for asked in fake_registry.asked)


def test_identity_token_is_exchanged(fake_registry: FakeServer) -> None:
    fake_registry.script = token_registry(fake_registry)
    with client(fake_registry, Credentials(username="<token>", password="refresh-me")) as registry:
        assert registry.manifest_digest("app", "1") == DIGEST
    (exchange,) = [asked for asked in fake_registry.asked if asked.path.startswith("/token")]
    assert exchange.method == "POST"
    assert b"refresh_token=refresh-me" in exchange.body
    assert "refresh-me" not in exchange.path


def test_registry_that_is_never_content_is_asked_twice_at_most(fake_registry: FakeServer) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    fake_registry.script = lambda _asked: Reply(status=401, headers=challenge)
    with client(fake_registry, JANE) as registry, pytest.raises(RegistryError, match="refuses user jane"):
        registry.manifest_digest("app", "1")
    assert len([asked for asked in fake_registry.asked if "manifests" in asked.path]) == 2


def test_untrusted_certificate_is_said(tls_server: FakeServer) -> None:
    strict = Transport(lambda _origin: ssl.create_default_context())
    origin = Origin(scheme="https", host="127.0.0.1", port=tls_server.port)
    with pytest.raises(RegistryError, match="certificate is not trusted"):
        strict.send(origin, Request(method="GET", path="/v2/"))
    strict.close()


def test_certificate_that_docker_trusts_is_trusted(
    tls_server: FakeServer, certificate: Certificate, tmp_path: Path
) -> None:
    folder = tmp_path / tls_server.name
    folder.mkdir()
    (folder / "ca.crt").write_bytes(certificate.path.read_bytes())
    tls_server.script = lambda _asked: Reply(body=b"{}")
    with RegistryClient(tls_server.name, certificates=tmp_path) as registry:
        assert objection(registry.ping) == ""
    assert {asked.path for asked in tls_server.asked} == {"/v2/"}


def basic_registry(asked: Asked) -> Reply:
    if asked.authorization != basic(JANE):
        return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="fake"'})
    return Reply(headers={"Docker-Content-Digest": DIGEST}, body=b"{}")


def token_registry(server: FakeServer) -> Callable[[Asked], Reply]:
    def script(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(body=json.dumps({"token": "t0ken"}).encode())
        if asked.path == "/v2/" or asked.authorization == "Bearer t0ken":
            return Reply(headers={"Docker-Content-Digest": DIGEST}, body=b"{}")
        challenge = f'Bearer realm="{server.url}/token",service="fake",scope="registry:catalog:*"'
        return Reply(status=401, headers={"WWW-Authenticate": challenge})

    return script
