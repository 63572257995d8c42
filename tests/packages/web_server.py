"""An HTTP server on the loopback that serves files as real feeds do, misbehaves where told to, and remembers."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. `headers` by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def secrets(self) -> list[str]:
        names = ("authorization", "x-octopus-apikey", "x-nuget-apikey", "proxy-authorization", "cookie")
        return [self.headers[name] for name in names if name in self.headers]


Special = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class WebServer:
    """`files` are served by path (without the query, or with it); `special` answers instead."""

    files: dict[str, bytes] = field(default_factory=dict)
    special: dict[str, Special] = field(default_factory=dict)
    everything: Special | None = None
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def paths(self, method: str = "GET") -> list[str]:
        return [asked.path for asked in self.asked if asked.method == method]

    @property
    def secrets(self) -> list[str]:
        return [secret for asked in self.asked for secret in asked.secrets]


def reply(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Special:
    """A plain answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return answer


def in_turn(*answers: Special) -> Special:
    """One after the other; the last one again and again."""
    left = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        current = left.pop(0) if len(left) > 1 else left[0]
        current(handler)

    return answer


def serve_file(handler: BaseHTTPRequestHandler, content: bytes, upto: int | None = None) -> None:
    """With ETag and ranges; `upto` cuts the connection after so many bytes of the body."""
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    wanted = handler.headers.get("Range", "")
    start = int(wanted[6:-1]) if wanted and handler.headers.get("If-Range") == tag else 0
    handler.send_response(206 if start else 200)
    handler.send_header("ETag", tag)
    handler.send_header("Content-Length", str(len(content) - start))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content[start:][:upto])
        if upto is not None:
            cut(handler)


def cut(handler: BaseHTTPRequestHandler) -> None:
    """End the connection in the middle."""
    handler.wfile.flush()
    handler.close_connection = True


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[WebServer]:
    """A server until the end of the block; by TLS if there is a file with a certificate and its key."""
    web = WebServer(scheme="https" if certificate else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5
        disable_nagle_algorithm = True

        def answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            web.asked.append(Asked(method=self.command, path=self.path, headers=headers))
            plain = self.path.partition("?")[0]
            special = web.everything or web.special.get(self.path) or web.special.get(plain)
            content = web.files.get(self.path, web.files.get(plain))
            if special:
                special(self)
            elif content is None:
                reply(404, body=b"nothing here")(self)
            else:
                serve_file(self, content)

        do_GET = do_HEAD = do_POST = do_CONNECT = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
