"""Who may talk to this agent, and what they may do: a table of certificates, kept in one file.

The listener reads it anew when it changes, so that adding and revoking work on live connections. A certificate
is added with its thumbprint typed by a person who has it from the other side: first contact trusts nobody.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import msgspec

from agent.documents import closest
from agent.durable import replace_file
from agent.errors import InputError, StorageError
from agent.lock import exclusive
from agent.service.certificate import parse_thumbprint, thumbprint

Scope = Literal["deploy", "read", "upload"]
SCOPES: tuple[Scope, ...] = ("deploy", "read", "upload")


class Peer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trusted certificate. One name may have two, while it changes from the old to the new."""

    name: str
    thumbprint: str
    scopes: tuple[Scope, ...]
    certificate: str
    """In PEM form: TLS wants the whole of it to accept a certificate that nobody signed."""
    added: str = ""


class Peers:
    """The table in `path`. Reading is cheap: the file is looked at, and read only when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._peers: dict[str, Peer] = {}

    def all(self) -> tuple[Peer, ...]:
        """Every trusted certificate, in the order they were added."""
        self._refresh()
        return tuple(self._peers.values())

    def find(self, thumbprint_: str) -> Peer | None:
        """The peer with that certificate, if it is (still) trusted."""
        self._refresh()
        return self._peers.get(thumbprint_)

    def add(self, name: str, pem: str, expected: str, scopes: tuple[Scope, ...], when: str) -> Peer:
        """Trust a certificate. InputError unless it has the thumbprint that was expected."""
        actual = thumbprint(pem)
        if actual != parse_thumbprint(expected):
            raise InputError(
                f"the certificate has the thumbprint {actual}, not the one that was given; "
                "ask the other side what its thumbprint is, and trust nothing until both agree"
            )
        peer = Peer(name=name, thumbprint=actual, scopes=scopes, certificate=pem.strip() + "\n", added=when)
        with self._changing():
            self._store({**{kept.thumbprint: kept for kept in self.all()}, actual: peer})
        return peer

    def revoke(self, which: str) -> tuple[Peer, ...]:
        """Trust a name (all its certificates) or one thumbprint no longer. InputError if nobody is meant."""
        with self._changing():
            known = self.all()
            wanted = "".join(which.split()).replace(":", "").lower()
            gone = tuple(peer for peer in known if which == peer.name or wanted == peer.thumbprint)
            if not gone:
                raise InputError(f"no peer is called '{which}'{closest(which, tuple(peer.name for peer in known))}")
            self._store({peer.thumbprint: peer for peer in known if peer not in gone})
        return gone

    def _changing(self) -> AbstractContextManager[None]:
        return exclusive(self._path.with_name(f".{self._path.name}.lock"))

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if seen != self._seen:
                read = msgspec.json.decode(self._path.read_bytes(), type=list[Peer])
                self._peers = {peer.thumbprint: peer for peer in read}
                self._seen = seen
        except FileNotFoundError:
            self._peers, self._seen = {}, None
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                f"the trust table {self._path} cannot be read: {error}; restore or remove it"
            ) from error

    def _store(self, peers: dict[str, Peer]) -> None:
        replace_file(self._path, msgspec.json.format(msgspec.json.encode(list(peers.values()))))
