"""A typed client of an agent, for `dockwright push` and for a deployment server to embed.

It looks at the agent's certificate before it says anything, and shows its own. Every request may be made twice
without harm, so after a cut connection it is simply made again, for as long as the client has patience.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from agent.errors import DockwrightError, HostError, InputError
from agent.report.events import Event
from agent.report.stream import decode_line, read_event
from agent.service.certificate import Certificate, parse_thumbprint
from agent.service.protocol import (
    DEFAULT_PORT,
    FINAL,
    Capabilities,
    DeploymentRequest,
    DeploymentStatus,
    LogPage,
    NewUpload,
    Problem,
    Upload,
)

PIECE_BYTES = 4_000_000
CALL_SECONDS = 30.0
WAIT_SECONDS = 20.0
_RETRIED = frozenset({408, 429, 502, 503, 504})

T = TypeVar("T")


class RefusedError(DockwrightError):
    """The agent does not do what was asked; `status` as HTTP has it."""

    exit_code = HostError.exit_code

    def __init__(self, message: str, status: int, offset: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.offset = offset


class AgentClient:
    """One agent at `url`, known by the SHA-256 `thumbprint` of its certificate. Not for several threads at once.

    `patience` is how many seconds a request is tried again while the agent cannot be reached or is busy.
    """

    def __init__(self, url: str, thumbprint: str, certificate: Certificate, *, patience: float = 60) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.path.strip("/"):
            raise InputError(f"{url}: an agent is given as https://HOST:PORT")
        self.url = f"https://{parts.netloc}"
        self._host, self._port = parts.hostname, parts.port or DEFAULT_PORT
        self._thumbprint = parse_thumbprint(thumbprint)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # the thumbprint is what counts; see _connected
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._patience = patience
        self._connection: http.client.HTTPSConnection | None = None

    def capabilities(self) -> Capabilities:
        """What the agent is and takes."""
        return self._answer("GET", "/v1/capabilities", Capabilities)

    def upload(
        self, path: Path, sha256: str, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int:
        """Send a file unless the agent has it; goes on where an earlier upload was cut. The bytes that were sent."""
        if self._ask("HEAD", f"/v1/blobs/{sha256}", accepted=(200, 404))[0] == 200:
            return 0
        size = path.stat().st_size
        wanted = msgspec.json.encode(NewUpload(sha256=sha256, size=size))
        state = self._answer("POST", "/v1/uploads", Upload, wanted)
        sent = 0
        with path.open("rb") as file:
            while state.offset < size:
                file.seek(state.offset)
                piece = file.read(PIECE_BYTES)
                state = self._append(state, piece)
                sent += len(piece)
                progress(state.offset, size)
        self._answer("POST", f"/v1/uploads/{sha256}/commit", Upload)
        return sent

    def deploy(self, deployment: str, request: DeploymentRequest) -> DeploymentStatus:
        """Ask for a deployment. Asking again with the same id and request changes nothing."""
        return self._answer("PUT", _path(deployment), DeploymentStatus, msgspec.json.encode(request))

    def status(self, deployment: str) -> DeploymentStatus:
        """Where a deployment stands."""
        return self._answer("GET", _path(deployment), DeploymentStatus)

    def deployments(self) -> list[DeploymentStatus]:
        """Every deployment that the agent remembers, the newest first."""
        return self._answer("GET", "/v1/deployments", list[DeploymentStatus])

    def log(self, deployment: str, after: int = 0, wait: float = 0) -> LogPage:
        """A page of the log; waits so many seconds for something to come."""
        return self._answer("GET", f"{_path(deployment)}/log?after={after}&wait={wait:g}", LogPage, wait=wait)

    def follow(self, deployment: str, after: int = 0) -> Iterator[Event]:
        """Every event from a cursor on, as it comes, until the deployment has ended."""
        cursor = after
        while True:
            page = self.log(deployment, cursor, WAIT_SECONDS)
            for raw in page.events:
                with suppress(msgspec.MsgspecError):
                    event = read_event(decode_line(bytes(raw)))
                    if event is not None:
                        yield event
            cursor = page.next
            if not page.events and page.state in FINAL:
                return

    def cancel(self, deployment: str) -> DeploymentStatus:
        """Ask for its end; what it had begun is undone."""
        return self._answer("POST", f"{_path(deployment)}/cancel", DeploymentStatus)

    def complete(self, deployment: str) -> DeploymentStatus:
        """Say that everything about it is known: the agent may drop its log."""
        return self._answer("POST", f"{_path(deployment)}/complete", DeploymentStatus)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _append(self, state: Upload, piece: bytes) -> Upload:
        headers = {"Upload-Offset": str(state.offset)}
        try:
            return self._answer("PATCH", f"/v1/uploads/{state.sha256}", Upload, piece, headers)
        except RefusedError as refused:
            if refused.offset is None:
                raise
            return msgspec.structs.replace(state, offset=refused.offset)  # an answer was lost: go on where it is

    def _answer(
        self,
        method: str,
        path: str,
        type_: type[T],
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        wait: float = 0,
    ) -> T:
        _, data = self._ask(method, path, body, headers, wait=wait)
        try:
            return msgspec.json.decode(data, type=type_)
        except msgspec.DecodeError as error:
            raise HostError(f"{self.url} answers what no agent would: {error}") from error

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        wait: float = 0,
        accepted: tuple[int, ...] = (200, 201),
    ) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._patience
        pause = 0.2
        while True:
            try:
                connection = self._connected(wait)
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
                data = response.read()
                if response.status not in _RETRIED or time.monotonic() > deadline:
                    return self._judged(response, data, accepted)
                pause = max(pause, _retry_after(response))
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if isinstance(error, ssl.SSLError) and "ALERT" in str(error).upper():
                    raise HostError(_not_trusted(self.url)) from error
                if time.monotonic() > deadline:
                    raise HostError(_unreachable(self.url, error)) from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  not for secrets
            pause = min(10.0, pause * 2)

    def _judged(
        self, response: http.client.HTTPResponse, data: bytes, accepted: tuple[int, ...]
    ) -> tuple[int, bytes]:
        if response.status in accepted:
            return response.status, data
        try:
            problem = msgspec.json.decode(data, type=Problem).error
        except msgspec.DecodeError:
            problem = f"it answers {response.status}"
        offset = response.headers.get("Upload-Offset", "")
        raise RefusedError(f"{self.url}: {problem}", response.status, int(offset) if offset.isdigit() else None)

    def _connected(self, wait: float) -> http.client.HTTPSConnection:
        """The connection, opened and checked if need be."""
        if self._connection is None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CALL_SECONDS, context=self._context
            )
            connection.connect()
            shown = connection.sock.getpeercert(binary_form=True)
            actual = hashlib.sha256(shown or b"").hexdigest()
            if not hmac.compare_digest(actual, self._thumbprint):
                connection.close()
                raise HostError(
                    f"{self.url} shows a certificate with the thumbprint {actual}, not the one that was given; "
                    "nothing was sent; see dockwright trust show on the agent"
                )
            self._connection = connection
        self._connection.sock.settimeout(CALL_SECONDS + wait)
        return self._connection


def _path(deployment: str) -> str:
    return f"/v1/deployments/{quote(deployment, safe='')}"


def _retry_after(response: http.client.HTTPResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return min(60.0, float(text)) if text.isdigit() else 0.0


def _unreachable(url: str, error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return f"the agent {url} hangs up: it is restarting, or does not trust this certificate; see dockwright trust"
    return f"the agent {url} cannot be reached: {error or type(error).__name__}; see its address, and that it listens"


def _not_trusted(url: str) -> str:
    return f"{url} does not trust this certificate; on the agent: dockwright trust add NAME --certificate FILE …"
