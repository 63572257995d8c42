"""A push of a real site to its end, and a few of the cancels that `python -m tests.service.cancels` makes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from tests.service.cancels import Cancelling
from tests.service.conftest import Agent
from tests.system.shop import Site, free_port


def test_cancelled_deployment_leaves_one_serving_and_nothing_else(
    make_agent: Callable[[str], Agent],
    sandbox: Sandbox,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
) -> None:
    site = Site(name=unique_name("shop"), folder=tmp_path, port=free_port(), sandbox=sandbox, host=engine_host)
    agent = make_agent("agent")
    agent.start("--host", sandbox.host)
    try:
        assert Cancelling(agent, site).cancels(3, random.Random(3)).total() == 3
    finally:
        for container in site.containers():
            engine_host.remove(container.id)
