"""What goes wrong between us and an engine, said so that its owner knows what to do.

The one place that knows the exceptions of docker-py, requests and urllib3, and the engine's own phrases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import IncompleteRead

from agent.errors import ContainerError, DockwrightError, HostError, RegistryError, StorageError


@contextmanager
def translated(where: str, doing: str, failure: type[DockwrightError]) -> Iterator[None]:
    """Run calls to the engine at `where`; what it refuses becomes `failure`, its absence a HostError.

    `doing` completes "cannot …".
    """
    import msgspec
    import requests
    import urllib3.exceptions
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise refused(where, doing, explanation(error), failure) from error
    except msgspec.DecodeError as error:
        raise HostError(f"{where}: cannot {doing}: the engine's answer is not understood ({error})") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, DockerException, OSError) as error:
        raise unreachable(where, doing, error) from error


def absent() -> type[Exception]:
    """The exception that docker-py raises for a 404."""
    from docker.errors import NotFound

    return NotFound


def explanation(error: Exception) -> str:
    return one_line(str(getattr(error, "explanation", None) or error))


def refused(where: str, doing: str, text: str, failure: type[DockwrightError]) -> DockwrightError:
    """The error for what the engine answered."""
    for pattern, make in _PHRASES:
        if match := re.search(pattern, text, re.IGNORECASE):
            return make(where, doing, match)
    return failure(f"{where}: cannot {doing}: {text}")


def unreachable(where: str, doing: str, error: BaseException) -> HostError:
    """The error for an engine that cannot be reached, or that went away during a call."""
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, OSError) and isinstance(cause.__cause__, HostError):
            return cause.__cause__  # the stream itself knows why it ended
    for kind, advice in _UNREACHABLE:
        if any(isinstance(cause, kind) for cause in causes):
            return HostError(f"{where}: cannot {doing}: {advice}")
    if is_timeout(error):
        return HostError(
            f"{where}: cannot {doing}: the engine did not answer in time; see whether it hangs (docker info)"
        )
    cut = any(isinstance(cause, IncompleteRead) or "ended prematurely" in str(cause) for cause in causes)
    reason = "its answer broke off" if cut else one_line(str(causes[-1]) or str(error))
    return HostError(f"{where}: cannot {doing}: the connection to the engine broke ({reason})")


def is_timeout(error: BaseException) -> bool:
    import requests
    import urllib3.exceptions

    kinds = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return any(isinstance(cause, kinds) for cause in _chain(error))


def registry_refusal(doing: str, reference: str, text: str) -> DockwrightError:
    """The error for what an engine says of a registry, while it pulls or pushes `reference`."""
    text = one_line(text)
    if re.search("no space left on device|not enough space", text, re.IGNORECASE):
        return StorageError(f"cannot {doing} {reference}: the engine's disk is full; {_MAKE_ROOM}")
    for pattern, advice in _REGISTRY_ADVICE:
        if re.search(pattern, text, re.IGNORECASE):
            return RegistryError(f"cannot {doing} {reference}: {advice} ({text})")
    return RegistryError(f"cannot {doing} {reference}: {text}")


def one_line(text: str, limit: int = 500) -> str:
    return " ".join(text[: limit * 4].split())[:limit]


_MAKE_ROOM = "remove what is not needed (docker system df) and try again"

_UNREACHABLE: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "there is no engine's socket; start Docker, or name another host with --host"),
    (
        PermissionError,
        "permission denied at the engine's socket; run as root or join the group that owns it (usually docker)",
    ),
    (ConnectionRefusedError, "nobody listens at the engine's address; start Docker and try again"),
)


def _port_taken(where: str, doing: str, match: re.Match[str]) -> DockwrightError:
    port = next((group for group in match.groups() if group), "")
    named = f"port {port}" if port else "a port that it publishes"
    return ContainerError(
        f"{where}: cannot {doing}: {named} is already taken on the host; stop what uses it or publish another"
    )


def _name_taken(where: str, doing: str, match: re.Match[str]) -> DockwrightError:
    return ContainerError(
        f"{where}: cannot {doing}: the name {match[1]} is taken by container {match[2][:12]}; "
        "remove or rename that one"
    )


def _disk_full(where: str, doing: str, _match: re.Match[str]) -> DockwrightError:
    return StorageError(f"{where}: cannot {doing}: the engine's disk is full; {_MAKE_ROOM}")


def _no_container(where: str, doing: str, _match: re.Match[str]) -> DockwrightError:
    return ContainerError(f"{where}: cannot {doing}: there is no such container")


_PHRASES: tuple[tuple[str, Callable[[str, str, re.Match[str]], DockwrightError]], ...] = (
    (r"bind for \S*?:(\d+) failed: port is already allocated", _port_taken),
    (r"listen (?:tcp|udp)[46]? \S*?:(\d+): bind: address already in use", _port_taken),
    (r"failed to bind (?:host )?port(?: for)? \S*?:(\d+)\S*.*address already in use", _port_taken),
    (r"port is already allocated|address already in use|\(0x20\)", _port_taken),
    (r'container name "/?([^"]+)" is already in use by container "?(\w+)', _name_taken),
    (r"no space left on device|there is not enough space on the disk", _disk_full),
    (r"no such container", _no_container),
)

_REGISTRY_ADVICE = (
    (
        "server gave HTTP response to HTTPS client",
        "the registry speaks http and the engine wants https; list it under insecure-registries in daemon.json",
    ),
    (
        "x509|certificate|tls:",
        "the engine does not trust the registry's certificate; put its CA under /etc/docker/certs.d/<registry>/",
    ),
    ("unauthorized|no basic auth|authentication required", "the registry wants other credentials"),
    ("does not exist locally|no such image", "this host has no such image; build or pull it first"),
    ("pull access denied|denied|forbidden", "it does not exist, or these credentials may not use it"),
    ("manifest unknown|not found|name unknown", "the registry has no such image; see name and tag"),
    ("no matching manifest", "the image is not made for this engine's platform"),
    ("connection refused", "nobody answers at the registry's address; is it running?"),
    ("no such host|server misbehaving", "the registry's name is not known; see its spelling and the DNS"),
    ("toomanyrequests|rate limit", "the registry's pull limit is reached; log in or wait"),
    ("timeout|deadline exceeded|awaiting headers", "the registry did not answer in time; try again"),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, its causes and what it wraps in its arguments, as urllib3 and requests do."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < 50:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        wrapped = [argument for argument in current.args if isinstance(argument, BaseException)]
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *wrapped]
        waiting = [item for item in waiting if isinstance(item, BaseException)]
