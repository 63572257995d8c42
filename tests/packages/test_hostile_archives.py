"""Random archives, good and bad; `python -m tests.packages.many_archives` tries 20,000 of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages.many_archives import run_archives

COUNT = 90


@pytest.mark.parametrize("seed", range(7))
def test_random_archives_change_nothing_outside_and_leave_a_sound_tree_or_none(tmp_path: Path, seed: int) -> None:
    tally = run_archives(seed, COUNT, tmp_path)
    assert tally.problems == []
    assert tally.ordinary == COUNT // 3
    assert tally.extracted - tally.ordinary > 5
    assert tally.refused > 25
