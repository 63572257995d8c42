"""What an `ssh://` URL says: where the machine is, by which way, and who logs in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from agent.documents import closest
from agent.errors import InputError
from agent.host import HostAddress
from agent.user import expanded, user_name

Engine = Literal["auto", "api", "cli"]

SSH_PORT = 22
_OPTIONS = ("engine", "jump", "key", "known-hosts", "socket", "address")


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user on a machine with an SSH server."""

    user: str
    host: str
    port: int = SSH_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + (f":{self.port}" if self.port != SSH_PORT else "")

    @property
    def known_name(self) -> str:
        """As known_hosts files call the machine."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Target:
    """`url` is as it was given; it holds no password. `address` is where published ports answer.

    `jumps` are passed one after the other. An empty `key` means the agent's and the user's usual ones; an empty
    `socket` the engine that the docker program there speaks to by itself.
    """

    url: str
    login: Login
    address: str
    password: str = field(default="", repr=False)
    jumps: tuple[Login, ...] = ()
    engine: Engine = "auto"
    key: str = ""
    known_hosts: str = ""
    socket: str = ""

    @property
    def where(self) -> str:
        """For errors: without the options."""
        return f"ssh://{self.login}"


def read(address: HostAddress) -> Target:
    """The target of `ssh://user@host[:port]?engine=…&jump=user@host,…&key=…&known-hosts=…&socket=…&address=…`.

    InputError for what cannot be meant. Without a user it is the one who runs this.
    """
    url = address.url
    parts = _split(url)
    if parts.password is not None:
        raise InputError("an ssh:// URL holds no password; give it by --host-password-file")
    if parts.scheme != "ssh" or not parts.hostname or parts.path not in ("", "/") or parts.fragment:
        raise InputError(f"{url}: a machine is given as ssh://user@host or ssh://user@host:2222")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise InputError(f"{url}: there is no option '{name}'{closest(name, _OPTIONS)}")
    engine = options.get("engine", "auto")
    if engine not in get_args(Engine):
        raise InputError(f"{url}: engine is auto, api or cli, not '{engine}'")
    return Target(
        url=url,
        login=_login(url, parts),
        address=options.get("address", parts.hostname),
        password=address.password,
        jumps=tuple(_login(url, _split(f"ssh://{jump}")) for jump in options.get("jump", "").split(",") if jump),
        engine=engine,  # type: ignore[arg-type]
        key=_file(url, "key", options.get("key", "")),
        known_hosts=_path(options.get("known-hosts", "")),
        socket=options.get("socket", ""),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputError(f"{url}: {error}") from error
    return parts


def _login(url: str, parts: SplitResult) -> Login:
    if not parts.hostname or parts.password is not None:
        raise InputError(f"{url}: a jump host is given as jump=user@host or jump=user@host:2222, without a password")
    user = unquote(parts.username or "") or user_name()
    if not user:
        raise InputError(f"{url}: this user has no name to log in with; say whom you mean: ssh://USER@HOST")
    return Login(user=user, host=parts.hostname, port=parts.port or SSH_PORT)


def _file(url: str, option: str, path: str) -> str:
    if path and not expanded(path).is_file():
        raise InputError(f"{url}: {option}: there is no file {path}")
    return _path(path)


def _path(path: str) -> str:
    return str(expanded(path)) if path else ""
