"""The time limit of a build by the classic builder, held however the engine's silence falls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from agent.engine.failures import is_timeout
from agent.errors import BuildError, DockwrightError
from agent.host import BuildRequest

if TYPE_CHECKING:
    from requests import Response

SILENCE = 3600
"""Seconds in which a build may print nothing: a compiler may be busy."""

_SHORTEST = 0.01


class TimeLimit:
    """Begins to run when it is made. Without a limit, only the silence is bounded."""

    def __init__(self, request: BuildRequest) -> None:
        self._request = request
        self._deadline = monotonic() + request.timeout if request.timeout else float("inf")

    @property
    def silence(self) -> float:
        """Seconds for which the engine may say nothing from now on."""
        return max(_SHORTEST, min(SILENCE, self._deadline - monotonic()))

    @contextmanager
    def held(self) -> Iterator[None]:
        """BuildError if what is inside fails because the time is up."""
        try:
            yield
        except DockwrightError:
            raise
        except Exception as error:
            if is_timeout(error) and self._passed:
                raise time_is_up(self._request) from error
            raise

    def chunks(self, response: Response) -> Iterator[bytes]:
        """What the engine prints, each read no longer than what is left. BuildError when the time is up."""
        raw: Any = response.raw
        stream = raw._fp.fp.raw._sock  # found as docker-py finds it
        stream.settimeout(self.silence)
        for chunk in response.iter_content(None):
            yield chunk
            if self._passed:
                raise time_is_up(self._request)
            stream.settimeout(self.silence)

    @property
    def _passed(self) -> bool:
        return monotonic() >= self._deadline


def time_is_up(request: BuildRequest) -> BuildError:
    return BuildError(
        f"{request.dockerfile}: the build had not ended after {request.timeout:g} s and was cancelled; "
        "raise build.time-limit, or see what it waits for"
    )
