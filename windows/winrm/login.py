"""A session that knows how to log in, by pywinrm: NTLM, Kerberos, CredSSP, basic, or a client's certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests.auth import AuthBase, HTTPBasicAuth

from agent.errors import HostError
from windows.winrm.target import Target
from winrm.exceptions import WinRMError
from winrm.transport import Transport

if TYPE_CHECKING:
    from requests import PreparedRequest, Session


def open_session(target: Target) -> Session:
    """Nothing is sent yet. HostError where the library that a login needs is not installed.

    Proxies and CA bundles that the environment names are not for this, and not asked for: requests would set
    variables of the process meanwhile, under the feet of other threads.
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
        proxy="",
        service="HTTP",
    )
    try:
        session = transport.build_session()
    except WinRMError as error:
        extra = f"; install it with: pip install 'pywinrm[{target.login}]'" if "not installed" in str(error) else ""
        raise HostError(f"{target.url}: cannot log in by {target.login}: {error}{extra}") from error
    session.proxies.clear()
    session.trust_env = False
    if target.login == "basic":
        session.auth = HTTPBasicAuth(target.user.encode(), target.password.encode())  # else it takes Latin-1 only
    return session


class Settled(AuthBase):
    """The keys of an NTLM login that was made, without logging in again.

    requests_ntlm would do so on any new connection, and send the request once more, sealed by the old keys.
    """

    def __init__(self, session: Session) -> None:
        self.session_security = getattr(session.auth, "session_security", None)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Connection"] = "Keep-Alive"
        return request
