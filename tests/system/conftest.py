from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.host import ContainerHost
from agent.journal import Journal
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import TestRun
from tests.system.place import Place
from tests.system.python_image import make_python_image
from tests.system.shop import Site, free_port


@pytest.fixture
def site(
    sandbox: Sandbox, engine_host: ContainerHost, unique_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Site]:
    site = Site(name=unique_name("shop"), folder=tmp_path, port=free_port(), sandbox=sandbox, host=engine_host)
    yield site
    for container in site.containers():
        engine_host.remove(container.id)


@pytest.fixture(scope="session")
def python_image(sandbox: Sandbox, test_run: TestRun) -> str:
    name = f"{test_run.name('python')}:1"
    make_python_image(name, EngineSocket(sandbox.host.removeprefix("unix://")))
    return name


@pytest.fixture
def place(
    engine_host: ContainerHost, unique_name: Callable[[str], str], python_image: str, tmp_path: Path
) -> Iterator[Place]:
    journal = Journal(tmp_path / "journal.db")
    place = Place(unique_name("cut"), python_image, engine_host, journal)
    yield place
    journal.close()
    for container in place.containers():
        engine_host.remove(container.id)


@pytest.fixture
def proxy_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "proxy"
    folder.mkdir()
    return folder
