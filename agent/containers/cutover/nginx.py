"""nginx: the upstream is a file of ours that its configuration includes; a reload makes it true.

`nginx -s reload` returns before the new workers have taken over. So the new container is seen to answer through
the proxy, several times in a row, before the old one is drained; and what an old worker still does shows as a
connection to the old container.
"""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from agent.containers.cutover.connections import await_quiet
from agent.containers.cutover.front import Endpoint, endpoint_of
from agent.containers.cutover.scene import Scene
from agent.containers.cutover.settings import Proxy
from agent.containers.cutover.shape import Shape, shape_of
from agent.durable import replace_file
from agent.errors import ContainerError, HostError, InputError
from agent.host import ContainerInfo

_COMMAND_SECONDS = 30.0
_SEEN_SECONDS = 10.0
_GOOD_ANSWERS = 5
_BETWEEN_SECONDS = 0.1


class NginxFront:
    """One upstream of nginx's, in a file of its own."""

    def __init__(self, shape: Shape, scene: Scene) -> None:
        assert isinstance(shape.cutover, Proxy)
        self._settings = shape.cutover
        self._scene = scene
        self._file = Path(shape.cutover.nginx)

    def check(self, replicas: int) -> None:  # noqa: ARG002  an upstream takes any number
        if not self._file.parent.is_dir():
            raise InputError(
                f"run.cutover.nginx: the folder {self._file.parent} is not there; name a file nginx includes"
            )
        self._command(self._settings.test, "is not content with its configuration, before anything was changed")

    def prepare(self) -> None: ...
    def hold(self) -> None: ...
    def open(self) -> None: ...
    def asker(self) -> None: ...

    def route(self, containers: Sequence[ContainerInfo]) -> None:
        wanted = [endpoint_of(one, self._scene.host) for one in containers]
        before = self._file.read_bytes() if self._file.exists() else None
        text = _upstream(self._settings.backend, self._scene.slot, wanted).encode()
        if text == before:
            if wanted:
                self._await_answer()  # also once the old ones are gone: a reload may have come to nothing
            return
        with self._scene.journal.effect("run", "route", f"{self._file} {' '.join(map(str, wanted)) or 'nowhere'}"):
            self._write(text, before)
            self._command(self._settings.reload, "cannot be reloaded")
            if wanted:
                self._await_answer()

    def drain(self, container: ContainerInfo) -> None:
        seen = self._scene.host.inspect(container.id)
        if seen is not None and seen.running:
            with self._scene.journal.effect("run", "drain", container.name):
                await_quiet(seen, shape_of(seen.labels).port, self._settings.drain, self._scene)

    def leave(self) -> None:
        self.route([])

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

    def _command(self, command: Sequence[str], complaint: str) -> None:
        if not command:
            return
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HostError(f"nginx: '{' '.join(command)}' cannot be run: {error}; see run.cutover") from error
        if done.returncode:
            raise HostError(
                f"nginx {complaint} ('{' '.join(command)}' ends with {done.returncode})",
                output=(done.stdout + done.stderr).splitlines()[-10:],
            )

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _SEEN_SECONDS
        good, complaint = 0, ""
        while good < _GOOD_ANSWERS:
            complaint = _complaint(self._settings.url)
            good = 0 if complaint else good + 1
            if time.monotonic() > deadline:
                raise ContainerError(
                    f"{self._settings.url} does not answer through nginx after the reload ({complaint}); see that it "
                    f"includes {self._file} and leads to the upstream {self._settings.backend}"
                )
            time.sleep(_BETWEEN_SECONDS)


def _upstream(name: str, slot: str, endpoints: Sequence[Endpoint]) -> str:
    servers = [f"    server {endpoint};" for endpoint in endpoints] or ["    server 127.0.0.1:1 down;"]
    readable = "".join(letter if letter.isprintable() else " " for letter in slot)
    return "\n".join(
        [f"# {readable}: written by dockwright at each deployment", f"upstream {name} {{", *servers, "}", ""]
    )


def _complaint(url: str) -> str:
    """What is wrong with the answer, or nothing. Only a gateway's own errors speak of the way to the container."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310  the settings take http and https alone
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answers {error.code}" if error.code in {502, 503, 504} else ""
    except (OSError, ValueError) as error:
        return str(error)
