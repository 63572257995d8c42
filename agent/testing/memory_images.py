"""The images of a host in memory, of which registries hold some too, and how it builds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.engine.build_context import stream_context
from agent.engine.dockerfile import Instruction, instructions
from agent.errors import BuildError
from agent.host import BuildRequest, ImageInfo
from agent.registry.reference import ImageReference


@dataclass
class MemoryImages:
    """`here` by id; `remote`, what registries hold, by reference."""

    here: dict[str, ImageInfo] = field(default_factory=dict)
    remote: dict[str, ImageInfo] = field(default_factory=dict)

    def find(self, reference: str) -> ImageInfo | None:
        if reference in self.here:
            return self.here[reference]
        key = reference_key(reference)
        for image in self.here.values():
            if key in map(reference_key, (*image.tags, *image.digests)):
                return image
        return None

    def find_remote(self, reference: str) -> ImageInfo | None:
        return self.remote.get(reference_key(reference))

    def tag(self, identity: str, reference: str) -> None:
        """A tag belongs to one image; another that had it loses it."""
        tag = reference if _has_tag(reference) else f"{reference}:latest"
        for other in self.here.values():
            if other.id != identity and tag in other.tags:
                self.here[other.id] = replace(other, tags=tuple(name for name in other.tags if name != tag))
        image = self.here[identity]
        self.here[identity] = replace(image, tags=tuple(sorted({*image.tags, tag})))

    def publish(self, image: ImageInfo, reference: str) -> str:
        """Let the reference's registry have it; the digest is returned."""
        digest = _digest(image.id.encode())
        name = reference.rpartition(":")[0] if _has_tag(reference) else reference
        pinned = f"{name}@{digest}"
        published = replace(image, tags=(), digests=tuple(dict.fromkeys((*image.digests, pinned))))
        self.remote[reference_key(reference)] = self.remote[reference_key(pinned)] = published
        if image.id in self.here:
            self.here[image.id] = replace(self.here[image.id], digests=published.digests)
        return digest

    def fetch(self, reference: str, remote: ImageInfo) -> ImageInfo:
        """Take a remote image in, under the reference by which it was asked for."""
        known = self.here.get(remote.id, remote)
        self.here[remote.id] = replace(known, digests=tuple(dict.fromkeys(known.digests + remote.digests)))
        if "@" not in reference:
            self.tag(remote.id, reference)
        return self.here[remote.id]


def reference_key(reference: str) -> str:
    """The same for all spellings of one reference."""
    if reference.startswith("sha256:"):
        return reference
    parsed = ImageReference.parse(reference)
    return f"{parsed.name} {parsed.selector}"


def new_image(seed: str, labels: Mapping[str, str], *, healthcheck: bool = False) -> ImageInfo:
    """An image that differs from others by all three. Its platform is the host's to say."""
    identity = _digest(f"{seed} {sorted(labels.items())} {healthcheck}".encode())
    return ImageInfo(id=identity, labels=dict(labels), size=len(seed), has_healthcheck=healthcheck)


def dockerfile_steps(request: BuildRequest) -> list[Instruction]:
    path = request.context / request.dockerfile
    try:
        steps = instructions(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BuildError(f"{path}: the Dockerfile cannot be read ({error.strerror})") from error
    if not steps:
        raise BuildError(f"{request.dockerfile}: the Dockerfile cannot be empty")
    return steps


def check_bases(request: BuildRequest, steps: list[Instruction], images: MemoryImages) -> None:
    """BuildError for a FROM that names no stage, no image here and none in a registry."""
    stages = {"scratch"}
    for step in steps:
        words = [word for word in step.text.split()[1:] if not word.startswith("--")]
        if step.keyword != "FROM" or not words:
            continue
        base = words[0]
        if not (base.lower() in stages or "$" in base or images.find(base) or images.find_remote(base)):
            raise BuildError(f"{request.dockerfile}:{step.line}: {step.text}: there is no image {base}")
        stages.add(words[-1].lower())


def built_image(request: BuildRequest, steps: list[Instruction]) -> ImageInfo:
    """The same context and arguments give the same image, as from an engine's cache."""
    content = hashlib.sha256(repr((sorted(request.arguments.items()), request.target, steps)).encode())
    for chunk in stream_context(request.context, request.dockerfile):
        content.update(chunk)
    checks = [step.text.split()[1:2] for step in steps if step.keyword == "HEALTHCHECK"]
    exposed = (port for step in steps if step.keyword == "EXPOSE" for port in step.text.split()[1:])
    image = new_image(content.hexdigest(), request.labels, healthcheck=bool(checks) and checks[-1] != ["NONE"])
    return replace(image, exposed_ports=tuple(sorted(p if "/" in p else f"{p}/tcp" for p in exposed)))


def _has_tag(reference: str) -> bool:
    return ":" in reference.rpartition("/")[2]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
