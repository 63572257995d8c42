"""Whether an image in a registry is what it claims to be: its parts, and the base it says it was made from.

Each check becomes a finding instead of an error, so that one look tells everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from agent.errors import DockwrightError, RegistryError
from agent.images.inflate import inflated
from agent.images.opened import OpenImage
from agent.labels import BASE, CONFIGURATION
from agent.registry import Descriptor, RegistryClient
from agent.registry.documents import is_digest

_HISTORY_PREFIX: Final = "configuration of "


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `found` says in a few words what it is like."""

    what: str
    good: bool
    found: str


def verify_parts(
    image: OpenImage, client: RegistryClient, log: Callable[[str], None], *, quick: bool
) -> Iterator[Finding]:
    """One finding for each layer: its digest, and that of its content, which the config names.

    `quick` only asks whether the registry holds it. What the vendor keeps is not looked at.
    """
    parts = zip(image.image.manifest.layers, image.config.diff_ids, strict=True)
    for number, (descriptor, diff_id) in enumerate(parts, 1):
        what = f"layer {number} {descriptor.digest[:19]}"
        if descriptor.is_foreign:
            yield Finding(what=what, good=True, found="is kept by its vendor and not looked into")
            continue
        log(f"{what}: {descriptor.size:,} bytes")
        try:
            yield (
                _present(what, image, descriptor, client)
                if quick
                else _read(what, image, descriptor, diff_id, client)
            )
        except RegistryError as error:
            yield Finding(what=what, good=False, found=str(error))


def verify_base(image: OpenImage, client: RegistryClient, *, deployed: bool = False) -> Iterator[Finding]:
    """Whether the base that a configured image names is there, lies under it, and gave it its label.

    A `deployed` image has the label of its deployment instead, which only the journal can tell.
    """
    digest = image.config.labels.get(BASE, "")
    if not digest:
        yield Finding(what="base", good=True, found="the image names none: it was built, not configured")
        return
    if not is_digest(digest):
        yield Finding(what="base", good=False, found=f"the label {BASE} is no digest ({digest[:100]!r})")
        return
    try:
        base = client.image(_base_repository(image), digest)
    except DockwrightError as error:
        yield Finding(what="base", good=False, found=str(error))
        return
    if base is None:
        yield Finding(what="base", good=False, found=f"{digest} is not in the registry any more")
        return
    below = [each.digest for each in base.manifest.layers]
    ours = [each.digest for each in image.image.manifest.layers]
    good = ours[: len(below)] == below
    found = f"its {len(below)} layers lie under the image" if good else "its layers are not those under the image"
    yield Finding(what=f"base {digest[:19]}", good=good, found=found)
    if good and not deployed and len(ours) == len(below) + 1:
        yield _configuration(image, digest)


def _present(what: str, image: OpenImage, descriptor: Descriptor, client: RegistryClient) -> Finding:
    there = client.has_blob(image.reference.repository, descriptor.digest)
    return Finding(what=what, good=there, found="is there; not read" if there else "is not in the registry")


def _read(what: str, image: OpenImage, descriptor: Descriptor, diff_id: str, client: RegistryClient) -> Finding:
    """The digest is verified by the client, with the last byte."""
    algorithm, _, expected = diff_id.partition(":")
    if algorithm not in ("sha256", "sha512"):
        return Finding(
            what=what, good=False, found=f"the config names its content in an unknown way ({diff_id[:40]})"
        )
    content = hashlib.new(algorithm)
    chunks = client.read_blob(image.reference.repository, descriptor)
    for piece in inflated(chunks, descriptor.size):
        content.update(piece)
    for _ in chunks:
        pass
    good = content.hexdigest() == expected
    return Finding(
        what=what,
        good=good,
        found=f"is whole, {descriptor.size:,} bytes" if good else "its content is not what the config says",
    )


def _configuration(image: OpenImage, base_digest: str) -> Finding:
    """The label is the hash of the base and the layer on top of it (see `configure`)."""
    expected = hashlib.sha256(f"{base_digest}\n{image.config.diff_ids[-1]}\n".encode()).hexdigest()
    good = image.config.labels.get(CONFIGURATION) == expected
    found = "the label is that of base and layer" if good else "the label is not that of base and layer"
    return Finding(what="configuration", good=good, found=found)


def _base_repository(image: OpenImage) -> str:
    """The image's own, unless its history says that the base is in another one."""
    for step in reversed(image.config.comments):
        name, at, _ = step.removeprefix(_HISTORY_PREFIX).partition("@")
        registry, slash, repository = name.partition("/")
        if step.startswith(_HISTORY_PREFIX) and at and slash and registry == image.reference.registry:
            return repository
    return image.reference.repository
