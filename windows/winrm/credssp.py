"""Logins by CredSSP: TLS within HTTP, through which the machine gets the password too, to act elsewhere with it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from requests_credssp.credssp import HttpCredSSPAuth
from requests_credssp.exceptions import AuthenticationException, NTStatusException

from windows.winrm import failures
from windows.winrm.target import Target
from winrm.encryption import Encryption

if TYPE_CHECKING:
    from requests import Response

_REFUSALS = {
    0x8009030C: "the user or the password is wrong",
    0xC000006D: "the user or the password is wrong",
    0xC000006E: "the account may not log on like this",
    0xC000006F: "the account may not log on at this hour",
    0xC0000071: "the password has expired",
    0xC0000072: "the account is disabled",
    0xC0000193: "the account has expired",
    0xC0000224: "the password must be changed first",
    0xC0000234: "the account is locked",
}


class CredSSPLogin(HttpCredSSPAuth):  # type: ignore[misc]  # it has no types
    """The library's own, but what goes wrong is a HostError."""

    def __init__(self, target: Target) -> None:
        super().__init__(username=target.user, password=target.password)
        self._target = target

    def response_hook(self, response: Response, **kwargs: Any) -> Response:
        try:
            answer: Response = super().response_hook(response, **kwargs)
        except NTStatusException as error:
            why = _REFUSALS.get(error.status, f"status 0x{error.status:x}")
            raise failures.refused(self._target, response, why) from error
        except AuthenticationException as error:
            raise failures.refused(self._target, response) from error
        return answer


class CredSSPSealing(Encryption):
    """As pywinrm's, but with the length that the trailer has in TLS 1.3, which pywinrm takes for TLS 1.2's."""

    def _build_credssp_message(self, message: bytes, host: str | bytes | None) -> bytes:
        login: Any = self.session.auth
        wrapped = login.contexts[host].wrap_winrm(message)
        return struct.pack("<i", len(wrapped.header)) + bytes(wrapped.header + wrapped.data)
