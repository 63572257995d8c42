"""The `cutover:` section of `run:`, one type for each strategy, so that no key is taken that means nothing."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from agent.errors import InputError

RELAY_IMAGE: Final = "dockwright/agent:latest"
"""Runs our relay where the settings name no other; any image with Python on its PATH will do."""

OnFailure = Literal["off", "notify", "rollback"]
"""What to do about a new container that is not healthy.

`rollback`: the old one serves again, the run fails. `notify`: the new one serves as it is, if it runs at all;
the run succeeds with a warning. `off`: everything stays as it is for somebody to look at; the run fails. Behind a
proxy, where the old one serves on, the new one is stopped then, and stays.
"""


class Recreate(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="strategy", tag="recreate"
):
    """Stop the old, start the new. The outage is the application's boot and about half a second."""


class Proxy(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename="kebab",
    tag_field="strategy",
    tag="proxy",
):
    """A proxy that the site runs leads to the new container once it is healthy. No outage.

    HAProxy: `haproxy` is its runtime socket, a path or HOST:PORT with level admin; `backend` has at least one
    server for each replica, better one more, each `localhost:1 disabled`; all of them are ours to set. `state` is
    its server-state-file, without which a reload forgets where to lead.
    nginx: `nginx` is a file that its configuration includes inside `http`; it defines the upstream `backend`.
    `via` says how the proxy reaches containers: by their own address, or by a port published for it.
    """

    haproxy: str = ""
    nginx: str = ""
    backend: str
    state: str = ""
    test: tuple[str, ...] = ("nginx", "-t")
    reload: tuple[str, ...] = ("nginx", "-s", "reload")
    url: str = ""
    """nginx: asked after the reload, through the proxy, until the new container answers."""
    port: int = 0
    """The container's port; default: the first of `ports`."""
    via: Literal["address", "published"] = "address"
    drain: float = 30
    """Seconds that requests under way may take before the old container is stopped."""

    def __post_init__(self) -> None:
        if bool(self.haproxy) == bool(self.nginx):
            raise InputError("run.cutover: name the proxy, either with haproxy: SOCKET or with nginx: FILE")
        if not _is_name(self.backend):
            raise InputError(f"run.cutover.backend: '{self.backend}' is no name; use letters, digits, '_', '.', '-'")
        if self.nginx and not (self.reload and self.url.startswith(("http://", "https://"))):
            raise InputError(
                "run.cutover: nginx needs a reload command and the url under which it serves the backend"
            )
        if self.state and not self.haproxy:
            raise InputError("run.cutover.state: only HAProxy has a server-state-file; leave it out")
        _require_range(self.port, 0, 65535, "port")
        _require_range(self.drain, 0, 86_400, "drain")


class Hold(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename="kebab",
    tag_field="strategy",
    tag="hold",
):
    """Our relay keeps requests waiting while the old container stops and the new one boots.

    For Windows, and for applications that must never run twice. `limit` is how many seconds anybody waits;
    after that the relay answers 503.
    """

    image: str = RELAY_IMAGE
    limit: float = 30
    drain: float = 30
    """Seconds that requests under way may take before the old container is stopped."""

    def __post_init__(self) -> None:
        if not self.image.strip():
            raise InputError("run.cutover.image: name an image that has Python, or leave it out")
        _require_range(self.limit, 1, 3_600, "limit")
        _require_range(self.drain, 0, 86_400, "drain")


Cutover = Recreate | Proxy | Hold


def _is_name(text: str) -> bool:
    return bool(text) and text.isascii() and all(letter.isalnum() or letter in "_.-" for letter in text)


def _require_range(value: float, least: float, most: float, field: str) -> None:
    if not least <= value <= most:
        raise InputError(f"run.cutover.{field}: write {least:g} to {most:g}")
