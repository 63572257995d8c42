"""Where a request may go, and who we are there.

Feeds name other places: in redirects, in service indexes, in links. Those places may be anybody's, so credentials
go to the feed's own origin only, and never in clear unless the feed was said to be insecure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from agent.errors import PackageError
from agent.registry.destinations import names_this_machine
from agent.registry.origin import Origin

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_LONGEST = 4096


@dataclass(frozen=True, kw_only=True)
class Address:
    """One place: `path` begins with a slash and holds the query; no fragment, no user."""

    origin: Origin
    path: str

    def __str__(self) -> str:
        """Without the query, which may be a secret."""
        return f"{self.origin}{self.path.partition('?')[0]}"


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a feed may and gets. `headers` hold the credentials, which only `origin` is sent.

    `insecure` takes plain http and any certificate; `allow_local` lets requests reach this machine and its link.
    """

    origin: Origin
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    insecure: bool = False
    allow_local: bool = False

    def headers_for(self, origin: Origin) -> Mapping[str, str]:
        """The credentials, if this is the place that they are for. PackageError where they would go in clear."""
        if origin != self.origin or not self.headers:
            return {}
        if origin.scheme != "https" and not self.insecure and not names_this_machine(origin.host):
            raise PackageError(f"{origin} would get the credentials in clear; use https, or set insecure")
        return self.headers


def parse_address(text: str, base: Address | None = None) -> Address:
    """The address that `text` (relative to `base`) is; PackageError for what is none, or holds a user.

    What is refused here is read differently by different parsers, which is how requests are led astray.
    """
    try:
        parts = urlsplit(urljoin(f"{base.origin}{base.path}", text) if base else text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = len(text) <= _LONGEST and re.fullmatch(r"[!-~]+", text) and "\\" not in text
    if not plain or parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        raise PackageError(f"{_shown(text)} is not an address; it looks like https://feed.example.com/path")
    if "@" in parts.netloc:
        raise PackageError(f"the address of {host} holds a user; give username and password by themselves")
    if port == 0:
        raise PackageError(f"{_shown(text)} has port 0, where nothing listens")
    origin = Origin(scheme=parts.scheme, host=host, port=port or (443 if parts.scheme == "https" else 80))
    return Address(origin=origin, path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def require_redirect(here: Address, there: Address, access: Access) -> None:
    """PackageError for a redirect that gives up TLS."""
    if here.origin.scheme == "https" and there.origin.scheme == "http" and not access.insecure:
        raise PackageError(f"{here} redirects to {there.origin} without TLS; it is not followed")


def _shown(text: str) -> str:
    """Untrusted, and with a user or a query perhaps secret."""
    return ascii(re.sub(r"//[^/]*@", "//...@", text.partition("?")[0])[:100])
