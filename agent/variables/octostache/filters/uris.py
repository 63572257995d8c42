"""`UriPart`: the properties of .NET's `Uri`, with its canonical forms."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, unquote

_PORTS = MappingProxyType(
    {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443, "gopher": 70, "ldap": 389, "telnet": 23,
     "nntp": 119, "net.tcp": 808, "ldaps": 636}
)  # fmt: skip
_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):(?:(?P<slashes>//)(?P<authority>[^/?#\\]*))?"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.DOTALL,
)
_AUTHORITY = re.compile(
    r"(?:(?P<user>.*)@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:@\[\]]*)(?::(?P<port>[0-9]{0,5}))?", re.DOTALL
)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_HOST_NAME = re.compile(r"[\w](?:[\w\-]*[\w])?(?:\.[\w](?:[\w\-]*[\w])?)*\.?")
_KEPT = "/;:@&=+$,!'()*%~-._[]|"
_LONGEST = 65519


@dataclass(frozen=True, kw_only=True)
class _Uri:
    """An absolute URI, canonical. `port` is -1 if there is none."""

    scheme: str
    user: str
    host: str
    port: int
    path: str
    query: str
    fragment: str
    has_authority: bool
    unc: bool = False

    @property
    def is_default_port(self) -> bool:
        return self.port == _PORTS.get(self.scheme, -1)

    @property
    def authority(self) -> str:
        return self.host if self.is_default_port else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        bare = self.host.strip("[]")
        return (
            bare in ("localhost", "loopback", "::1")
            or bare.startswith("127.")
            or (self.scheme == "file" and not bare)
        )


_INVALID = _Uri(scheme="", user="", host="", port=-1, path="", query="", fragment="", has_authority=False)


def part(value: str | None, options: tuple[str, ...]) -> str | None:
    """`UriPart part`. What goes wrong stands in the result (as Octostache)."""
    if value is None:
        return None
    if not options:
        return "[UriPart error: no argument given]"
    uri = _parsed(value) if len(value) <= _LONGEST else _INVALID
    return value if uri is _INVALID else _read(uri, options[0])


def _read(uri: _Uri | None, name: str) -> str:
    if name.lower() == "isabsoluteuri":
        return _lower(uri is not None)
    read = _PARTS.get(name.lower())
    if read is None:
        return f"[UriPart {name} error: argument '{name}' not supported]"
    if uri is None:
        return f"[UriPart {name} error: This operation is not supported for a relative URI.]"
    return read(uri)


def _parsed(value: str) -> _Uri | None:
    """None for a relative one; `_INVALID` for what is none."""
    text = value.strip()
    if _DRIVE.match(text):
        return _file("", "/" + text.replace("\\", "/"))
    if text.startswith("\\\\"):
        host, _, path = text[2:].replace("\\", "/").partition("/")
        return _file(host, "/" + path) if host else _INVALID
    found = _URI.fullmatch(text)
    if found is None:
        return None
    scheme = found["scheme"].lower()
    if scheme == "file":
        return _file(found["authority"] or "", found["path"].replace("\\", "/"))
    if not found["slashes"]:
        return _INVALID if scheme in _PORTS else _opaque(found)
    return _hierarchical(found, scheme)


def _hierarchical(found: re.Match[str], scheme: str) -> _Uri:
    authority = _AUTHORITY.fullmatch(found["authority"])
    if authority is None or (not authority["host"] and scheme in _PORTS):
        return _INVALID
    port = int(authority["port"]) if authority["port"] else _PORTS.get(scheme, -1)
    host = authority["host"].lower()
    if port > 65535 or not _is_host(host, scheme):
        return _INVALID
    path = found["path"].replace("\\", "/") if scheme in _PORTS else found["path"]
    return _Uri(
        scheme=scheme,
        user=authority["user"] or "",
        host=host,
        port=port,
        path=_canonical_path(path, scheme),
        query=_escaped(found["query"] or "", "?"),
        fragment=_escaped(found["fragment"] or "", "?#"),
        has_authority=True,
    )


def _file(host: str, path: str) -> _Uri:
    return _Uri(
        scheme="file",
        user="",
        host=host.lower(),
        port=-1,
        path=_canonical_path(path or "/", "file"),
        query="",
        fragment="",
        has_authority=True,
        unc=bool(host),
    )


def _opaque(found: re.Match[str]) -> _Uri:
    """`mailto:a@b`: no host, except that a mail address has one."""
    scheme = found["scheme"].lower()
    user, at, host = found["path"].partition("@") if scheme == "mailto" else ("", "", "")
    return _Uri(
        scheme=scheme,
        user=user if at else "",
        host=host.lower() if at else "",
        port=25 if scheme == "mailto" else -1,
        path="" if at else _escaped(found["path"], ""),
        query=_escaped(found["query"] or "", "?"),
        fragment=_escaped(found["fragment"] or "", "?#"),
        has_authority=False,
    )


def _is_host(host: str, scheme: str) -> bool:
    if host.startswith("["):
        return _ip_version(host[1:-1]) == 6
    return not host or scheme not in _PORTS or _HOST_NAME.fullmatch(host) is not None


def _canonical_path(path: str, scheme: str) -> str:
    if scheme not in _PORTS and scheme != "file":
        return _escaped(path, "")
    kept: list[str] = []
    segments = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if segment == "..":
            del kept[-1:]
            kept += [""] if last else []
        elif segment != ".":
            kept.append(segment)
        elif last:
            kept.append("")
    return _escaped("/" + "/".join(kept), "")


def _escaped(text: str, also_kept: str) -> str:
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return quote(whole, safe=_KEPT + also_kept)


def _absolute(uri: _Uri) -> str:
    rest = uri.path + uri.query + uri.fragment
    user = f"{uri.user}@" if uri.user else ""
    if not uri.has_authority:
        return f"{uri.scheme}:{user}{uri.host}{rest}"
    return f"{uri.scheme}://{user}{uri.authority}{rest}"


def _host_name_type(uri: _Uri) -> str:
    version = _ip_version(uri.host.strip("[]"))
    if version:
        return f"IPv{version}"
    if not uri.host:
        return "Basic" if uri.has_authority else "Unknown"
    return "Dns" if _HOST_NAME.fullmatch(uri.host) else "Basic"


def _ip_version(host: str) -> int:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _lower(holds: bool) -> str:
    return "true" if holds else "false"


_PARTS: Mapping[str, Callable[[_Uri], str]] = MappingProxyType(
    {
        "absolutepath": lambda uri: uri.path,
        "absoluteuri": _absolute,
        "authority": lambda uri: uri.authority,
        "dnssafehost": lambda uri: uri.host.strip("[]"),
        "fragment": lambda uri: uri.fragment,
        "host": lambda uri: uri.host,
        "hostandport": lambda uri: f"{uri.host}:{uri.port}" if uri.port >= 0 else uri.host,
        "hostnametype": _host_name_type,
        "isabsoluteuri": lambda uri: "true",  # noqa: ARG005
        "isdefaultport": lambda uri: _lower(uri.is_default_port),
        "isfile": lambda uri: _lower(uri.scheme == "file"),
        "isloopback": lambda uri: _lower(uri.is_loopback),
        "isunc": lambda uri: _lower(uri.unc),
        "path": lambda uri: unquote(uri.path),
        "pathandquery": lambda uri: uri.path + uri.query,
        "port": lambda uri: str(uri.port),
        "query": lambda uri: uri.query,
        "scheme": lambda uri: uri.scheme,
        "schemeandserver": lambda uri: f"{uri.scheme}://{uri.authority}",
        "userinfo": lambda uri: uri.user,
    }
)
