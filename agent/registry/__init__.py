"""Image references, the registry client, and whose credentials a registry gets."""

from agent.registry.client import RegistryClient
from agent.registry.credentials import find_credentials
from agent.registry.documents import Descriptor, Manifest
from agent.registry.manifests import RemoteImage
from agent.registry.reference import ImageReference, tag_from

__all__ = [
    "Descriptor",
    "ImageReference",
    "Manifest",
    "RegistryClient",
    "RemoteImage",
    "find_credentials",
    "tag_from",
]
