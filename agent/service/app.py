"""The requests of `agent/service/protocol.py`, answered. Whoever asks is known by certificate, and has a scope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from agent.errors import DockwrightError, InputError, StorageError
from agent.journal import read_runs
from agent.service.blobs import LARGEST, Blobs, OffsetError
from agent.service.deployments import BusyError, ConflictError, Deployments
from agent.service.following import events, log_page
from agent.service.metrics import Counts, render
from agent.service.page.routes import Pages
from agent.service.peers import Peer, Peers, Scope
from agent.service.protocol import (
    VERSION,
    Capabilities,
    DeploymentRequest,
    NewUpload,
    Problem,
    is_id,
    is_sha256,
)
from agent.service.record import ended, read_progress, status
from agent.service.runner import Runner
from agent.service.sealing import public_key

LARGEST_REQUEST = 30_000_000
LARGEST_PIECE = 64_000_000
WRITTEN_AT_ONCE = 2_000_000
SLOWEST_BYTES_PER_SECOND = 1000
PATIENCE_SECONDS = 30
LONGEST_WAIT = 60.0

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the requests work on."""

    home: Path
    peers: Peers
    blobs: Blobs
    deployments: Deployments
    runner: Runner
    counts: Counts
    requires_signature: bool = False


class Refused(Exception):  # noqa: N818  an answer, not an error of ours
    """A request that is not done; `status` as HTTP has it."""

    def __init__(self, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}


def build_app(service: Service) -> Starlette:
    """The application; `service` is what it works on."""
    requests = Requests(service)
    pages = Pages(service.home, service.deployments, service.runner)
    routes: list[tuple[str, str, Scope | None, Handler]] = [
        ("GET", "/v1/capabilities", None, requests.capabilities),
        ("HEAD", "/v1/blobs/{sha256}", "upload", requests.blob),
        ("POST", "/v1/uploads", "upload", requests.begin_upload),
        ("PATCH", "/v1/uploads/{sha256}", "upload", requests.append),
        ("POST", "/v1/uploads/{sha256}/commit", "upload", requests.commit),
        ("PUT", "/v1/deployments/{id}", "deploy", requests.deploy),
        ("GET", "/v1/deployments", "read", requests.deployments),
        ("GET", "/v1/deployments/{id}", "read", requests.deployment),
        ("GET", "/v1/deployments/{id}/log", "read", requests.log),
        ("GET", "/v1/deployments/{id}/events", "read", requests.events),
        ("POST", "/v1/deployments/{id}/cancel", "deploy", requests.cancel),
        ("POST", "/v1/deployments/{id}/complete", "deploy", requests.complete),
        ("GET", "/v1/history", "read", requests.history),
        ("GET", "/healthz", "read", requests.health),
        ("GET", "/readyz", "read", requests.health),
        ("GET", "/metrics", "read", requests.metrics),
        ("GET", "/", "read", pages.overview),
        ("GET", "/deployments/{id}", "read", pages.deployment),
        ("GET", "/static/{name}", "read", pages.static),
        ("POST", "/rollback", "deploy", pages.rollback),
    ]
    guarded = [
        Route(path, _answering(service, scope, handler), methods=[method]) for method, path, scope, handler in routes
    ]
    return Starlette(routes=guarded)


