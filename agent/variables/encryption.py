"""The encryption of variables files, byte for byte as Calamari's.

    4 bytes `IV__`   16 bytes IV   AES-CBC, PKCS#7

The key is PBKDF2-HMAC-SHA1 of the password, 1000 rounds, salt `Octopuss`: 32 bytes since 2025, 16 before. There
is no checksum, so a wrong password and a damaged file look alike unless the length already gives it away.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

from agent.errors import VariablesError

_PREFIX = b"IV__"
_BLOCK = 16
_HEADER = len(_PREFIX) + _BLOCK


def encrypt(plain: bytes, password: str, iv: bytes | None = None, bits: Literal[128, 256] = 256) -> bytes:
    """The content of an encrypted variables file. `iv`: 16 bytes, random unless given."""
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    start = iv if iv is not None else secrets.token_bytes(_BLOCK)
    padder = padding.PKCS7(_BLOCK * 8).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(_key(password)[: bits // 8]), modes.CBC(start)).encryptor()
    return _PREFIX + start + encryptor.update(padded) + encryptor.finalize()


def decrypt(data: bytes, password: str) -> bytes:
    """What `encrypt` was given, with a key of either size.

    As Calamari, the first four bytes are skipped unread. A wrong key unpads by chance once in 256 times, so of
    two results the one that is text is taken. VariablesError, without the file's name, if neither key fits.
    """
    if len(data) < _HEADER + _BLOCK or (len(data) - _HEADER) % _BLOCK:
        raise VariablesError("is cut off, or is no encrypted variables file; fetch it again")
    key = _key(password)
    found = [plain for size in (32, 16) if (plain := _decrypt_with(data, key[:size])) is not None]
    if not found:
        raise VariablesError(
            "cannot be decrypted: the password is wrong, or the file is damaged; check the password first"
        )
    return next((plain for plain in found if _is_text(plain)), found[0])


def _key(password: str) -> bytes:
    """32 bytes; their first 16 are the key of the older generation."""
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha1", secret, b"Octopuss", 1000, dklen=32)


def _decrypt_with(data: bytes, key: bytes) -> bytes | None:
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    iv = data[len(_PREFIX) : _HEADER]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(memoryview(data)[_HEADER:]) + decryptor.finalize()
    unpadder = padding.PKCS7(_BLOCK * 8).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None


def _is_text(plain: bytes) -> bool:
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
