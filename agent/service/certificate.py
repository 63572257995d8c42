"""An agent's or a client's own certificate: made here, shown by its thumbprint, trusted by hand on the other side.

A self-signed certificate says nothing by itself; its SHA-256 thumbprint, compared by people, does (as Tentacle,
which uses SHA-1). It is made for ten years, because OpenSSL refuses an expired certificate even when pinned.

Its dates are all that depends on the clocks of the two sides: it is valid from a day before it was made, so that
clocks which are less than a day apart do no harm; where they are further apart both sides refuse, and say why.
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
_VERSION, _UTC_TIME = 0xA0, 0x17
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate with its key, as files that OpenSSL reads. `pem` is the certificate alone."""

    certificate: Path
    key: Path
    pem: str
    thumbprint: str

    @property
    def der(self) -> bytes:
        return der_of(self.pem)


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
    return thumbprint_of_der(der_of(pem))


def der_of(pem: str) -> bytes:
    """The certificate's bytes. InputError if the text is none."""
    try:
        return ssl.PEM_cert_to_DER_cert(pem.strip())
    except ValueError as error:
        raise InputError("this is no certificate in PEM form; it begins with -----BEGIN CERTIFICATE-----") from error


def thumbprint_of_der(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def not_valid_now(der: bytes, now: datetime) -> str:
    """Why a certificate in DER form is not valid at this moment, as the end of a sentence; "" if it is.

    OpenSSL looks at the dates only where it verifies, and whoever pins a thumbprint has that switched off.
    """
    begin, end = _validity(der)
    if now > end:
        return f"expired on {end:%Y-%m-%d}, and it is {now:%Y-%m-%d %H:%M} here (UTC)"
    if now < begin:
        return f"is valid from {begin:%Y-%m-%d %H:%M}, and it is {now:%Y-%m-%d %H:%M} here (UTC); one clock is wrong"
    return ""


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


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """From when and until when, from a certificate's fifth field (the fourth where it has no version)."""
    try:
        (_, inner), *_ = _fields(der)
        (_, signed), *_ = _fields(inner)
        fields = [field for field in _fields(signed) if field[0] != _VERSION]
        begin, end = (_moment(tag, text) for tag, text in _fields(fields[3][1]))
    except (ValueError, IndexError) as error:
        raise InputError("this is no certificate: it does not say until when it is valid") from error
    return begin, end


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """The parts of a DER value: tag and content of each."""
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(data):
        tag, size, place = data[place], data[place + 1], place + 2
        if size & 0x80:  # the length itself has so many bytes
            count = size & 0x7F
            size, place = int.from_bytes(data[place : place + count], "big"), place + count
        found.append((tag, data[place : place + size]))
        place += size
    return found


def _moment(tag: int, text: bytes) -> datetime:
    """UTCTime has two digits for the year, which mean 1950 to 2049; GeneralizedTime has four."""
    digits = text.decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


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
