"""After a good deployment, what its `retention` says may go, goes. Whatever becomes of this, it stays good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.containers import SLOT
from agent.errors import DockwrightError
from agent.host import ContainerHost
from agent.journal import Journal, RunEntry
from agent.report import Report
from agent.retention.registries import Registries, remove_from_registries, surplus_in_registries
from agent.retention.settings import ImageRetention
from agent.retention.surplus import Surplus, images_of, surplus_images
from agent.retention.tags import Unneeded, unneeded


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What was deployed; its slot is held. `entry` is its page in the journal."""

    home: Path
    slot: str
    entry: RunEntry
    journal: Journal


def retain(deployed: Deployed, retention: ImageRetention, host: ContainerHost, report: Report) -> None:
    """Remove the slot's images beyond the counts, and releases' images that nothing is made from any more."""
    try:
        gone = [*_from_host(deployed, retention, host, report), *_from_registry(deployed, retention, host, report)]
    except DockwrightError as error:
        report.warning(f"images that nothing needs were not removed: {error}")
        return
    if gone:
        names = ", ".join(name for one in gone for name in one.names)
        report.info(f"removed, since no rollback goes back so far: {names}")


def _from_host(
    deployed: Deployed, retention: ImageRetention, host: ContainerHost, report: Report
) -> Iterator[Surplus]:
    count = retention.settings.images
    if count is None:
        return
    runs, built = deployed.journal.runs(), deployed.journal.built()
    found = surplus_images(images_of(host), host.find({SLOT: ""}), runs, count - 1, built, {deployed.slot})
    for one in found:
        if remove_images(one, host, deployed.entry, report):
            yield one


def _from_registry(
    deployed: Deployed, retention: ImageRetention, host: ContainerHost, report: Report
) -> Iterator[Surplus]:
    count = retention.settings.registry
    if count is None or not retention.registry:
        return
    registries = Registries(
        image_cache=deployed.home / "cache" / "images",
        registry=retention.registry,
        credentials=retention.credentials,
    )
    journal = deployed.journal

    def known() -> Unneeded:
        containers = host.find({SLOT: ""})
        return unneeded(journal.all_runs(), count - 1, containers, journal.built(), {deployed.slot})

    found = surplus_in_registries(known(), registries, report.warning)
    yield from remove_from_registries(found, known, registries, deployed.entry, report.warning)


def remove_images(one: Surplus, host: ContainerHost, entry: RunEntry, report: Report) -> bool:
    """Remove the image's names, and with the last one the image; whether that could be done."""
    try:
        for name in one.names:
            with entry.effect("prune", f"remove-{one.kind}", name):
                host.remove_image(name)
    except DockwrightError as error:
        report.warning(f"{', '.join(one.names)} stays: {error}")
        return False
    return True
