"""The server's side of Kerberos, by MIT's own library: pyspnego's needs two packages that must be compiled."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char, c_int, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any

from spnego import WinRMWrapResult

_LIBRARY = "libgssapi_krb5.so.2"
_CONTINUE = 1
_HEADER, _DATA, _PADDING = 2, 1, 9
_ALLOCATE = 0x00010000
_MECHANISM_CODE = 2


class GSSError(Exception):
    """A token or a message that Kerberos does not take, in its own words. The client is told by `answer`."""

    answer = b""


class _Buffer(ctypes.Structure):
    _fields_ = (("length", c_size_t), ("value", c_void_p))


class _Bindings(ctypes.Structure):
    _fields_ = (
        ("initiator_type", c_uint32),
        ("initiator", _Buffer),
        ("acceptor_type", c_uint32),
        ("acceptor", _Buffer),
        ("application", _Buffer),
    )


class _Piece(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("buffer", _Buffer))


class KerberosAcceptor:
    """One login with the keys of a keytab. With `bindings` it must have come through that TLS certificate."""

    def __init__(self, keytab: Path, bindings: bytes = b"") -> None:
        self.complete = False
        self.user = ""
        self._library: Any = ctypes.CDLL(_LIBRARY)
        self._keytab = keytab
        self._bindings = bindings
        self._context = c_void_p()

    def step(self, in_token: bytes | None = None, /) -> bytes:
        """GSSError for a login that is refused."""
        minor, client, answer = c_uint32(), c_void_p(), _Buffer()
        library = self._library
        library.krb5_gss_register_acceptor_identity(str(self._keytab).encode())
        told = ctypes.c_char_p(in_token or b"")
        token = _Buffer(len(in_token or b""), ctypes.cast(told, c_void_p))
        bindings = ctypes.c_char_p(self._bindings)
        application = _Buffer(len(self._bindings), ctypes.cast(bindings, c_void_p))
        major = library.gss_accept_sec_context(
            byref(minor),
            byref(self._context),
            None,
            byref(token),
            byref(_Bindings(0, _Buffer(), 0, _Buffer(), application)) if self._bindings else None,
            byref(client),
            None,
            byref(answer),
            None,
            None,
            None,
        )
        try:
            self._check(major, minor)
        except GSSError as error:
            error.answer = self._taken(answer)
            raise
        self.complete = major & _CONTINUE == 0
        name = _Buffer()
        library.gss_display_name(byref(minor), client, byref(name), None)
        self.user = self._taken(name).decode().partition("@")[0]
        library.gss_release_name(byref(minor), byref(client))
        return self._taken(answer)

    def wrap_winrm(self, data: bytes, /) -> WinRMWrapResult:
        content = (c_char * len(data)).from_buffer_copy(data)
        pieces = (_Piece * 3)(
            _Piece(_HEADER | _ALLOCATE, _Buffer()),
            _Piece(_DATA, _Buffer(len(data), ctypes.cast(content, c_void_p))),
            _Piece(_PADDING | _ALLOCATE, _Buffer()),
        )
        minor = c_uint32()
        major = self._library.gss_wrap_iov(byref(minor), self._context, 1, 0, None, pieces, 3)
        self._check(major, minor)
        header, body, padding = (ctypes.string_at(each.buffer.value, each.buffer.length) for each in pieces)
        self._library.gss_release_iov_buffer(byref(minor), pieces, 3)
        return WinRMWrapResult(header, body + padding, len(padding))

    def unwrap_winrm(self, header: bytes, data: bytes, /) -> bytes:
        """GSSError for what was sealed under another login."""
        head = (c_char * len(header)).from_buffer_copy(header)
        content = (c_char * len(data)).from_buffer_copy(data)
        pieces = (_Piece * 2)(
            _Piece(_HEADER, _Buffer(len(header), ctypes.cast(head, c_void_p))),
            _Piece(_DATA, _Buffer(len(data), ctypes.cast(content, c_void_p))),
        )
        minor, encrypted = c_uint32(), c_int()
        major = self._library.gss_unwrap_iov(byref(minor), self._context, byref(encrypted), None, pieces, len(pieces))
        self._check(major, minor)
        if not encrypted.value:
            raise GSSError("the message is signed only")
        return ctypes.string_at(pieces[1].buffer.value, pieces[1].buffer.length)

    def _check(self, major: int, minor: c_uint32) -> None:
        if not major & 0xFFFF0000:
            return
        text, more = _Buffer(), c_uint32()
        self._library.gss_display_status(byref(c_uint32()), minor, _MECHANISM_CODE, None, byref(more), byref(text))
        raise GSSError(self._taken(text).decode("utf-8", "replace"))

    def _taken(self, buffer: _Buffer) -> bytes:
        if not buffer.value:
            return b""
        content = ctypes.string_at(buffer.value, buffer.length)
        self._library.gss_release_buffer(byref(c_uint32()), byref(buffer))
        return content