class Requests:
    """One method a request."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def capabilities(self, _request: Request) -> Response:
        return _json(
            Capabilities(
                version=version("dockwright"),
                protocol=VERSION,
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                sealing_key=public_key(self._service.home / "service"),
                largest_upload=LARGEST,
                largest_request=LARGEST_REQUEST,
                requires_signature=self._service.requires_signature,
            )
        )

    async def blob(self, request: Request) -> Response:
        return Response(status_code=200 if self._service.blobs.has(_sha256(request)) else 404)

    async def begin_upload(self, request: Request) -> Response:
        wanted = _decoded(await _body(request, LARGEST_REQUEST), NewUpload)
        if not is_sha256(wanted.sha256):
            raise Refused(400, "sha256: 64 hexadecimal digits in lower case are wanted")
        self._service.blobs.prune(self._service.deployments.blobs_in_use(), LARGEST * 5)
        return _json(self._service.blobs.begin(wanted.sha256, wanted.size), 201)

    async def append(self, request: Request) -> Response:
        sha256, offset = _sha256(request), _number(request.headers.get("upload-offset"), "Upload-Offset")
        upload = await asyncio.to_thread(self._service.blobs.append, sha256, offset, b"")
        async for data in _batches(_pieces(request, LARGEST_PIECE), WRITTEN_AT_ONCE):
            upload = await asyncio.to_thread(self._service.blobs.append, sha256, upload.offset, data)
        return _json(upload)

    async def commit(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self._service.blobs.commit, _sha256(request)))

    async def deploy(self, request: Request) -> Response:
        body = await _body(request, LARGEST_REQUEST)
        wanted, deployment = _decoded(body, DeploymentRequest), _id(request)
        if not self._service.deployments.same(deployment, body):
            self._require_blobs(wanted)
        folder, new = self._service.deployments.accept(deployment, body, wanted, _peer(request).name)
        if new:
            self._service.counts.accepted += 1
            self._service.deployments.forget_oldest()
            self._service.runner.wake()
        return _json(status(folder), 201 if new else 200)

    async def deployments(self, _request: Request) -> Response:
        return _json(self._service.deployments.all())

    async def deployment(self, request: Request) -> Response:
        return _json(status(self._folder(request)))

    async def log(self, request: Request) -> Response:
        after = _number(request.query_params.get("after", "0"), "after")
        wait = min(LONGEST_WAIT, _seconds(request.query_params.get("wait", "0")))
        return _json(await log_page(self._folder(request), after, wait))

    async def events(self, request: Request) -> Response:
        after = _number(request.headers.get("last-event-id") or request.query_params.get("after", "0"), "after")
        peer = _peer(request)
        trusted = lambda: self._service.peers.find(peer.thumbprint) is not None  # noqa: E731
        stream = events(self._folder(request), after, trusted)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def cancel(self, request: Request) -> Response:
        folder = self._folder(request)
        self._service.runner.cancel(folder, _peer(request).name)
        return _json(status(folder))

    async def complete(self, request: Request) -> Response:
        folder = self._folder(request)
        if not ended(read_progress(folder)):
            raise Refused(409, "it has not ended yet; cancel it first, or wait")
        self._service.deployments.complete(folder)
        return _json(status(folder))

    async def history(self, request: Request) -> Response:
        limit = min(1000, _number(request.query_params.get("limit", "100"), "limit"))
        slot = request.query_params.get("slot", "").lower()
        runs = await asyncio.to_thread(read_runs, self._service.home / "journal.db", slot, limit)
        return _json([{**msgspec.to_builtins(run), "specification": ""} for run in runs])

    async def health(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    async def metrics(self, _request: Request) -> Response:
        text = render(self._service.counts, self._service.deployments, self._service.runner.running)
        return Response(text, media_type="text/plain; version=0.0.4")

    def _folder(self, request: Request) -> Path:
        folder = self._service.deployments.find(_id(request))
        if folder is None:
            raise Refused(404, "no such deployment was ever asked for here")
        return folder

    def _require_blobs(self, wanted: DeploymentRequest) -> None:
        """Everything a new deployment is made of is here."""
        if wanted.command == "rollback":
            return
        for sha256 in (wanted.bundle, *(package.sha256 for package in wanted.packages)):
            if is_sha256(sha256) and not self._service.blobs.has(sha256):
                raise Refused(422, f"the blob {sha256} is not here; upload it first")


def _answering(service: Service, scope: Scope | None, handler: Handler) -> Handler:
    """The handler behind the questions who asks, whether they may, and what to say if it fails."""

    async def answer(request: Request) -> Response:
        service.counts.requests += 1
        try:
            request.state.peer = _known_peer(service, request, scope)
            return await handler(request)
        except Refused as refused:
            return _problem(refused.code, str(refused), refused.headers)
        except DockwrightError as error:
            return _problem(_code(error), str(error), _hints(error))
        except OSError as error:
            return _problem(507, f"the agent's disk fails: {error.strerror}; free some space there and try again")
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


_CODES: tuple[tuple[type[DockwrightError], int], ...] = (
    (OffsetError, 409),
    (ConflictError, 409),
    (BusyError, 429),
    (InputError, 400),
    (StorageError, 507),
)


def _code(error: DockwrightError) -> int:
    return next((code for type_, code in _CODES if isinstance(error, type_)), 422)


def _hints(error: DockwrightError) -> dict[str, str]:
    if isinstance(error, OffsetError):
        return {"Upload-Offset": str(error.upload.offset)}
    return {"Retry-After": str(error.seconds)} if isinstance(error, BusyError) else {}


def _known_peer(service: Service, request: Request, scope: Scope | None) -> Peer:
    peer = service.peers.find(request.scope.get("state", {}).get("thumbprint", ""))
    if peer is None:
        service.counts.refused += 1
        raise Refused(403, "this certificate is not trusted here (any more); see dockwright trust", _CLOSE)
    if scope is not None and scope not in peer.scopes:
        service.counts.refused += 1
        raise Refused(403, f"{peer.name} may not {scope} here; it may {', '.join(peer.scopes)}")
    if not service.counts.within_rate(peer.thumbprint, time.monotonic()):
        raise Refused(429, f"{peer.name} asks too often; slow down", {"Retry-After": "1"})
    return peer


_CLOSE = {"Connection": "close"}


async def _body(request: Request, largest: int) -> bytes:
    """The whole body. Refused if it is too large or comes too slowly."""
    return b"".join([piece async for piece in _pieces(request, largest)])


async def _pieces(request: Request, largest: int) -> AsyncIterator[bytes]:
    """The body as it comes. Refused if it is too large or comes too slowly."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > largest:
        raise Refused(413, f"the body has {int(announced):,} bytes; at most {largest:,} are taken", _CLOSE)
    size, began = 0, time.monotonic()
    stream = aiter(request.stream())
    while True:
        allowed = began + PATIENCE_SECONDS + size / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(max(0.0, allowed - time.monotonic())):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise Refused(408, "the body came too slowly", _CLOSE) from error
        if piece is None:
            return
        size += len(piece)
        if size > largest:
            raise Refused(413, f"the body has more than {largest:,} bytes", _CLOSE)
        yield piece


