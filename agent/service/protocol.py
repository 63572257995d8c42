"""What an agent and those who push to it say to each other: JSON over HTTPS, both sides known by certificate.

    GET    /v1/capabilities                      version, limits, sealing key, clock            any scope
    HEAD   /v1/blobs/{sha256}                    200 it is here, 404 it is not                   upload
    POST   /v1/uploads                           {sha256, size} → Upload; goes on where it was   upload
    PATCH  /v1/uploads/{sha256}                  Upload-Offset: n; more bytes → Upload           upload
    POST   /v1/uploads/{sha256}/commit           hash verified, then it is a blob                upload
    PUT    /v1/deployments/{id}                  DeploymentRequest → DeploymentStatus            deploy
    GET    /v1/deployments                       → [DeploymentStatus], the newest first          read
    GET    /v1/deployments/{id}                  → DeploymentStatus                              read
    GET    /v1/deployments/{id}/log              ?after=CURSOR&wait=SECONDS → LogPage            read
    GET    /v1/deployments/{id}/events           the same as server-sent events; id = cursor     read
    POST   /v1/deployments/{id}/cancel           → DeploymentStatus                              deploy
    POST   /v1/deployments/{id}/complete         all of it is known; the log may go              deploy
    GET    /v1/history                           ?slot=&limit= → the journal's runs              read
    GET    /healthz, /readyz, /metrics           for monitoring                                  read

The id of a deployment is chosen by the server and makes a repeated request harmless: the same body gets the same
answer and is executed once, another body is refused (409). A rollback is a deployment with an id of its own. The
log is read by a cursor that the agent hands out; it is good across restarts of the agent. Errors are
`{"error": "one line"}`. Fields that are not known are refused.

Where an agent cannot be reached it asks itself, of a broker, and says the same things with the roles turned round:

    POST   /v1/agents/poll                       Poll → Work; held for `wait` seconds if there is none
    GET    /v1/blobs/{sha256}                    the bytes; Range goes on where it was
    POST   /v1/agents/report                     LogReport → LogCursor; where the broker wants it to go on
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

VERSION: Final = 1
DEFAULT_PORT: Final = 10943

Command = Literal["run", "plan", "rollback"]
State = Literal["accepted", "running", "succeeded", "failed", "cancelled", "timed-out"]
FINAL: Final[frozenset[State]] = frozenset({"succeeded", "failed", "cancelled", "timed-out"})

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is and takes. `sealing_key` is its public key for variables; `time` is its clock, in UTC."""

    version: str
    protocol: int
    time: str
    sealing_key: str
    largest_upload: int
    largest_request: int
    requires_signature: bool


class NewUpload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A blob that will be sent: its SHA-256 in lower-case hex, its length in bytes."""

    sha256: str
    size: int


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """How far an upload has come: the next byte to send is number `offset`."""

    sha256: str
    size: int
    offset: int


class StagedPackage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package that is put into the bundle's `packages/` folder under this file name."""

    name: str
    sha256: str


class DeploymentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done. The blobs it names are uploaded before."""

    command: Command = "run"
    bundle: str = ""
    """SHA-256 of the bundle, a .zip; not for a rollback."""
    packages: list[StagedPackage] = []
    variables: str = ""
    """A variables file of Octopus's newer shape, sealed for this id to the agent's key, in base64."""
    slot: str = ""
    """For a rollback: which. For a run: deployments that name the same slot are begun one after another."""
    to: str = ""
    """For a rollback: the deployment or release to go back to; empty for the last good one."""
    target: str = ""
    """What `sequence` counts for; a request with a lower one than the last of its target is refused."""
    sequence: int = 0
    time_limit: float = 3600
    """Seconds after which it is ended, and what it had begun undone."""


class DeploymentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a deployment stands. Times are ISO 8601 in UTC; `exit_code` is that of the command line, once ended."""

    id: str
    state: State
    command: Command = "run"
    stage: str = ""
    exit_code: int | None = None
    error: str = ""
    outputs: dict[str, str] = {}
    slot: str = ""
    accepted: str = ""
    started: str = ""
    finished: str = ""
    by: str = ""
    """The peer that asked for it."""
    cancelled_by: str = ""
    completed: bool = False


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events from a cursor on, each as the run wrote it (see `agent/report/stream.py`), at most 256 kB of them.

    `next` is the cursor to go on with. When `state` is an end and `events` is empty, there is no more.
    """

    state: State
    next: int
    events: list[msgspec.Raw]


class Poll(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent asks for work. `sealing_key` is its own; `known` are the deployments it has and has not reported."""

    sealing_key: str
    known: list[str] = []
    wait: float = 50


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to do: at most one deployment (its `id` is empty if none), and ids to cancel.

    `body` is the request exactly as it was made, in JSON: its hash is what makes it the same again.
    """

    id: str = ""
    body: str = ""
    cancel: list[str] = []


class LogReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened: the log's bytes from the cursor `after` on, whole lines, and where the deployment stands."""

    status: DeploymentStatus
    after: int
    events: list[msgspec.Raw] = []
    next: int = 0


class LogCursor(msgspec.Struct, frozen=True, kw_only=True):
    """The cursor that the broker has come to; a report that began elsewhere was not taken."""

    next: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not done, in one line."""

    error: str


def is_id(text: str) -> bool:
    """Whether it can be a deployment's id: letters, digits, '.', '_' and '-', at most 128."""
    return _ID.match(text) is not None


def is_sha256(text: str) -> bool:
    return _SHA256.match(text) is not None
