"""What a run would do, in a form that can be read, saved, and compared with what a later run is about to do."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agent.documents import convert
from agent.errors import InputError, PlanChangedError, StorageError

PLAN_FORMAT = 1


class PlannedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package as it would be used; `size` in bytes."""

    name: str
    id: str
    version: str
    sha256: str
    size: int


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration file that would change: hashes of both states, and the masked unified diff."""

    path: str
    before: str
    after: str
    diff: str


class PlannedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """The container that would run, and the one it would take the place of (empty if none)."""

    name: str
    ports: list[str]
    specification: str
    replaces: str = ""
    replaces_image: str = ""
    outage: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run would do. `configuration` is the hash of all that goes into the image."""

    format: int = PLAN_FORMAT
    deployment: str
    slot: str
    step: str
    host: str
    packages: list[PlannedPackage] = []
    files: list[PlannedFile] = []
    unmatched: list[str] = []
    image: str = ""
    way: str = ""
    """How the image is made, and why so."""
    registry: str = ""
    configuration: str = ""
    container: PlannedContainer | None = None
    hooks: list[str] = []
    """Scripts that would run on the agent's machine; what they would change is not known to a plan."""


def save(plan: Plan, path: Path) -> None:
    """Write the plan for `run --plan`; beside first, then in place."""
    data = msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(f"the plan cannot be written to {path}: {error.strerror}; name another file") from error


def load(path: Path) -> Plan:
    """Read a saved plan; InputError if it is not one."""
    try:
        data = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"the plan {path} cannot be read: {error.strerror}; make one with dockwright plan --save"
        ) from error
    except msgspec.DecodeError as error:
        raise InputError(f"the plan {path} is not a plan: {error}; make one with dockwright plan --save") from error
    return convert(data, Plan, where=f"the plan {path}")


def require_same(planned: Plan, now: Plan) -> None:
    """PlanChangedError with every difference that matters; diffs' texts and the outage's wording do not."""
    differences = _differences(planned, now)
    if differences:
        raise PlanChangedError(
            f"this is no longer what was planned: {'; '.join(differences)}; look at a new plan, then run that"
        )


def _differences(planned: Plan, now: Plan) -> list[str]:
    found = [
        f"the {name} was {getattr(planned, name)!r} and is {getattr(now, name)!r}"
        for name in ("format", "deployment", "slot", "step", "host", "image", "registry")
        if getattr(planned, name) != getattr(now, name)
    ]
    found += _package_differences(planned, now)
    found += _file_differences(planned, now)
    found += _container_differences(planned.container, now.container)
    if planned.hooks != now.hooks:
        found.append(f"the hooks were {', '.join(planned.hooks) or 'none'} and are {', '.join(now.hooks) or 'none'}")
    if not found and not now.hooks and planned.configuration != now.configuration:
        found.append("the image's content (build settings or files) is another")
    return found


def _package_differences(planned: Plan, now: Plan) -> list[str]:
    before = {package.name: package for package in planned.packages}
    after = {package.name: package for package in now.packages}
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            found.append(f"the package {name} is {'new' if old is None else 'gone'}")
        elif (old.id, old.version) != (new.id, new.version):
            found.append(f"the package {name} was {old.id} {old.version} and is {new.id} {new.version}")
        elif old.sha256 != new.sha256:
            found.append(f"the package {name} {old.version} has other content")
    return found


def _file_differences(planned: Plan, now: Plan) -> list[str]:
    before = {file.path: (file.before, file.after) for file in planned.files}
    after = {file.path: (file.before, file.after) for file in now.files}
    return [
        f"the file {path} would change {'differently' if path in before and path in after else 'or not'}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _container_differences(planned: PlannedContainer | None, now: PlannedContainer | None) -> list[str]:
    if planned is None or now is None:
        return [] if planned is now else ["whether a container is run has changed"]
    found = []
    if planned.replaces != now.replaces:
        found.append(f"the container to replace was {planned.replaces or 'none'} and is {now.replaces or 'none'}")
    if (planned.name, planned.ports, planned.specification) != (now.name, now.ports, now.specification):
        found.append(f"the container {now.name} would be made with other settings")
    return found
