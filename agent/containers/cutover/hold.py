"""Our relay, in a container of its own in the slot: it owns the published ports and is told what to do by `exec`.

So it works wherever containers can be run, on hosts that nobody can reach but their engine, and on Windows. Its
name follows from what it was made with; another one takes its place when that changes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from agent.containers.cutover.relay_image import relay_advice
from agent.containers.cutover.scene import Scene, start_publishing
from agent.containers.cutover.settings import Hold
from agent.containers.cutover.shape import Shape
from agent.containers.health import Ask, HealthSettings
from agent.containers.labels import RELAY, ROLE, SLOT
from agent.errors import ContainerError, DockwrightError, RegistryError
from agent.host import ContainerInfo, ContainerSpec, Network

PROGRAM = Path(__file__).with_name("relay.py")
_THIS_MACHINE = {"127.0.0.1", "localhost", "::1", ""}
_FIRST_CONTROL_PORT = 49_150
_START_SECONDS = 60.0
_ANSWER_SECONDS = 30.0


class RelayFront:
    """The relay of one slot."""

    def __init__(self, shape: Shape, scene: Scene) -> None:
        assert isinstance(shape.cutover, Hold)
        self._settings = shape.cutover
        self._shape = shape
        self._scene = scene
        self._windows = scene.host.platform().os == "windows"
        self._name = _relay_name(scene.slot, shape)
        self._leading_to = ""

    def check(self, replicas: int) -> None:  # noqa: ARG002  always one
        if self._scene.host.image(self._settings.image) is None:
            self._scene.log(f"pulling {self._settings.image} for the relay")
            self._pull()

    def prepare(self) -> None:
        """Create it, if it is not there; a name that a stranger has is left alone."""
        present = self._scene.host.inspect(self._name)
        if present is not None and present.labels.get(SLOT) != self._scene.slot:
            raise ContainerError(f"the name {self._name} belongs to a container that is not of this slot; remove it")
        if present is None:
            self._require_python()
            with self._scene.journal.effect("run", "relay", self._name):
                created = self._scene.host.create(self._specification())
                self._scene.host.copy_in(created.id, "C:\\" if self._windows else "/", [_archive()])

    def hold(self) -> None:
        for relay in self._relays():
            if not relay.running:
                continue
            with self._scene.journal.effect("run", "hold", relay.name):
                seconds = self._settings.drain
                left = self._tell(relay.name, _ANSWER_SECONDS + seconds, "hold", f"{seconds:g}")
            if left != "ok 0":
                self._scene.log(f"warning: {left.removeprefix('ok ')} requests were under way too long to wait for")

    def open(self) -> None:
        self.prepare()
        self._remove([relay for relay in self._relays() if relay.name != self._name])
        relay = self._scene.host.inspect(self._name)
        if relay is not None and not relay.running:
            self._scene.log(f"the relay {self._name} takes the published port")
            with self._scene.journal.effect("run", "relay", self._name):
                start_publishing(relay, self._shape.ports, self._scene.host)
                self._await_start()

    def route(self, containers: Sequence[ContainerInfo]) -> None:
        if not containers:
            self.leave()
            return
        self.open()
        target = self._target(containers[0])
        if target != self._leading_to:
            with self._scene.journal.effect("run", "route", f"{self._name} {target}"):
                self._tell(self._name, _ANSWER_SECONDS, "switch", target)
            self._leading_to = target

    def drain(self, container: ContainerInfo) -> None:
        """Holding has drained it."""

    def asker(self) -> Ask | None:
        """On another machine, only the relay reaches a container that publishes nothing."""
        return None if self._scene.host.address in _THIS_MACHINE else self._ask

    def leave(self) -> None:
        self._remove(self._relays())
        self._leading_to = ""

    def _relays(self) -> list[ContainerInfo]:
        """There may be one of other settings, or of an earlier version."""
        return self._scene.host.find({SLOT: self._scene.slot, ROLE: RELAY})

    def _remove(self, relays: Sequence[ContainerInfo]) -> None:
        for relay in relays:
            with self._scene.journal.effect("run", "relay", relay.name):
                self._scene.host.remove(relay.id)

    def _ask(self, container: ContainerInfo, health: HealthSettings) -> str:
        path = health.http if health.http.startswith("/") else f"/{health.http}"
        command = (*self._program, "ask", self._target(container), str(health.port), path)
        said: list[str] = []
        code = self._scene.host.execute(self._name, command, said.append, _ANSWER_SECONDS)
        return "" if code == 0 else " ".join(said) or f"the relay cannot ask ({code})"

    def _require_python(self) -> None:
        """An image that cannot run the relay is found out while the old container serves."""
        host, name = self._scene.host, f"{self._name}-trial"
        self._remove([relay for relay in self._relays() if relay.name == name])
        labels = {SLOT: self._scene.slot, ROLE: RELAY}
        command = ("-c", "import asyncio, http.client")
        trial = ContainerSpec(
            name=name,
            image=self._settings.image,
            entrypoint=(self._python,),
            command=command,
            labels=labels,
            restart="no",
        )
        with self._scene.journal.effect("run", "relay", name):
            created = host.create(trial)
            try:
                said = self._trial_output(created)
            finally:
                host.remove(created.id)
        if said is not None:
            needed = f"{self._settings.image} cannot run the relay of cutover: hold, which needs {self._python}"
            raise ContainerError(f"{needed}; {relay_advice(host)}", output=said)

    def _trial_output(self, trial: ContainerInfo) -> list[str] | None:
        """What it said, or what the engine said; None if all is well."""
        host = self._scene.host
        try:
            host.start(trial.id)
        except ContainerError as error:
            return [str(error).replace(trial.id, trial.name)]
        return host.logs(trial.id, 20) if host.wait(trial.id, _START_SECONDS) else None

    def _target(self, container: ContainerInfo) -> str:
        """By name where there is a network that knows names: an address may be another after a restart."""
        if self._shape.networks:
            return container.name
        if not container.addresses:
            raise ContainerError(f"the container {container.name} has no address to lead to; give it run.network")
        return container.addresses[0]

    def _specification(self) -> ContainerSpec:
        ports = [str(port.container) for port in self._shape.ports]
        serve = ("serve", str(self._control), f"{self._settings.limit:g}", *ports)
        return ContainerSpec(
            name=self._name,
            image=self._settings.image,
            entrypoint=self._program,
            command=serve,
            ports=self._shape.ports,
            networks=tuple(Network(name=name) for name in self._shape.networks),
            labels={SLOT: self._scene.slot, ROLE: RELAY},
            stop_timeout=1,
        )

    @property
    def _program(self) -> tuple[str, str]:
        folder = "C:\\dockwright\\" if self._windows else "/dockwright/"
        return self._python, folder + PROGRAM.name

    @property
    def _python(self) -> str:
        return "python" if self._windows else "python3"

    @property
    def _control(self) -> int:
        taken = {port.container for port in self._shape.ports}
        return next(port for port in range(_FIRST_CONTROL_PORT, 0, -1) if port not in taken)

    def _tell(self, relay: str, timeout: float, *words: str) -> str:
        said: list[str] = []
        command = (*self._program, "tell", str(self._control), *words)
        if self._scene.host.execute(relay, command, said.append, timeout):
            raise ContainerError(
                f"the relay {relay} does not do as it is told ({words[0]}); see its log", output=said
            )
        return said[-1] if said else ""

    def _await_start(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._tell(self._name, _ANSWER_SECONDS, "status")
                return  # noqa: TRY300  the one way out of the loop
            except ContainerError as error:
                if time.monotonic() > deadline or not self._lives():
                    raise ContainerError(
                        f"the relay {self._name} did not start; does {self._settings.image} have {self._python}?",
                        output=self._last_words(),
                    ) from error
            time.sleep(0.05)

    def _lives(self) -> bool:
        """A busy machine needs its time for a start; without python3 it ends at once."""
        relay = self._scene.host.inspect(self._name)
        return relay is not None and relay.running

    def _last_words(self) -> list[str]:
        try:
            return self._scene.host.logs(self._name, 20)
        except DockwrightError:
            return []

    def _pull(self) -> None:
        from agent.registry import ImageReference, find_credentials

        image = self._settings.image
        credentials = find_credentials(ImageReference.parse(image).registry)
        try:
            self._scene.host.pull(image, credentials, lambda _done, _total: None)
        except RegistryError as error:
            advice = relay_advice(self._scene.host)
            raise RegistryError(f"there is no image for the relay of cutover: hold: {error}; {advice}") from error


def _relay_name(slot: str, shape: Shape) -> str:
    """Tells people whose it is, and changes with everything that it was made with."""
    assert isinstance(shape.cutover, Hold)
    parts = (slot, shape.cutover.image, shape.cutover.limit, *shape.ports, *shape.networks, PROGRAM.read_bytes())
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:10]
    word = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in slot.rpartition("/")[2])
    return f"{word.strip('-')[:60] or 'slot'}-relay-{digest}"


def _archive() -> bytes:
    """The program in a folder that any user of the image may write its state to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo("dockwright")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(folder)
        program = tarfile.TarInfo(f"dockwright/{PROGRAM.name}")
        content = PROGRAM.read_bytes()
        program.size, program.mode = len(content), 0o644
        tar.addfile(program, io.BytesIO(content))
    return buffer.getvalue()
