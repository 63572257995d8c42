"""Uploads: a blob goes whole or in pieces, is resumed where it broke off, and is begun anew where it cannot be.

A registry says where to send each piece; it is sent only if that is at the registry itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator

from agent.errors import RegistryError
from agent.registry.blobs import has_blob, read_blob
from agent.registry.documents import Descriptor
from agent.registry.session import Session, pull_scope, push_scope
from agent.registry.transport import Answer, Request

PIECE_BYTES = 8 * 1024 * 1024
"""What is sent at once, and so kept in memory."""

_LARGEST_PIECE = 64 * 1024 * 1024
_ATTEMPTS = 3
_RESUMPTIONS = 5

Content = Callable[[], Iterable[bytes]]
"""Gives the blob's bytes, from the beginning each time it is called."""


def can_write(session: Session, repository: str) -> bool:
    """Whether we may push: an upload is begun and cancelled. RegistryError if that cannot be found out."""
    reference = session.reference(repository)
    begun = session.ask(Request(method="POST", path=_uploads(repository)), push_scope(repository))
    if begun.status in (401, 403, 404, 405):
        return False
    if begun.status not in (200, 201, 202):
        raise session.refusal(begun, f"begin an upload to {reference.name}")
    _cancel(session, repository, begun)
    return True


def upload_blob(
    session: Session, repository: str, descriptor: Descriptor, content: Content, piece_bytes: int = PIECE_BYTES
) -> None:
    """Put a blob into the repository; it is there when this returns.

    RegistryError, and nothing is left there, if `content` is not what the descriptor says.
    """
    session.reference(repository, descriptor.digest)
    begun = session.ask(Request(method="POST", path=_uploads(repository)), push_scope(repository))
    _upload(session, repository, begun, _Blob(descriptor, content, piece_bytes))


def copy_blob(session: Session, source: str, target: str, descriptor: Descriptor) -> bool:
    """Have a blob of one repository in another of the same registry; whether it was mounted, not sent.

    A registry may answer a mount with an upload (202); the copy then uses that one.
    """
    session.reference(target, descriptor.digest)
    asked = f"{_uploads(target)}?mount={descriptor.digest.replace(':', '%3A')}&from={source.replace('/', '%2F')}"
    answer = session.ask(Request(method="POST", path=asked), f"{push_scope(target)} {pull_scope(source)}")
    if answer.status == 201:
        _check_digest(answer, descriptor, session, target)
        return True
    if has_blob(session, target, descriptor.digest):
        _cancel(session, target, answer)
        return True
    if answer.status != 202:
        answer = session.ask(Request(method="POST", path=_uploads(target)), push_scope(target))
    content = lambda: read_blob(session, source, descriptor)  # noqa: E731  a way to read it, as often as need be
    _upload(session, target, answer, _Blob(descriptor, content, PIECE_BYTES))
    return False


class _Blob:
    """What is to be sent, hashed on its way."""

    def __init__(self, descriptor: Descriptor, content: Content, piece_bytes: int) -> None:
        self.descriptor = descriptor
        self.piece_bytes = piece_bytes
        self._content = content

    def pieces(self, smallest: int) -> Iterator[bytes]:
        """Equal pieces, the last one shorter. RegistryError before the last one if it is another blob."""
        hashed = hashlib.new(self.descriptor.digest.partition(":")[0])
        size = min(max(self.piece_bytes, smallest), _LARGEST_PIECE)
        waiting = bytearray()
        done = 0
        for chunk in self._content():
            hashed.update(chunk)
            waiting += chunk
            done += len(chunk)
            while len(waiting) > size:
                yield bytes(waiting[:size])
                del waiting[:size]
        if done != self.descriptor.size or hashed.hexdigest() != self.descriptor.digest.partition(":")[2]:
            raise _OtherContentError(
                f"{self.descriptor.digest}: what should be uploaded has another digest or length"
            )
        yield bytes(waiting)


class _OtherContentError(RegistryError):
    """The content is at fault, not the way there."""


