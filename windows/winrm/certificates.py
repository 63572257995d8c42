"""What goes wrong with certificates over HTTPS, the machine's and the one that logs in, and what to do about it."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

from agent.errors import HostError
from windows.winrm.target import Target

_LOOK_SECONDS = 5


def raise_refused(target: Target, error: BaseException, text: str) -> None:
    """HostError if `text`, what all causes of `error` say, is about a certificate; nothing otherwise."""
    if "Fingerprints did not match" in text:
        raise HostError(
            f"{target.url}: it shows another certificate than the one with the given thumbprint; {_shown(target)}"
        ) from error
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        detail = re.search(r"certificate verify failed: ([^()]*)", text)
        why = detail[1].strip() if detail else "it is for another name"
        raise HostError(
            f"{target.url}: its certificate is not trusted: {why}; give its authority with ca=FILE, or the "
            f"certificate itself with thumbprint=SHA256, as the machine's owner tells it; {_shown(target)}"
        ) from error
    if target.login == "certificate" and (problem := _problem(target, text)):
        raise HostError(f"{target.url}: {problem}") from error


def perhaps_refused(target: Target, reason: str) -> HostError:
    """A connection that ends right after the client's certificate was shown: why does not always arrive."""
    return HostError(f"{target.url}: {_refused(target, f'it seems: {reason}')}")


def _problem(target: Target, text: str) -> str:
    """What is wrong with the certificate that logs in. The words are OpenSSL's and urllib3's."""
    unreadable = re.search(r"(?i)key values mismatch|no start line|PEM lib|not enough data|bad base64", text)
    if "private key is encrypted" in text or (unreadable and _is_encrypted(target.key)):
        return (
            f"the key {target.key} is encrypted, and its passphrase is missing or wrong; give it as a host's "
            "password, by --host-password-file or in DOCKWRIGHT_HOST_PASSWORD"
        )
    if unreadable:
        return f"{target.certificate} and {target.key} are not a certificate and its own key in PEM"
    if alert := re.search(
        r"(?i)alert ([a-z ]*(?:certificate|unknown ca|handshake failure|access denied)[a-z ]*)", text
    ):
        return _refused(target, alert[1].strip())
    return ""


def _refused(target: Target, reason: str) -> str:
    return (
        f"the certificate {target.certificate} is refused there ({reason}); see that it has not expired, and that "
        "the machine trusts its authority"
    )


def _is_encrypted(key: str) -> bool:
    """OpenSSL says the same of a wrong passphrase and of a broken file."""
    try:
        with Path(key).open("rb") as file:
            return b"ENCRYPTED" in file.read(100_000)
    except OSError:
        return False


def _shown(target: Target) -> str:
    """For a person to compare. It is looked at anew, as the refused connection does not tell."""
    try:
        pem = ssl.get_server_certificate((target.host, target.port), timeout=_LOOK_SECONDS)
        return f"now it shows {hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()}"
    except (OSError, ValueError):
        return "what it shows could not be looked at"
