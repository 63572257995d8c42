"""Finding steps and hosts by entry point: ours register the way anybody's do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from threading import Thread
from typing import Any

from agent.documents import closest
from agent.errors import HostError, InputError
from agent.host import ContainerHost, HostAddress
from agent.step import Step

STEPS = "dockwright.steps"
HOSTS = "dockwright.hosts"
LOCAL = "dockwright.local"


def load_step(name: str, plugin: Path | None = None) -> Step:
    """The step of that name. InputError if neither an installed package nor the bundle's `plugin` provides it.

    The plugin is a wheel that was checked before; its code is imported into this process from where it is.
    """
    if plugin is not None and str(plugin) not in sys.path:
        sys.path.append(str(plugin))
    point = _find(STEPS, name)
    if point is None:
        raise InputError(f"step.yaml: no step is called '{name}'{closest(name, _names(STEPS))}")
    step: Step = _load(point)()
    return step


def local_host() -> str:
    """The URL of the engine on this machine: `unix://`, or whichever scheme says that it is at home here.

    What is registered under a scheme in this group says so, as True or False, and must be quick to load.
    """
    points = entry_points(group=LOCAL)
    scheme = next((point.name for point in sorted(points, key=_first) if _load(point)()), "unix")
    return f"{scheme}://"


def connect(address: HostAddress) -> ContainerHost:
    """The container host behind a URL such as `unix:///var/run/docker.sock`, by the URL's scheme.

    What is registered under a scheme takes the whole HostAddress, and gives a ContainerHost. HostError if no kind of
    host has that scheme, and whatever connecting fails with.
    """
    scheme, separator, _ = address.url.partition("://")
    point = _find(HOSTS, scheme) if separator else None
    if point is None:
        raise HostError(
            f"no kind of host is known for '{address.url}'{_meant(scheme)}; hosts begin with {_schemes()}"
        )
    host: ContainerHost = _load(point)(address)
    return host


@contextmanager
def connection(address: HostAddress, *, early: bool = False) -> Iterator[Callable[[], ContainerHost]]:
    """What connects to the host at its first call; the host is closed afterwards, if it was ever reached.

    `early` begins at once, beside other work: loading an engine's library takes a while. The call then waits. An
    error comes out where the host is asked for; nowhere, if it never is.
    """
    answer: Future[ContainerHost] = Future()
    attempt = cache(partial(_answer, answer, address))
    if early:
        Thread(target=attempt, daemon=True).start()

    def reached() -> ContainerHost:
        if not early:
            attempt()
        return answer.result()

    try:
        yield reached
    finally:
        answer.add_done_callback(_close)  # at once, or by the thread that is still about to connect


def _first(point: EntryPoint) -> tuple[bool, str]:
    return point.name != "unix", point.name


def _answer(answer: Future[ContainerHost], address: HostAddress) -> None:
    try:
        answer.set_result(connect(address))
    except BaseException as error:
        answer.set_exception(error)


def _close(answer: Future[ContainerHost]) -> None:
    if answer.exception() is None:
        answer.result().close()


def _find(group: str, name: str) -> EntryPoint | None:
    return next(iter(entry_points(group=group, name=name)), None)


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"'{point.name}' ({point.value}) is installed but cannot be loaded: {error}") from error


def _names(group: str) -> tuple[str, ...]:
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def _meant(scheme: str) -> str:
    found = closest(scheme, _names(HOSTS))
    return f" ({found.strip('; ?')})" if "did you mean" in found else ""


def _schemes() -> str:
    return ", ".join(f"{name}://" for name in _names(HOSTS))
