"""Is the new container good? By HTTP, by its HEALTHCHECK, or by staying up; never by a TCP connect.

A published port accepts connections while the application behind it still boots, so only an answer counts.
A container that ends, restarts or calls itself unhealthy has failed at once. With a watch window it must also
stay good for so long: many an application dies a moment after its first answer.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from functools import partial

import msgspec

from agent.errors import ContainerError, InputError
from agent.host import ContainerHost, ContainerInfo, Port

LOG_LINES = 20
PROBE_TIMEOUT = 5.0
_LONGEST = 1_000_000
_PATH = re.compile(r"[!-~]*\Z")


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How health is judged; seconds. Without `http` and `command` the image's own HEALTHCHECK is asked.

    `http` is a path; `port` the container's (default: the first published). `command` becomes the container's
    HEALTHCHECK, an argument list; with `http` as well, both must be good.
    """

    http: str = ""
    port: int = 0
    command: list[str] = []
    command_interval: float = 1
    command_timeout: float = 5
    start_period: float = 0
    """So long failures of the HEALTHCHECK do not count."""
    retries: int = 3
    """So many failures in a row make it unhealthy: of the `command`, and of `http` in the watch window."""
    timeout: float = 60
    interval: float = 0.25
    successes: int = 1
    """So many good answers in a row make it good."""
    settle: float = 1
    """Where there is nothing to ask: so long it must stay up."""
    watch: float = 0
    """So long after it became good its end, a restart or ill health still count as failure."""

    def __post_init__(self) -> None:
        for field in ("timeout", "settle", "watch", "start_period"):
            _require(0 <= getattr(self, field) <= _LONGEST, field, "0 or more")
        for field in ("interval", "command_interval", "command_timeout"):
            _require(0.001 <= getattr(self, field) <= _LONGEST, field, "more than 0")
        for field in ("successes", "retries"):
            _require(getattr(self, field) >= 1, field, "1 or more")
        _require(0 <= self.port <= 65535, "port", "a port of the container, 1 to 65535")
        _require(bool(_PATH.match(self.http)), "http", "a path as /healthz, percent-encoded where need be")


Ask = Callable[[ContainerInfo, HealthSettings], str]
"""Asks over HTTP, from wherever the container can be reached; what is wrong, or nothing."""


def await_healthy(host: ContainerHost, container: str, health: HealthSettings, ask: Ask | None = None) -> float:
    """Wait until the container is healthy; the seconds that took since its start was seen, without the watching.

    ContainerError with the container's last lines when it ends, restarts, is not healthy in time, or does not
    stay so.
    """
    began = time.monotonic()
    probe = _probe_for(host, health, ask or partial(_ask, host))
    good = 0
    complaint = "no answer yet"
    while True:
        seen = _require_up(host, container)
        answer = probe(seen)
        good = good + 1 if answer == "" else 0
        complaint = answer or complaint
        if good >= health.successes:
            took = time.monotonic() - began
            _watch(host, seen, health, probe)
            return took
        if time.monotonic() - began > health.timeout:
            raise ContainerError(
                f"the container {seen.name} was not healthy within {health.timeout:g} s: {complaint}",
                output=_last_words(host, seen),
            )
        time.sleep(health.interval)


def _watch(
    host: ContainerHost, good: ContainerInfo, health: HealthSettings, probe: Callable[[ContainerInfo], str]
) -> None:
    ends = time.monotonic() + health.watch
    bad = 0
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, health.interval))
        seen = _require_up(host, good.id, "was healthy, but then ")
        complaint = "it restarted" if seen.started != good.started else probe(seen)
        bad = bad + 1 if complaint else 0
        if bad >= health.retries or (bad and seen.started != good.started):
            raise ContainerError(
                f"the container {seen.name} was healthy, but not for {health.watch:g} s: {complaint}",
                output=_last_words(host, seen),
            )


def _probe_for(host: ContainerHost, health: HealthSettings, ask: Ask) -> Callable[[ContainerInfo], str]:
    """A function that says what is wrong, or nothing when the container is good."""
    began = time.monotonic()

    def probe(seen: ContainerInfo) -> str:
        if health.command or not health.http:
            if seen.health == "unhealthy":
                raise ContainerError(
                    f"the container {seen.name} is unhealthy, as its HEALTHCHECK says; its last lines are below",
                    output=_last_words(host, seen),
                )
            if seen.health == "starting" or (health.command and seen.health == "none"):
                return "its HEALTHCHECK has not succeeded yet"
        if health.http:
            return ask(seen, health)
        if seen.health != "none":
            return ""
        return "" if time.monotonic() - began >= health.settle else "it has only just started"

    return probe


def _require_up(host: ContainerHost, container: str, before: str = "") -> ContainerInfo:
    seen = host.inspect(container)
    if seen is None:
        raise ContainerError(f"the container {container} is gone; something else removed it")
    if seen.running and not seen.restarts:
        return seen
    ended = f"ended with exit code {seen.exit_code}" if not seen.restarts else "keeps restarting"
    reason = seen.error or (f"exit code {seen.exit_code}" if seen.restarts and seen.exit_code else "")
    detail = f" ({reason})" if reason else ""
    raise ContainerError(
        f"the container {seen.name} {before}{ended}{detail}; its last lines are below", output=_last_words(host, seen)
    )


def _last_words(host: ContainerHost, seen: ContainerInfo) -> list[str]:
    lines = host.logs(seen.id, LOG_LINES)
    if seen.health_output:
        lines += [f"health check: {line}" for line in seen.health_output.splitlines()]
    return lines


def _ask(host: ContainerHost, seen: ContainerInfo, health: HealthSettings) -> str:
    endpoint = _endpoint(host, seen, health)
    if endpoint is None:
        missing = "no port of it can be reached for the HTTP check; publish one under run.ports"
        if not health.port and not any(port.protocol == "tcp" for port in seen.ports):
            raise ContainerError(f"the container {seen.name} cannot be judged: {missing}")
        return missing  # the engine chooses one, or gives the container its address, in a moment
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


def _require(right: bool, field: str, wanted: str) -> None:
    if not right:
        raise InputError(f"run.health.{field.replace('_', '-')}: write {wanted}")
