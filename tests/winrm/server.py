"""A WinRM server: HTTP or HTTPS, logins, and the mishaps that a test orders."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.winrm import soap
from tests.winrm.login import Login
from tests.winrm.machine import Machine
from tests.winrm.sealing import BadSealError
from tests.winrm.settings import Mishap, Settings
from tests.winrm.soap import Asked, SoapFault

PLAIN_TYPE = "application/soap+xml;charset=UTF-8"


@dataclass
class WinRMServer:
    """What a test sees of it. `asked` are the actions of all requests that were let in, in order."""

    machine: Machine
    port: int = 0
    asked: list[str] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    happened: int = 0
    """How many of them have come about."""
    heard: list[bytes] = field(default_factory=list)
    """Every request as it came over the wire, when `records` is on."""
    records: bool = False
    away_until: float = 0
    connections: set[socket.socket] = field(default_factory=set)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        return self.machine.settings

    @property
    def url(self) -> str:
        scheme = "https" if self.settings.certificate else "http"
        return f"winrm://{self.settings.user}@127.0.0.1:{self.port}?scheme={scheme}"

    def order(self, *mishaps: Mishap) -> None:
        """From now on, counting requests anew, these go wrong."""
        with self._lock:
            self.mishaps = list(mishaps)
            self.happened = 0
            self.away_until = 0
            self._counts = {}

    def mishap(self, action: str) -> Mishap | None:
        with self._lock:
            self.asked.append(action)
            for name in (action, ""):
                self._counts[name] = self._counts.get(name, 0) + 1
            due = [m for m in self.mishaps if m.nth == self._counts.get(m.action, 0) and m.action in (action, "")]
            self.happened += bool(due)
            return due[0] if due else None

    def reboot(self, seconds: float) -> None:
        """Everything that ran is gone, every connection cut, and nobody answers for a while."""
        self.away_until = monotonic() + seconds
        self.machine.end_all()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(settings: Settings) -> Iterator[WinRMServer]:
    """A server on a free port of 127.0.0.1 while the context lasts; what it ran ends with it.

    pyspnego reads the passwords that it accepts from a file that the environment names: one server at a time.
    """
    server = WinRMServer(machine=Machine(settings=settings))
    with tempfile.NamedTemporaryFile("w", suffix=".ntlm") as accounts:
        accounts.write(f":{settings.user}:{settings.password}\n")
        accounts.flush()
        before = os.environ.get("NTLM_USER_FILE")
        os.environ["NTLM_USER_FILE"] = accounts.name
        listener = _listener(server)
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            listener.server_close()
            server.reboot(0)
            os.environ.pop("NTLM_USER_FILE")
            if before is not None:
                os.environ["NTLM_USER_FILE"] = before


def _listener(server: WinRMServer) -> ThreadingHTTPServer:
    tls = _tls(server.settings)

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def verify_request(self, _request: Any, _client_address: Any) -> bool:
            return monotonic() >= server.away_until

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Connections that end in the middle are what the tests are for."""

    class Handler(_Handler):
        def setup(self) -> None:
            self.winrm = server
            if tls is not None:
                self.request.settimeout(10)
                self.request = tls.wrap_socket(self.request, server_side=True)
            shown = _name(self.request.getpeercert()) if tls is not None else ""
            self.login = Login(server.settings, secure=tls is not None, client_certificate=shown)
            server.connections.add(self.request)
            super().setup()

        def finish(self) -> None:
            server.connections.discard(self.request)
            with suppress(OSError):
                super().finish()
            with suppress(OSError):
                self.request.close()

    listener = Listener(("127.0.0.1", 0), Handler)
    server.port = listener.server_address[1]
    return listener


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1024 * 1024
    timeout = 120
    winrm: WinRMServer
    login: Login

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.winrm.records:
            self.winrm.heard.append(raw)
        if self.winrm.settings.round_trip:
            sleep(self.winrm.settings.round_trip)
        if self.path == "/wsman-anon/identify":
            return self._reply(200, soap.identity())
        if self.path != "/wsman":
            return self._reply(404, b"")
        offers = self.login.admit(self.headers.get("Authorization", ""))
        if offers is not None:
            return self._reply(401, b"", offers)
        if len(raw) > self.winrm.settings.max_envelope_kb * 1024:
            self.close_connection = True
            return self._reply(413, b"")
        return self._admitted(raw)

    def _admitted(self, raw: bytes) -> None:
        sealed = self.headers.get("Content-Type", "").startswith("multipart/")
        if not raw:
            return self._reply(200, b"")
        try:
            message = self.login.unseal(raw) if sealed else raw
        except BadSealError:
            self.close_connection = True
            return self._reply(400, b"")
        if not sealed and not self.login.secure and not self.winrm.settings.allow_unencrypted:
            return self._reply(500, soap.fault(None, SoapFault(2150858839, "Unencrypted traffic is disabled.")))
        return self._act(soap.read(message), sealed)

    def _act(self, asked: Asked, sealed: bool) -> None:
        mishap = self.winrm.mishap(asked.action)
        if mishap and self._before(mishap, asked, sealed):
            return None
        try:
            status, answer = 200, self.winrm.machine.do(asked)
        except SoapFault as problem:
            status, answer = 500, soap.fault(asked, problem)
        if mishap and mishap.kind in ("lose", "hang"):
            sleep(mishap.seconds if mishap.kind == "hang" else 0)
            return self._cut()
        if mishap and mishap.kind == "slow":
            status, answer = 500, soap.fault(asked, SoapFault(soap.OPERATION_TIMEOUT, "not in time"))
        body, kind = self.login.seal(answer) if sealed else (answer, PLAIN_TYPE)
        if mishap and mishap.kind == "truncate":
            self.wfile.write(self._head(status, len(body), kind) + body[: len(body) // 2])
            return self._cut()
        return self._reply(status, body, kind=kind)

    def _before(self, mishap: Mishap, asked: Asked, sealed: bool) -> bool:
        """Whether the request is done with."""
        if mishap.kind == "reboot":
            self.winrm.reboot(mishap.seconds)
        elif mishap.kind == "drop":
            self._cut()
        elif mishap.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif mishap.kind in ("error", "too-large", "stale"):
            self.close_connection = mishap.kind != "error"
            self._reply({"error": 500, "too-large": 413, "stale": 400}[mishap.kind], b"")
        elif mishap.kind == "unauthorized":
            self._reply(401, b"", self.login.offers)
        elif mishap.kind in ("fault", "gone", "closed"):
            if mishap.kind != "fault":
                self.winrm.machine.spoil(asked, shell=mishap.kind == "gone")
            answer = soap.fault(asked, SoapFault(mishap.code, f"fault {mishap.code}"))
            body, kind = self.login.seal(answer) if sealed else (answer, PLAIN_TYPE)
            self._reply(500, body, kind=kind)
        elif mishap.kind == "delay":
            sleep(mishap.seconds)
            return False
        else:
            return False
        return True

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _reply(self, status: int, body: bytes, offers: list[str] | None = None, kind: str = PLAIN_TYPE) -> None:
        self.wfile.write(self._head(status, len(body), kind, offers or []) + body)

    def _head(self, status: int, length: int, kind: str, offers: list[str] | None = None) -> bytes:
        lines = [
            f"HTTP/1.1 {status} {self.responses[status][0]}",
            f"Content-Type: {kind}",
            f"Content-Length: {length}",
        ]
        proof, self.login.proof = self.login.proof, []
        lines += [f"WWW-Authenticate: {offer}" for offer in [*(offers or []), *proof]]
        lines += ["Connection: close"] if self.close_connection else []
        return ("\r\n".join([*lines, "Server: Microsoft-HTTPAPI/2.0", "", ""])).encode()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its own name for it
        pass


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.certificate, settings.key)
    if settings.clients is not None:
        context.load_verify_locations(settings.clients)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _name(certificate: dict[str, Any] | None) -> str:
    subject = (certificate or {}).get("subject", ())
    return next((value for pairs in subject for key, value in pairs if key == "commonName"), "")


def prepared(root: Path) -> Path:
    """The folder with drives C and D made in it."""
    for drive in "CD":
        (root / drive).mkdir(parents=True, exist_ok=True)
    return root
