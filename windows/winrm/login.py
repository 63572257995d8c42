"""A session that knows how to log in, by pywinrm: NTLM, Kerberos, CredSSP, basic, or a client's certificate."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.models import Response

from agent.errors import HostError
from windows.winrm.failures import OversizedError
from windows.winrm.target import Target
from winrm.encryption import Encryption
from winrm.exceptions import WinRMError
from winrm.transport import Transport

if TYPE_CHECKING:
    from requests import PreparedRequest, Session

LONGEST_ANSWER = 16 * 1024 * 1024
"""Bytes; the largest that a machine can be set to send are a quarter of that."""

_READING_SECONDS = 120.0


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
        if "not installed" not in str(error):
            raise HostError(f"{target.url}: cannot log in by {target.login}: {error}") from error
        raise HostError(f"{target.url}: {_MISSING.get(target.login, error)}") from error
    session.proxies.clear()
    session.trust_env = False
    session.mount("http://", _Bounded())
    session.mount("https://", _Secured(target))
    if target.thumbprint:
        session.verify = False  # the thumbprint says more than an authority could
    return _with_login(session, target)


_MISSING = {
    "credssp": "logins by CredSSP need one more library: pip install 'pywinrm[credssp]'",
    "kerberos": (
        "logins by Kerberos need one more library: pip install 'pywinrm[kerberos]' (it is compiled; on Debian: "
        "apt install gcc python3-dev libkrb5-dev)"
    ),
}


def open_sealing(session: Session, target: Target) -> Encryption:
    """What encrypts messages by the login that `session` has made."""
    if target.login == "credssp":
        from windows.winrm.credssp import CredSSPSealing

        return CredSSPSealing(session, target.login)
    return Encryption(session, target.login)


def hang_up(session: Session) -> None:
    """End its connections now: urllib3 leaves that to whenever nobody refers to them any more."""
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            pools = adapter.poolmanager.pools
            for pool in [pools.get(key) for key in pools.keys()]:  # noqa: SIM118  it is no mere mapping
                if pool is not None:
                    pool.close()
    session.close()


class Settled(AuthBase):
    """The keys of a login that was made, without logging in again.

    The libraries would do so on any new connection, and send the request once more, sealed by the old keys.
    """

    def __init__(self, session: Session) -> None:
        made: Any = session.auth
        self.session_security = getattr(made, "session_security", None)
        self.contexts = getattr(made, "contexts", None)
        self.wrap_winrm = getattr(made, "wrap_winrm", None)
        self.unwrap_winrm = getattr(made, "unwrap_winrm", None)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Connection"] = "Keep-Alive"
        return request


class _Bounded(HTTPAdapter):
    """Reads no more of an answer, and no longer, than one can be large."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        bounded = _Answer()
        vars(bounded).update(vars(super().build_response(req, resp)))
        return bounded


class _Answer(Response):
    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        size, deadline = 0, monotonic() + _READING_SECONDS
        for piece in super().iter_content(chunk_size, decode_unicode):
            size += len(piece)
            if size > LONGEST_ANSWER:
                raise OversizedError
            if monotonic() > deadline:
                raise TimeoutError("the answer does not end")
            yield piece


class _Secured(_Bounded):
    """TLS with what requests has no parameters for: a certificate known by its thumbprint, a key's passphrase."""

    def __init__(self, target: Target) -> None:
        self._more: dict[str, str] = {}
        if target.thumbprint:
            self._more["assert_fingerprint"] = target.thumbprint
        if target.login == "certificate" and target.password:
            self._more["key_password"] = target.password
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **more, **self._more)


def _with_login(session: Session, target: Target) -> Session:
    if target.login == "basic":
        session.auth = HTTPBasicAuth(target.user.encode(), target.password.encode())  # else it takes Latin-1 only
    elif target.login == "kerberos":
        from windows.winrm.kerberos import KerberosLogin

        session.auth = KerberosLogin(target)
    elif target.login == "credssp":
        from windows.winrm.credssp import CredSSPLogin

        session.auth = CredSSPLogin(target)
    return session
