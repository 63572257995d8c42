"""What a `winrm://` URL says: where the machine is, and how to log in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from agent.documents import closest
from agent.errors import HostError, InputError
from agent.host import HostAddress

Login = Literal["ntlm", "kerberos", "credssp", "basic", "certificate"]
Engine = Literal["auto", "api", "cli"]
Encryption = Literal["auto", "always", "never"]

_OPTIONS = ("transport", "scheme", "engine", "ca", "certificate", "key", "message-encryption", "address")
_SEALING = ("ntlm", "kerberos", "credssp")


@dataclass(frozen=True, kw_only=True)
class Target:
    """`url` is as it was given; it holds no password. `address` is where published ports answer."""

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


def read(address: HostAddress) -> Target:
    """The target of `winrm://user@host[:port]?transport=...&scheme=...`.

    `transport` is ntlm (as without it), kerberos, credssp, basic or certificate; `scheme` http (5985) or https
    (5986), which is what a port of 5986 or a login by basic or certificate means anyway. A user of a domain is
    `DOMAIN%5Cuser` or `user%40domain`. InputError for what cannot be meant, HostError without a password.
    """
    url = address.url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{url}: {error}") from error
    if parts.password is not None:
        raise InputError(f"a winrm:// URL holds no password; {_GIVING}")
    if parts.scheme != "winrm" or not parts.hostname or parts.path not in ("", "/", "/wsman") or parts.fragment:
        raise InputError(f"{url}: a Windows machine is given as winrm://user@host or winrm://user@host:5986")
    options = _options(url, parts.query)
    login: Login = _one_of(url, options, "transport", get_args(Login), "ntlm")  # type: ignore[assignment]
    usual = "https" if port == 5986 or login in ("basic", "certificate") else "http"
    scheme: Literal["http", "https"] = _one_of(url, options, "scheme", ("http", "https"), usual)  # type: ignore[assignment]
    engine: Engine = _one_of(url, options, "engine", get_args(Engine), "auto")  # type: ignore[assignment]
    encryption: Encryption = _one_of(url, options, "message-encryption", get_args(Encryption), "auto")  # type: ignore[assignment]
    return _checked(
        Target(
            url=url,
            host=parts.hostname,
            port=port or (5986 if scheme == "https" else 5985),
            scheme=scheme,
            user=unquote(parts.username or ""),
            password=address.password,
            login=login,
            engine=engine,
            encryption=encryption,
            ca=options.get("ca", ""),
            certificate=options.get("certificate", ""),
            key=options.get("key", ""),
            address=options.get("address", parts.hostname),
        )
    )


_GIVING = "give it by --host-password-file or in DOCKWRIGHT_HOST_PASSWORD"


def _options(url: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise InputError(f"{url}: there is no option '{name}'{closest(name, _OPTIONS)}")
    return options


def _one_of(url: str, options: dict[str, str], name: str, values: tuple[str, ...], usual: str) -> str:
    value = options.get(name, usual)
    if value not in values:
        raise InputError(f"{url}: {name} is {', '.join(values[:-1])} or {values[-1]}, not '{value}'")
    return value


def _checked(target: Target) -> Target:
    url = target.url
    if target.login == "certificate":
        if target.scheme != "https":
            raise InputError(f"{url}: a login by certificate needs scheme=https")
        if not (target.certificate and target.key):
            raise InputError(f"{url}: a login by certificate needs certificate=FILE and key=FILE (PEM)")
    elif not target.user:
        raise InputError(f"{url}: who logs in there? Say winrm://user@{target.host}")
    if target.login == "basic" and target.scheme == "http" and target.encryption != "never":
        raise InputError(
            f"{url}: basic over http would show the password to everybody on the way; "
            "use scheme=https or transport=ntlm"
        )
    if target.encryption == "always" and target.login not in _SEALING:
        raise InputError(f"{url}: messages are encrypted with {', '.join(_SEALING)} only, not with {target.login}")
    for name in ("ca", "certificate", "key"):
        path = getattr(target, name)
        if path and not Path(path).is_file():
            raise InputError(f"{url}: {name}: there is no file {path}")
    if target.login in ("ntlm", "credssp", "basic") and not target.password:
        raise HostError(f"{url}: no password for {target.user}; {_GIVING}")
    return target
