"""What an `ssh://` URL says: where the machine is, by which way, and who logs in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote

from agent.engine.host_url import Engine, engine_of, read_options, split_url
from agent.errors import InputError
from agent.host import HostAddress
from agent.user import expanded, user_name

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
    parts = split_url(url)
    if parts.password is not None:
        raise InputError("an ssh:// URL holds no password; give it by --host-password-file")
    if parts.scheme != "ssh" or not parts.hostname or parts.path not in ("", "/") or parts.fragment:
        raise InputError(f"{url}: a machine is given as ssh://user@host or ssh://user@host:2222")
    options = read_options(url, parts.query, _OPTIONS)
    return Target(
        url=url,
        login=_login(url, parts),
        address=options.get("address", parts.hostname),
        password=address.password,
        jumps=tuple(_login(url, split_url(f"ssh://{jump}")) for jump in options.get("jump", "").split(",") if jump),
        engine=engine_of(url, options),
        key=_file(url, "key", options.get("key", "")),
        known_hosts=_path(options.get("known-hosts", "")),
        socket=options.get("socket", ""),
    )


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
