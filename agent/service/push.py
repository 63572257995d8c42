"""Pushing a bundle to agents: what they lack is sent, what they tell is shown, what they end with is our end.

A bundle is sent without its packages, and these one by one, each only to an agent that does not have it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agent.bundle import STAGED, check_bundle
from agent.errors import DockwrightError, HostError, InputError
from agent.packages import extract, pack
from agent.report import Report
from agent.report.masking import MASK
from agent.rolling import Standing, roll, tell
from agent.service.client import AgentClient
from agent.service.protocol import Capabilities, DeploymentRequest, DeploymentStatus, StagedPackage, is_id
from agent.service.sealing import seal

CLOCKS_SECONDS = 300
"""How far two clocks may be apart before anybody is told."""


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A file to send; `name` is its name in `packages/`, or empty for the bundle itself."""

    path: Path
    sha256: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Push:
    """One push. `variables` is a variables file of Octopus's newer shape; `secret` is the sender's own."""

    deployment: str
    blobs: tuple[Blob, ...]
    variables: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    slot: str = ""
    target: str = ""
    sequence: int = 0
    time_limit: float = 3600


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """How it went with an agent."""

    status: DeploymentStatus
    error: str = ""
    exit_code: int = 0


class PushedError(DockwrightError):
    """A deployment that failed on an agent; the exit code is the one it had there."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def prepare(bundle: Path, work: Path) -> tuple[Blob, ...]:
    """The bundle, packed without its packages, and these. InputError if it is none."""
    if not bundle.exists():
        raise InputError(f"there is no bundle at {bundle}; give the folder or .zip that holds step.yaml")
    folder = bundle
    if bundle.is_file():
        folder = work / "opened"
        extract(bundle, folder)
    check_bundle(folder)
    staged = folder / STAGED
    packages = sorted(path for path in staged.iterdir()) if staged.is_dir() else []
    for path in packages:
        if path.is_symlink() or not path.is_file() or not is_id(path.name):
            raise InputError(f"{STAGED}/{path.name} in the bundle is no package file; take it out")
    packed = pack(folder, work / "bundle.zip", instead={STAGED: None})
    blobs = [Blob(path=path, sha256=_hash(path), name=path.name) for path in packages]
    return (Blob(path=packed.path, sha256=packed.sha256), *blobs)


def push_to_one(push: Push, client: AgentClient, report: Report) -> Pushed:
    """Push, and show what happens as if it happened here."""
    known = begin(push, client, report)
    if known.completed:
        _tell_of_before(known, client, report)
    for event in client.follow(push.deployment):
        report.relay(event)
    return _ended(client, push)


def push_to_several(push: Push, clients: list[AgentClient], rolling: int, report: Report) -> list[Standing]:
    """Push to each, `rolling` at a time and in order; after a failure to no further one. What stands where."""
    return roll(clients, rolling, lambda client: _one_of_several(push, client, report), lambda client: client.url)


def begin(push: Push, client: AgentClient, report: Report) -> DeploymentStatus:
    """Send what the agent lacks, and ask for the deployment."""
    capabilities = client.capabilities()
    _compare_clocks(capabilities, client, report)
    for blob in push.blobs:
        client.upload(blob.path, blob.sha256, report.transfer(blob.name or "bundle"))
    sealed = seal(push.variables, capabilities.sealing_key, push.deployment, push.secret)
    request = DeploymentRequest(
        bundle=push.blobs[0].sha256,
        packages=[StagedPackage(name=blob.name, sha256=blob.sha256) for blob in push.blobs[1:]],
        variables=base64.b64encode(sealed).decode("ascii"),
        slot=push.slot,
        target=push.target,
        sequence=push.sequence,
        time_limit=push.time_limit,
    )
    return client.deploy(push.deployment, request)


def _tell_of_before(known: DeploymentStatus, client: AgentClient, report: Report) -> None:
    """What was done in full before has no log any more, and its outputs are wanted all the same."""
    report.info(f"{known.id} {known.state} on {client.url} at {known.finished}; nothing is left to do")
    outputs = {name: value for name, value in known.outputs.items() if value != MASK}
    for name, value in outputs.items():
        report.set_variable(name, value)
    report.success(outputs)


def _compare_clocks(capabilities: Capabilities, client: AgentClient, report: Report) -> None:
    """Nothing here depends on the clocks but certificates; what the logs say does, and so do people."""
    try:
        ahead = (datetime.fromisoformat(capabilities.time) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return
    if abs(ahead) > CLOCKS_SECONDS:
        said = f"{abs(ahead) / 60:.0f} minutes {'ahead of' if ahead > 0 else 'behind'} ours"
        report.warning(f"the clock of {client.url} is {said}; set one of them")


@contextmanager
def cancelling(push: Push, clients: list[AgentClient]) -> Iterator[None]:
    """If the push is interrupted, so are the deployments."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        for client in clients:
            try:
                client.cancel(push.deployment)
            except DockwrightError:
                continue
        raise


def _one_of_several(push: Push, client: AgentClient, report: Report) -> Standing:
    try:
        begin(push, client, report)
        for event in client.follow(push.deployment):
            tell(event, client.url, report)
        result = _ended(client, push)
    except DockwrightError as error:
        return Standing(place=client.url, said=f"failed: {error}", exit_code=error.exit_code)
    said = "succeeded" if not result.exit_code else f"{result.status.state}: {result.error}"
    return Standing(place=client.url, said=said, exit_code=result.exit_code)


def _ended(client: AgentClient, push: Push) -> Pushed:
    status = client.status(push.deployment)
    if status.state == "succeeded":
        client.complete(push.deployment)
    code = status.exit_code if status.exit_code is not None else HostError.exit_code
    return Pushed(status=status, error=status.error, exit_code=code)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