def _upload(session: Session, repository: str, begun: Answer, blob: _Blob) -> None:
    """As often as need be from the beginning. What was sent but not acknowledged is looked for first."""
    for attempt in range(_ATTEMPTS):
        try:
            if attempt:
                if has_blob(session, repository, blob.descriptor.digest):
                    return
                begun = session.ask(Request(method="POST", path=_uploads(repository)), push_scope(repository))
            if begun.status != 202:
                raise session.refusal(begun, f"begin an upload to {session.registry}/{repository}")
            _send(session, repository, begun, blob)
        except _OtherContentError:
            _cancel(session, repository, begun)
            raise
        except RegistryError as error:
            if attempt == _ATTEMPTS - 1 or begun.status in (401, 403, 404, 405) or isinstance(error, _ElsewhereError):
                raise
        else:
            return


def _send(session: Session, repository: str, begun: Answer, blob: _Blob) -> None:
    location = _location(session, repository, begun)
    smallest = begun.headers.get("oci-chunk-min-length", "")
    pieces = blob.pieces(int(smallest) if smallest.isdigit() else 0)
    offset = 0
    piece = next(pieces)
    for following in pieces:
        location = _send_piece(session, repository, location, piece, offset)
        offset += len(piece)
        piece = following
    if offset:
        location = _send_piece(session, repository, location, piece, offset)
        piece = b""
    _finish(session, repository, location, piece, blob.descriptor)


def _send_piece(session: Session, repository: str, location: str, piece: bytes, start: int) -> str:
    """Where the next one goes. After a failure the registry is asked how far it got."""
    offset, end = start, start + len(piece)
    for _ in range(_RESUMPTIONS):
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{offset}-{end - 1}"}
        request = Request(method="PATCH", path=location, headers=headers, body=piece[offset - start :])
        try:
            answer = session.ask(request, push_scope(repository))
        except RegistryError:
            answer = session.ask(Request(method="GET", path=location), push_scope(repository))
        if answer.status == 416:
            answer = session.ask(Request(method="GET", path=location), push_scope(repository))
        if answer.status not in (202, 204):
            raise session.refusal(answer, f"upload to {session.registry}/{repository}")
        location = _location(session, repository, answer)
        offset = _received(answer, end)
        if offset == end:
            return location
        if not start <= offset < end:
            break
    raise RegistryError(f"{session.registry}/{repository}: an upload broke off and cannot be resumed; try again")


def _received(answer: Answer, otherwise: int) -> int:
    """How many bytes the registry has by now. `0-0` means none: no piece has one byte."""
    said = re.fullmatch(r"(?:bytes=)?0-(\d{1,15})", answer.headers.get("range", ""))
    if said is None:
        return otherwise if answer.status == 202 else 0
    return int(said[1]) + 1 if said[1] != "0" else 0


def _finish(session: Session, repository: str, location: str, rest: bytes, descriptor: Descriptor) -> None:
    sign = "&" if "?" in location else "?"
    request = Request(
        method="PUT",
        path=f"{location}{sign}digest={descriptor.digest.replace(':', '%3A')}",
        headers={"Content-Type": "application/octet-stream"},
        body=rest,
    )
    answer = session.ask(request, push_scope(repository))
    if answer.status not in (201, 204):
        raise session.refusal(answer, f"upload {descriptor.digest} to {session.registry}/{repository}")
    _check_digest(answer, descriptor, session, repository)


def _check_digest(answer: Answer, descriptor: Descriptor, session: Session, repository: str) -> None:
    said = answer.headers.get("docker-content-digest", descriptor.digest)
    if said != descriptor.digest:
        raise RegistryError(
            f"{session.registry}/{repository}: the registry took {said[:100]!r} for {descriptor.digest}; push again"
        )


class _ElsewhereError(RegistryError):
    """An upload that would leave the registry."""


def _location(session: Session, repository: str, answer: Answer) -> str:
    path = session.own_path(answer.headers.get("location", ""))
    if path is None:
        raise _ElsewhereError(
            f"{session.registry}/{repository}: the registry wants an upload sent to another place "
            f"({answer.headers.get('location', 'none')[:100]!r}); nothing is sent there"
        )
    return path


def _cancel(session: Session, repository: str, begun: Answer) -> None:
    if (path := session.own_path(begun.headers.get("location", ""))) is not None:
        session.ask(Request(method="DELETE", path=path), push_scope(repository))


def _uploads(repository: str) -> str:
    return f"/v2/{repository}/blobs/uploads/"
