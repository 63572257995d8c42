"""Downloads from a server that misbehaves: what may pass is tried again, what is a lie is not used."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages.web import Access, Expected, Patience, WebClient, parse_address
from tests.packages.web_server import WebServer, cut, in_turn, reply, serve_file, serving, without_proxies

CONTENT = bytes(range(256)) * 4_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def download(tmp_path: Path, server: WebServer, pauses: list[float]) -> Callable[..., str]:
    """Fetches `/file` and gives its SHA-256."""

    def fetch(size: int = 0, hash: str = "", seconds: float = 1800) -> str:  # noqa: A002
        access = Access(origin=parse_address(server.url).origin, allow_local=True)
        client = WebClient("test", access, Patience(pause=pauses.append, seconds=seconds))
        into = tmp_path / "got"
        expected = Expected(size=size, hash=hash)
        done = client.download(parse_address(f"{server.url}/file"), into, lambda *_: None, expected)
        assert hashlib.sha256(into.read_bytes()).hexdigest() == done.sha256
        assert into.stat().st_size == done.size
        return done.sha256

    return fetch


def test_what_was_cut_is_resumed_where_it_ended(server: WebServer, download: Callable[..., str]) -> None:
    pieces = [100_000, 300_000, 200_000]
    server.special["/file"] = in_turn(
        *(lambda handler, upto=upto: serve_file(handler, CONTENT, upto) for upto in pieces),
        lambda handler: serve_file(handler, CONTENT),
    )
    assert download(len(CONTENT), f"sha256:{SHA256}") == SHA256
    ranges = [asked.headers.get("range", "") for asked in server.asked]
    assert ranges == ["", "bytes=100000-", "bytes=400000-", "bytes=600000-"]


def test_what_cannot_be_resumed_begins_anew(server: WebServer, download: Callable[..., str]) -> None:
    def without_ranges(handler: BaseHTTPRequestHandler) -> None:
        reply(200, {"ETag": '"x"'}, CONTENT)(handler)

    server.special["/file"] = in_turn(lambda handler: serve_file(handler, CONTENT, 1000), without_ranges)
    assert download() == SHA256


def test_a_file_that_changed_between_two_attempts_is_not_a_mixture(
    server: WebServer, download: Callable[..., str]
) -> None:
    other = CONTENT[::-1]
    server.special["/file"] = in_turn(
        lambda handler: serve_file(handler, CONTENT, 1000), lambda handler: serve_file(handler, other)
    )
    assert download() == hashlib.sha256(other).hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 5-9/10"},
        {"Content-Range": "nonsense"},
        {},
    ],
)
def test_another_part_than_asked_for_is_not_taken(
    server: WebServer, download: Callable[..., str], headers: dict[str, str]
) -> None:
    server.special["/file"] = in_turn(
        lambda handler: serve_file(handler, CONTENT, 1000),
        reply(206, headers, b"wrong"),
        lambda handler: serve_file(handler, CONTENT),
    )
    assert download() == SHA256


def test_too_many_requests_are_waited_out_as_asked(
    server: WebServer, download: Callable[..., str], pauses: list[float]
) -> None:
    busy = [
        reply(429, {"Retry-After": "17"}),
        reply(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        reply(500),
    ]
    server.special["/file"] = in_turn(*busy, lambda handler: serve_file(handler, CONTENT))
    assert download() == SHA256
    assert pauses == [17.0, 2.0, 4.0]


def test_a_longer_wait_than_there_is_time_is_told(server: WebServer, download: Callable[..., str]) -> None:
    server.special["/file"] = reply(429, {"Retry-After": "7200"})
    with pytest.raises(
        PackageError, match=r"in 1 attempt, 0 s: answer 429; it asks to wait 7,200 s; try again later"
    ):
        download()


def test_what_was_tried_is_told_on_one_line(
    tmp_path: Path, server: WebServer, download: Callable[..., str], pauses: list[float]
) -> None:
    server.special["/file"] = in_turn(reply(503), cut, reply(503), reply(502))
    with pytest.raises(PackageError) as caught:
        download()
    message = str(caught.value)
    assert message.startswith(f"feed 'test': {server.url}/file could not be had in 5 attempts, ")
    assert "answer 503, the connection broke, answer 503, answer 502 (repeatedly); try again later" in message
    assert "\n" not in message
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert list(tmp_path.iterdir()) == []


def test_nobody_there_is_told(tmp_path: Path, pauses: list[float]) -> None:
    with serving() as gone:
        address = parse_address(f"{gone.url}/file")
    client = WebClient("test", Access(origin=address.origin, allow_local=True), Patience(pause=pauses.append))
    with pytest.raises(PackageError, match=r"5 attempts, 0 s: connection refused \(repeatedly\); try again later"):
        client.read(address)


@pytest.mark.parametrize(
    ("size", "hash_", "message"),
    [
        (5, "", "has 1,024,000 bytes, the feed says 5"),
        (len(CONTENT) + 1, "", "has 1,024,000 bytes, the feed says 1,024,001"),
        (0, "sha256:" + "0" * 64, "has sha256 .*, the feed says 0000000000000000…; it is damaged"),
        (0, "sha512:" + "a" * 128, "has sha512 "),
        (0, "sha1:" + "b" * 40, "has sha1 "),
    ],
)
def test_a_wrong_length_or_hash_is_not_used(
    tmp_path: Path, server: WebServer, download: Callable[..., str], size: int, hash_: str, message: str
) -> None:
    server.files["/file"] = CONTENT
    with pytest.raises(PackageError, match=message):
        download(size, hash_)
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1"])
def test_the_right_hash_is_taken(server: WebServer, download: Callable[..., str], algorithm: str) -> None:
    server.files["/file"] = CONTENT
    assert download(len(CONTENT), f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}") == SHA256


def test_a_server_that_never_stops_is_stopped(
    tmp_path: Path, server: WebServer, download: Callable[..., str]
) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        while True:
            handler.wfile.write(CONTENT)

    server.special["/file"] = endless
    with pytest.raises(PackageError, match="is longer than the feed says"):
        download(2_000_000)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_drip_in_do_not_hold_us_for_ever(server: WebServer, download: Callable[..., str]) -> None:
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    server.special["/file"] = dripping
    with pytest.raises(PackageError, match=r"in 1 attempt, [0-9]+ s: it took too long; try again later"):
        download(seconds=0.5)


def test_documents_are_bounded_even_when_zipped(server: WebServer) -> None:
    bomb = gzip.compress(bytes(10_000_000), 9)
    server.special["/bomb"] = reply(200, {"Content-Encoding": "gzip"}, bomb)
    server.special["/fine"] = reply(200, {"Content-Encoding": "gzip"}, gzip.compress(b"text"))
    client = WebClient("test", Access(origin=parse_address(server.url).origin, allow_local=True), Patience())
    with pytest.raises(PackageError, match="more than 1,000 bytes"):
        client.read(parse_address(f"{server.url}/bomb"), largest=1000)
    answer = client.read(parse_address(f"{server.url}/fine"), largest=1000)
    assert answer is not None
    assert answer.body == b"text"


def test_redirects_without_end_are_left(server: WebServer, download: Callable[..., str]) -> None:
    server.special["/file"] = reply(302, {"Location": "/file"})
    with pytest.raises(PackageError, match="redirects again and again"):
        download()


def test_a_connection_that_was_closed_meanwhile_is_no_failure(server: WebServer, pauses: list[float]) -> None:
    def closing(handler: BaseHTTPRequestHandler) -> None:
        reply(200, {}, b"x")(handler)
        handler.close_connection = True  # without saying so

    server.special["/"] = closing
    access = Access(origin=parse_address(server.url).origin, allow_local=True)
    client = WebClient("test", access, Patience(pause=pauses.append))
    for _ in range(3):
        assert client.read(parse_address(server.url)) is not None
        time.sleep(0.05)
    assert pauses == []


@pytest.mark.parametrize(
    ("days", "reason"), [(1, "certificate has expired|self.signed certificate"), (10, "self.signed certificate")]
)
def test_a_bad_certificate_is_told_and_not_used(
    make_certificate: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, days: int, reason: str
) -> None:
    without_proxies(monkeypatch)
    with serving(make_certificate(days)) as server:
        address = parse_address(server.url)
        access = Access(origin=address.origin, headers={"Authorization": "secret"}, allow_local=True)
        with pytest.raises(PackageError, match=rf"its certificate is refused: ({reason}); renew it"):
            WebClient("test", access, Patience()).read(address)
        assert server.asked == []


def test_an_expired_certificate_of_a_trusted_authority_is_told(
    make_certificate: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    certificate = make_certificate(1)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as server:
        address = parse_address(server.url)
        access = Access(origin=address.origin, allow_local=True)
        with pytest.raises(PackageError, match="certificate has expired"):
            WebClient("test", access, Patience()).read(address)


def test_a_certificate_that_the_machine_trusts_is_taken(
    make_certificate: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    certificate = make_certificate(10)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as server:
        server.files["/"] = b"hello"
        address = parse_address(server.url)
        answer = WebClient("test", Access(origin=address.origin, allow_local=True), Patience()).read(address)
        assert answer is not None
        assert answer.body == b"hello"


def test_a_server_without_tls_is_told(server: WebServer) -> None:
    address = parse_address(server.url.replace("http:", "https:"))
    with pytest.raises(PackageError, match=r"no TLS connection .*; see that it speaks https"):
        WebClient("test", Access(origin=address.origin, allow_local=True), Patience()).read(address)


def test_the_proxy_of_the_environment_is_used(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:word@"))
    server.files["http://feed.test/file"] = b"by proxy"
    address = parse_address("http://feed.test/file")
    answer = WebClient("test", Access(origin=address.origin), Patience()).read(address)
    assert answer is not None
    assert answer.body == b"by proxy"
    assert server.secrets == ["Basic dXNlcjp3b3Jk"]
    assert server.asked[0].headers["host"] == "feed.test"


def test_a_proxy_that_refuses_is_told(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    server.special["feed.test:443"] = reply(407)
    address = parse_address("https://feed.test/file")
    with pytest.raises(PackageError, match="tunnel connection failed: 407"):
        WebClient("test", Access(origin=address.origin), Patience(pause=lambda _: None)).read(address)


def test_an_insecure_feed_may_have_any_certificate(
    make_certificate: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    with serving(make_certificate(1)) as server:
        server.files["/"] = b"hello"
        address = parse_address(server.url)
        access = Access(origin=address.origin, allow_local=True, insecure=True)
        assert WebClient("test", access, Patience()).read(address) is not None


def test_a_redirect_that_gives_up_tls_is_not_followed(
    make_certificate: Callable[[int], Path], server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(10)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as secure:
        secure.everything = reply(302, {"Location": f"{server.url}/x"})
        address = parse_address(secure.url)
        with pytest.raises(PackageError, match=r"redirects to http://.* without TLS; it is not followed"):
            WebClient("test", Access(origin=address.origin, allow_local=True), Patience()).read(address)
    assert server.asked == []
