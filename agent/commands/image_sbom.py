"""`dockwright image sbom`: what an image is made of, as CycloneDX 1.6: packages, base, and layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

import msgspec

from agent.commands.looked_at import looked_at
from agent.commands.recorded import RecordedImage, recorded_source
from agent.images.opened import OpenImage
from agent.journal import PackageRecord
from agent.labels import BASE
from agent.packages import cached_packages
from agent.registry import Descriptor, ImageReference

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packageurl import PackageURL


class BillOfMaterials(msgspec.Struct, frozen=True, kw_only=True):
    """The document as JSON text; `packages` is how many it names, None if no run is known that made the image."""

    json: str
    packages: int | None


def bill_of_materials(name: str, platform: str, home: Path) -> BillOfMaterials:
    """The same bytes for the same image and the same journal.

    InputError if the image is not there; RegistryError.
    """
    from cyclonedx.output.json import JsonV1Dot6

    with looked_at(name, platform, home) as (image, _client):
        known = recorded_source(image, home)
        text = JsonV1Dot6(_bom(image, known, home)).output_as_string(indent=2)
    return BillOfMaterials(json=text, packages=len(known.packages) if known else None)


def _bom(image: OpenImage, known: RecordedImage | None, home: Path) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType

    root = _image(image.reference, image.image.digest)
    tool = Component(name="dockwright", version=version("dockwright"), type=ComponentType.APPLICATION)
    parts = [
        *_packages(known.packages if known else (), home),
        *_base(image),
        *(_layer(number, layer) for number, layer in enumerate(image.image.manifest.layers, 1)),
    ]
    bom = Bom(
        components=parts,
        serial_number=uuid5(NAMESPACE_URL, f"{image.reference.name}@{image.image.digest}"),
        metadata=BomMetaData(component=root, tools=[], timestamp=_created(image)),
    )
    bom.metadata.tools.components.add(tool)
    bom.register_dependency(root, parts)
    return bom


def _created(image: OpenImage) -> datetime:
    """When the image was made; the epoch where it does not say, as reproducible builds do."""
    try:
        return msgspec.json.decode(image.config_data, type=_Created).created
    except msgspec.DecodeError:
        return _Created().created


class _Created(msgspec.Struct):
    created: datetime = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _image(reference: ImageReference, digest: str) -> Component:
    """As the purl type `oci`: the last part of the repository is the name, the digest is the version."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    qualifiers = {"repository_url": reference.name} | ({"tag": reference.tag} if reference.tag else {})
    name = reference.repository.rpartition("/")[2]
    return Component(
        type=ComponentType.CONTAINER,
        name=reference.name,
        version=digest,
        bom_ref=f"image:{digest}",
        hashes=_hashes(digest),
        purl=PackageURL(type="oci", name=name, version=digest, qualifiers=qualifiers),
    )


def _packages(packages: Sequence[PackageRecord], home: Path) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType

    kinds = {package.sha256: package.path.suffix.lower() for package in cached_packages(home / "packages")}
    for package in {each.sha256: each for each in packages}.values():
        group, _, name = package.id.partition(":")
        purl = _purl(package, kinds.get(package.sha256, ""))
        yield Component(
            type=ComponentType.APPLICATION,
            group=group if name else None,
            name=purl.name,
            version=package.version,
            bom_ref=f"package:{package.sha256}",
            hashes=_hashes(f"sha256:{package.sha256}"),
            purl=purl,
        )


def _purl(package: PackageRecord, extension: str) -> PackageURL:
    """Maven's ids have colons; a NuGet package is one by its file, as far as the cache still has it."""
    from packageurl import PackageURL

    parts = package.id.split(":")
    if len(parts) > 1:
        return PackageURL(type="maven", namespace=parts[0], name=parts[1], version=package.version)
    kind = "nuget" if extension == ".nupkg" else "generic"
    return PackageURL(type=kind, name=package.id, version=package.version)


def _base(image: OpenImage) -> Iterator[Component]:
    """The image that a configured one was made from, as its label says."""
    digest = image.config.labels.get(BASE, "")
    if digest:
        yield _image(msgspec.structs.replace(image.reference, tag="", digest=""), digest)


def _layer(number: int, layer: Descriptor) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.FILE,
        name=f"layer {number}",
        version=layer.digest,
        bom_ref=f"layer:{number}:{layer.digest}",
        hashes=_hashes(layer.digest),
        properties=[
            Property(name="dockwright:layer:media-type", value=layer.media_type),
            Property(name="dockwright:layer:size", value=str(layer.size)),
        ],
    )


def _hashes(digest: str) -> list[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    algorithm, _, value = digest.partition(":")
    known = {"sha256": HashAlgorithm.SHA_256, "sha512": HashAlgorithm.SHA_512}
    return [HashType(alg=known[algorithm], content=value)] if algorithm in known else []
