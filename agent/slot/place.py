"""Where a command works: a home with its journal, a container host, and one slot that it holds meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.errors import DockwrightError, SlotBusyError
from agent.host import ContainerHost, HostAddress
from agent.journal import Journal, is_journal
from agent.lock import slot_lock
from agent.plugins import connection
from agent.report import Report
from agent.slot.guard import guarded
from agent.slot.recovery import recover
from agent.user import user_name
from agent.workspace import sweep

Guard = Callable[[], AbstractContextManager[None]]
"""Makes what is held while the old container is stopped and the new one not yet good (see `agent/slot/guard.py`)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A home and a host. `connect` reaches the host at its first call; the journal tells of this host's runs."""

    home: Path
    address: HostAddress
    journal: Journal
    connect: Callable[[], ContainerHost]
    report: Report


@contextmanager
def open_place(home: Path, address: HostAddress, report: Report, *, early: bool = False) -> Iterator[Place]:
    """Journal and host are closed afterwards, whatever happens. `early` begins to connect at once."""
    with (
        connection(address, early=early) as connect,
        closing(Journal(home / "journal.db", report.masker.mask, address.url)) as journal,
    ):
        yield Place(home=home, address=address, journal=journal, connect=connect, report=report)


@contextmanager
def held(place: Place, slot: str, holder: str, wait: float) -> Iterator[Guard]:
    """Hold the slot, and put right what a run that died has left in it; yields what guards a replacement there.

    SlotBusyError if another run holds it for longer than `wait` seconds; that run is told of `holder`.
    """

    def waiting(other: str) -> None:
        place.report.info(f"waiting for {other}, which holds the slot {slot}")

    who = f"{holder} (process {os.getpid()}, {user_name() or 'a user without a name'})"
    with slot_lock(place.home, slot, who, wait, waiting, host=place.address.url):
        sweep(place.home)
        recover(slot, place.journal, place.connect, place.report.warning)
        yield partial(guarded, place.home, place.address, slot)


def settle(home: Path, address: HostAddress, report: Report, only: str = "") -> bool:
    """Put right what runs that died have left, in every slot (or only one) that nobody holds; whether all is.

    For the guard, and for commands that only look.
    """
    if not is_journal(home / "journal.db"):
        return True
    sweep(home)
    with open_place(home, address, report) as place:
        slots = dict.fromkeys(record.slot for record in place.journal.unfinished(only))
        left = [slot for slot in slots if not _settled(slot, place)]
    return not left


def _settled(slot: str, place: Place) -> bool:
    try:
        with held(place, slot, "a look", wait=0):
            return True  # held is put right
    except SlotBusyError:
        return False
    except DockwrightError as error:
        place.report.warning(f"{slot}: what a run that died has left could not be put right: {error}")
        return False
