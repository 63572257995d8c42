"""An agent's or a client's own certificate: made here, shown by its thumbprint, trusted by hand on the other side.

A self-signed certificate says nothing by itself; its SHA-256 thumbprint, compared by people, does (as Tentacle,
which uses SHA-1). It is made for ten years, because OpenSSL refuses an expired certificate even when pinned.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.durable import replace_file
from agent.errors import InputError

YEARS = 10
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate with its key, as files that OpenSSL reads. `pem` is the certificate alone."""

    certificate: Path
    key: Path
    pem: str
    thumbprint: str


def own_certificate(folder: Path, name: str) -> Certificate:
    """The certificate in `folder`, made for `name` if there is none yet. The key is readable by its owner only."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.is_file() and key.is_file()):
        _make(certificate, key, name)
    return read_certificate(certificate, key)


def read_certificate(certificate: Path, key: Path) -> Certificate:
    """A certificate that is there already. InputError if it cannot be read."""
    pem = _read(certificate)
    if not key.is_file():
        raise InputError(f"{certificate} has no key beside it at {key}; give both, or let dockwright make new ones")
    return Certificate(certificate=certificate, key=key, pem=pem, thumbprint=thumbprint(pem))


def thumbprint(pem: str) -> str:
    """SHA-256 over the certificate's DER form, as 64 hexadecimal digits in lower case."""
    try:
        return thumbprint_of_der(ssl.PEM_cert_to_DER_cert(pem.strip()))
    except ValueError as error:
        raise InputError("this is no certificate in PEM form; it begins with -----BEGIN CERTIFICATE-----") from error


def thumbprint_of_der(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def parse_thumbprint(text: str) -> str:
    """A thumbprint as people write it: any case, with or without colons or blanks. SHA-256 only."""
    digits = re.sub(r"[\s:-]", "", text).lower().removeprefix("sha256")
    if re.fullmatch(r"[0-9a-f]{40}", digits):
        raise InputError(f"'{text}' is a SHA-1 thumbprint, which is too weak to trust; give the SHA-256 one")
    if not _HEX.fullmatch(digits):
        raise InputError(f"'{text}' is no thumbprint; it has 64 hexadecimal digits, see dockwright trust show")
    return digits


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in PEM form"
        raise InputError(f"the certificate {path} cannot be read: {reason}") from error


def _make(certificate: Path, key: Path, name: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = ec.generate_private_key(ec.SECP256R1())
    replace_file(key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    replace_file(certificate, _signed(private, name), 0o644)


def _signed(private: object, name: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    assert isinstance(private, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("dockwright-agent")]), critical=False)
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)
