"""What all feeds on the network share: who we are there, documents in their formats, and files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.markup import Element, parse_markup
from agent.packages.web import Access, Address, Expected, Patience, WebClient, parse_address
from agent.registry.destinations import names_this_machine

T = TypeVar("T")

MOST_VERSIONS = 50_000


class Remote:
    """A feed's way into the network: its address, and a client that has its credentials."""

    def __init__(self, name: str, settings: FeedSettings, uri: str, patience: Patience) -> None:
        self.name = name
        try:
            self.root = parse_address(uri)
        except PackageError as error:
            raise PackageError(f"feed '{name}': {error}") from error
        origin = self.root.origin
        if origin.scheme != "https" and not settings.insecure and not names_this_machine(origin.host):
            raise PackageError(f"feed '{name}': {origin} is plain http; use https, or set insecure: true")
        access = Access(
            origin=origin,
            headers=_secrets(settings),
            insecure=settings.insecure,
            allow_local=settings.allow_local,
        )
        self.client = WebClient(name, access, patience)

    def at(self, text: str, base: Address | None = None) -> Address:
        """An address that the feed names, relative to `base` or to the feed's own."""
        try:
            return parse_address(text, base or self.root)
        except PackageError as error:
            raise PackageError(f"feed '{self.name}': {error}") from error

    def json(self, address: Address, type_: type[T]) -> T | None:
        """A JSON document, or None where there is none."""
        answer = self.client.read(address, accept="application/json")
        if answer is None:
            return None
        try:
            return msgspec.json.decode(answer.body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._not_understood(address, error) from error

    def markup(self, address: Address) -> Element | None:
        """An XML document, or None where there is none."""
        answer = self.client.read(address, accept="application/atom+xml, application/xml, text/xml")
        if answer is None:
            return None
        try:
            return parse_markup(answer.body)
        except ValueError as error:
            raise self._not_understood(address, error) from error

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        """The file at the package's address, held against its size and hash."""
        expected = Expected(size=package.size, hash=package.hash)
        done = self.client.download(self.at(package.address), into, progress, expected)
        return Fetched(sha256=done.sha256, size=done.size)

    def _not_understood(self, address: Address, error: Exception) -> PackageError:
        reason = " ".join(str(error).split())[:160]
        return PackageError(
            f"feed '{self.name}': {address} is not what such a feed answers ({reason}); check its uri"
        )


def bounded(feed: str, listed: Iterable[T]) -> Iterator[T]:
    """What a feed lists of one id. PackageError where that would fill our memory."""
    for number, item in enumerate(listed):
        if number == MOST_VERSIONS:
            raise PackageError(f"feed '{feed}' lists more than {MOST_VERSIONS:,} versions of one package")
        yield item


def _secrets(settings: FeedSettings) -> dict[str, str]:
    if settings.type == "octopus" and settings.api_key:
        return {"X-Octopus-ApiKey": _plain(settings.api_key)}
    if settings.type == "github" and (token := settings.api_key or settings.password):
        return {"Authorization": f"token {_plain(token)}"}
    if settings.username:
        pair = f"{settings.username}:{settings.password}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode('ascii')}"}
    return {}


def _plain(secret: str) -> str:
    """PackageError for a key that would be more than one header."""
    if not secret.isascii() or not secret.isprintable():
        raise PackageError("the feed's key holds characters that no key has; give it again")
    return secret
