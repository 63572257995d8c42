"""Proving to a registry who we are, without telling anybody else.

A registry answers 401 with a challenge, and a Bearer challenge names the server (`realm`) that gives tokens:
whoever answers chooses where the credentials go. The rule here: credentials go to the registry's own origin,
or to a realm that is https with a certificate that verifies. They never go to a realm that is plain http
elsewhere, that carries a user, or that is not spelled in plain ASCII; never through a redirect; and never in
clear to a registry that was not said to be insecure and is not on the loopback.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from agent.errors import RegistryError
from agent.registry.credentials import IDENTITY_TOKEN
from agent.registry.origin import Origin
from agent.registry.transport import Answer, Request, Transport

if TYPE_CHECKING:
    from agent.host import Credentials

_LONGEST_CHALLENGE = 8 * 1024
_PARAMETER = re.compile(r'([A-Za-z_]+)=(?:"([^"]*)"|([^\s",]+))')
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:]+\Z")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{1,65536}")


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """`scheme` in lower case; parameters as sent."""

    scheme: str
    parameters: Mapping[str, str]


def read_challenge(answer: Answer) -> Challenge | None:
    """What a 401 asks for, if it is Basic or Bearer."""
    text = answer.headers.get("www-authenticate", "")[:_LONGEST_CHALLENGE]
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        return None
    return Challenge(
        scheme=scheme.lower(),
        parameters={name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)},
    )


def authorize(
    challenge: Challenge, registry: Origin, scope: str, credentials: Credentials | None, transport: Transport
) -> str:
    """The value of an Authorization header, or "" for want of credentials.

    `scope` is what we need (`repository:app:pull`), whatever the challenge suggests. RegistryError if the
    token server refuses, or is one that must not get our credentials.
    """
    if challenge.scheme == "basic":
        if credentials is None or credentials.username == IDENTITY_TOKEN:
            return ""
        return basic(credentials)
    return f"Bearer {_token(challenge, registry, scope, credentials, transport)}"


def basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {b64encode(pair).decode('ascii')}"


def _token(
    challenge: Challenge, registry: Origin, scope: str, credentials: Credentials | None, transport: Transport
) -> str:
    origin, path, query = _realm(challenge.parameters.get("realm", ""), registry)
    wanted = [("service", challenge.parameters.get("service", "")), *(("scope", one) for one in scope.split())]
    asked = [(name, value) for name, value in wanted if value]
    if credentials is not None and credentials.username == IDENTITY_TOKEN:
        request = _refresh(path, asked, credentials)
    else:
        headers = {} if credentials is None else {"Authorization": basic(credentials)}
        target = "&".join(part for part in (query, urlencode(asked, quote_via=quote)) if part)
        request = Request(method="GET", path=f"{path}?{target}" if target else path, headers=headers)
    answer = transport.send(origin, request)
    if answer.status in (400, 401, 403):
        who = f"user {credentials.username}" if credentials else "access without credentials"
        raise RegistryError(f"{registry}: its token server {origin} refuses {who} for {scope or 'login'}")
    if answer.status != 200:
        raise RegistryError(f"{registry}: its token server {origin} answers {answer.status}; try again later")
    return _read_token(answer, origin)


class _Grant(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None


def _read_token(answer: Answer, origin: Origin) -> str:
    try:
        grant = msgspec.json.decode(answer.body, type=_Grant)
    except msgspec.DecodeError:
        grant = _Grant()
    token = grant.token or grant.access_token or ""
    if not _TOKEN.fullmatch(token):
        raise RegistryError(f"{origin}: the token server's answer holds no token")
    return token


def _realm(text: str, registry: Origin) -> tuple[Origin, str, str]:
    """(origin, path, query) of a realm that may have our credentials."""
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    known = parts.scheme in ("http", "https") and _HOST.fullmatch(host)
    if not known or "@" in parts.netloc or not re.fullmatch(r"[!-~]*", text) or "\\" in text:
        raise RegistryError(f"{registry}: names no proper token server ({text[:100]!r}); it is not asked")
    origin = Origin(scheme=parts.scheme, host=host, port=port or (443 if parts.scheme == "https" else 80))
    if origin.scheme != "https" and origin != registry:
        raise RegistryError(f"{registry}: sends us for a token to {origin}, which is not https; it is not asked")
    return origin, parts.path or "/", parts.query


def _refresh(path: str, asked: list[tuple[str, str]], credentials: Credentials) -> Request:
    form = [*asked, ("grant_type", "refresh_token"), ("client_id", "dockwright")]
    body = urlencode([*form, ("refresh_token", credentials.password)])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request(method="POST", path=path, headers=headers, body=body.encode())
