"""What a `winrm://` URL says: where the machine is, and how to log in there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import SplitResult, unquote

from agent.engine.host_url import Engine, engine_of, one_of, read_options, split_url
from agent.errors import HostError, InputError
from agent.host import HostAddress

Login = Literal["ntlm", "kerberos", "credssp", "basic", "certificate"]
Encryption = Literal["auto", "always", "never"]

_OPTIONS = (
    "transport", "scheme", "engine", "ca", "thumbprint", "certificate", "key", "message-encryption", "address",
)  # fmt: skip
_SEALING = ("ntlm", "kerberos", "credssp")
_LOGIN_NAMES = {
    "ntlm": "NTLM",
    "kerberos": "Kerberos",
    "credssp": "CredSSP (the machine gets the password)",
    "basic": "basic",
    "certificate": "certificate",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """`url` is as it was given; it holds no password. `address` is where published ports answer.

    `password` is the user's, or the passphrase of `key` for a login by certificate. `thumbprint` is the SHA-256 of
    the only certificate that the machine may show, in small hexadecimal digits.
    """

    url: str
    host: str
    port: int
    scheme: Literal["http", "https"]
    user: str
    password: str = field(repr=False)
    login: Login = "ntlm"
    engine: Engine = "auto"
    encryption: Encryption = "auto"
    ca: str = ""
    thumbprint: str = ""
    certificate: str = ""
    key: str = ""
    address: str = ""

    @property
    def endpoint(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/wsman"

    @property
    def seals(self) -> bool:
        """Whether each message is encrypted by itself, as plain HTTP needs."""
        if self.encryption == "auto":
            return self.scheme == "http" and self.login in _SEALING
        return self.encryption == "always"

    @property
    def logs_in_first(self) -> bool:
        """Whether a connection is logged in by an empty request, before it carries messages.

        Otherwise they would go out unsealed, or three times; and CredSSP and Kerberos take an answer of HTTP 500,
        which a fault is, for a login that failed.
        """
        return self.seals or self.login in ("ntlm", "kerberos", "credssp")

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https" or self.seals

    @property
    def protection(self) -> str:
        """For people: how the login is made, and what keeps others from reading the traffic."""
        return f"login by {_LOGIN_NAMES[self.login]} as {self._who}; {', '.join(self._covers) or 'NOT encrypted'}"

    @property
    def _who(self) -> str:
        if self.login == "certificate":
            return f"whoever {self.certificate} is mapped to"
        return self.user or "whoever the ticket is for"

    @property
    def _covers(self) -> list[str]:
        trusted = "its thumbprint" if self.thumbprint else self.ca or "a well-known authority"
        tls = [f"encrypted by TLS, the machine's certificate trusted by {trusted}"] if self.scheme == "https" else []
        return [*tls, *(["each message encrypted by the login"] if self.seals else [])]


def read(address: HostAddress) -> Target:
    """The target of `winrm://user@host[:port]?transport=...&scheme=...`.

    `transport` is ntlm (as without it), kerberos, credssp, basic or certificate; `scheme` http (5985) or https
    (5986), which is what a port of 5986 or a login by basic or certificate means anyway. A user of a domain is
    `DOMAIN%5Cuser` or `user%40domain`. InputError for what cannot be meant, HostError without a password.
    """
    url = address.url
    parts = _parts(url)
    port, host = parts.port, parts.hostname or ""
    options = read_options(url, parts.query, _OPTIONS)
    login: Login = one_of(url, options, "transport", get_args(Login), "ntlm")  # type: ignore[assignment]
    usual = "https" if port == 5986 or login in ("basic", "certificate") else "http"
    scheme: Literal["http", "https"] = one_of(url, options, "scheme", ("http", "https"), usual)  # type: ignore[assignment]
    encryption: Encryption = one_of(url, options, "message-encryption", get_args(Encryption), "auto")  # type: ignore[assignment]
    return _checked(
        Target(
            url=url,
            host=host,
            port=port or (5986 if scheme == "https" else 5985),
            scheme=scheme,
            user=unquote(parts.username or ""),
            password=address.password,
            login=login,
            engine=engine_of(url, options),
            encryption=encryption,
            ca=options.get("ca", ""),
            thumbprint=options.get("thumbprint", "").replace(":", "").lower(),
            certificate=options.get("certificate", ""),
            key=options.get("key", ""),
            address=options.get("address", host),
        )
    )


_GIVING = "give it by --host-password-file or in DOCKWRIGHT_HOST_PASSWORD"


def _parts(url: str) -> SplitResult:
    parts = split_url(url)
    if parts.password is not None:
        raise InputError(f"a winrm:// URL holds no password; {_GIVING}")
    if parts.scheme != "winrm" or not parts.hostname or parts.path not in ("", "/", "/wsman") or parts.fragment:
        raise InputError(f"{url}: a Windows machine is given as winrm://user@host or winrm://user@host:5986")
    return parts


def _checked(target: Target) -> Target:
    url = target.url
    for problem in (_login_problem(target), _trust_problem(target)):
        if problem:
            raise InputError(f"{url}: {problem}")
    for name in ("ca", "certificate", "key"):
        path = getattr(target, name)
        if path and not Path(path).is_file():
            raise InputError(f"{url}: {name}: there is no file {path}")
    if re.search(r"[\0\r\n]", target.password):
        raise InputError(f"{url}: the password has a line break or a NUL in it, which no password has")
    if target.login in ("ntlm", "credssp", "basic") and not target.password:
        raise HostError(f"{url}: no password for {target.user}; {_GIVING}")
    return target


def _login_problem(target: Target) -> str:
    if target.login == "certificate":
        if target.scheme != "https":
            return "a login by certificate needs scheme=https"
        if not (target.certificate and target.key):
            return "a login by certificate needs certificate=FILE and key=FILE (PEM)"
    elif not target.user and (target.login != "kerberos" or target.password):
        return f"who logs in there? Say winrm://user@{target.host}"
    if target.login == "kerberos" and "\\" in target.user:
        domain, _, name = target.user.partition("\\")
        return f"Kerberos takes a user as {name} or {name}%40REALM, not as {domain}%5C{name}"
    return ""


def _trust_problem(target: Target) -> str:
    if target.login == "basic" and target.scheme == "http" and target.encryption != "never":
        return "basic over http would show the password to everybody on the way; use scheme=https or transport=ntlm"
    if target.encryption == "always" and target.login not in _SEALING:
        return f"messages are encrypted with {', '.join(_SEALING)} only, not with {target.login}"
    if target.thumbprint and not re.fullmatch("[0-9a-f]{64}", target.thumbprint):
        return "thumbprint is the certificate's SHA-256 in 64 hexadecimal digits"
    if target.thumbprint and (target.ca or target.scheme == "http"):
        return "thumbprint is for https, and takes the place of ca"
    return ""
