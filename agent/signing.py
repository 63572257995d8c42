"""Signed bundles: who packed this, is it whole, and is it not older than the last one.

`signature.json` at a bundle's top holds a statement (the hash of every file, the bundle's name and a sequence that
grows) and an Ed25519 signature over its very bytes. A valid signature alone is not enough: a bundle older than the
last one taken under the same name is refused, so that nobody can bring back a version with a known hole.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.durable import replace_file
from agent.errors import InputError, StorageError
from agent.lock import exclusive

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "signature.json"
MAXIMUM_BYTES = 20_000_000


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed. `files` maps each path, with `/`, to its SHA-256; `sequence` grows with every signature."""

    name: str
    sequence: int
    files: dict[str, str]


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`signature.json`: the statement's bytes and the signature over them, both in base64."""

    statement: str
    signer: str
    """The public key, in base64."""
    signature: str


class Signer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key that may sign bundles."""

    name: str
    key: str


def make_key(path: Path) -> str:
    """Make a signing key in a file that only its owner reads; its public half is returned."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.generate()
    data = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except FileExistsError as error:
        raise InputError(f"{path} is there already; a signing key is never overwritten") from error
    except OSError as error:
        raise StorageError(
            f"the signing key {path} cannot be written: {error.strerror}; name another file"
        ) from error
    return _encoded(private.public_key().public_bytes_raw())


def sign(folder: Path, name: str, key_file: Path, left_out: Collection[str] = ()) -> bytes:
    """The bytes of `signature.json` for the bundle in `folder`, without the folders named in `left_out`."""
    private = _private_key(key_file)
    files = {path: _hash(folder / path) for path in _files(folder, left_out)}
    statement = msgspec.json.encode(Statement(name=name, sequence=time.time_ns(), files=files))
    signed = Signature(
        statement=_encoded(statement),
        signer=_encoded(private.public_key().public_bytes_raw()),
        signature=_encoded(private.sign(statement)),
    )
    return msgspec.json.encode(signed)


def verify(folder: Path, signers: Sequence[Signer]) -> tuple[Statement, Signer] | None:
    """Who signed the bundle in `folder` and what; None if nobody did.

    InputError if the signature is not by a trusted key, is wrong, or the files are not the signed ones.
    """
    path = folder / SIGNATURE
    if not path.exists():
        return None
    signed = _read(path)
    signer = next((known for known in signers if known.key == signed.signer), None)
    if signer is None:
        raise InputError(
            f"the bundle is signed by {signed.signer[:60]}, a key that is not trusted here; "
            "see dockwright trust signers"
        )
    statement = _checked_statement(signed)
    _require_same_files(folder, statement)
    return statement, signer


class Sequences:
    """The last sequence that was taken of each bundle name, in one file under the home."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def require_not_older(self, statement: Statement) -> None:
        """Take this sequence as the last. InputError if a newer bundle of that name was taken before."""
        with exclusive(self._path.with_name(f".{self._path.name}.lock")):
            known = self._known()
            last = known.get(statement.name, 0)
            if statement.sequence < last:
                raise InputError(
                    f"the bundle {statement.name} was signed before the last one that was deployed from here; "
                    "sign it again if it is really meant"
                )
            if statement.sequence > last:
                self._store({**known, statement.name: statement.sequence})

    def _known(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(f"{self._path} cannot be read: {error}; restore it") from error

    def _store(self, known: Mapping[str, int]) -> None:
        replace_file(self._path, msgspec.json.encode(known))


class Signers:
    """The trusted public keys, in one file under the home."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Signer]:
        """Every trusted key."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Signer])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(f"the trusted keys {self._path} cannot be read: {error}; restore the file") from error

    def add(self, name: str, key: str) -> Signer:
        """Trust a public key. InputError if it is none."""
        _public_key(key)
        signer = Signer(name=name, key=key)
        with exclusive(self._path.with_name(f".{self._path.name}.lock")):
            self._store([*(known for known in self.all() if known.key != key), signer])
        return signer

    def revoke(self, which: str) -> list[Signer]:
        """Trust a name or key no longer. InputError if nobody is meant."""
        with exclusive(self._path.with_name(f".{self._path.name}.lock")):
            known = self.all()
            gone = [signer for signer in known if which in {signer.name, signer.key}]
            if not gone:
                raise InputError(f"no signer is called '{which}'; see dockwright trust signers")
            self._store([signer for signer in known if signer not in gone])
        return gone

    def _store(self, signers: Sequence[Signer]) -> None:
        replace_file(self._path, msgspec.json.format(msgspec.json.encode(signers)))


def _files(folder: Path, left_out: Collection[str] = ()) -> list[str]:
    """Every file of the bundle but the signature; InputError for what cannot be signed."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if any(part in left_out for part in relative.parts):
            continue
        name = relative.as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputError(f"{name} in the bundle is no plain file; a signed bundle has no links")
        if path.is_file() and name != SIGNATURE:
            found.append(name)
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Signature:
    try:
        if path.is_symlink() or path.stat().st_size > MAXIMUM_BYTES:
            raise InputError(f"{SIGNATURE} in the bundle is no signature: it is a link or too large")
        return msgspec.json.decode(path.read_bytes(), type=Signature)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{SIGNATURE} in the bundle cannot be read: {error}") from error


def _checked_statement(signed: Signature) -> Statement:
    from cryptography.exceptions import InvalidSignature

    statement, signature = _decoded(signed.statement), _decoded(signed.signature)
    try:
        _public_key(signed.signer).verify(signature, statement)
        return msgspec.json.decode(statement, type=Statement)
    except InvalidSignature as error:
        raise InputError(
            "the bundle's signature is wrong: it was changed after it was signed; get it again from who signed it"
        ) from error
    except msgspec.DecodeError as error:
        raise InputError(f"the bundle's signed statement cannot be read: {error}") from error


def _require_same_files(folder: Path, statement: Statement) -> None:
    present = set(_files(folder))
    signed = set(statement.files)
    if different := sorted(present ^ signed):
        verb = "was added to" if different[0] in present else "is missing from"
        raise InputError(f"{different[0]} {verb} the bundle after it was signed; pack it again")
    for name, expected in statement.files.items():
        if _hash(folder / name) != expected:
            raise InputError(f"{name} in the bundle was changed after it was signed; pack it again")


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise InputError(
            f"the signing key {path} cannot be read: {error.strerror}; make one with dockwright trust new-key"
        ) from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is no signing key; make one with dockwright trust new-key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path} is no Ed25519 key; make one with dockwright trust new-key")
    return key


def _public_key(text: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        return Ed25519PublicKey.from_public_bytes(_decoded(text))
    except ValueError as error:
        raise InputError(f"'{text[:60]}' is no public key; dockwright trust new-key shows it") from error


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InputError(f"'{text[:60]}' is not in base64") from error
