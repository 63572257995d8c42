"""Blobs: layers and configs by digest, read as a stream and believed only once their digest was seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from agent.errors import RegistryError
from agent.registry.documents import Descriptor
from agent.registry.redirects import follow, is_redirect
from agent.registry.session import Session, pull_scope
from agent.registry.transport import Request, Stream

_RESUMPTIONS = 3


def has_blob(session: Session, repository: str, digest: str) -> bool:
    """Whether the repository holds it. A registry that redirects us to it has it."""
    reference = session.reference(repository, digest)
    answer = session.ask(Request(method="HEAD", path=_path(repository, digest)), pull_scope(repository))
    if answer.status == 404:
        return False
    if answer.status == 200 or is_redirect(answer):
        return True
    raise session.refusal(answer, f"look up {reference}")


def read_blob(session: Session, repository: str, descriptor: Descriptor) -> Iterator[bytes]:
    """Its bytes. What broke off is taken up again where it ended.

    RegistryError, at the latest after the last chunk, if length or digest are not as described: whoever uses
    the chunks must not act on them before the end.
    """
    reference = session.reference(repository, descriptor.digest)
    hashed = hashlib.new(descriptor.digest.partition(":")[0])
    done = 0
    for attempt in range(_RESUMPTIONS + 1):
        try:
            for chunk in _from(session, repository, descriptor, done):
                done += len(chunk)
                hashed.update(chunk)
                yield chunk
            break
        except RegistryError as error:
            if attempt == _RESUMPTIONS or done == 0 or isinstance(error, _FalseLengthError):
                raise
    if done != descriptor.size:
        raise RegistryError(_wrong_length(session, repository, descriptor, f"{done:,}"))
    if hashed.hexdigest() != descriptor.digest.partition(":")[2]:
        raise RegistryError(f"{reference}: the registry sent something else than this digest says; it is not used")


def load_blob(session: Session, repository: str, descriptor: Descriptor, largest: int) -> bytes:
    """All of a small one. RegistryError if it is described as larger than `largest` bytes."""
    if descriptor.size > largest:
        raise RegistryError(
            f"{session.reference(repository, descriptor.digest)} has {descriptor.size:,} bytes, which is too much"
        )
    return b"".join(read_blob(session, repository, descriptor))


class _FalseLengthError(RegistryError):
    """Not what was described; asking again would not help."""


def _from(session: Session, repository: str, descriptor: Descriptor, start: int) -> Iterator[bytes]:
    """The bytes from `start` on, and no more than are due."""
    stream = _opened(session, repository, descriptor, start)
    skip = _to_skip(stream, start)
    due = descriptor.size - start + skip
    said = stream.headers.get("content-length", str(due))
    if said != str(due):
        stream.close()
        raise _FalseLengthError(_wrong_length(session, repository, descriptor, f"{said[:20]} of {due}"))
    for chunk in stream.chunks():
        due -= len(chunk)
        if due < 0:
            raise _FalseLengthError(_wrong_length(session, repository, descriptor, "more than all"))
        if skip < len(chunk):
            yield chunk[skip:]
        skip = max(0, skip - len(chunk))


def _wrong_length(session: Session, repository: str, descriptor: Descriptor, sent: str) -> str:
    reference = session.reference(repository, descriptor.digest)
    return f"{reference}: the registry sends {sent} bytes; the image's manifest says {descriptor.size:,}; not used"


def _opened(session: Session, repository: str, descriptor: Descriptor, start: int) -> Stream:
    headers = {"Range": f"bytes={start}-{descriptor.size - 1}"} if start else {}
    request = Request(method="GET", path=_path(repository, descriptor.digest), headers=headers)
    answer = session.open(request, pull_scope(repository))
    if is_redirect(answer):
        answer = follow(answer, request, session, pull_scope(repository))
    if isinstance(answer, Stream):
        return answer
    reference = session.reference(repository, descriptor.digest)
    if answer.status == 404:
        raise RegistryError(f"{reference} is not in the registry, though an image needs it; push the image anew")
    raise session.refusal(answer, f"read {reference}")


def _to_skip(stream: Stream, start: int) -> int:
    """How many bytes we have already: those before `start`, if the registry begins from the beginning."""
    if stream.status == 206 and stream.headers.get("content-range", "").startswith(f"bytes {start}-"):
        return 0
    return start


def _path(repository: str, digest: str) -> str:
    return f"/v2/{repository}/blobs/{digest}"
