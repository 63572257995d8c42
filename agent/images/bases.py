"""The credentials that a build needs for its base images. As Docker: nobody is asked for what the host has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.engine.dockerfile import Instruction, instructions
from agent.errors import BuildError, InputError
from agent.registry.reference import ImageReference

if TYPE_CHECKING:
    from agent.host import BuildRequest, ContainerHost, Credentials

_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
_LARGEST = 1_000_000


def base_credentials(
    request: BuildRequest, given: Mapping[str, Credentials], host: ContainerHost
) -> dict[str, Credentials]:
    """By registry, from `given` or else from Docker's own configuration. RegistryError if a helper fails."""
    from agent.registry import find_credentials

    found: dict[str, Credentials] = {}
    for base in base_images(request):
        registry = base.registry
        if registry in found or (not request.pull and host.image(str(base)) is not None):
            continue
        if credentials := find_credentials(registry, given.get(registry)):
            found[registry] = credentials
    return found


def base_images(request: BuildRequest) -> list[ImageReference]:
    """The images that stages begin with, or that COPY takes from; what cannot be known beforehand is left out."""
    path = request.context / request.dockerfile
    return list(dict.fromkeys(_bases(instructions(_text(path)), request.arguments)))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError as error:
        raise BuildError(f"{path.name}: cannot be read ({error.strerror}); see build.dockerfile") from error


def _bases(found: Sequence[Instruction], arguments: Mapping[str, str]) -> Iterator[ImageReference]:
    known: dict[str, str] = {}
    stages: list[str] = ["scratch"]
    for instruction in found:
        words = instruction.words
        if instruction.keyword == "ARG" and len(stages) == 1:
            known |= _defaults(words, known, arguments)
        names = [word for word in words if not word.startswith("--")]
        if instruction.keyword == "FROM" and names:
            yield from _image(_expanded(names[0], known), stages)
            stages.append(names[2].lower() if len(names) > 2 else f"{len(stages)}th")
        elif instruction.keyword == "COPY":
            sources = (word.removeprefix("--from=") for word in words if word.startswith("--from="))
            yield from (image for source in sources for image in _image(source, stages))


def _defaults(words: Sequence[str], known: Mapping[str, str], arguments: Mapping[str, str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in words)
    return {name: arguments.get(name, _expanded(value, known)) for name, _, value in pairs}


def _expanded(text: str, known: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: known.get(match[1] or match[2]) or match[3] or "", text)


def _image(text: str, stages: Sequence[str]) -> Iterator[ImageReference]:
    if not text or text.isdigit() or text.lower() in stages:
        return
    try:
        yield ImageReference.parse(text)
    except InputError:
        return  # the engine says so, with the line
