from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from tests.system.shop import Site, free_port


@pytest.fixture
def site(
    sandbox: Sandbox, engine_host: ContainerHost, unique_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Site]:
    site = Site(name=unique_name("shop"), folder=tmp_path, port=free_port(), sandbox=sandbox, host=engine_host)
    yield site
    for container in site.containers():
        engine_host.remove(container.id)
