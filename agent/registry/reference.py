"""Image references, by the grammar of the distribution project and with Docker's rules for short names.

A reference becomes part of URLs and of command lines, so nothing passes here that Docker would refuse, and
nothing that starts like an option.
"""

from __future__ import annotations

import re

import msgspec

from agent.errors import InputError

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"

_LONGEST_NAME = 255
_LONGEST_TAG = 128
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
_TAG = r"[\w][\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REST = re.compile(
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?", re.ASCII
)
_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class ImageReference(msgspec.Struct, frozen=True, kw_only=True):
    """`registry/repository:tag@digest`, normalised; `tag` and `digest` are "" where not given.

    >>> str(ImageReference.parse("nginx"))
    'docker.io/library/nginx'
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """InputError for what Docker would not take. As Docker: the first component is a registry only if it
        holds a dot or a colon, or is `localhost`.
        """
        domain, rest = _split_domain(text) if len(text) <= 1_000 else ("", "")
        match = _REST.fullmatch(rest)
        if match is None or not _DOMAIN.fullmatch(domain):
            raise InputError(f"{text[:100]!r} is no image reference; {_expected(text)}")
        parsed = cls(registry=domain, repository=match["path"], tag=match["tag"] or "", digest=match["digest"] or "")
        _check(parsed, text)
        return parsed

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def selector(self) -> str:
        """What chooses among the repository's manifests: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or DEFAULT_TAG

    def with_tag(self, tag: str) -> ImageReference:
        """The same repository under another tag. InputError if `tag` cannot be one."""
        if not re.fullmatch(_TAG, tag, re.ASCII):
            raise InputError(f"{tag[:140]!r} is no image tag: letters, digits, '_', '.', '-', at most 128 of them")
        return msgspec.structs.replace(self, tag=tag, digest="")

    def with_digest(self, digest: str) -> ImageReference:
        """The same repository, pinned."""
        return ImageReference.parse(f"{self.name}@{digest}")


def tag_from(text: str) -> str:
    """A tag as near to `text` as tags allow: a version, say, whose `+` they do not.

    >>> tag_from("1.2.0+build.7")
    '1.2.0_build.7'
    """
    allowed = re.sub(r"[^\w.-]", "_", text.strip(), flags=re.ASCII)[:_LONGEST_TAG]
    if allowed[:1] in (".", "-"):
        allowed = "_" + allowed[1:]
    if not allowed:
        raise InputError("an image tag cannot be made of nothing; give the release a number")
    return allowed


def _split_domain(text: str) -> tuple[str, str]:
    """(registry, rest), both as Docker completes them: `nginx` is `docker.io` and `library/nginx`."""
    domain, slash, rest = text.partition("/")
    if not slash or not (domain == "localhost" or "." in domain or ":" in domain):
        domain, rest = DOCKER_HUB, text
    if domain == "index.docker.io":
        domain = DOCKER_HUB
    if domain == DOCKER_HUB and "/" not in rest.partition("@")[0]:
        rest = f"library/{rest}"
    return domain, rest


def _check(parsed: ImageReference, text: str) -> None:
    """The rules that the grammar cannot tell."""
    if len(parsed.name) > _LONGEST_NAME:
        raise InputError(f"{text[:60]}… is too long for an image's name: at most {_LONGEST_NAME} characters")
    if re.fullmatch(r"[0-9a-f]{64}", text):
        raise InputError(f"{text!r} is an image's id, not its name; give registry/repository:tag")
    algorithm, _, value = parsed.digest.partition(":")
    if parsed.digest and (_HEX_LENGTHS.get(algorithm) != len(value) or value != value.lower()):
        raise InputError(f"{parsed.digest[:100]!r} is no digest: sha256: and 64 lower-case hexadecimal digits")


def _expected(text: str) -> str:
    if text != text.lower():
        return "the repository's name must be in lower case"
    return "expected registry/repository:tag"
