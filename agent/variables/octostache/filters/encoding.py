"""Base64 and hashes."""

from __future__ import annotations

import base64
import hashlib
import re

from agent.variables.octostache.dotnet.numbers import parse_int32

_CODECS = {"utf8": "utf-8", "utf-8": "utf-8", "unicode": "utf-16-le"}


def to_base64(value: str | None, options: tuple[str, ...]) -> str | None:
    """`ToBase64 [utf8|unicode]`."""
    codec = _codec(options)
    if value is None or codec is None:
        return None
    return base64.b64encode(_encoded(value, codec)).decode("ascii")


def from_base64(value: str | None, options: tuple[str, ...]) -> str | None:
    """`FromBase64 [utf8|unicode]`; what is no base64 is echoed, where Octostache throws."""
    codec = _codec(options)
    data = _decoded(value) if value is not None else None
    return None if codec is None or data is None else data.decode(codec, "replace")


def md5(value: str | None, options: tuple[str, ...]) -> str | None:
    return _digest("md5", value, options)


def sha1(value: str | None, options: tuple[str, ...]) -> str | None:
    return _digest("sha1", value, options)


def sha256(value: str | None, options: tuple[str, ...]) -> str | None:
    return _digest("sha256", value, options)


def sha384(value: str | None, options: tuple[str, ...]) -> str | None:
    return _digest("sha384", value, options)


def sha512(value: str | None, options: tuple[str, ...]) -> str | None:
    return _digest("sha512", value, options)


def _codec(options: tuple[str, ...]) -> str | None:
    if len(options) > 1:
        return None
    return _CODECS.get(options[0].lower()) if options else "utf-8"


def _encoded(value: str, codec: str) -> bytes:
    """Half a surrogate pair becomes U+FFFD (as .NET)."""
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.encode(codec)


def _decoded(value: str) -> bytes | None:
    """Base64 as `Convert.FromBase64String`: white space is free, padding is not."""
    compact = re.sub("[ \t\r\n]", "", value)
    try:
        return base64.b64decode(compact, validate=True)
    except ValueError:
        return None


def _digest(name: str, value: str | None, options: tuple[str, ...]) -> str | None:
    """`[size] [encoding]` in either order; the size is in bytes."""
    sizes = [size for size in map(parse_int32, options) if size is not None]
    encodings = [option.lower() for option in options if parse_int32(option) is None]
    if value is None or len(sizes) > 1 or len(encodings) > 1 or any(size <= 0 for size in sizes):
        return None
    data = _hashed_bytes(value, encodings[0] if encodings else "utf8")
    if data is None:
        return None
    digest = hashlib.new(name, data, usedforsecurity=False).digest()
    return digest[: sizes[0] if sizes else None].hex()


def _hashed_bytes(value: str, encoding: str) -> bytes | None:
    if encoding == "base64":
        return _decoded(value)
    codec = _CODECS.get(encoding)
    return None if codec is None else _encoded(value, codec)
