"""Servers for the feeds' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from agent.packages.feeds import Feed, FeedSettings, Patience, open_feed
from tests.packages.web_server import WebServer, serving, without_proxies

OpenFeed = Callable[..., Feed]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    without_proxies(monkeypatch)
    with serving() as web:
        yield web


@pytest.fixture
def attacker() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.fixture
def pauses() -> list[float]:
    """The waits between attempts, which no test sits out."""
    return []


@pytest.fixture
def opened(tmp_path: Path, pauses: list[float]) -> OpenFeed:
    """Opens a feed of some type that may reach this machine."""

    def open_it(type: str, uri: str, **more: object) -> Feed:  # noqa: A002
        settings = FeedSettings(**{"type": type, "uri": uri, "allow_local": True, **more})  # type: ignore[arg-type]
        return open_feed("test", settings, tmp_path, Patience(pause=pauses.append))

    return open_it


@pytest.fixture(scope="session")
def make_certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], Path]:
    """A self-signed certificate (with its key) that is valid from two days ago for so many days."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(days: int, address: str = "127.0.0.1") -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "feed.test")])
        begin = datetime.now(UTC) - timedelta(days=2)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path_factory.mktemp("certificate") / "both.pem"
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(certificate.public_bytes(pem) + private)
        return path

    return make
