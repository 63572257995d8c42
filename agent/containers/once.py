"""A container that runs to its end, once, and leaves nothing behind.

Everything that is made for it, container and image, carries a label with the slot. So whoever holds the slot can
remove it all by asking the engine: the run itself at its end, its guard when it was killed, else the next command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic
from typing import Final

from agent.containers.fitting import require_fitting
from agent.errors import ContainerError, DockwrightError, HostError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec, LineSink
from agent.journal import Effects

Log = Callable[[str], None]

ONCE: Final = "dockwright.once"
"""The slot of a run that the container or image was made for; it goes with that run."""

_SILENCE = 90.0
"""Seconds in which the next line must come, once the container has ended; a follower may sleep for a minute."""


@dataclass(frozen=True, kw_only=True)
class OneOff:
    """One container to run; `spec` carries `ONCE`. It gets `time_limit` seconds.

    `files` is a tar that is unpacked in the folder `root` before it starts; it may hold secrets.
    """

    spec: ContainerSpec
    time_limit: float
    root: str = "/"
    files: bytes = field(default=b"", repr=False)


@contextmanager
def leaving_nothing(
    slot: str,
    host: ContainerHost,
    guard: Callable[[], AbstractContextManager[None]],
    log: Log,
) -> Iterator[None]:
    """What is made for the slot inside is gone afterwards; what a run that died has left is gone before.

    The guard is held all the time, so that it is gone soon even if this process is killed.
    """
    remove_once(slot, host)
    with guard():
        try:
            yield
        finally:
            try:
                remove_once(slot, host)
            except DockwrightError as error:
                log(f"what was made for this run could not be removed: {error}; the next run of the slot will do it")


def run_once(
    one_off: OneOff, host: ContainerHost, journal: Effects, output: LineSink, collect: Callable[[ContainerInfo], None]
) -> int:
    """Run it to its end and return its exit code; `output` gets each line, from another thread.

    `collect` may look at the ended container, also when its time was up, which is a ContainerError.
    """
    spec = one_off.spec
    require_fitting(spec, host, output)
    with journal.effect("once", "create", spec.name):
        container = host.create(spec)
    if one_off.files:
        host.copy_in(container.id, one_off.root, [one_off.files])
    with journal.effect("once", "start", spec.name):
        host.start(container.id)
    following = _Following(host, container, output)
    try:
        code = host.wait(container.id, one_off.time_limit)
    except ContainerError as error:
        if (now := host.inspect(container.id)) is None or not now.running:
            raise
        host.stop(container.id, spec.stop_timeout)
        following.end()
        collect(container)
        raise ContainerError(
            f"{spec.name} had not ended after {one_off.time_limit:g} s and was stopped; give it more time-limit"
        ) from error
    following.end()
    collect(container)
    return code


def remove_once(slot: str, host: ContainerHost) -> list[str]:
    """Remove all containers and images that were made for runs of the slot; their names. Nothing else is touched."""
    removed = []
    for container in host.find({ONCE: slot}):
        host.remove(container.id)
        removed.append(container.name)
    for image in host.images({ONCE: slot}):
        for reference in image.tags or (image.id,):
            host.remove_image(reference)
            removed.append(reference)
    return removed


class _Following:
    """Hands on a container's output in a thread of its own, so that time limits and signals are heeded here."""

    def __init__(self, host: ContainerHost, container: ContainerInfo, output: LineSink) -> None:
        self._output = output
        self._failure: BaseException | None = None
        self._last = 0.0
        self._thread = Thread(target=self._follow, args=(host, container), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for the rest, as long as there is some. HostError or ContainerError if it could not be followed."""
        ended = monotonic()
        while self._thread.is_alive():
            self._thread.join(0.2)
            if monotonic() - max(ended, self._last) > _SILENCE:
                raise HostError("the rest of the container's output does not arrive; see whether the engine is well")
        if self._failure is not None:
            raise self._failure

    def _follow(self, host: ContainerHost, container: ContainerInfo) -> None:
        try:
            host.follow(container.id, self._line)
        except BaseException as error:
            self._failure = error

    def _line(self, line: str) -> None:
        self._last = monotonic()
        self._output(line)
