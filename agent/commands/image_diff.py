"""`dockwright image diff`: what two images share and where they differ; the proof that production is what UAT was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from agent.commands.looked_at import looked_at
from agent.commands.recorded import recorded
from agent.commands.shown_diff import EVERYTHING, shown_diff
from agent.errors import InputError
from agent.images.contents import Layers, find_files
from agent.images.difference import FileDifference, FileState, compare_files, shared_layers
from agent.images.layer_cache import LayerCache
from agent.images.opened import OpenImage
from agent.journal import SecretChange
from agent.registry import Descriptor
from agent.report.wording import size

_CONFIGURATION: Final = frozenset(
    [".config", ".json", ".jsonc", ".yaml", ".yml", ".xml", ".properties", ".ini", ".conf", ".cfg", ".toml", ".env"]
)
_LARGEST_SHOWN: Final = 1024 * 1024
_MOST_SHOWN: Final = 200
_MOST_LISTED: Final = 500
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\:]")


class ImagePart(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Layers: how many, and how large they are together in the registry."""

    layers: int
    bytes: int


class ImageSide(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of the two images, and the layers that only it has."""

    image: str
    digest: str
    own: ImagePart


class ConfigurationChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A configuration file that differs; `diff` is masked, and empty where no text differs."""

    path: str
    kind: str
    diff: str


class ImageDifference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What differs. `settings` are names of what the images' configs say differently: `Env PATH`, `Labels x`."""

    first: ImageSide
    second: ImageSide
    shared: ImagePart
    settings: tuple[str, ...]
    configuration: tuple[ConfigurationChange, ...]
    files: tuple[FileDifference, ...]

    @property
    def is_none(self) -> bool:
        """Whether a container could not tell one from the other."""
        return not (self.settings or self.configuration or self.files)


def difference(
    names: tuple[str, str], platform: str, home: Path, log: Callable[[str], None], *, show: bool
) -> ImageDifference:
    """Compare two images of registries. `show` gives values that only look like secrets.

    InputError if one is not there, or both are for different systems; RegistryError.
    """
    with ExitStack() as stack:
        sides = [_opened(name, platform, home, log, stack) for name in names]
        (one, first), (other, second) = sides
        if first.os != second.os:
            raise InputError(f"{one.reference} is for {first.os}, {other.reference} for {second.os}; name two alike")
        differences = compare_files(first, second)
        shared = shared_layers(first, second)
        shown = [each for each in differences if _is_configuration(each)][:_MOST_SHOWN]
        secrets = [*_secrets(one, home), *_secrets(other, home)]
        return ImageDifference(
            first=_side(one, first, shared),
            second=_side(other, second, shared),
            shared=_part(first.descriptors[:shared]),
            settings=tuple(_settings(one, other)),
            configuration=tuple(_shown(shown, first, second, secrets, show=show)),
            files=tuple(each for each in differences if each not in shown),
        )


def difference_lines(found: ImageDifference) -> list[str]:
    """For people: the layers, then what differs."""
    lines = [f"a  {found.first.image}  {found.first.digest}", f"b  {found.second.image}  {found.second.digest}"]
    lines.append(
        f"layers: {found.shared.layers} shared ({size(found.shared.bytes)}), "
        f"{found.first.own.layers} only in a ({size(found.first.own.bytes)}), "
        f"{found.second.own.layers} only in b ({size(found.second.own.bytes)})"
    )
    if found.is_none:
        return [*lines, "no file and no setting differs"]
    if found.settings:
        lines.append(f"settings that differ: {', '.join(found.settings)}")
    if found.configuration:
        lines += ["", "configuration files that differ"]
        for change in found.configuration:
            lines += [f"  {line}" for line in (change.diff or f"{change.kind} {change.path}").splitlines()]
    if found.files:
        lines += ["", "other files that differ", *(f"  {_file_line(each)}" for each in found.files[:_MOST_LISTED])]
    if len(found.files) > _MOST_LISTED:
        lines.append(f"  … and {len(found.files) - _MOST_LISTED:,} more; --output json has them all")
    return lines


def _opened(
    name: str, platform: str, home: Path, log: Callable[[str], None], stack: ExitStack
) -> tuple[OpenImage, Layers]:
    image, client = stack.enter_context(looked_at(name, platform, home))
    return image, image.layers(client, LayerCache(home / "cache" / "images"), log)


def _secrets(image: OpenImage, home: Path) -> tuple[SecretChange, ...]:
    """Where secrets went into the image's files, as far as the journal knows."""
    known = recorded(image, home)
    return known.secrets if known else ()


def _secret_names(path: str, secrets: Sequence[SecretChange]) -> Iterator[str]:
    """What is secret in a file: values by name where the feature goes by names, else every value.

    The journal has the file's path where it was transformed, so only its last part counts.
    """
    for secret in secrets:
        if PurePosixPath(secret.file).name == PurePosixPath(path).name:
            yield secret.rule if secret.feature == "structured" else EVERYTHING


def _side(image: OpenImage, layers: Layers, shared: int) -> ImageSide:
    return ImageSide(image=str(image.reference), digest=image.image.digest, own=_part(layers.descriptors[shared:]))


def _part(descriptors: Sequence[Descriptor]) -> ImagePart:
    return ImagePart(layers=len(descriptors), bytes=sum(each.size for each in descriptors))


def _settings(one: OpenImage, other: OpenImage) -> Iterator[str]:
    """What a container is told by the config: environment, labels, command. Names only."""
    first, second = (_settings_of(image.config_data) for image in (one, other))
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            yield name


def _settings_of(config_data: bytes) -> dict[str, object]:
    document: dict[str, Any] = msgspec.json.decode(config_data)
    flat: dict[str, object] = {}
    for name, value in (document.get("config") or {}).items():
        if isinstance(value, dict):
            flat |= {f"{name} {key}": each for key, each in value.items()}
        elif name == "Env" and isinstance(value, list):
            flat |= {f"{name} {str(each).partition('=')[0]}": each for each in value}
        else:
            flat[name] = value
    return flat


def _is_configuration(difference: FileDifference) -> bool:
    """By its name, as far as it can be shown: few, small, with a path that every system can hold."""
    states = [state for state in (difference.before, difference.after) if state]
    return (
        PurePosixPath(difference.path).suffix.lower() in _CONFIGURATION
        and not difference.same_content
        and all(state.kind == "file" and state.size <= _LARGEST_SHOWN for state in states)
        and not _UNFIT.search(difference.path)
    )


def _shown(
    differences: Sequence[FileDifference],
    first: Layers,
    second: Layers,
    secrets: Sequence[SecretChange],
    *,
    show: bool,
) -> Iterator[ConfigurationChange]:
    before = _contents(first, [each.path for each in differences if each.before])
    after = _contents(second, [each.path for each in differences if each.after])
    for each in differences:
        names = tuple(_secret_names(each.path, secrets))
        diff = shown_diff(before.get(each.path, b""), after.get(each.path, b""), each.path, names, show=show)
        yield ConfigurationChange(path=each.path, kind=each.kind, diff=diff)


def _contents(layers: Layers, paths: Sequence[str]) -> dict[str, bytes]:
    if not paths:
        return {}
    found = find_files(layers, paths, lambda path: re.compile(re.escape(path) + r"\Z"))
    return {file.path: file.content for file in found.files}


def _file_line(difference: FileDifference) -> str:
    before, after = difference.before, difference.after
    if before is None or after is None:
        state = before or after
        return f"{difference.kind:<8} {difference.path}  {_described(state)}" if state else difference.path
    if _described(before) == _described(after):
        owners = f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}"
        return (
            f"changed  {difference.path}  {owners if difference.same_content else 'another content of the same size'}"
        )
    return f"changed  {difference.path}  {_described(before)} -> {_described(after)}"


def _described(state: FileState) -> str:
    length = f"{size(state.size)}, " if state.kind == "file" else f"{state.kind}, "
    return f"{length}mode {state.mode:o}"
