"""A few rounds of what `python -m tests.service.cuts` does fifty times."""

from __future__ import annotations

from tests.service.conftest import Agent
from tests.service.cuts import pushes


def test_push_whose_every_request_is_cut_is_executed_once(agent: Agent) -> None:
    done = pushes(agent, 1)
    assert all(cutter.requests >= 8 and cutter.cuts >= 2 * cutter.requests for cutter in done)
