"""Who a connection belongs to: NTLM (with sealed messages), basic, or a client's certificate."""

from __future__ import annotations

import base64
import struct
from contextlib import suppress
from dataclasses import dataclass, field

import spnego
from spnego.exceptions import SpnegoError

from tests.winrm.settings import Settings

BOUNDARY = b"--Encrypted Boundary"
PROTOCOL = b"application/HTTP-SPNEGO-session-encrypted"
SEALED_TYPE = f'multipart/encrypted;protocol="{PROTOCOL.decode()}";boundary="Encrypted Boundary"'
CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


class BadSealError(Exception):
    """A message that was sealed under another login."""


@dataclass
class Login:
    """One connection's. NTLM authenticates a connection, not a request."""

    settings: Settings
    secure: bool
    has_certificate: bool = False
    known: bool = False
    _context: spnego.ContextProxy | None = field(default=None, repr=False)

    def admit(self, authorization: str) -> list[str]:
        """[] lets the request in; otherwise what to offer by WWW-Authenticate."""
        kind, _, token = authorization.partition(" ")
        if kind in ("Negotiate", "NTLM") and "Negotiate" in self.settings.authentication and token:
            return self._negotiate(kind, token)
        if self.known:
            return []
        if kind == "Basic" and self._basic_is_allowed:
            user, _, password = base64.b64decode(token).decode().partition(":")
            if (user, password) == (self.settings.user, self.settings.password):
                return []
        if kind == CERTIFICATE and self.has_certificate and "Certificate" in self.settings.authentication:
            return []
        return self.offers

    @property
    def offers(self) -> list[str]:
        offered = ["Negotiate"] if "Negotiate" in self.settings.authentication else []
        return [*offered, *(['Basic realm="WSMAN"'] if self._basic_is_allowed else [])]

    @property
    def seals(self) -> bool:
        return self._context is not None and self._context.complete

    def unseal(self, body: bytes) -> bytes:
        head, _, payload = body.partition(b"\tContent-Type: application/octet-stream\r\n")
        length = int(head.partition(b"Length=")[2].split(b"\r\n", 1)[0])
        sealed = payload.removesuffix(BOUNDARY + b"--\r\n")
        if self._context is None or len(sealed) < 20:
            raise BadSealError
        (signature,) = struct.unpack("<i", sealed[:4])
        with suppress(SpnegoError):
            message: bytes = self._context.unwrap(sealed[4:]).data
            if signature == 16 and len(message) == length:
                return message
        raise BadSealError

    def seal(self, message: bytes) -> bytes:
        assert self._context
        sealed = self._context.wrap(message).data
        head = (
            BOUNDARY + b"\r\n\tContent-Type: " + PROTOCOL + b"\r\n"
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=" + str(len(message)).encode()
        )
        octets = b"\r\n" + BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n"
        return b"".join([head, octets, struct.pack("<i", 16), sealed, BOUNDARY + b"--\r\n"])

    @property
    def _basic_is_allowed(self) -> bool:
        return "Basic" in self.settings.authentication and (self.secure or self.settings.allow_unencrypted)

    def _negotiate(self, kind: str, token: str) -> list[str]:
        if self._context is None or self._context.complete:
            self._context, self.known = spnego.server(protocol="ntlm"), False
        try:
            answer = self._context.step(base64.b64decode(token))
        except SpnegoError:
            self._context = None
            return self.offers
        if answer:
            return [f"{kind} {base64.b64encode(answer).decode()}"]
        self.known = True
        return []
