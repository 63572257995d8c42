"""What the engine reports while it pulls or pushes: bytes, summed over the layers, and the digest at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from agent.engine.failures import registry_refusal
from agent.engine.wire import Aux, Event
from agent.host import ByteProgress

_MOVING = frozenset({"Downloading", "Pushing"})
_MOVED = frozenset({"Download complete", "Pull complete", "Pushed"})
_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})", re.IGNORECASE)


def follow_transfer(messages: Iterable[Event], doing: str, reference: str, progress: ByteProgress) -> str:
    """Report (bytes done, bytes known of so far) and return the digest, or "" if the engine names none.

    RegistryError for what the engine or the registry refuses; `doing` is `pull` or `push`.
    """
    done: dict[str, int] = {}
    total: dict[str, int] = {}
    digest = ""
    for event in messages:
        if event.error is not None or event.error_detail is not None:
            detail = event.error_detail
            raise registry_refusal(doing, reference, (detail.message if detail else None) or event.error or "")
        digest = _digest(event) or digest
        if event.id and _count(event, event.id, done, total):
            progress(sum(done.values()), sum(total.values()))
    return digest


def _count(event: Event, layer: str, done: dict[str, int], total: dict[str, int]) -> bool:
    """Whether the sums changed. An engine's `current` may exceed its `total`, which is an estimate."""
    before = done.get(layer), total.get(layer)
    if event.status in _MOVING and event.progress and event.progress.total:
        total[layer] = max(event.progress.total, 0)
        done[layer] = min(max(event.progress.current or 0, done.get(layer, 0)), total[layer])
    elif event.status in _MOVED and layer in total:
        done[layer] = total[layer]
    return before != (done.get(layer), total.get(layer))


def _digest(event: Event) -> str:
    if event.aux:
        try:
            if digest := msgspec.json.decode(event.aux, type=Aux).digest:
                return digest
        except msgspec.ValidationError:
            return ""
    match = _DIGEST.search(event.status or "")
    return match[1] if match else ""
