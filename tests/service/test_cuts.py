"""A few rounds of what `python -m tests.service.cuts` does fifty times."""

from __future__ import annotations

import pytest

from tests.service.conftest import Agent
from tests.service.cuts import Pushing, commands, pushes


@pytest.mark.parametrize("pushing", [pushes, commands])
def test_push_whose_every_request_is_cut_is_executed_once(agent: Agent, pushing: Pushing) -> None:
    done = pushing(agent, 1)
    assert all(cutter.requests >= 6 and cutter.cuts >= 3 * cutter.requests for cutter in done)
