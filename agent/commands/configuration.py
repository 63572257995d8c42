"""`dockwright configure`: the next environment's image from the release's image, straight in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.images import Configured, ConfigureRequest, LayerCache, configure
from agent.labels import LABELLED
from agent.registry import ImageReference, RegistryClient, find_credentials
from agent.report import Report
from agent.report.wording import size
from agent.transform import TransformFailure, TransformSettings, tell, transform
from agent.transform.globs import compile_glob
from agent.transform.image_paths import globs_spoken_of, in_image, path_in_image
from agent.transform.settings import ConfigTransformSettings, settings_from
from agent.variables import Variables
from agent.workspace import work_folder


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line. Globs are paths in the image, with or without the root or a drive in front.

    Without `files`, those are taken out of the image that the features speak of. `repository` is where the new
    image goes, "" for where the old one is.
    """

    image: str
    tag: str
    repository: str = ""
    platform: str = ""
    files: Sequence[str] = ()
    previous: Sequence[str] = ()
    substitute: Sequence[str] = ()
    structured: Sequence[str] = ()
    config_transforms: bool = False
    config_variables: bool = False


def configure_image(asked: Asked, variables: Variables, home: Path, report: Report) -> Configured:
    """Make the image and push it. What the features have to say goes to the report."""
    base = ImageReference.parse(asked.image)
    target = ImageReference.parse(f"{base.registry}/{asked.repository or base.repository}").with_tag(asked.tag)
    settings = _settings(asked)
    resolved = settings_from(settings, variables)
    with work_folder(home) as work, RegistryClient(base.registry, find_credentials(base.registry)) as client:
        request = ConfigureRequest(
            base=base,
            target=target,
            files=tuple(map(path_in_image, asked.files)) or globs_spoken_of(resolved),
            compile_glob=compile_glob,
            transform=lambda tree: _transform(tree, settings, variables, report),
            work=work.path,
            cache=LayerCache(home / "cache" / "images"),
            platform=asked.platform,
            labels=_labels(variables),
            previous=tuple(asked.previous),
        )
        configured = configure(request, client, report.verbose)
    for glob in configured.unmatched:
        report.warning(f"{base} has no file that matches {glob}")
    return configured


def result_lines(configured: Configured) -> list[str]:
    """The reference and its digest, and before them what was done."""
    count = len(configured.changed)
    files = f"{count} file{'' if count == 1 else 's'} changed"
    layer = f"{files}, in a layer of {size(configured.layer_bytes)}" if configured.layer else "no file changed"
    done = {
        "configured": layer,
        "retagged": f"{layer}; the image was there already and got the tag",
        "present": f"{layer}; the tag had this image already",
    }
    return [done[configured.outcome], str(configured.reference), configured.digest]


def result_document(configured: Configured) -> dict[str, object]:
    """The same as plain data, for `--output json`."""
    return {
        "image": str(configured.reference),
        "digest": configured.digest,
        "base": configured.base_digest,
        "outcome": configured.outcome,
        "layer": configured.layer,
        "layerBytes": configured.layer_bytes,
        "changed": list(configured.changed),
    }


def _settings(asked: Asked) -> TransformSettings:
    given = TransformSettings(
        substitute=tuple(asked.substitute) or None,
        structured=tuple(asked.structured) or None,
        config_transforms=ConfigTransformSettings(automatic=True) if asked.config_transforms else None,
        config_variables=True if asked.config_variables else None,
    )
    return in_image(given)


def _transform(tree: Path, settings: TransformSettings, variables: Variables, report: Report) -> None:
    try:
        transformed = transform(tree, settings, variables)
    except TransformFailure as failure:
        tell(failure.messages, report)
        raise
    tell(transformed.messages, report)
    secrets = sum(change.sensitive for change in transformed.changes)
    if secrets:
        report.warning(
            f"{secrets} sensitive value{' is' if secrets == 1 else 's are'} now in files of the image, for all to "
            "read who can pull it; environment variables or a mounted file would keep them out"
        )


def _labels(variables: Variables) -> dict[str, str]:
    """Octopus's own, as far as the variables know them; none that was computed from a secret."""
    return {name: value for name in LABELLED if not variables.is_sensitive(name) and (value := variables.get(name))}
