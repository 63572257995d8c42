"""A typed client of an agent, for `dockwright push` and for a deployment server to embed.

The order of a deployment: `capabilities` (whose key the variables are sealed to, see `agent/service/sealing.py`),
`upload` each file, `deploy`, `follow`, `status`, `complete`. After a lost connection begin anywhere: each may be
asked again and does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from agent.report.events import Event
from agent.report.stream import decode_line, read_event
from agent.service.certificate import Certificate
from agent.service.connection import Connection, RefusedError
from agent.service.protocol import (
    FINAL,
    Capabilities,
    DeploymentRequest,
    DeploymentStatus,
    LogPage,
    NewUpload,
    Upload,
)

__all__ = ["AgentClient", "RefusedError"]

PIECE_BYTES = 16_000_000
WAIT_SECONDS = 20.0


class AgentClient:
    """One agent at `url`, known by the SHA-256 `thumbprint` of its certificate. Not for several threads at once.

    `patience` is how many seconds a request is tried again while the agent cannot be reached or is busy; `waiting`
    is told once why that is. Every method fails with HostError if the agent stays away or shows another
    certificate, and with RefusedError, which has the HTTP status, if it does not do what was asked: 403 where
    it does not trust the `certificate` (so far), 404 for a deployment that it does not know.
    """

    def __init__(
        self,
        url: str,
        thumbprint: str,
        certificate: Certificate,
        *,
        patience: float = 60,
        waiting: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._connection = Connection(url, thumbprint, certificate, patience=patience, waiting=waiting)
        self.url = self._connection.url

    def capabilities(self) -> Capabilities:
        """What the agent is and takes, and the key that variables are sealed to."""
        return self._connection.answer("GET", "/v1/capabilities", Capabilities)

    def upload(
        self, path: Path, sha256: str, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int:
        """Send a file unless the agent has it; goes on where an earlier upload was cut. The bytes that were sent.

        `sha256` in hex is the file's, and its name from then on; `progress` is told (bytes there, bytes in all).
        """
        if self._connection.ask("HEAD", f"/v1/blobs/{sha256}", accepted=(200, 404))[0] == 200:
            return 0
        size = path.stat().st_size
        wanted = msgspec.json.encode(NewUpload(sha256=sha256, size=size))
        state = self._connection.answer("POST", "/v1/uploads", Upload, wanted)
        sent = 0
        with path.open("rb") as file:
            while state.offset < size:
                file.seek(state.offset)
                piece = file.read(PIECE_BYTES)
                state = self._append(state, piece)
                sent += len(piece)
                progress(state.offset, size)
        self._connection.answer("POST", f"/v1/uploads/{sha256}/commit", Upload)
        return sent

    def deploy(self, deployment: str, request: DeploymentRequest) -> DeploymentStatus:
        """Ask for a deployment. Asking again with the same id and request changes nothing.

        `deployment` is the server's id for it, `Deployments-75`. RefusedError, 409, for another request of this id.
        """
        return self._connection.answer("PUT", _path(deployment), DeploymentStatus, msgspec.json.encode(request))

    def status(self, deployment: str) -> DeploymentStatus:
        """Where a deployment stands."""
        return self._connection.answer("GET", _path(deployment), DeploymentStatus)

    def deployments(self) -> list[DeploymentStatus]:
        """Every deployment that the agent remembers, the newest first."""
        return self._connection.answer("GET", "/v1/deployments", list[DeploymentStatus])

    def log(self, deployment: str, after: int = 0, wait: float = 0) -> LogPage:
        """A page of the log from the cursor `after`; waits so many seconds for something to come.

        The next page is after `LogPage.next`.
        """
        return self._connection.answer(
            "GET", f"{_path(deployment)}/log?after={after}&wait={wait:g}", LogPage, wait=wait
        )

    def follow(self, deployment: str, after: int = 0) -> Iterator[Event]:
        """Every event from a cursor on, as it comes, until the deployment has ended; kinds that are not known are
        left out, as those of a newer agent may be."""
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
        return self._connection.answer("POST", f"{_path(deployment)}/cancel", DeploymentStatus)

    def complete(self, deployment: str) -> DeploymentStatus:
        """Say that everything about it is known: the agent may drop its log."""
        return self._connection.answer("POST", f"{_path(deployment)}/complete", DeploymentStatus)

    def close(self) -> None:
        """Hang up; what runs goes on. The next request would connect anew."""
        self._connection.close()

    def _append(self, state: Upload, piece: bytes) -> Upload:
        headers = {"Upload-Offset": str(state.offset)}
        try:
            return self._connection.answer("PATCH", f"/v1/uploads/{state.sha256}", Upload, piece, headers)
        except RefusedError as refused:
            if refused.offset is None:
                raise
            return msgspec.structs.replace(state, offset=refused.offset)  # an answer was lost: go on where it is


def _path(deployment: str) -> str:
    return f"/v1/deployments/{quote(deployment, safe='')}"
