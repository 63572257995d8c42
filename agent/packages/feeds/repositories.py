"""A registry as a feed: repositories below an address, and their tags. What artifacts and images have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.errors import InputError, PackageError, RegistryError
from agent.host import Credentials
from agent.packages.feeds.feed import FeedSettings
from agent.packages.feeds.remote import bounded
from agent.packages.patience import Patience
from agent.registry.credentials import find_credentials
from agent.registry.destinations import names_this_machine
from agent.registry.reference import ImageReference
from agent.registry.session import Session, pull_scope
from agent.registry.transport import Answer, Request

T = TypeVar("T")

MOST_PAGES = 1_000
LARGEST_DOCUMENT = 4 << 20
_CERTIFICATES = Path("/etc/docker/certs.d")
_SCHEMES = re.compile(r"^(oci|docker|https|http)://")
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')


class Repositories:
    """The repositories of one feed, `location` as `oci://registry/prefix`. PackageError for an address that is none.

    `docker_logins` lets those that Docker knows on this machine stand in for a user of the feed's own.
    """

    def __init__(self, name: str, settings: FeedSettings, patience: Patience, *, docker_logins: bool = False) -> None:
        self.name = name
        if "@" in settings.uri:
            raise PackageError(f"feed '{name}': its uri holds a user; give username and password by themselves")
        scheme = _SCHEMES.match(settings.uri)
        place = settings.uri[scheme.end() if scheme else 0 :].strip("/")
        self.registry, _, prefix = place.partition("/")
        host = self.registry.rpartition(":")[0] or self.registry
        if scheme and scheme[1] == "http" and not settings.insecure and not names_this_machine(host.strip("[]")):
            raise PackageError(f"feed '{name}': its uri is plain http; use https, or set insecure: true")
        self.prefix = f"{prefix}/" if prefix else ""
        self.location = f"{settings.type}://{place}"
        self.insecure = settings.insecure
        self._settings = settings
        self._patience = patience
        self._docker_logins = docker_logins
        self.reference("x", "x")

    def reference(self, id: str, tag: str) -> ImageReference:  # noqa: A002  the field's own word
        """PackageError for what is no repository's name."""
        try:
            found = ImageReference.parse(f"{self.registry}/{self.prefix}{id}:{tag}")
        except InputError as error:
            raise PackageError(f"feed '{self.name}': {id[:60]!a} at {self.location!a} is no repository") from error
        if self.registry not in {found.registry, "index.docker.io"}:
            raise PackageError(
                f"feed '{self.name}': {self.location!a} names no registry; it looks like "
                f"{self._settings.type}://HOST:PORT"
            )
        return found

    def repository(self, id: str) -> str:  # noqa: A002
        return self.reference(id, "x").repository

    def tags(self, id: str) -> list[str]:  # noqa: A002
        """All tags of a repository; none where the registry does not know it."""
        with self.session() as session:
            return list(bounded(self.name, _tags(session, self.repository(id))))

    @property
    def credentials(self) -> Credentials | None:
        user = self._settings.username
        return Credentials(username=user, password=self._settings.password) if user else None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The registry, for one errand; its errors become the feed's."""
        try:
            session = Session(
                self.registry,
                self._login(),
                insecure=self._settings.insecure,
                certificates=_CERTIFICATES,
                pause=self._patience.pause,
                allow_local=self._settings.allow_local,
            )
            try:
                yield session
            finally:
                session.close()
        except (RegistryError, PackageError) as error:
            raise PackageError(f"feed '{self.name}': {error}") from error

    def _login(self) -> Credentials | None:
        if not self._docker_logins:
            return self.credentials
        return find_credentials(self.reference("x", "x").registry, self.credentials)


def decoded(answer: Answer, type_: type[T], where: str) -> T:
    """A document of the registry's. RegistryError if it is not understood."""
    try:
        if len(answer.body) > LARGEST_DOCUMENT:
            raise RegistryError(f"{where} is too large ({len(answer.body):,} bytes); it is not used")
        return msgspec.json.decode(answer.body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"{where}: the registry's answer is not understood ({str(error)[:160]})") from error


class _TagList(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


def _tags(session: Session, repository: str) -> Iterator[str]:
    path: str | None = f"/v2/{repository}/tags/list?n=1000"
    for _ in range(MOST_PAGES):
        if path is None:
            return
        answer = session.ask(Request(method="GET", path=path), pull_scope(repository))
        if answer.status == 404:
            return
        if answer.status != 200:
            raise session.refusal(answer, f"list the tags of {repository}")
        yield from decoded(answer, _TagList, f"the tag list of {repository}").tags or ()
        following = _NEXT.search(answer.headers.get("link", ""))
        path = session.own_path(following[1]) if following else None
