"""One authenticated HTTP connection to WinRM, by pywinrm's transport. Used by one thread at a time.

NTLM authenticates the connection, and seals each message with keys that belong to it. So a connection that failed
is never mended: whoever holds a wire that raised `Lost` takes a new one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from windows.winrm import envelopes, failures
from windows.winrm.target import Target

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

    from winrm.encryption import Encryption

CONNECT_SECONDS = 15
ANSWER_SECONDS = 10
"""How much later than asked for an answer may come."""


class Lost(ConnectionError):  # noqa: N818  what happened to a request
    """No answer, or none that can be read. With `unheard` the machine has surely not acted on the request."""

    def __init__(self, reason: str, *, unheard: bool) -> None:
        super().__init__(reason)
        self.unheard = unheard


class LoginLost(Lost):
    """The same before the machine was told anything: it was to let us in first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, unheard=True)


class Wordless(Lost):
    """An HTTP status without any message of WinRM's own."""

    def __init__(self, status: int, hint: str) -> None:
        super().__init__(f"HTTP {status}{hint}", unheard=False)


class Fault(Exception):  # noqa: N818  the protocol's own word
    """The machine's own refusal, with its code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class TooLarge(Exception):  # noqa: N818  what a request is
    """The request is beyond the machine's MaxEnvelopeSizekb. It was not acted on."""


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A request that is ready to be sent, on the wire that sealed it and in the order of sealing."""

    request: PreparedRequest


class Wire:
    """Log in with the first use. HostError where that cannot be mended: a wrong password, a foreign certificate."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: Session | None = None
        self._encryption: Encryption | None = None
        self.broken = False

    def ask(self, envelope: bytes, seconds: float = envelopes.OPERATION_SECONDS) -> bytes:
        """The answer to one request, for which the machine may take `seconds`. Fault, TooLarge or Lost."""
        return self.post(self.seal(envelope), seconds)

    def seal(self, envelope: bytes) -> Sealed:
        session = self._session or self._log_in()
        if self._encryption is not None:
            return Sealed(
                request=self._encryption.prepare_encrypted_request(session, self._target.endpoint, envelope)
            )
        return Sealed(request=_prepared(session, self._target.endpoint, envelope))

    def post(self, sealed: Sealed, seconds: float = envelopes.OPERATION_SECONDS) -> bytes:
        assert self._session is not None
        response = self._send(self._session, sealed.request, seconds)
        status = response.status_code
        if status == 413:
            self.broken = True
            raise TooLarge
        if status == 401:
            self._refused(response)
        if _is_foreign(response):
            raise failures.something_else(self._target)
        content = self._opened(response)
        fault = envelopes.read_fault(content) if status != 200 or b"Fault>" in content else None
        if fault is not None:
            raise TooLarge if fault[0] in failures.TOO_LARGE else Fault(*fault)
        if status == 400:  # SOAP's own status for a fault of the sender; Windows gives it for foreign keys, too
            self._refused(response)
        if status != 200:
            self.broken = True
            raise Wordless(status, "" if self._target.is_encrypted else ", perhaps as messages are not encrypted")
        return content

    def close(self) -> None:
        if self._session is not None:
            from windows.winrm.login import hang_up

            hang_up(self._session)

    def _log_in(self) -> Session:
        """Before the first message, or with it."""
        from windows.winrm.login import Settled, hang_up, open_session

        session = open_session(self._target)
        if self._target.logs_in_first:
            try:
                self._let_in(session)
            except BaseException:
                hang_up(session)
                raise
            session.auth = Settled(session)
        self._session = session
        return session

    def _let_in(self, session: Session) -> None:
        from windows.winrm.login import open_sealing

        try:
            response = self._send(session, _prepared(session, self._target.endpoint, b""), ANSWER_SECONDS)
        except Lost as lost:
            raise (lost if lost.unheard else LoginLost(str(lost))) from lost.__cause__
        if response.status_code == 401:
            raise failures.refused(self._target, response)
        if _is_foreign(response):
            raise failures.something_else(self._target)
        if response.status_code != 200:
            self.broken = True
            raise LoginLost(f"HTTP {response.status_code} to the login")
        if "Authorization" not in response.request.headers:  # it lets everybody in
            raise failures.something_else(self._target)
        if self._target.seals:
            self._encryption = open_sealing(session, self._target)

    def _send(self, session: Session, request: PreparedRequest, seconds: float) -> Response:
        from requests import RequestException
        from spnego.exceptions import SpnegoError

        try:
            timeout = (CONNECT_SECONDS, seconds + ANSWER_SECONDS)
            response = session.send(request, timeout=timeout, allow_redirects=False)
        except (RequestException, SpnegoError, PermissionError, OSError) as error:
            self.broken = True
            failures.raise_hopeless(self._target, error)
            raise Lost(failures.reason(error), unheard=failures.is_unheard(error)) from error
        self.broken = self.broken or "close" in response.headers.get("Connection", "").lower()
        return response

    def _refused(self, response: Response) -> NoReturn:
        """A connection that was replaced by a fresh one on the way is not logged in; the request was not read."""
        if not self._target.logs_in_first and response.status_code == 401:
            raise failures.refused(self._target, response)
        self._lose("the login has ended", unheard=True)

    def _opened(self, response: Response) -> bytes:
        from spnego.exceptions import SpnegoError

        from winrm.exceptions import WinRMError

        if self._encryption is None or not response.content:
            return response.content
        try:
            return self._encryption.parse_encrypted_response(response)
        except (WinRMError, SpnegoError, LookupError, ValueError, struct.error) as error:
            self.broken = True
            raise Lost("an answer that cannot be decrypted", unheard=False) from error

    def _lose(self, reason: str, *, unheard: bool) -> NoReturn:
        self.broken = True
        raise Lost(reason, unheard=unheard)


def _is_foreign(response: Response) -> bool:
    """Whether WinRM never answers like this, nor a gateway before it that cannot reach it just now."""
    if response.status_code == 200:
        return "html" in response.headers.get("Content-Type", "").lower()
    return response.status_code not in (400, 401, 408, 413, 429, 500, 502, 503, 504)


def _prepared(session: Session, endpoint: str, body: bytes) -> PreparedRequest:
    from requests import Request

    return session.prepare_request(Request("POST", endpoint, data=body or None))
