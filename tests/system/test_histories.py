from tests.system.histories import live
from tests.system.shop import Site


def test_after_failures_and_rollbacks_what_runs_is_what_the_journal_has_for_current(site: Site) -> None:
    assert live(site, 8, seed=5) == []
