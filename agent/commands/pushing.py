"""`dockwright push`: a bundle and variables from here, deployed by agents elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.commands.trust import service_files
from agent.errors import InputError
from agent.report import Report
from agent.rolling import require_success
from agent.service.client import AgentClient
from agent.service.protocol import is_id
from agent.service.push import (
    Push,
    PushedError,
    begin,
    cancelling,
    prepare,
    push_to_one,
    push_to_several,
)
from agent.variables import Variables
from agent.variables.files import write_variables

_IDS = ("Octopus.Deployment.Id", "Octopus.RunbookRun.Id")


@dataclass(frozen=True, kw_only=True)
class PushRequest:
    """What the command line asked for. `agents` are URLs, `thumbprints` theirs in the same order."""

    bundle: Path
    variables: Variables
    home: Path
    agents: Sequence[str]
    thumbprints: Sequence[str]
    deployment: str = ""
    rolling: int = 1
    detach: bool = False
    sequence: int = 0
    time_limit: float = 3600
    patience: float = 60


def push(request: PushRequest, report: Report) -> None:
    """Push to the agents and follow. PushedError, with the deployment's own exit code, if it failed there."""
    own = service_files(request.home).certificate()
    with tempfile.TemporaryDirectory(prefix="dockwright-push-") as folder, ExitStack() as stack:
        clients = [
            AgentClient(url, thumbprint, own, patience=request.patience, waiting=report.warning)
            for url, thumbprint in zip(request.agents, _thumbprints(request), strict=True)
        ]
        for client in clients:
            stack.callback(client.close)
        what = _push(request, Path(folder), own.key.read_bytes())
        if request.detach:
            for client in clients:
                begin(what, client, report)
                report.info(f"{client.url} has {what.deployment}; it goes on by itself")
            return
        with cancelling(what, clients):
            if len(clients) == 1:
                result = push_to_one(what, clients[0], report)
                if result.exit_code:
                    raise PushedError(result.error or "it failed", result.exit_code)
            else:
                require_success(push_to_several(what, clients, max(1, request.rolling), report))


def _push(request: PushRequest, work: Path, secret: bytes) -> Push:
    known = request.variables
    deployment = request.deployment or next(filter(None, (known.get(name) for name in _IDS)), "")
    if not is_id(deployment):
        raise InputError(
            f"'{deployment}' is no id for a deployment; give one with --id, or the variable Octopus.Deployment.Id"
        )
    file = work / "variables.json"
    given = [known.variable(name) for name in known if not name.lower().startswith("env:")]
    write_variables(file, filter(None, given), None)
    data = file.read_bytes()
    file.unlink()
    return Push(
        deployment=deployment,
        blobs=prepare(request.bundle, work),
        variables=data,
        secret=secret,
        target=known.get("Octopus.Project.Id") or "",
        sequence=request.sequence,
        time_limit=request.time_limit,
    )


def _thumbprints(request: PushRequest) -> Sequence[str]:
    if not request.agents:
        raise InputError("no agent is given; say which with --agent https://HOST:PORT")
    if len(request.thumbprints) != len(request.agents):
        raise InputError(
            "each --agent needs its --agent-thumbprint, in the same order; dockwright trust show on it tells it"
        )
    return request.thumbprints
