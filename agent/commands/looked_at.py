"""The image that a command looks at, opened in its registry; one that is not there is told what would help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import InputError, RegistryError
from agent.images.layer_cache import LayerCache
from agent.images.opened import OpenImage, open_image
from agent.registry import ImageReference, RegistryClient, find_credentials

_HUB = "docker.io"
_HOW = (
    "an image that only a container host has is not looked into: push it, and name it as REGISTRY/NAME:TAG "
    "(dockwright ps and history show names)"
)


@contextmanager
def looked_at(name: str, platform: str, home: Path) -> Iterator[tuple[OpenImage, RegistryClient]]:
    """The image of that name, with a client of its registry; the home's cache keeps what is read.

    InputError if the registry has no such image; RegistryError if it cannot be asked.
    """
    reference = ImageReference.parse(name)
    with RegistryClient(reference.registry, find_credentials(reference.registry)) as client:
        try:
            _require_there(name, reference, client)
            image = open_image(reference, client, platform, LayerCache(home / "cache" / "images"))
        except RegistryError as error:
            if _names_registry(name, reference):
                raise
            raise RegistryError(f"{error}; {name} names no registry, so that {_HUB} was asked; {_HOW}") from error
        yield image, client


def _require_there(name: str, reference: ImageReference, client: RegistryClient) -> None:
    if client.manifest_digest(reference.repository, reference.selector) is not None:
        return
    if _names_registry(name, reference):
        raise InputError(f"{reference} is not in the registry; see its name and tag; {_HOW}")
    raise InputError(f"{name} names no registry, and {_HUB} has no {reference}; {_HOW}")


def _names_registry(name: str, reference: ImageReference) -> bool:
    return reference.registry != _HUB or name.startswith(f"{_HUB}/")
