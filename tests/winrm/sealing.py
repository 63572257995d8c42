"""Messages that are encrypted by a login, in the multipart form in which WinRM sends them."""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

from spnego import WinRMWrapResult

_BOUNDARY = b"--Encrypted Boundary"
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
_PIECE = 16 * 1024


class BadSealError(Exception):
    """A message that was sealed under another login, or laid out in another way."""


class Context(Protocol):
    """One login: what pyspnego's contexts have, and the Kerberos acceptor too."""

    @property
    def complete(self) -> bool: ...
    def step(self, in_token: bytes | None = None, /) -> bytes | None: ...
    def wrap_winrm(self, data: bytes, /) -> WinRMWrapResult: ...
    def unwrap_winrm(self, header: bytes, data: bytes, /) -> bytes: ...


class Form(NamedTuple):
    """How one kind of login seals. `header` are the bytes before the message proper; in `pieces` if it is long."""

    protocol: str
    header: int
    pieces: bool = False

    def content_type(self, length: int) -> str:
        kind = "multipart/x-multi-encrypted" if self.pieces and length > _PIECE else "multipart/encrypted"
        return f'{kind};protocol="{self.protocol}";boundary="Encrypted Boundary"'


def seal(context: Context, form: Form, message: bytes) -> bytes:
    size = _PIECE if form.pieces else len(message)
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(_sealed(context, form, piece) for piece in pieces) + _BOUNDARY + b"--\r\n"


def unseal(context: Context, form: Form, body: bytes) -> bytes:
    """BadSealError also where the length of the header is not the one that the login has."""
    parts = body.removesuffix(_BOUNDARY + b"--\r\n").split(_BOUNDARY + b"\r\n")[1:]
    if len(parts) % 2 or not parts:
        raise BadSealError
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return b"".join(_unsealed(context, form, head, payload) for head, payload in pairs)


def _sealed(context: Context, form: Form, piece: bytes) -> bytes:
    wrapped = context.wrap_winrm(piece)
    head = (
        f"\tContent-Type: {form.protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(piece)}\r\n"
    )
    length = struct.pack("<i", len(wrapped.header))
    boundary = _BOUNDARY + b"\r\n"
    return b"".join([boundary, head.encode(), boundary, _OCTETS, length, wrapped.header, wrapped.data])


def _unsealed(context: Context, form: Form, head: bytes, payload: bytes) -> bytes:
    length = int(head.partition(b"Length=")[2].split(b"\r\n", 1)[0])
    sealed = payload.removeprefix(_OCTETS)
    if len(sealed) < 20:
        raise BadSealError
    (header,) = struct.unpack("<i", sealed[:4])
    if header != form.header:
        raise BadSealError
    message = context.unwrap_winrm(sealed[4 : 4 + header], sealed[4 + header :])
    if len(message) != length:
        raise BadSealError
    return message
