"""Which images of a repository in a registry may go.

A registry forgets an image with all its tags at once. So it goes only if each of its tags is one that we gave and
nobody needs, and no image that stays was made from it: one that names it as its base, or that lies over its layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from agent.host import ContainerInfo
from agent.journal import DEPLOYED, RunRecord
from agent.retention.needed import Needed, names_of, normal


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """What a tag leads to. `base` is the digest of the image that it was made from; `is_release` if it is such a
    base itself. One that cannot be read (`known` is false) may be made from anything."""

    reference: str
    digest: str
    base: str = ""
    layers: tuple[str, ...] = ()
    is_release: bool = False
    known: bool = True


@dataclass(frozen=True, kw_only=True)
class Unneeded:
    """What may go as far as the journal knows. `deployed` are (reference, digest) of deployments, `built` the
    references of releases' images; `digests` must stay under whichever tag."""

    deployed: frozenset[tuple[str, str]]
    built: frozenset[str]
    references: frozenset[str] = field(default_factory=frozenset)
    digests: frozenset[str] = field(default_factory=frozenset)

    def has(self, reference: str, digest: str, *, is_release: bool) -> bool:
        """Whether this tag, as far as the journal knows, may go."""
        if reference in self.references or digest in self.digests:
            return False
        return (reference, digest) in self.deployed or (is_release and reference in self.built)


def unneeded(
    runs: Sequence[RunRecord],
    keep: int,
    containers: Iterable[ContainerInfo],
    built: Collection[str],
    slots: Collection[str] | None = None,
) -> Unneeded:
    """By the journal of a home, all hosts of it, newest runs first; only what was deployed to `slots` if given."""
    needed = Needed(runs, keep, containers)
    ours = names_of(runs, built, slots)
    deployed = {(normal(run.image), run.digest) for run in runs if run.kind in DEPLOYED and run.image and run.digest}
    return Unneeded(
        deployed=frozenset(
            (reference, digest)
            for reference, digest in deployed
            if reference in ours and reference not in needed.references and digest not in needed.digests
        ),
        built=frozenset() if needed.busy else (ours & frozenset(map(normal, built))) - needed.references,
        references=frozenset(needed.references),
        digests=frozenset(needed.digests),
    )


def surplus_tags(tags: Sequence[Tagged], known: Unneeded) -> list[Tagged]:
    """Those of a repository's tags that may go, together with what they lead to; bases come last."""
    going = _whole_images({tag.digest for tag in tags}, tags, known)
    while kept := _bases(going, tags):
        going -= kept
    return sorted((tag for tag in tags if tag.digest in going), key=lambda tag: (tag.is_release, tag.reference))


def _whole_images(digests: set[str], tags: Sequence[Tagged], known: Unneeded) -> set[str]:
    return digests - {tag.digest for tag in tags if not _may_go(tag, known)}


def _may_go(tag: Tagged, known: Unneeded) -> bool:
    return tag.known and known.has(tag.reference, tag.digest, is_release=tag.is_release)


def _bases(going: set[str], tags: Sequence[Tagged]) -> set[str]:
    """Of what would go, what an image that stays was made from."""
    staying = [tag for tag in tags if tag.digest not in going]
    named = {tag.base for tag in staying}
    over = {tag.layers[:count] for tag in staying for count in range(1, len(tag.layers))}
    any_base = any(not tag.known for tag in staying)
    return {
        tag.digest
        for tag in tags
        if tag.digest in going and (tag.digest in named or (not tag.base and (any_base or tag.layers in over)))
    }
