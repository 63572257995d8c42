"""Environments of a release process in memory, and what a person would say is still needed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from agent.containers import CONFIGURATION, DEPLOYMENT, SLOT
from agent.host import ContainerInfo, ImageInfo
from agent.journal import Kind, RunRecord, State
from agent.labels import BASE, PACKAGE
from agent.retention.surplus import surplus_images
from agent.retention.tags import Tagged, surplus_tags, unneeded

REPOSITORY = "r:5000/shop"


def record(number: int, slot: str, **facts: object) -> RunRecord:
    """A good deployment, unless `facts` say otherwise."""
    texts = ("started", "finished", "error", "image", "digest", "container", "configuration", "release", "project")
    known: dict[str, object] = dict.fromkeys((*texts, "environment", "tenant", "step"), "")
    known |= {"id": f"Deployments-{number}", "kind": "deployment", "state": "succeeded", "host": "unix://"}
    return RunRecord(**{**known, "number": number, "slot": slot, "process": 1, "boot_seconds": None, **facts})  # type: ignore[arg-type]


@dataclass
class World:
    """`stacks` are what one could go back through in each slot, the current one last; `runs` come oldest first."""

    runs: list[RunRecord] = field(default_factory=list)
    stacks: dict[str, list[RunRecord]] = field(default_factory=dict)
    containers: dict[str, list[RunRecord]] = field(default_factory=dict)
    tags: dict[str, Tagged] = field(default_factory=dict)
    images: dict[str, ImageInfo] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    built: set[str] = field(default_factory=set)

    def release(self, release: int) -> str:
        """The digest of the release's image, built if the registry has it no more."""
        reference = f"{REPOSITORY}:{release}-pkg"
        self.built.add(reference)
        if reference not in self.tags:
            digest = f"sha256:release{release}-{len(self.runs)}"
            self._push(
                reference, Tagged(reference=reference, digest=digest, layers=(f"l{release}",), is_release=True)
            )
            self._have(reference, digest, {PACKAGE: str(release)})
        return self.tags[reference].digest

    def deploy(self, slot: str, release: int, state: State, *, files: bool, runs_it: bool = True) -> None:
        number = len(self.runs) + 1
        reference = f"{REPOSITORY}:{release}-deployments-{number}"
        base = self.release(release)
        if not (files or runs_it):
            reference, digest = f"{REPOSITORY}:{release}-pkg", base  # the release itself is what was made
        elif files:
            digest = f"sha256:deployment{number}"
            layers = (f"l{release}", f"c{number}")
            self._push(reference, Tagged(reference=reference, digest=digest, base=base, layers=layers))
            labels = {PACKAGE: str(release), BASE: base, SLOT: slot, CONFIGURATION: str(number)}
            self._have(reference, digest, {**labels, DEPLOYMENT: f"Deployments-{number}"})
        else:
            digest = base
            self._push(reference, Tagged(reference=reference, digest=base, layers=(f"l{release}",), is_release=True))
            self._have(reference, digest, {PACKAGE: str(release)})
        self._note(
            record(
                number, slot, state=state, image=reference, digest=digest, configuration=str(number),
                container=f"c-{number}" if runs_it else "",
            ),
            runs_it=runs_it,
        )  # fmt: skip

    def time_passes(self) -> None:
        """What was under way has failed by now."""
        self.runs = [replace(run, state="failed") if run.state == "running" else run for run in self.runs]

    def roll_back(self, slot: str) -> None:
        stack = self.stacks.get(slot, [])
        if len(stack) > 1 and all(run.container for run in stack):
            stack.pop()
            number = len(self.runs) + 1
            kind: Kind = "rollback"
            self.runs.append(
                record(number, slot, kind=kind, target=str(stack[-1].number), container=stack[-1].container)
            )
            self.containers[slot] = [stack[-1]]

    def deploy_elsewhere(self, release: int) -> None:
        """Another agent, of which our journal knows nothing, uses the release's image."""
        number = len(self.runs) + len(self.strangers) + 1000
        reference = f"{REPOSITORY}:{release}-deployments-{number}"
        base = self.release(release)
        self._push(
            reference,
            Tagged(reference=reference, digest=f"sha256:other{number}", base=base, layers=(f"l{release}", "x")),
        )
        self.strangers.add(reference)

    def prune(self, keep: int, slots: Collection[str] | None = None) -> list[str]:
        """What may go, goes; which of it somebody needs."""
        needed = self._needed(keep, slots)
        newest = self.runs[::-1]
        lost: list[str] = []
        containers = [_container(run) for runs in self.containers.values() for run in runs]
        for tag in surplus_tags(list(self.tags.values()), unneeded(newest, keep, containers, self.built, slots)):
            lost += [tag.reference] if tag.reference in needed else []
            del self.tags[tag.reference]
        for one in surplus_images(list(self.images.values()), containers, newest, keep, self.built, slots):
            lost += needed.intersection(one.names)
            del self.images[one.id]
        there = {tag.digest for tag in self.tags.values()}
        lost += [reference for reference in needed & self.tags.keys() if self.digest(reference) not in there]
        return lost + [tag.base for tag in self.tags.values() if tag.base and tag.base not in there]

    def digest(self, reference: str) -> str:
        return self.tags[reference].digest

    def _needed(self, keep: int, slots: Collection[str] | None) -> set[str]:
        """References: in the slots that are looked at, by count; in others all of them."""
        needed = set(self.strangers)
        for slot, stack in self.stacks.items():
            of_slot = [run for run in self.runs if run.slot == slot and run.image]
            all_stay = slots is not None and slot not in slots
            needed |= {run.image for run in (of_slot if all_stay else stack[-(keep + 1) :])}
            needed |= {run.image for run in self.containers.get(slot, [])}
        needed |= {run.image for run in self.runs if run.state == "running"}
        return needed & (self.tags.keys() | self.strangers)

    def _note(self, run: RunRecord, *, runs_it: bool) -> None:
        self.runs.append(run)
        stack = self.stacks.setdefault(run.slot, [])
        if run.state == "succeeded":
            stack.append(run)
            if runs_it:
                self.containers[run.slot] = [*self.containers.get(run.slot, []), run][-2:]

    def _push(self, reference: str, tag: Tagged) -> None:
        self.tags[reference] = tag

    def _have(self, reference: str, digest: str, labels: dict[str, str]) -> None:
        known = self.images.get(f"id-{digest}")
        tags = tuple(dict.fromkeys([*(known.tags if known else ()), reference]))
        pinned = f"{REPOSITORY}@{digest}"
        self.images[f"id-{digest}"] = ImageInfo(id=f"id-{digest}", tags=tags, digests=(pinned,), labels=labels)


def _container(run: RunRecord) -> ContainerInfo:
    return ContainerInfo(
        id=run.container,
        name=run.container,
        image=run.image,
        image_id=f"id-{run.digest}",
        state="running",
        labels={SLOT: run.slot, DEPLOYMENT: run.id},
    )
