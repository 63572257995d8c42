"""The file that nginx includes, and how one sees from outside that nginx has loaded it.

A reload says nothing of what comes of it, and a reload command that does nothing ends just as well. So the file also
has nginx show, to those who ask with a header of ours, a word that follows from the route. A `location` that adds
headers of its own shows none from outside it; what nginx itself says to TRACE, before it has chosen one, does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from agent.containers.cutover.endpoint import Endpoint

_MARK = "written by dockwright at each deployment"
_ASKED, _SHOWN = "X-Dockwright-Probe", "X-Dockwright-Route"
_SECONDS = 5.0
_COMMENT = re.compile(r"#[^\n]*")
_LONE_UPSTREAM = re.compile(r"\s*(upstream\s[^{}]*\{[^{}]*\}\s*)?\Z")


def include_text(backend: str, slot: str, endpoints: Sequence[Endpoint]) -> bytes:
    """What the file holds: the upstream `backend`, and the word for this route, shown to those who ask."""
    servers = [f"    server {endpoint};" for endpoint in endpoints] or ["    server 127.0.0.1:1 down;"]
    readable = "".join(letter if letter.isprintable() else " " for letter in slot)
    variable = _variable(backend)
    asked = _ASKED.lower().replace("-", "_")
    return "\n".join(
        [
            f"# {readable}: {_MARK}",
            f'map $http_{asked} {variable} {{ "" ""; default {route_word(backend, endpoints)}; }}',
            header_line(backend),
            f"upstream {backend} {{",
            *servers,
            "}",
            "",
        ]
    ).encode()


def route_word(backend: str, endpoints: Sequence[Endpoint]) -> str:
    """The same for the same route, so that a file that is there already can be seen to be loaded or not."""
    return _digest(" ".join((backend, *map(str, endpoints))))


def header_line(backend: str) -> str:
    """What has nginx show the route; for a `server` with headers of its own, which must be told."""
    return f"add_header {_SHOWN} {_variable(backend)} always;"


def shown_words(url: str) -> set[str]:
    """The words of all routes that the nginx at `url` has loaded; OSError or ValueError if it cannot be asked.

    None where it adds headers of its own for the whole `server`.
    """
    return _shown("GET", url) or _shown("TRACE", url)


def is_ours(content: bytes) -> bool:
    """Whether we have written it."""
    return _MARK.encode() in content


def may_be_replaced(content: bytes) -> bool:
    """Whether it is ours, or nothing but an upstream: a whole site's configuration is not to be lost."""
    text = content.decode("utf-8", "replace")
    return is_ours(content) or bool(_LONE_UPSTREAM.match(_COMMENT.sub("", text)))


def _shown(method: str, url: str) -> set[str]:
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    opened = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(parts.netloc, timeout=_SECONDS)
    with closing(opened) as connection:
        try:
            connection.request(method, path, headers={_ASKED: "1", "Connection": "close"})
            answer = connection.getresponse()
        except HTTPException as error:
            raise ValueError(str(error) or type(error).__name__) from error
        return set(answer.headers.get_all(_SHOWN, ()))


def _variable(backend: str) -> str:
    return f"$dockwright_{_digest(backend)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
