"""BuildKit keeps the context of every build in its cache, packed and unpacked. Ours is removed after the build.

Contexts hold a deployment's configuration, and each differs from the last: nobody could use them again. Layers
stay, so that the next build finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from docker import APIClient


class _Record(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(default="", name="ID")
    description: str = ""
    shared: bool = False
    in_use: bool = False


class _Usage(msgspec.Struct, rename="pascal"):
    build_cache: list[_Record] | None = None


def contexts(client: APIClient) -> frozenset[str]:
    """The ids of what holds a context now."""
    usage = msgspec.convert(client.df(), _Usage)
    return frozenset(record.id for record in usage.build_cache or () if _is_context(record))


def remove_contexts(client: APIClient, before: frozenset[str]) -> None:
    """Remove what holds a context now and did not before, unless another build uses it."""
    for identity in sorted(contexts(client) - before):
        client.prune_builds(filters={"id": identity}, all=True)  # type: ignore[arg-type]  # it takes any


def _is_context(record: _Record) -> bool:
    sent = record.description.startswith(("http url http://build-context-", "local source for "))
    unpacked = record.description == "fileop target" and not record.shared
    return (sent or unpacked) and not record.in_use
