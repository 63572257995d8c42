"""Who a connection belongs to: NTLM, Kerberos and CredSSP (which seal messages), basic, or a client's certificate."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from tests.winrm import sealing
from tests.winrm.gss import GSSError, KerberosAcceptor
from tests.winrm.sealing import BadSealError, Context, Form
from tests.winrm.settings import Settings

CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"

_SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
_CREDSSP = "application/HTTP-CredSSP-session-encrypted"


@dataclass
class Login:
    """One connection's. Whoever logged in by tokens owns the connection; it is not asked again for each request."""

    settings: Settings
    secure: bool
    client_certificate: str = ""
    """The subject's name in the certificate that the client showed, if the authority vouches for it."""
    known: bool = False
    proof: list[str] = field(default_factory=list)
    """What goes along with the answer to a request that was let in, by WWW-Authenticate."""
    _context: Context | None = field(default=None, repr=False)
    _form: Form = field(default=Form("", 0), repr=False)

    def admit(self, authorization: str) -> list[str] | None:
        """None lets the request in; otherwise what to offer by WWW-Authenticate."""
        kind, _, token = authorization.partition(" ")
        if kind in ("Negotiate", "NTLM", "CredSSP") and token:
            return self._step(kind, base64.b64decode(token))
        if self.known:
            return None
        if kind == "Basic" and self._basic_is_allowed:
            user, _, password = base64.b64decode(token).decode().partition(":")
            if (user, password) == (self.settings.user, self.settings.password):
                return None
        if kind == CERTIFICATE and "Certificate" in self.settings.authentication and self._is_mapped:
            return None
        return self.offers

    @property
    def offers(self) -> list[str]:
        allowed = self.settings.authentication
        offered = ["Negotiate"] if "Negotiate" in allowed or "Kerberos" in allowed else []
        offered += ["Kerberos"] if "Kerberos" in allowed else []
        offered += ["CredSSP"] if "CredSSP" in allowed else []
        return [*offered, *(['Basic realm="WSMAN"'] if self._basic_is_allowed else [])]

    def unseal(self, body: bytes) -> bytes:
        if self._context is None:
            raise BadSealError
        try:
            return sealing.unseal(self._context, self._form, body)
        except (SpnegoError, GSSError) as error:
            raise BadSealError from error

    def seal(self, message: bytes) -> tuple[bytes, str]:
        """The body, and its type."""
        assert self._context
        return sealing.seal(self._context, self._form, message), self._form.content_type(len(message))

    @property
    def _basic_is_allowed(self) -> bool:
        return "Basic" in self.settings.authentication and (self.secure or self.settings.allow_unencrypted)

    @property
    def _is_mapped(self) -> bool:
        return bool(self.client_certificate) and self.client_certificate in self.settings.mapped_certificates

    def _step(self, kind: str, token: bytes) -> list[str] | None:
        if self._context is None or self._context.complete:
            opened = self._opened(kind, token)
            if opened is None:
                return self.offers
            self._context, self.known = opened(), False
        try:
            answer = self._context.step(token)
        except (SpnegoError, GSSError) as error:
            self._context = None
            reason = error.answer if isinstance(error, GSSError) else b""
            return [f"{kind} {base64.b64encode(reason).decode()}"] if reason else self.offers
        told = [f"{kind} {base64.b64encode(answer).decode()}"] if answer else []
        if not self._context.complete:
            return told
        if isinstance(self._context, KerberosAcceptor) and self._context.user != self.settings.user:
            return self.offers
        self._form = _form(kind, self._context)
        self.known, self.proof = True, told
        return None

    def _opened(self, kind: str, token: bytes) -> Callable[[], Context] | None:
        allowed, bound = self.settings.authentication, self.settings.bound_to
        application = _end_point(bound) if bound else b""
        if kind == "CredSSP":
            return (lambda: spnego.server(protocol="credssp")) if "CredSSP" in allowed else None
        if token.startswith(b"NTLMSSP\0"):
            bindings = GssChannelBindings(application_data=application) if bound else None
            return (
                (lambda: spnego.server(protocol="ntlm", channel_bindings=bindings))
                if "Negotiate" in allowed
                else None
            )
        keytab = self.settings.keytab
        return (lambda: KerberosAcceptor(keytab, application)) if "Kerberos" in allowed and keytab else None


def _form(kind: str, context: Context) -> Form:
    if isinstance(context, KerberosAcceptor):
        return Form(_SPNEGO, 60)
    assert isinstance(context, spnego.ContextProxy)
    return Form(_CREDSSP if kind == "CredSSP" else _SPNEGO, context.query_message_sizes().header, kind == "CredSSP")


def _end_point(certificate: Path) -> bytes:
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
    return b"tls-server-end-point:" + hashlib.sha256(der).digest()
