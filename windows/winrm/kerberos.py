"""Logins by Kerberos, by pywinrm and pykerberos."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from windows.winrm import failures
from windows.winrm.target import Target
from windows.winrm.tickets import ticket, unobtainable
from winrm.vendor.requests_kerberos import REQUIRED, HTTPKerberosAuth
from winrm.vendor.requests_kerberos.exceptions import KerberosExchangeError

if TYPE_CHECKING:
    from requests import Response


class KerberosLogin(HTTPKerberosAuth):
    """The library's own, but what goes wrong is a HostError, with the machine's reason if it gives one.

    Over HTTPS the first request goes out without a login, since only its answer shows the certificate that the
    login is then bound to.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            mutual_authentication=REQUIRED,
            force_preemptive=target.scheme == "http",
            principal=target.user or None,
            sanitize_mutual_error_response=False,
        )
        self._target = target

    def generate_request_header(self, response: Response | None, host: str, is_preemptive: bool = False) -> str:
        if response is not None and (token := _token(response)):
            raise failures.refused(self._target, response, _REFUSALS.get(_error_code(token), ""))
        try:
            with ticket(self._target):
                header: str = super().generate_request_header(response, host, is_preemptive)  # type: ignore[no-untyped-call]
        except KerberosExchangeError as error:
            raise unobtainable(self._target, _innermost(error)) from error
        return header

    def unwrap_winrm(self, host: str, message: bytes, header: bytes) -> Any:
        """ValueError for what was sealed under another login."""
        from winrm.vendor.requests_kerberos.kerberos_ import kerberos  # type: ignore[attr-defined]

        try:
            return super().unwrap_winrm(host, message, header)  # type: ignore[no-untyped-call]
        except kerberos.KrbError as error:
            raise ValueError(str(error)) from error


_FOREIGN = "the machine cannot read the ticket, as its name belongs to another account; see setspn -Q HTTP/NAME"
_REFUSALS = {
    31: _FOREIGN,
    32: "the ticket has expired; run kinit, then try again",
    33: "the ticket is not valid yet; see the clocks of both machines",
    37: "the clocks of both machines differ by minutes; set them",
    41: _FOREIGN,
}


def _token(response: Response) -> bytes:
    """With a refusal it is an error message of Kerberos, as a login needs but one round. b"" for a mere offer."""
    offered = re.search(r"(?i)\bnegotiate +([a-z0-9+/]+=*)", response.headers.get("WWW-Authenticate", ""))
    try:
        return base64.b64decode(offered[1]) if offered else b""
    except ValueError:
        return b""


def _error_code(token: bytes) -> int:
    """The KRB-ERROR's `error-code [6] INTEGER`, in DER (RFC 4120, 5.9.1); 0 if there is none."""
    code = re.search(rb"\xa6\x03\x02\x01(.)", token, re.DOTALL)
    return code[1][0] if code else 0


def _innermost(error: BaseException) -> str:
    """The library's own error has the general and the particular reason, each with a number."""
    cause = error.__context__
    last = cause.args[-1] if cause is not None and cause.args else None
    return str(last[0]) if isinstance(last, tuple) and last else str(error)
