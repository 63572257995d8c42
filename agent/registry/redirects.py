"""Where a redirect may lead: registries keep blobs elsewhere, and only blobs are fetched from elsewhere.

Nothing that is fetched there is believed before its digest was seen, and no credentials go along. What stays
to be refused is being used to reach what only we can reach: our own machine, our link, or a place without TLS.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from agent.errors import RegistryError
from agent.registry.addresses import is_loopback
from agent.registry.origin import Origin
from agent.registry.session import Session
from agent.registry.transport import Answer, Request, Stream

_MOST = 5
_STATUSES = frozenset({301, 302, 303, 307, 308})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def is_redirect(answer: Answer | Stream) -> bool:
    return answer.status in _STATUSES


def follow(answer: Answer | Stream, request: Request, session: Session, scope: str) -> Answer | Stream:
    """Go where a redirect leads, and on from there; `request` must hold no credentials.

    They go along only as long as the registry's own origin was never left. RegistryError for a place that is not
    asked.
    """
    registry = session.origin
    at, path, left = registry, request.path, False
    for _ in range(_MOST):
        if not is_redirect(answer):
            return answer
        at, path = _target(answer, at, path, registry)
        left = left or at != registry
        moved = replace(request, path=path)
        only_public = not is_loopback(registry.host) and at.host != registry.host
        answer = session.transport.stream(at, moved, only_public=only_public) if left else session.open(moved, scope)
    raise RegistryError(f"{registry}: redirects again and again; it is not followed further")


def _target(answer: Answer | Stream, at: Origin, path: str, registry: Origin) -> tuple[Origin, str]:
    location = answer.headers.get("location", "")
    try:
        parts = urlsplit(urljoin(f"{at}{path}", location))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    known = parts.scheme in ("http", "https") and _HOST.fullmatch(host) and re.fullmatch(r"[!-~]+", location)
    if not known or "@" in parts.netloc or "\\" in location:
        raise RegistryError(f"{registry}: redirects to no proper place ({location[:100]!r}); it is not asked")
    if parts.scheme == "http" and registry.scheme == "https":
        raise RegistryError(f"{registry}: redirects to {host} without TLS; it is not asked")
    usual = 443 if parts.scheme == "https" else 80
    origin = Origin(scheme=parts.scheme, host=host, port=port or usual)
    return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
