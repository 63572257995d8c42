"""Is the new container good? By HTTP, by its own HEALTHCHECK, or by staying up; never by a TCP connect.

A published port accepts connections while the application behind it still boots, so only an answer counts.
A container that ends or restarts while it is watched has failed at once.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

import msgspec

from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerInfo, Port

LOG_LINES = 20
PROBE_TIMEOUT = 5.0


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How health is judged. `http` is a path; `port` the container's (default: the first published); seconds."""

    http: str = ""
    port: int = 0
    timeout: float = 60
    interval: float = 0.25
    successes: int = 1
    settle: float = 1
    """Where there is nothing to ask: so long it must stay up."""


def await_healthy(host: ContainerHost, container: str, health: HealthSettings) -> float:
    """Wait until the container is healthy; the seconds that took since its start was seen.

    ContainerError with the container's last lines when it ends, restarts, or is not healthy in time.
    """
    began = time.monotonic()
    probe = _probe_for(host, health)
    good = 0
    complaint = "no answer yet"
    while True:
        seen = _require_up(host, container)
        answer = probe(seen)
        good = good + 1 if answer == "" else 0
        complaint = answer or complaint
        if good >= max(1, health.successes):
            return time.monotonic() - began
        if time.monotonic() - began > health.timeout:
            raise ContainerError(
                f"the container {seen.name} was not healthy within {health.timeout:g} s: {complaint}",
                output=_last_words(host, seen),
            )
        time.sleep(health.interval)


def _probe_for(host: ContainerHost, health: HealthSettings) -> Callable[[ContainerInfo], str]:
    """A function that says what is wrong, or nothing when the container is good."""
    began = time.monotonic()

    def probe(seen: ContainerInfo) -> str:
        if health.http:
            return _ask(host, seen, health)
        if seen.health != "none":
            return "" if seen.health == "healthy" else f"its HEALTHCHECK says {seen.health}"
        return "" if time.monotonic() - began >= health.settle else "it has only just started"

    return probe


def _require_up(host: ContainerHost, container: str) -> ContainerInfo:
    seen = host.inspect(container)
    if seen is None:
        raise ContainerError(f"the container {container} is gone; something else removed it")
    if seen.running and not seen.restarts:
        return seen
    ended = f"ended with exit code {seen.exit_code}" if not seen.restarts else "keeps restarting"
    detail = f" ({seen.error})" if seen.error else ""
    raise ContainerError(
        f"the container {seen.name} {ended}{detail}; its last lines are below", output=_last_words(host, seen)
    )


def _last_words(host: ContainerHost, seen: ContainerInfo) -> list[str]:
    lines = host.logs(seen.id, LOG_LINES)
    if seen.health_output:
        lines += [f"health check: {line}" for line in seen.health_output.splitlines()]
    return lines


def _ask(host: ContainerHost, seen: ContainerInfo, health: HealthSettings) -> str:
    endpoint = _endpoint(host, seen, health)
    if endpoint is None:
        return "no port of it can be reached for the HTTP check; publish one under run.ports"
    address, port = endpoint
    path = health.http if health.http.startswith("/") else f"/{health.http}"
    connection = http.client.HTTPConnection(address, port, timeout=PROBE_TIMEOUT)
    try:
        connection.request("GET", path, headers={"User-Agent": "dockwright-health", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"http://{address}:{port}{path} does not answer ({error or type(error).__name__})"
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"http://{address}:{port}{path} answers {status}"


def _endpoint(host: ContainerHost, seen: ContainerInfo, health: HealthSettings) -> tuple[str, int] | None:
    published = [port for port in seen.ports if port.protocol == "tcp" and port.host]
    wanted = [port for port in published if not health.port or port.container == health.port]
    if wanted:
        return _reachable(host, wanted[0]), wanted[0].host
    if health.port and seen.addresses:
        return seen.addresses[0], health.port
    return None


def _reachable(host: ContainerHost, port: Port) -> str:
    return host.address if port.address in {"", "0.0.0.0", "::"} else port.address  # noqa: S104  compared, not bound
