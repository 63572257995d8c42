"""What went wrong with a request: whether it may pass if we wait, and how to say it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from agent.errors import PackageError
from agent.packages.web.access import Access, Address

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 86_400.0


class Passing(Exception):  # noqa: N818  it says what it is
    """A failure that may be gone in a moment. `wait` is how many seconds the server asks for."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def from_exception(error: OSError | HTTPException | ValueError, address: Address) -> Exception:
    """What to raise instead of a library's error."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _from_tls(error, address)
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        return PackageError(
            f"{address.origin}: its name is not known; check the address, and the proxy if one is needed"
        )
    return Passing(_in_words(error))


def from_status(status: int, headers: Mapping[str, str], address: Address, access: Access) -> Exception:
    """What to raise for an answer that is none."""
    if status in {403, 429} and headers.get("x-ratelimit-remaining") == "0":
        return _rate_limit(headers, address, access)
    if status in PASSING_STATUSES:
        return Passing(f"answer {status}", wait=wait_asked(headers))
    if status in {401, 403}:
        return PackageError(f"{address} {_refused(status, address, access)}")
    if status == 407:
        return PackageError(f"{address}: the proxy wants credentials; put them into http_proxy and https_proxy")
    return PackageError(f"{address} answers {status}; check the feed's address")


def wait_asked(headers: Mapping[str, str]) -> float:
    """Seconds by `Retry-After`, written as a number or a date."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    seconds = (until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)
    return max(0.0, min(seconds.total_seconds(), _LONGEST_WAIT))


def _rate_limit(headers: Mapping[str, str], address: Address, access: Access) -> PackageError:
    """As Calamari: the limit is told, and not waited for."""
    reset = headers.get("x-ratelimit-reset", "")
    until = ""
    if reset.isascii() and reset.isdigit() and len(reset) < 12:
        until = f" until {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M:%S} UTC"
    hint = "wait" if access.headers else "wait, or give credentials, which have a higher limit"
    return PackageError(f"{address.origin}: its rate limit is reached{until}; {hint}")


def _from_tls(error: ssl.SSLError, address: Address) -> PackageError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or "it does not verify"
        return PackageError(
            f"{address.origin}: its certificate is refused: {reason}; renew it, or have this machine trust its CA "
            "(SSL_CERT_FILE), or set insecure"
        )
    return PackageError(f"{address.origin}: no TLS connection ({error.reason or error}); see that it speaks https")


def _in_words(error: OSError | HTTPException | ValueError) -> str:
    if isinstance(error, socket.gaierror):
        return "its name cannot be looked up now"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionError):
        return "the connection broke"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or "the connection broke").lower()
    return f"a broken answer ({type(error).__name__})"


def _refused(status: int, address: Address, access: Access) -> str:
    if not access.headers:
        return f"wants credentials ({status}); give the feed a username and password or key"
    if address.origin == access.origin:
        return f"refuses the credentials given ({status}); check them and their rights"
    return f"wants credentials ({status}), and gets none: they are for {access.origin}"
