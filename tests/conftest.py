"""Real peers for the tests that want them, made once a session and taken away afterwards.

Asking for `sandbox`, or for a fixture that stands on it, marks a test as `system`.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings

from agent.errors import DockwrightError
from agent.host import ContainerHost
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.install import can_install, install, program
from tests.ssh.server import SSHServer
from tests.ssh.server import serving as serving_ssh

# The same examples in every run, so that a change is judged by what it changed. HYPOTHESIS_PROFILE=explore looks
# for new ones.
settings.register_profile("steady", derandomize=True)
settings.register_profile("explore", derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

FORCE = {"force": "1", "v": "1"}
ENGINES = {"sandbox", "peer", "real_peer"}
"""The fixtures by which a test comes to the real engine."""
SHARED = pytest.StashKey[Path]()
"""The sandbox that keeps an engine for all processes."""


def pytest_configure() -> None:
    """A shell lets what it starts in the background ignore interrupts, and so would all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where several processes share the tests, the one that shares them out starts what is missing, and ends it."""
    if session.config.getoption("numprocesses", None):
        session.config.stash[SHARED] = state = Path(tempfile.mkdtemp(prefix="dockwright-tests-"))
        with suppress(DockwrightError):  # each process will say so by itself
            up(state, base_image=f"dockwright-test-{uuid4().hex[:10]}/base:1", say=lambda _line: None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if SHARED in session.config.stash:
        down(session.config.stash[SHARED], say=lambda _line: None)
        shutil.rmtree(session.config.stash[SHARED])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "sandbox" in getattr(item, "fixturenames", ()):
            item.add_marker("system")


@dataclass(frozen=True, kw_only=True)
class TestRun:
    """This session's mark on everything that it makes in the engine, which is removed at its end.

    Containers, networks and volumes are found by name, images by name or as descendants of the base image:
    build from that one.
    """

    __test__ = False

    prefix: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def name(self, hint: str = "it") -> str:
        """A name for a container, an image's repository or a label's value that nobody else uses."""
        return f"{self.prefix}-{hint}-{next(self.numbers)}"


@pytest.fixture(scope="session")
def test_run() -> TestRun:
    return TestRun(prefix=f"dockwright-test-{uuid4().hex[:10]}")


@pytest.fixture(scope="session")
def unique_name(test_run: TestRun) -> Callable[[str], str]:
    return test_run.name


@pytest.fixture(scope="session")
def sandbox_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's own folder; a registry's files are under it."""
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="session")
def sandbox(test_run: TestRun, sandbox_state: Path) -> Iterator[Sandbox]:
    """A Docker Engine, a registry and a base image; whatever was missing is ended with the session."""
    state = sandbox_state
    try:
        made = up(state, base_image=f"{test_run.prefix}/base:1", say=lambda _line: None)
    except DockwrightError as error:
        down(state, say=lambda _line: None)
        pytest.fail("\n".join([str(error), *error.output]), pytrace=False)
    try:
        yield made
    finally:
        remove_leftovers(EngineSocket(made.host.removeprefix("unix://")), test_run.prefix, made.base_image)
        down(state, say=lambda _line: None)


@pytest.fixture(autouse=True)
def containers_go_with_their_test(request: pytest.FixtureRequest, test_run: TestRun) -> Iterator[None]:
    """What a test leaves behind would go on, with its health checks, beside all the others."""
    if not ENGINES.intersection(request.fixturenames) or request.node.get_closest_marker("system") is None:
        yield
        return
    engine = EngineSocket(request.getfixturevalue("sandbox").host.removeprefix("unix://"))
    before = {container["Id"] for container in containers_of(engine, test_run.prefix)}
    yield
    for container in containers_of(engine, test_run.prefix):
        if container["Id"] not in before:
            engine.call("DELETE", f"/containers/{container['Id']}", query=FORCE)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """The path of a program that a test asks as a witness; its Debian package is installed if need be."""

    def find(name: str) -> str:
        if program(name) is None and can_install():
            install([name], say=lambda _line: None)
        path = program(name)
        if path is None:
            pytest.fail(f"this test needs the program {name}: install it", pytrace=False)
        return path

    return find


@pytest.fixture(scope="session")
def engine_host(sandbox: Sandbox) -> Iterator[ContainerHost]:
    """The real engine."""
    from agent.host import HostAddress
    from linux.local import connect

    host = connect(HostAddress(url=sandbox.host))
    try:
        yield host
    finally:
        host.close()


@pytest.fixture(scope="session")
def ssh_server(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    """A real sshd, which leads to the real engine."""
    with serving_ssh(tmp_path_factory.mktemp("sshd"), sandbox.host.removeprefix("unix://")) as server:
        yield server


@pytest.fixture(scope="session")
def registry(sandbox: Sandbox) -> str:
    """The real registry, as image references start: `127.0.0.1:5000`. It wants no credentials."""
    return sandbox.registry


@pytest.fixture(scope="session")
def base_image(sandbox: Sandbox) -> str:
    """A small image with busybox's shell, httpd and wget; PATH is /bin."""
    return sandbox.base_image


def remove_leftovers(engine: EngineSocket, prefix: str, base_image: str) -> None:
    """Remove what carries the session's prefix, and the images that were built from its base image."""
    for container in containers_of(engine, prefix):
        engine.call("DELETE", f"/containers/{container['Id']}", query=FORCE)
    for network in _listed(engine, "/networks"):
        if prefix in network["Name"]:
            engine.call("DELETE", f"/networks/{network['Id']}")
    for image in _listed(engine, "/images/json?all=1"):
        for name in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
            if prefix in name and name != base_image:
                engine.call("DELETE", f"/images/{name}", query=FORCE)
    _remove_descendants(engine, base_image)


def containers_of(engine: EngineSocket, prefix: str) -> list[dict[str, Any]]:
    """Those that run and those that do not; by their own name, or by their image's."""
    return [
        container
        for container in _listed(engine, "/containers/json?all=1")
        if any(prefix in name for name in [*container["Names"], container["Image"]])
    ]


def _remove_descendants(engine: EngineSocket, base_image: str) -> None:
    """What a failed build leaves has no name; its parents lead back to our base image."""
    images = _listed(engine, "/images/json?all=1")
    base = next((image["Id"] for image in images if base_image in (image["RepoTags"] or ())), None)
    ours = [base]
    for parent in ours:
        ours += [image["Id"] for image in images if parent and image["ParentId"] == parent]
    for image in reversed(ours[1:]):
        engine.call("DELETE", f"/images/{image}", query={"force": "1"})


def _listed(engine: EngineSocket, path: str) -> list[dict[str, Any]]:
    status, answer = engine.call("GET", path)
    return json.loads(answer) or [] if status == 200 else []
