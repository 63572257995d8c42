"""An image in a registry with its config at hand: where every look at an image begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from agent.errors import InputError
from agent.images.contents import Layers
from agent.images.image_config import ImageConfig, read_config
from agent.images.layer_cache import LayerCache
from agent.registry import ImageReference, RegistryClient, RemoteImage

if TYPE_CHECKING:
    from agent.host import OperatingSystem

LARGEST_CONFIG: Final = 8 * 1024 * 1024


class OpenImage(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest is in `image`; `config_data` is the config as the registry keeps it."""

    reference: ImageReference
    image: RemoteImage
    config: ImageConfig
    config_data: bytes

    @property
    def system(self) -> OperatingSystem:
        """InputError for what is neither Linux nor Windows."""
        return self.config.system(str(self.reference))

    def layers(self, client: RegistryClient, cache: LayerCache, log: Callable[[str], None]) -> Layers:
        """Its layers, to be looked into."""
        return Layers(
            descriptors=self.image.manifest.layers,
            read=lambda descriptor: client.read_blob(self.reference.repository, descriptor),
            os=self.system,
            cache=cache,
            log=log,
        )


def open_image(reference: ImageReference, client: RegistryClient, platform: str, cache: LayerCache) -> OpenImage:
    """Read manifest and config; the config from the cache if it was read before.

    InputError if the image is not there; RegistryError.
    """
    image = client.image(reference.repository, reference.selector, platform)
    if image is None:
        raise InputError(f"{reference} is not in the registry; see its name and tag")
    described = image.manifest.config
    data = cache.content(described.digest.removeprefix("sha256:"))
    if data is None:
        data = client.load_blob(reference.repository, described, LARGEST_CONFIG)
        cache.keep_content(data)
    config = read_config(data, len(image.manifest.layers), str(reference))
    return OpenImage(reference=reference, image=image, config=config, config_data=data)
