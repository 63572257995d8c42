"""Configuration files of an image, named by their paths in it instead of in a package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import structs

from agent.errors import InputError
from agent.transform.globs import normalise
from agent.transform.settings import ResolvedTransforms, TargetRule, TransformSettings

_XML_FILES = "**/*.config"


def path_in_image(glob: str) -> str:
    """A glob relative to the image's root, given with or without the root or a drive in front.

    InputError if it leads out of the image.
    """
    glob = normalise(glob)
    path = (glob[2:] if glob[1:2] == ":" else glob).lstrip("/")
    if not path or ".." in PurePosixPath(path).parts:
        raise InputError(f"{glob!r} names no files of an image; give a path in it, such as app/appsettings.json")
    return path


def in_image(settings: TransformSettings | None) -> TransformSettings:
    """The settings with all targets relative to the image's root.

    Never folders of this machine beside the image's: `additional_paths` is empty, whatever the variables say.
    """
    given = settings or TransformSettings()
    return structs.replace(
        given,
        substitute=_rooted(given.substitute),
        structured=_rooted(given.structured),
        additional_paths=(),
    )


def globs_spoken_of(resolved: ResolvedTransforms) -> tuple[str, ...]:
    """The files that the features that are on will look for, each glob once."""
    return tuple(dict.fromkeys(_spoken_of(resolved)))


def _rooted(rules: tuple[str | TargetRule, ...] | None) -> tuple[str | TargetRule, ...] | None:
    if rules is None:
        return None
    return tuple(
        path_in_image(rule) if isinstance(rule, str) else structs.replace(rule, target=path_in_image(rule.target))
        for rule in rules
    )


def _spoken_of(resolved: ResolvedTransforms) -> Iterator[str]:
    for rules in (resolved.substitute, resolved.structured):
        for target in rules.targets if rules else ():
            yield path_in_image(target.pattern)
    if resolved.config_transforms or resolved.config_variables:
        yield _XML_FILES
