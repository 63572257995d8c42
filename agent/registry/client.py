"""A registry's HTTP API, as much of it as a deployment needs before the engine pushes and pulls."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep
from urllib.parse import urljoin, urlsplit

from agent.errors import RegistryError
from agent.host import Credentials
from agent.registry.auth import authorize, read_challenge
from agent.registry.reference import DOCKER_HUB, ImageReference
from agent.registry.transport import Answer, Origin, Request, Transport

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HUB_HOST = "registry-1.docker.io"
_CERTIFICATES = Path("/etc/docker/certs.d")


class RegistryClient:
    """One registry, named as in references (`docker.io`, `myregistry:8080`). Close it after use.

    As Docker: a registry on the loopback, or one said to be `insecure`, is tried by https without looking at
    its certificate, then by http; any other by https only. CAs that Docker trusts for it are trusted here.
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        *,
        insecure: bool = False,
        certificates: Path = _CERTIFICATES,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._registry = DOCKER_HUB if registry == "index.docker.io" else registry
        self._credentials = credentials
        self._origin = _origin(self._registry)
        self._insecure = insecure or _is_loopback(self._origin.host)
        self._certificates = certificates / registry
        self._transport = Transport(self._tls, pause)
        self._settled = not self._insecure
        self._authorizations: dict[str, str] = {}

    def ping(self) -> None:
        """RegistryError unless a registry answers and lets us in."""
        answer = self._ask(Request(method="GET", path="/v2/"), scope="")
        if answer.status == 401:
            raise self._refusal(answer, "log in")
        if answer.status != 200 or not _looks_like_a_registry(answer):
            raise RegistryError(f"{self._origin}: answers, but not as a registry ({answer.status}); see the address")

    def manifest_digest(self, repository: str, tag: str) -> str | None:
        """The digest that `tag` (or a digest) leads to, or None if the registry has no such thing."""
        reference = self._reference(repository, tag)
        path = f"/v2/{reference.repository}/manifests/{reference.selector}"
        scope = f"repository:{reference.repository}:pull"
        request = Request(method="HEAD", path=path, headers={"Accept": ", ".join(MANIFEST_TYPES)})
        answer = self._ask(request, scope)
        if answer.status == 200 and "docker-content-digest" not in answer.headers:
            answer = self._ask(replace(request, method="GET"), scope)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._refusal(answer, f"look up {reference}")
        return self._digest(answer, reference)

    def can_write(self, repository: str) -> bool:
        """Whether we may push: an upload is begun and cancelled. RegistryError if that cannot be found out."""
        reference = self._reference(repository, "latest")
        scope = f"repository:{reference.repository}:pull,push"
        begun = self._ask(Request(method="POST", path=f"/v2/{reference.repository}/blobs/uploads/"), scope)
        if begun.status in (401, 403, 404, 405):
            return False
        if begun.status not in (200, 201, 202):
            raise self._refusal(begun, f"begin an upload to {reference.name}")
        if (path := self._own_path(begun.headers.get("location", ""))) is not None:
            self._ask(Request(method="DELETE", path=path), scope)
        return True

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def _ask(self, request: Request, scope: str) -> Answer:
        """Send; on a 401 prove once who we are and send again. What was proven is kept for its scope."""
        self._settle_scheme()
        answer = self._transport.send(self._origin, self._signed(request, scope))
        challenge = read_challenge(answer) if answer.status == 401 else None
        if challenge is None:
            return answer
        value = authorize(challenge, self._origin, scope, self._credentials, self._transport)
        if not value or value == self._authorizations.get(scope):
            return answer
        self._authorizations[scope] = value
        return self._transport.send(self._origin, self._signed(request, scope))

    def _signed(self, request: Request, scope: str) -> Request:
        value = self._authorizations.get(scope)
        return replace(request, headers={**request.headers, "Authorization": value}) if value else request

    def _settle_scheme(self) -> None:
        """Before anything else is sent to an insecure registry: does it speak TLS?"""
        if self._settled:
            return
        try:
            self._transport.send(self._origin, Request(method="GET", path="/v2/"))
        except RegistryError as error:
            cause = error.__cause__
            if isinstance(cause, ConnectionRefusedError) or not isinstance(cause, ssl.SSLError | ConnectionError):
                raise
            port = 80 if self._origin.port == 443 and ":" not in self._registry else self._origin.port
            self._origin = Origin(scheme="http", host=self._origin.host, port=port)
        self._settled = True

    def _tls(self, origin: Origin) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if origin.host != self._origin.host or origin.port != self._origin.port:
            return context
        for path in sorted(self._certificates.glob("*.crt")):
            try:
                context.load_verify_locations(path)
            except (OSError, ssl.SSLError) as error:
                raise RegistryError(f"{path}: is no certificate that can be used ({error})") from error
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _reference(self, repository: str, selector: str) -> ImageReference:
        """Checked, so that neither can lead a request astray."""
        sign = "@" if ":" in selector else ":"
        return ImageReference.parse(f"{self._registry}/{repository}{sign}{selector}")

    def _digest(self, answer: Answer, reference: ImageReference) -> str:
        digest = answer.headers.get("docker-content-digest") or f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if not _DIGEST.fullmatch(digest) or (reference.digest and digest != reference.digest):
            raise RegistryError(f"{reference}: the registry answers with a wrong digest ({digest[:100]!r})")
        return digest

    def _own_path(self, location: str) -> str | None:
        """The path of an upload, if it is at this registry: no other place gets our authorization."""
        parts = urlsplit(urljoin(f"{self._origin}/", location))
        same = location and f"{parts.scheme}://{parts.netloc}" == str(self._origin)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return path if same and re.fullmatch(r"/[!-~]*", path) else None

    def _refusal(self, answer: Answer, doing: str) -> RegistryError:
        who = f"user {self._credentials.username}" if self._credentials else "access without credentials"
        reasons = {
            401: f"the registry refuses {who}; see user and password",
            403: f"the registry refuses this to {who}",
            429: "the registry's limit is reached; wait, or log in",
        }
        reason = reasons.get(answer.status)
        if reason is None and 300 <= answer.status < 400:
            reason = (
                f"the registry redirects to {answer.headers.get('location', 'nowhere')[:200]!r}; name that instead"
            )
        if reason is None and answer.status >= 500:
            reason = f"the registry is in trouble ({answer.status}); try again later"
        return RegistryError(f"{self._origin}: cannot {doing}: {reason or f'the registry answers {answer.status}'}")


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _looks_like_a_registry(answer: Answer) -> bool:
    return "docker-distribution-api-version" in answer.headers or answer.body.strip() in (b"{}", b"true")
