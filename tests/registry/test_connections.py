"""Registries behind a proxy, and places that are not asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from agent.errors import RegistryError
from agent.registry import RegistryClient
from agent.registry.connections import proxy_for
from agent.registry.origin import Origin
from agent.registry.transport import Request, Transport
from tests.registry.fake_server import FakeServer, Reply

ASK = Request(method="GET", path="/v2/")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_tls_goes_through_the_proxys_tunnel(tls_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tls_server.script = lambda _asked: Reply(body=b"{}")
    with tunnelling(tls_server.port) as (port, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://jane:word@127.0.0.1:{port}")
        transport = Transport(any_certificate)
        answer = transport.send(Origin(scheme="https", host="registry.test", port=443), ASK)
        transport.close()
    assert answer.body == b"{}"
    assert asked[0].startswith("CONNECT registry.test:443 ")
    assert "Proxy-Authorization: Basic amFuZTp3b3Jk" in asked[0]
    assert "Proxy-Authorization" not in tls_server.asked[0].headers


def test_plain_http_is_asked_of_the_proxy_by_its_whole_address(
    fake_registry: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", fake_registry.url)
    transport = Transport(any_certificate)
    transport.send(Origin(scheme="http", host="registry.test", port=8080), ASK)
    transport.close()
    assert [asked.path for asked in fake_registry.asked] == ["http://registry.test:8080/v2/"]


def test_no_proxy_names_what_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inner.test,.corp.test")
    proxies = {
        host: proxy_for(Origin(scheme="https", host=host, port=443))
        for host in ("registry.test", "inner.test", "a.corp.test", "localhost", "127.0.0.1", "::1")
    }
    assert [host for host, proxy in proxies.items() if proxy] == ["registry.test"]


def test_a_proxy_that_refuses_is_told(fake_registry: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", fake_registry.url)
    transport = Transport(any_certificate, pause=lambda _seconds: None)
    with pytest.raises(RegistryError, match="Tunnel connection failed: 501"):
        transport.send(Origin(scheme="https", host="registry.test", port=443), ASK)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "http://[::1", "http://x:y:z"])
def test_a_proxy_that_is_none_is_told(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(RegistryError, match="the proxy in the environment is not http://HOST:PORT"):
        Transport(any_certificate).send(Origin(scheme="https", host="registry.test", port=443), ASK)


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]"])
def test_a_metadata_service_is_no_registry(host: str) -> None:
    with RegistryClient(host) as client, pytest.raises(RegistryError, match="metadata service; it is not asked"):
        client.ping()


def test_this_machine_is_asked_only_where_that_is_allowed(fake_registry: FakeServer) -> None:
    transport = Transport(any_certificate, allow_local=False)
    with pytest.raises(RegistryError, match="is this machine"):
        transport.send(Origin(scheme="http", host="127.0.0.1", port=fake_registry.port), ASK)
    assert fake_registry.asked == []


def test_a_name_that_leads_elsewhere_the_second_time_is_looked_at_again(
    fake_registry: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed connection is not opened again by itself, past the look at its address."""
    answers = iter(["127.0.0.1", "169.254.169.254"])

    def resolver(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    fake_registry.script = lambda _asked: Reply(headers={"Connection": "close"})
    transport = Transport(any_certificate)
    origin = Origin(scheme="http", host="rebinding.test", port=fake_registry.port)
    transport.send(origin, ASK)
    with pytest.raises(RegistryError, match="metadata service"):
        transport.send(origin, ASK)


def any_certificate(_origin: Origin) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def tunnelling(target: int) -> Iterator[tuple[int, list[str]]]:
    """A proxy that leads every tunnel to one port of this machine; what it was asked."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []
        started(threads, lambda: serve_one(listener, target, asked, threads))
        yield listener.getsockname()[1], asked
        for thread in threads:
            thread.join(5)


def serve_one(listener: socket.socket, target: int, asked: list[str], threads: list[threading.Thread]) -> None:
    client, _ = listener.accept()
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    asked.append(head.decode())
    server = socket.create_connection(("127.0.0.1", target))
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    started(threads, lambda: pump(server, client))
    pump(client, server)


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
    source.close()


def started(threads: list[threading.Thread], work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work, daemon=True)
    threads.append(thread)
    thread.start()
