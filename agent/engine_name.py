"""Which engine a host's URL means, however it is written: a slot of one engine is not the same slot of another.

Journal and slot lock compare hosts by this name, so that what was deployed, died or is kept on one host is never
looked for on another.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

_USUAL_SOCKET = "/run/docker.sock"
_USUAL_PIPE = "//./pipe/docker_engine"
_USUAL_PORT = {"ssh": 22, "winrm": 5985}
_TLS_PORT = {"winrm": 5986}


def engine_name(url: str) -> str:
    """`ssh://Me@Host?engine=cli` and `ssh://host:22` are one; what is no URL stays as it is.

    Who logs in, and how, makes no other engine; the port does, since one name may lead to several machines, and
    so does the engine's socket there. `unix://` alone is the usual socket, `npipe://` the usual pipe.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    if not parts.scheme:
        return url
    if parts.scheme == "unix":
        return f"unix://{_socket(parts.path or _USUAL_SOCKET)}"
    if parts.scheme == "npipe":
        return f"npipe:{parts.netloc and '//' + parts.netloc}{parts.path or _USUAL_PIPE}".lower()
    usual = _USUAL_PORT.get(parts.scheme)
    where = (parts.hostname or "").lower()
    if port not in (None, usual, _TLS_PORT.get(parts.scheme)):
        where = f"{where}:{port}"
    socket = "".join(_socket(path) for path in parse_qs(parts.query).get("socket", [])[-1:])
    return f"{parts.scheme}://{where}{'' if socket == _USUAL_SOCKET else socket}{parts.path.rstrip('/')}"


def _socket(path: str) -> str:
    """/var/run is a link to /run wherever there are sockets in it."""
    return path.removeprefix("/var") if path.startswith("/var/run/") else path
