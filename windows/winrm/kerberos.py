"""Logins by Kerberos, by pywinrm and pykerberos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windows.winrm.target import Target
from windows.winrm.tickets import ticket, unobtainable
from winrm.vendor.requests_kerberos import REQUIRED, HTTPKerberosAuth
from winrm.vendor.requests_kerberos.exceptions import KerberosExchangeError

if TYPE_CHECKING:
    from requests import Response


class KerberosLogin(HTTPKerberosAuth):
    """The library's own, but what goes wrong is a HostError.

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


def _innermost(error: BaseException) -> str:
    """The library's own error has the general and the particular reason, each with a number."""
    cause = error.__context__
    last = cause.args[-1] if cause is not None and cause.args else None
    return str(last[0]) if isinstance(last, tuple) and last else str(error)
