"""A session that knows how to log in, by pywinrm: NTLM, Kerberos, CredSSP, basic, or a client's certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests.auth import AuthBase

from agent.errors import HostError
from windows.winrm.target import Target
from winrm.exceptions import WinRMError
from winrm.transport import Transport

if TYPE_CHECKING:
    from requests import PreparedRequest, Session


def open_session(target: Target) -> Session:
    """Nothing is sent yet. HostError where the library that a login needs is not installed.

    pywinrm takes a CA only; settings of the environment (proxies, CA bundles) are left alone.
    """
    transport = Transport(
        endpoint=target.endpoint,
        username=target.user or None,
        password=target.password,
        auth_method=target.login,
        ca_trust_path=target.ca or None,  # type: ignore[arg-type]  # its way to say: the usual ones
        cert_pem=target.certificate or None,
        cert_key_pem=target.key or None,
        message_encryption="never",
        proxy=None,
        service="HTTP",
    )
    try:
        return transport.build_session()
    except WinRMError as error:
        extra = f"; install it with: pip install 'pywinrm[{target.login}]'" if "not installed" in str(error) else ""
        raise HostError(f"{target.url}: cannot log in by {target.login}: {error}{extra}") from error


class Settled(AuthBase):
    """The keys of an NTLM login that was made, without logging in again.

    requests_ntlm would do so on any new connection, and send the request once more, sealed by the old keys.
    """

    def __init__(self, session: Session) -> None:
        self.session_security = getattr(session.auth, "session_security", None)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Connection"] = "Keep-Alive"
        return request
