"""Calls whose answers stream in: build, pull and push."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from agent.engine import wire
from agent.engine.build_output import decode_events

if TYPE_CHECKING:
    from docker import APIClient
    from requests import Response


@contextmanager
def posted(
    client: APIClient,
    path: str,
    parameters: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    silence: float,
    body: Iterable[bytes] = (),
) -> Iterator[Response]:
    """The answer as it streams in. Leaving early hangs up, upon which the engine stops what it does."""
    response = client.post(
        f"{client.base_url}/v{client.api_version}{path}",
        params=parameters,
        headers=headers,
        data=body or None,
        stream=True,
        timeout=(client.timeout, silence),
    )
    with response:
        yield response


def events(response: Response) -> Iterator[wire.Event]:
    return decode_events(response.iter_content(None))


def refusal(response: Response) -> str:
    """What the engine says instead of doing it, or "" if it does."""
    if response.status_code < 400:
        return ""
    text = response.raw.read(64 * 1024, decode_content=True).decode("utf-8", "replace")
    try:
        return msgspec.json.decode(text, type=_Message).message
    except (msgspec.DecodeError, UnicodeError):
        return text.strip() or f"HTTP {response.status_code}"


class _Message(msgspec.Struct):
    message: str
