"""nginx: the upstream is a file of ours that its configuration includes; a reload makes it true.

`nginx -s reload` returns before the new workers have taken over, and may come to nothing. So nginx is seen to have
loaded the new route, several answers in a row, before the old container is drained; and what an old worker still
does shows as a connection to the old container.
"""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from agent.containers.cutover.connections import await_quiet
from agent.containers.cutover.endpoint import Endpoint, endpoint_of
from agent.containers.cutover.nginx_include import (
    header_line,
    include_text,
    is_ours,
    may_be_replaced,
    route_word,
    shown_words,
)
from agent.containers.cutover.scene import Scene
from agent.containers.cutover.settings import Proxy
from agent.containers.cutover.shape import Shape, shape_of
from agent.durable import replace_file
from agent.errors import ContainerError, HostError, InputError
from agent.host import ContainerInfo

_COMMAND_SECONDS = 30.0
_SEEN_SECONDS = 20.0
_GOOD_ANSWERS = 5
_BETWEEN_SECONDS = 0.1


class NginxFront:
    """One upstream of nginx's, in a file of its own."""

    def __init__(self, shape: Shape, scene: Scene) -> None:
        assert isinstance(shape.cutover, Proxy)
        self._settings = shape.cutover
        self._scene = scene
        self._file = Path(shape.cutover.nginx)
        self._not_ours: bytes | None = None
        """What somebody else had written there, for the time when we lead nowhere again."""
        self._unseen = False
        """nginx answers, and does not show what it has loaded."""

    def check(self, replicas: int) -> None:  # noqa: ARG002  an upstream takes any number
        if not self._file.parent.is_dir():
            raise InputError(
                f"run.cutover.nginx: the folder {self._file.parent} is not there; name a file nginx includes"
            )
        if not may_be_replaced(self._present() or b""):
            raise InputError(
                f"run.cutover.nginx: {self._file} holds more than an upstream, and all of it would be replaced; give "
                "the upstream a file of its own"
            )
        self._command(self._settings.test, "is not content with its configuration, before anything was changed")

    def prepare(self) -> None: ...
    def hold(self) -> None: ...
    def open(self) -> None: ...
    def asker(self) -> None: ...

    def route(self, containers: Sequence[ContainerInfo]) -> None:
        wanted = [endpoint_of(one, self._scene.host) for one in containers]
        before = self._present()
        text = self._text(wanted, before)
        if text == before and not (wanted and self._complaint(wanted, 0)):
            return  # asked for again: whoever wrote it may have died before the reload
        with self._scene.journal.effect("run", "route", f"{self._file} {' '.join(map(str, wanted)) or 'nowhere'}"):
            if text != before:
                self._write(text, before)
            self._reload(wanted)
            if wanted and (complaint := self._complaint(wanted, _SEEN_SECONDS)):
                raise ContainerError(
                    f"nginx: '{' '.join(self._settings.reload)}' ended well, but after {_SEEN_SECONDS:g} s "
                    f"{self._settings.url} does not lead to the new container: {complaint}; see run.cutover and "
                    "nginx's error log"
                )
            if wanted and self._unseen:
                self._scene.log(
                    f"warning: it cannot be seen whether nginx has loaded {self._file}: its server adds headers of "
                    f"its own; give it one more: {header_line(self._settings.backend)}"
                )

    def drain(self, container: ContainerInfo) -> None:
        seen = self._scene.host.inspect(container.id)
        if seen is not None and seen.running:
            with self._scene.journal.effect("run", "drain", container.name):
                await_quiet(seen, shape_of(seen.labels).port, self._settings.drain, self._scene)

    def leave(self) -> None:
        self.route([])

    def _text(self, wanted: Sequence[Endpoint], before: bytes | None) -> bytes:
        if before is not None and not is_ours(before):
            self._not_ours = before
        if self._not_ours is not None and not wanted:
            return self._not_ours
        return include_text(self._settings.backend, self._scene.slot, wanted)

    def _present(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"nginx: {self._file} cannot be read: {error.strerror}; see its rights") from error

    def _write(self, text: bytes, before: bytes | None) -> None:
        """A file that nginx does not take is taken back at once: its next reload would fail for everybody."""
        replace_file(self._file, text, mode=0o644)
        try:
            self._command(self._settings.test, f"does not take {self._file}, which is as it was again")
        except HostError:
            if before is None:
                self._file.unlink()
            else:
                replace_file(self._file, before, mode=0o644)
            raise

    def _reload(self, wanted: Sequence[Endpoint]) -> None:
        """One that fails does no harm where nginx leads there all the same, or to nobody who serves."""
        try:
            self._command(self._settings.reload, "cannot be reloaded")
        except HostError as error:
            if wanted and (self._complaint(wanted, 0) or self._unseen):
                raise
            self._scene.log(f"warning: {error}")

    def _command(self, command: Sequence[str], complaint: str) -> None:
        if not command:
            return
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HostError(
                f"nginx {complaint} ('{' '.join(command)}' had not ended after {_COMMAND_SECONDS:g} s)"
            ) from error
        except (OSError, ValueError) as error:
            raise HostError(f"nginx: '{' '.join(command)}' cannot be run: {error}; see run.cutover") from error
        if done.returncode:
            raise HostError(
                f"nginx {complaint} ('{' '.join(command)}' ends with {done.returncode})",
                output=(done.stdout + done.stderr).splitlines()[-10:],
            )

    def _complaint(self, wanted: Sequence[Endpoint], seconds: float) -> str:
        """What is wrong after so many seconds; nothing as soon as all is well, several times in a row."""
        deadline = time.monotonic() + seconds
        word, good = route_word(self._settings.backend, wanted), 0
        while good < _GOOD_ANSWERS:
            complaint = self._looked(word)
            good = 0 if complaint else good + 1
            if complaint and time.monotonic() >= deadline:
                return complaint
            time.sleep(_BETWEEN_SECONDS)
        return ""

    def _looked(self, word: str) -> str:
        try:
            if gateway_error := _gateway_error(self._settings.url):
                return gateway_error
            shown = shown_words(self._settings.url)
        except (OSError, ValueError) as error:
            return f"it does not answer ({error})"
        self._unseen = not shown
        if self._unseen or word in shown:
            return ""
        return f"the nginx that answers there has not loaded {self._file} as it is now"


def _gateway_error(url: str) -> str:
    """Only a gateway's own errors speak of the way to the container."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answers {error.code}" if error.code in {502, 503, 504} else ""
    return ""
