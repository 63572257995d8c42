"""A few of the kills that `python -m tests.service.restarts` makes."""

from __future__ import annotations

import random

from tests.service.conftest import Agent
from tests.service.restarts import restarts


def test_listener_that_is_killed_again_and_again_loses_and_doubles_nothing(agent: Agent) -> None:
    assert restarts(agent, 3, 2000, random.Random(5)) >= 2
