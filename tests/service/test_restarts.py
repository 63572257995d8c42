"""A listener that begins again: a few of the kills of `python -m tests.service.restarts`, and what it finds."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing

from agent.journal import Journal, NewRun
from tests.patience import eventually
from tests.service.conftest import Agent
from tests.service.restarts import restarts

HERE = "unix:///var/run/docker.sock"


def test_listener_that_is_killed_again_and_again_loses_and_doubles_nothing(agent: Agent) -> None:
    assert restarts(agent, 3, 2000, random.Random(5)) >= 2


def test_what_a_run_left_when_its_machine_went_down_is_put_right_when_the_listener_starts(
    make_agent: Callable[[str], Agent],
) -> None:
    agent = make_agent("agent")
    facts = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    with closing(Journal(agent.home / "journal.db", host=HERE)) as journal:
        journal.begin(NewRun(id="D-1", kind="deployment", slot="shop/test", host=HERE, **facts))
        agent.start()
        eventually(lambda: journal.runs()[0].state != "running")
        assert journal.runs()[0].state == "interrupted"
