"""How a host that is not this machine is reached, for people who ask: see `dockwright doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Way:
    """`text` names what speaks to the engine, how the login was made, and what keeps others from reading along."""

    text: str
    encrypted: bool


@runtime_checkable
class Reached(Protocol):
    """A host that can tell; None says that there is nothing to tell."""

    @property
    def way(self) -> Way | None: ...
