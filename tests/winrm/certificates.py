"""An authority, the machine's certificate by it, and one that a client may log in with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, kw_only=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path
    client: Path
    client_key: Path


def make(
    folder: Path,
    *,
    name: str = "127.0.0.1",
    client: str = "deployer",
    client_days: int = 1,
    passphrase: str = "",
) -> Certificates:
    """All are valid for a day, the client's for `client_days`. The machine's is for that IP address, and localhost.

    With `passphrase` the client's key is encrypted.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _signed("Test authority", authority_key, "Test authority", authority_key, [])
    made = Certificates(
        authority=folder / "ca.pem",
        certificate=folder / "machine.pem",
        key=folder / "machine.key",
        client=folder / "client.pem",
        client_key=folder / "client.key",
    )
    _write(made.authority, authority)
    machine_names = [x509.IPAddress(ip_address(name)), x509.DNSName("localhost")]
    for path, key_path, subject, names, days, secret in (
        (made.certificate, made.key, "windows-host", machine_names, 1, ""),
        (made.client, made.client_key, client, [x509.RFC822Name(f"{client}@localhost")], client_days, passphrase),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(path, _signed(subject, key, "Test authority", authority_key, names, days))
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if secret:
            encryption = serialization.BestAvailableEncryption(secret.encode())
        key_path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
    return made


def _signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: Sequence[x509.GeneralName],
    days: int = 1,
) -> x509.Certificate:
    now = datetime.now(UTC)
    public = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