async def _batches(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces, of at least `size` but for the last; also of what comes before a cut."""
    batch: list[bytes] = []
    held = 0
    try:
        async for piece in pieces:
            batch.append(piece)
            held += len(piece)
            if held >= size:
                yield b"".join(batch)
                batch, held = [], 0
    except ClientDisconnect:
        if not held:
            raise
    if held:
        yield b"".join(batch)


def _decoded(body: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(400, f"the body is not as it should be: {error}") from error


def _id(request: Request) -> str:
    text: str = request.path_params["id"]
    if not is_id(text):
        raise Refused(400, "an id has letters, digits, '.', '_' and '-', at most 128 of them")
    return text


def _sha256(request: Request) -> str:
    text: str = request.path_params["sha256"]
    if not is_sha256(text):
        raise Refused(400, "a blob is named by its SHA-256, 64 hexadecimal digits in lower case")
    return text


def _number(text: str | None, name: str) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refused(400, f"{name}: a whole number is wanted")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise Refused(400, "wait: a number of seconds is wanted") from error
    if not 0 <= seconds < 1e6:
        raise Refused(400, "wait: a number of seconds is wanted")
    return seconds


def _peer(request: Request) -> Peer:
    peer: Peer = request.state.peer
    return peer


def _json(value: object, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), code, media_type="application/json")


def _problem(code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    text = " ".join(message.split())
    return Response(msgspec.json.encode(Problem(error=text)), code, headers=headers, media_type="application/json")
