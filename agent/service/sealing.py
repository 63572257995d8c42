"""Variables sealed to one agent's key: whoever carries them, a broker or a relay, cannot read them.

X25519 with a key of the sender's for each message, HKDF-SHA256 and AES-256-GCM; the deployment's id is
authenticated with it, so that what was sealed for one deployment cannot be given to another.
"""

from __future__ import annotations

import base64
import hmac
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent.durable import replace_file
from agent.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_PUBLIC = 32
_NONCE = 12
_TAG = 16
_PURPOSE = b"dockwright sealed variables 1"


def public_key(folder: Path) -> str:
    """The public half of the key in `folder`, in base64; the key is made at the first use.

    It is kept in a file of its own, so that a listener can show it without loading any cryptography.
    """
    path = folder / "sealing.pub"
    with suppress(OSError):
        return path.read_text(encoding="ascii")
    public = base64.b64encode(_key(folder).public_key().public_bytes_raw())
    replace_file(path, public)
    return public.decode("ascii")


def seal(data: bytes, recipient: str, deployment: str, secret: bytes | None = None) -> bytes:
    """Seal `data` to the recipient's public key, for one deployment.

    With a `secret` of the sender's, the same data for the same deployment gives the same bytes, so that a request
    that is made again is seen to be the same; the one-time key is then derived from all of them.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        theirs = X25519PublicKey.from_public_bytes(base64.b64decode(recipient, validate=True))
    except ValueError as error:
        raise InputError("the agent's sealing key is no X25519 key; ask it for its capabilities again") from error
    once = _expanded(secret or os.urandom(32), b"\0".join((recipient.encode(), deployment.encode(), data)))
    ours = X25519PrivateKey.from_private_bytes(once)
    public = ours.public_key().public_bytes_raw()
    nonce = bytes(_NONCE)  # every message has a key of its own
    cipher = AESGCM(_derived(ours.exchange(theirs), public))
    return public + nonce + cipher.encrypt(nonce, data, deployment.encode())


def open_sealed(sealed: bytes, folder: Path, deployment: str) -> bytes:
    """What was sealed. InputError if it was not for this key and deployment, or was changed on the way."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(sealed) < _PUBLIC + _NONCE + _TAG:
        raise InputError("the sealed variables are cut short; send the deployment again")
    public, nonce, text = sealed[:_PUBLIC], sealed[_PUBLIC : _PUBLIC + _NONCE], sealed[_PUBLIC + _NONCE :]
    try:
        shared = _key(folder).exchange(X25519PublicKey.from_public_bytes(public))
        return AESGCM(_derived(shared, public)).decrypt(nonce, text, deployment.encode())
    except (InvalidTag, ValueError) as error:
        raise InputError(
            f"the variables were not sealed for this agent and {deployment}; see the agent's key and the id"
        ) from error


def _key(folder: Path) -> X25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    path = folder / "sealing.key"
    try:
        return X25519PrivateKey.from_private_bytes(path.read_bytes())
    except FileNotFoundError:
        key = X25519PrivateKey.generate()
        replace_file(path, key.private_bytes_raw())
        return key
    except (OSError, ValueError) as error:
        raise InputError(f"the sealing key {path} cannot be read; restore it, or remove it for a new one") from error


def _expanded(secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + message, "sha256")


def _derived(shared: bytes, public: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=public, info=_PURPOSE).derive(shared)
