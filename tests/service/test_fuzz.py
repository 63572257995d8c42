"""A few seconds of what `python -m tests.service.fuzz` does for a minute."""

from __future__ import annotations

import random

from tests.service.conftest import Agent
from tests.service.fuzz import fuzz


def test_wrong_requests_are_refused_and_nothing_breaks(agent: Agent) -> None:
    assert fuzz(agent, 4, random.Random(1)).total() > 20
