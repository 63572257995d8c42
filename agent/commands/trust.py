"""`dockwright trust`: this agent's certificate, and the peers that may talk to it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import InputError
from agent.service.certificate import Certificate, der_of, not_valid_now, own_certificate
from agent.service.peers import SCOPES, Peer, Peers, Scope
from agent.service.sealing import public_key
from agent.signing import Signer, Signers


@dataclass(frozen=True, kw_only=True)
class ServiceFiles:
    """Where the listener and the client keep what they are known by, under the home."""

    folder: Path

    @property
    def peers(self) -> Peers:
        return Peers(self.folder / "peers.json")

    def certificate(self) -> Certificate:
        """Our own, made at the first use, and with it the key that variables are sealed to."""
        public_key(self.folder)
        return own_certificate(self.folder, socket.gethostname() or "dockwright")


def service_files(home: Path) -> ServiceFiles:
    return ServiceFiles(folder=home / "service")


def add(home: Path, name: str, certificate: Path, thumbprint: str, scopes: str) -> Peer:
    """Trust the certificate in a file. InputError unless it has that thumbprint."""
    try:
        pem = certificate.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in PEM form"
        raise InputError(
            f"the certificate {certificate} cannot be read: {reason}; give the one that dockwright trust show prints"
        ) from error
    now = datetime.now(UTC)
    if reason := not_valid_now(der_of(pem), now):
        raise InputError(f"the certificate {certificate} {reason}; let the other side make a new one")
    when = now.isoformat(timespec="seconds")
    return service_files(home).peers.add(checked_name(name), pem, thumbprint, parse_scopes(scopes), when)


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """`deploy,read,upload`, in any order."""
    wanted = {word.strip().lower() for word in text.split(",") if word.strip()}
    if unknown := sorted(wanted.difference(SCOPES)):
        raise InputError(f"'{unknown[0]}' is no scope; give some of {', '.join(SCOPES)}")
    if not wanted:
        raise InputError(f"no scope is given; give some of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def own_lines(own: Certificate) -> list[str]:
    """Our thumbprint, and what the other side needs."""
    reason = not_valid_now(own.der, datetime.now(UTC))
    trouble = [f"it {reason}; remove it and its key, and ask again for a new one"] if reason else []
    return [f"thumbprint   {own.thumbprint}", f"certificate  {own.certificate}", *trouble]


def peer_lines(peers: tuple[Peer, ...]) -> list[str]:
    """One line a trusted certificate."""
    if not peers:
        return ["nobody is trusted yet; add somebody with dockwright trust add"]
    width = max(len(peer.name) for peer in peers)
    now = datetime.now(UTC)
    return [f"{peer.name:<{width}}  {peer.thumbprint}  {','.join(peer.scopes)}{_dates(peer, now)}" for peer in peers]


def _dates(peer: Peer, now: datetime) -> str:
    reason = not_valid_now(der_of(peer.certificate), now)
    return f"  ({reason})" if reason else ""


def signers(home: Path) -> Signers:
    """The keys that may sign bundles."""
    return Signers(home / "service" / "signers.json")


def signer_lines(known: list[Signer]) -> list[str]:
    """One line a key."""
    if not known:
        return ["no key may sign bundles yet; add one with dockwright trust add-signer"]
    width = max(len(signer.name) for signer in known)
    return [f"{signer.name:<{width}}  {signer.key}" for signer in known]


def checked_name(name: str) -> str:
    """The name, if it can stand in a list."""
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise InputError(f"'{name[:100]}' is no name for a peer; use up to 100 printable characters")
    return name
