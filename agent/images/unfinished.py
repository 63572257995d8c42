"""What a build that was killed leaves: the classic builder keeps an image for each instruction it has done.

They have no name, so nobody would ever find or remove them. The run notes each as the engine tells of it; whoever
recovers the run removes those that nothing else was built on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from agent.errors import ContainerError, DockwrightError

if TYPE_CHECKING:
    from agent.host import ContainerHost, ImageInfo, LineSink
    from agent.journal import EffectRecord, Effects

LAYER: Final = "layer"
"""An effect: the image of that id (maybe cut short) was made by the run's build."""
STEP: Final = "step"
"""An effect: an instruction began on the image of that id; its last word tells it from others."""

_STEP = re.compile(r"Step \d+/\d+ : (\w+)(.*)", re.DOTALL)
_MADE = re.compile(r" ---> ([0-9a-f]{12,64})\s*\Z|Successfully built ([0-9a-f]{12,64})\s*\Z")
_WORD = re.compile(r"[\w./:-]+")
_DEEPEST: Final = 130
_AT_LEAST = 0.6
_AT_MOST = 10.0
_PAUSE = 0.2


def noting(output: LineSink, journal: Effects) -> LineSink:
    """`output`, and what the lines tell of the build's images is noted. BuildKit's lines tell nothing, and leave
    nothing."""
    tip, instruction, cached = "", "", False

    def line_came(line: str) -> None:
        nonlocal tip, instruction, cached
        if step := _STEP.match(line):
            instruction, cached = step[1].upper(), step[1].upper() == "FROM"
            tip = "" if cached else tip
            if tip:
                _note(journal, STEP, f"{tip} {_last_word(step[2])}")
        elif line.startswith(" ---> Using cache"):
            cached = True
        elif made := _MADE.match(line):
            image = made[1] or made[2]
            if not cached and image != tip:
                _note(journal, LAYER, image)
            tip = image
        output(line)

    return line_came


def left_by(effects: Sequence[EffectRecord], host: ContainerHost) -> list[ImageInfo]:
    """The images without a name that the build of a dead run has left; only those that nothing was built on."""
    noted = [effect for effect in effects if effect.kind in (LAYER, STEP)]
    if not noted:
        return []
    made = tuple(effect.name for effect in noted if effect.kind == LAYER)
    begun = noted[-1] if noted[-1].kind == STEP else None
    images = {image.id: image for image in host.images({})}
    bases = {image.parent for image in images.values()}
    return [
        image
        for image in list(images.values())
        if _is_unnamed(image)
        and image.id not in bases
        and any(_is(one, made) or _follows(one, begun) for one in _lineage(image, images, host))
    ]


def remove_cut(labels: Mapping[str, str], host: ContainerHost) -> None:
    """After the connection was lost during a build: what the engine still made of it, which has the labels and no
    name. As far as that can be done: the loss is what is told."""

    def left() -> list[ImageInfo]:
        return [image for image in host.images(labels) if _is_unnamed(image)]

    with suppress(DockwrightError):
        remove_as_they_come(left, host, was_cut=True)


def remove_as_they_come(left: Callable[[], list[ImageInfo]], host: ContainerHost, *, was_cut: bool) -> None:
    """Of what `was_cut`, an engine ends the instruction or the pull that was under way, and only then sees that
    nobody waits for it."""
    now = time.monotonic()
    earliest, latest = now + (_AT_LEAST if was_cut else 0), now + _AT_MOST
    while (found := left()) or time.monotonic() < earliest:
        for image in found:
            with suppress(ContainerError):  # a container of another slot has the same image
                host.remove_image(image.id)
        if time.monotonic() > latest:
            return
        time.sleep(_PAUSE)


def _note(journal: Effects, kind: str, name: str) -> None:
    with journal.effect("build", kind, name):
        pass  # the engine has done it already, or does it now


def _last_word(text: str) -> str:
    words = _WORD.findall(text)
    return words[-1] if words else ""


def _lineage(image: ImageInfo, images: dict[str, ImageInfo], host: ContainerHost) -> Iterator[ImageInfo]:
    """The image and what it was built on, as far as that has no name."""
    seen: ImageInfo | None = image
    for _ in range(_DEEPEST):
        if seen is None or not _is_unnamed(seen):
            return
        yield seen
        parent = seen.parent
        if parent and parent not in images and (found := host.image(parent)) is not None:
            images[parent] = found
        seen = images.get(parent)


def _is_unnamed(image: ImageInfo) -> bool:
    return not image.tags and not image.digests


def _is(image: ImageInfo, made: tuple[str, ...]) -> bool:
    return image.id.removeprefix("sha256:").startswith(made) if made else False


def _follows(image: ImageInfo, begun: EffectRecord | None) -> bool:
    """Whether it is what the instruction came to that was under way: the engine still ends it. Others may build on
    the same base meanwhile, so time and command have to fit."""
    if begun is None:
        return False
    tip, _, word = begun.name.partition(" ")
    parent = image.parent.removeprefix("sha256:")
    return parent.startswith(tip) and image.created[:19] >= begun.intent[:19] and _last_word(image.command) == word
