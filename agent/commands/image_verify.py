"""`dockwright image verify`: an image in a registry is what the journal says that was made, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agent.commands.looked_at import looked_at
from agent.commands.recorded import RecordedImage, recorded
from agent.containers import DEPLOYMENT, SLOT
from agent.images.opened import OpenImage
from agent.images.verification import Finding, verify_base, verify_parts
from agent.labels import BASE, CONFIGURATION, PACKAGE


def verify_image(
    name: str, platform: str, home: Path, log: Callable[[str], None], *, quick: bool, alone: bool
) -> list[Finding]:
    """Every finding. `alone` leaves the journal aside; `quick` reads no layer.

    InputError if the image is not there; RegistryError if the registry cannot be asked.
    """
    with looked_at(name, platform, home) as (image, client):
        manifest = Finding(what="manifest", good=True, found=f"is {image.image.digest}, as hashed here")
        return [
            manifest,
            *([] if alone else _journal(image, home)),
            *verify_base(image, client, deployed=DEPLOYMENT in image.config.labels),
            *verify_parts(image, client, log, quick=quick),
        ]


def verification_lines(findings: Sequence[Finding]) -> list[str]:
    """One line a finding, and what they come to."""
    lines = [f"{'ok    ' if each.good else 'not ok'}  {each.what}: {each.found}" for each in findings]
    bad = sum(not each.good for each in findings)
    return [*lines, f"{bad} of {len(findings)} findings are not ok" if bad else "the image is what it should be"]


def _journal(image: OpenImage, home: Path) -> Iterator[Finding]:
    known = recorded(image, home)
    if known is None:
        yield Finding(
            what="journal",
            good=False,
            found="knows no run that pushed this image; name the home that did, or look at the image alone (--alone)",
        )
        return
    yield _compared("digest", image.image.digest, known.run.digest, known)
    labels = image.config.labels
    if PACKAGE in labels and BASE not in labels and SLOT not in labels:
        return  # a release's own image belongs to no deployment, and its digest says all
    if known.run.digest == image.image.digest or DEPLOYMENT in labels:
        yield _compared(f"label {DEPLOYMENT}", labels.get(DEPLOYMENT, ""), known.run.id, known)
        yield _compared(f"label {SLOT}", labels.get(SLOT, ""), known.run.slot, known)
    if known.run.configuration:
        yield _compared(f"label {CONFIGURATION}", labels.get(CONFIGURATION, ""), known.run.configuration, known)


def _compared(what: str, actual: str, journal: str, known: RecordedImage) -> Finding:
    if actual == journal:
        return Finding(what=what, good=True, found=f"is as the journal says of {known.run.id} ({journal[:19]})")
    return Finding(
        what=what,
        good=False,
        found=f"is {actual[:100] or 'missing'}; the journal says of {known.run.id}: {journal[:100] or 'nothing'}",
    )
