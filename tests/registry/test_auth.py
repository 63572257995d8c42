"""Credentials never reach anybody but the registry, whatever tricks a challenge or a redirect plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import RegistryError
from agent.host import Credentials
from agent.registry.auth import read_challenge
from agent.registry.client import RegistryClient
from agent.registry.transport import Answer
from tests.registry.fake_server import Asked, FakeServer, Reply

JANE = Credentials(username="jane", password="s3cret")

REALMS = [
    "http://{attacker}/token",
    "HTTP://{attacker}/token",
    "https://{attacker}/token",
    "http://{registry}@{attacker}/token",
    "http://jane:x@{attacker}/token",
    "https://{registry}@{attacker}/token",
    "http://{attacker}\\@{registry}/token",
    "http://{attacker}#@{registry}/token",
    "http://{attacker}?@{registry}/token",
    "http://{attacker}/@{registry}/token",
    "//{attacker}/token",
    "{attacker}/token",
    "ftp://{attacker}/token",
    "file:///etc/passwd",
    "gopher://{attacker}/token",
    "http://localhost:{port}/token",
    "http://LOCALHOST:{port}/token",
    "http://127.1:{port}/token",
    "http://2130706433:{port}/token",
    "http://0x7f.1:{port}/token",
    "http://[::ffff:127.0.0.1]:{port}/token",
    "http://127.0.0.1.:{port}/token",
    "http://①②⑦.0.0.1:{port}/token",
    "http://127。0。0。1:{port}/token",
    "http://127.0.0.1%00:{port}/token",
    "http://127.0.0.1:{port}:80/token",
    "http:/{attacker}/token",
    "http:{attacker}/token",
    "javascript:alert(1)",
    "",
    "http://",
    "http://{attacker}\t/token",
]


@pytest.mark.parametrize("realm", REALMS)
@pytest.mark.parametrize("credentials", [JANE, Credentials(username="<token>", password="refresh")])
def test_realm_of_another_never_gets_credentials(
    fake_registry: FakeServer, attacker: FakeServer, realm: str, credentials: Credentials
) -> None:
    target = realm.format(attacker=attacker.name, registry=fake_registry.name, port=attacker.port)
    header = f'Bearer realm="{target}",service="x"'.encode().decode("latin-1")
    fake_registry.script = lambda _asked: Reply(status=401, headers={"WWW-Authenticate": header})
    with pytest.raises(RegistryError):
        look_up(fake_registry, credentials)
    assert [asked for asked in attacker.asked if asked.authorization or asked.body] == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed_with_credentials(
    fake_registry: FakeServer, attacker: FakeServer, status: int
) -> None:
    def script(asked: Asked) -> Reply:
        if not asked.authorization and asked.path != "/v2/":
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Reply(status=status, headers={"Location": f"{attacker.url}{asked.path}"})

    fake_registry.script = script
    with pytest.raises(RegistryError, match="redirects to"):
        look_up(fake_registry, JANE)
    assert attacker.asked == []


def test_token_server_that_redirects_is_not_followed(fake_registry: FakeServer, attacker: FakeServer) -> None:
    def script(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(status=302, headers={"Location": f"{attacker.url}/token"})
        return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{fake_registry.url}/token"'})

    fake_registry.script = script
    with pytest.raises(RegistryError, match="answers 302"):
        look_up(fake_registry, JANE)
    assert attacker.asked == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token": 5}', b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token": ""}']
)
def test_token_that_is_none_is_refused(fake_registry: FakeServer, body: bytes) -> None:
    def script(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(body=body)
        return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{fake_registry.url}/token"'})

    fake_registry.script = script
    with pytest.raises(RegistryError, match="holds no token"):
        look_up(fake_registry, JANE)


def test_scope_is_ours_whatever_the_challenge_says(fake_registry: FakeServer) -> None:
    def script(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(status=403)
        challenge = f'Bearer realm="{fake_registry.url}/token",scope="repository:other:pull,push,delete"'
        return Reply(status=401, headers={"WWW-Authenticate": challenge})

    fake_registry.script = script
    with pytest.raises(RegistryError, match="refuses user jane for repository:app:pull"):
        look_up(fake_registry, JANE)
    assert not any("other" in asked.path for asked in fake_registry.asked)


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        ('Bearer realm="https://a/t",service="b c"', "bearer", {"realm": "https://a/t", "service": "b c"}),
        ("BASIC realm=x", "basic", {"realm": "x"}),
        ("Basic", "basic", {}),
        ("Bearer " + "a" * 100_000, "bearer", {}),
    ],
)
def test_challenge_is_read(header: str, scheme: str, parameters: dict[str, str]) -> None:
    challenge = read_challenge(Answer(status=401, headers={"www-authenticate": header}))
    assert challenge is not None
    assert (challenge.scheme, challenge.parameters) == (scheme, parameters)


@pytest.mark.parametrize("header", ["", "Negotiate", "Digest realm=x", "NTLM"])
def test_other_schemes_are_not_answered(header: str) -> None:
    assert read_challenge(Answer(status=401, headers={"www-authenticate": header})) is None


def look_up(server: FakeServer, credentials: Credentials) -> None:
    with RegistryClient(
        server.name, credentials, certificates=Path("/nonexistent"), pause=lambda _seconds: None
    ) as registry:
        registry.manifest_digest("app", "1")
