from random import Random

from tests.system.kills import Death, try_one, writes_of_a_run
from tests.system.mortals import MortalSite
from tests.system.shop import Site


def test_killed_early_in_the_middle_and_at_the_end_a_run_leaves_nothing_that_the_next_does_not_put_right(
    site: Site,
) -> None:
    mortal = MortalSite(site)
    chance = Random(1)
    writes = writes_of_a_run(mortal, 1)
    assert try_one(mortal, 2, Death(write=writes // 3, when="after"), chance) == []
    assert try_one(mortal, 4, Death(write=2 * writes // 3, when="after", guard_too=True), chance) == []
    assert try_one(mortal, 6, Death(write=writes, when="before"), chance) == []
