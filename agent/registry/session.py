"""One registry: where it is, who we are to it, and what its refusals mean."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from agent.errors import RegistryError
from agent.registry.addresses import is_loopback
from agent.registry.auth import authorize, read_challenge
from agent.registry.origin import Origin
from agent.registry.reference import DOCKER_HUB, ImageReference
from agent.registry.transport import Answer, Request, Stream, Transport

if TYPE_CHECKING:
    from agent.host import Credentials

_HUB_HOST = "registry-1.docker.io"

_Got = TypeVar("_Got", bound=Answer | Stream)


class Session:
    """Asks one registry, in the name of one user. Close it after use.

    As Docker: a registry on the loopback, or one said to be `insecure`, is tried by https without looking at
    its certificate, then by http; any other by https only. CAs that Docker trusts for it (in `certificates`)
    are trusted here.
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None,
        *,
        insecure: bool,
        certificates: Path,
        pause: Callable[[float], None],
        allow_local: bool = True,
    ) -> None:
        self.registry = DOCKER_HUB if registry == "index.docker.io" else registry
        self.transport = Transport(self._tls, pause, allow_local=allow_local)
        self.origin = _origin(self.registry)
        self._credentials = credentials
        self._insecure = insecure or is_loopback(self.origin.host)
        self._certificates = certificates / registry
        self._settled = not self._insecure
        self._authorizations: dict[str, str] = {}

    def ask(self, request: Request, scope: str) -> Answer:
        """Send; on a 401 prove once who we are and send again. What was proven is kept for its scope."""
        return self._asked(request, scope, self.transport.send)

    def open(self, request: Request, scope: str) -> Answer | Stream:
        """As `ask`, but the body of a 200 is left to be read."""
        return self._asked(request, scope, self.transport.stream)

    def close(self) -> None:
        self.transport.close()

    def reference(self, repository: str, selector: str = "latest") -> ImageReference:
        """Checked, so that neither can lead a request astray."""
        sign = "@" if ":" in selector else ":"
        return ImageReference.parse(f"{self.registry}/{repository}{sign}{selector}")

    def own_path(self, location: str) -> str | None:
        """The path of an upload, if it is at this registry: no other place gets our authorization.

        A registry behind a proxy may not know that it is reached by https, so the scheme does not count.
        """
        parts = urlsplit(urljoin(f"{self.origin}/", location))
        here = str(self.origin).partition("//")[2]
        same = location and parts.scheme in ("http", "https") and parts.netloc in (here, f"{here}:{self.origin.port}")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return path if same and re.fullmatch(r"/[!-~]*", path) else None

    def refusal(self, answer: Answer, doing: str) -> RegistryError:
        """The error for an answer that is not what was asked for. `doing` goes with "cannot"."""
        who = f"user {self._credentials.username}" if self._credentials else "access without credentials"
        reasons = {
            401: f"the registry refuses {who}; see user and password",
            403: f"the registry refuses this to {who}",
            413: "it is larger than the registry takes",
            429: "the registry's limit is reached; wait, or log in",
        }
        reason = reasons.get(answer.status)
        if reason is None and 300 <= answer.status < 400:
            reason = (
                f"the registry redirects to {answer.headers.get('location', 'nowhere')[:200]!r}; name that instead"
            )
        if reason is None and answer.status >= 500:
            reason = f"the registry is in trouble ({answer.status}); try again later"
        return RegistryError(f"{self.origin}: cannot {doing}: {reason or f'the registry answers {answer.status}'}")

    def _asked(self, request: Request, scope: str, send: Callable[[Origin, Request], _Got]) -> _Got:
        self._settle_scheme()
        answer = send(self.origin, self._signed(request, scope))
        challenge = read_challenge(answer) if isinstance(answer, Answer) and answer.status == 401 else None
        if challenge is None:
            return answer
        value = authorize(challenge, self.origin, scope, self._credentials, self.transport)
        if not value or value == self._authorizations.get(scope):
            return answer
        self._authorizations[scope] = value
        return send(self.origin, self._signed(request, scope))

    def _signed(self, request: Request, scope: str) -> Request:
        value = self._authorizations.get(scope)
        return replace(request, headers={**request.headers, "Authorization": value}) if value else request

    def _settle_scheme(self) -> None:
        """Before anything else is sent to an insecure registry: does it speak TLS?"""
        if self._settled:
            return
        try:
            self.transport.send(self.origin, Request(method="GET", path="/v2/"))
        except RegistryError as error:
            cause = error.__cause__
            if isinstance(cause, ConnectionRefusedError) or not isinstance(cause, ssl.SSLError | ConnectionError):
                raise
            port = 80 if self.origin.port == 443 and ":" not in self.registry else self.origin.port
            self.origin = Origin(scheme="http", host=self.origin.host, port=port)
        self._settled = True

    def _tls(self, origin: Origin) -> ssl.SSLContext:
        own = origin.host == self.origin.host and origin.port == self.origin.port
        if own and self._insecure:
            unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unverified.check_hostname = False
            unverified.verify_mode = ssl.CERT_NONE
            return unverified
        context = ssl.create_default_context()
        for path in sorted(self._certificates.glob("*.crt")) if own else ():
            try:
                context.load_verify_locations(path)
            except (OSError, ssl.SSLError) as error:
                raise RegistryError(f"{path}: is no certificate that can be used ({error})") from error
        return context


def pull_scope(*repositories: str) -> str:
    """What reading takes, in the words of token servers."""
    return " ".join(f"repository:{repository}:pull" for repository in repositories)


def push_scope(repository: str) -> str:
    """What writing takes."""
    return f"repository:{repository}:pull,push"


def delete_scope(repository: str) -> str:
    """What removing takes."""
    return f"repository:{repository}:pull,delete"


def _origin(registry: str) -> Origin:
    """RegistryError for what is no host with an optional port."""
    if ImageReference.parse(f"{registry}/x").registry != registry:
        raise RegistryError(f"{registry!r} is no registry's name; give it as host or host:port")
    parts = urlsplit(f"//{_HUB_HOST if registry == DOCKER_HUB else registry}")
    try:
        port = parts.port
    except ValueError as error:
        raise RegistryError(f"{registry!r} is no registry's name: ports go up to 65535") from error
    return Origin(scheme="https", host=(parts.hostname or "").lower(), port=port or 443)
