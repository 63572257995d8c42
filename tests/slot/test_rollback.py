import io
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.host import HostAddress
from agent.journal import Journal, NewRun, State
from agent.report import open_report
from agent.slot.rollback import RollbackRequest, chosen_slot, rollback
from agent.slot.serving import serving_order

HOST = "unix:///nowhere.sock"


class History:
    """A journal filled in one line a run."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path / "journal.db")
        self.numbers: dict[str, str] = {}

    def deploy(self, run_id: str, state: State = "succeeded") -> None:
        self._add(run_id, "deployment", state, "")

    def back(self, run_id: str) -> None:
        self._add(run_id, "rollback", "succeeded", self.numbers[run_id])

    def _add(self, run_id: str, kind: str, state: State, target: str) -> None:
        values = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
        run = NewRun(id=run_id, kind=kind, slot="slot", host=HOST, target=target, **values)  # type: ignore[arg-type]
        self.journal.begin(run).finish(state, container=f"web-{run_id}")
        self.numbers.setdefault(run_id, str(self.journal.runs()[0].number))

    def order(self) -> list[str]:
        return [run.id for run in serving_order(self.journal.runs("slot"))]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_deployments_stack_up(history: History) -> None:
    history.deploy("D1")
    history.deploy("D2")
    assert history.order() == ["D1", "D2"]


def test_what_failed_or_died_is_nothing_to_go_back_to(history: History) -> None:
    history.deploy("D1")
    history.deploy("D2", "failed")
    history.deploy("D3", "interrupted")
    history.deploy("D4")
    assert history.order() == ["D1", "D4"]


def test_a_second_rollback_goes_further_back_and_never_forward(history: History) -> None:
    for run_id in ("D1", "D2", "D3"):
        history.deploy(run_id)
    history.back("D2")
    assert history.order() == ["D1", "D2"]
    history.back("D1")
    assert history.order() == ["D1"]


def test_after_a_rollback_and_a_deployment_the_one_rolled_back_to_is_before_it(history: History) -> None:
    for run_id in ("D1", "D2", "D3"):
        history.deploy(run_id)
    history.back("D1")
    history.deploy("D4")
    assert history.order() == ["D1", "D4"]


def test_the_same_deployment_run_again_is_there_once(history: History) -> None:
    for run_id in ("D1", "D2", "D2", "D1"):
        history.deploy(run_id)
    assert history.order() == ["D2", "D1"]


def test_going_forward_on_purpose_is_possible(history: History) -> None:
    for run_id in ("D1", "D2"):
        history.deploy(run_id)
    history.back("D1")
    history.back("D2")
    assert history.order() == ["D1", "D2"]


@pytest.mark.parametrize(
    ("runs", "slot", "to", "expected"),
    [
        ((), "", "", "the journal knows no deployment to this host; see --host and --home"),
        (("D1",), "", "", "D1 is the first that succeeded in the slot slot; there is nothing before it"),
        (("D1", "D2"), "slto", "", "nothing was ever deployed to the slot 'slto'; did you mean 'slot'?"),
        (("D1", "D2"), "", "D2", "D2 is what runs in the slot slot now"),
        (("Deployments-1", "Deployments-2"), "", "Deployments-7", "'Deployments-7' never succeeded in the slot slot"),
    ],
)
def test_what_cannot_be_gone_back_to_is_said(
    runs: tuple[str, ...], slot: str, to: str, expected: str, history: History, tmp_path: Path
) -> None:
    for run_id in runs:
        history.deploy(run_id)
    report = open_report("plain", io.StringIO(), io.StringIO(), {}, verbose=False, is_terminal=False)
    request = RollbackRequest(home=tmp_path, host=HostAddress(url=HOST), slot=slot, to=to)
    with pytest.raises(InputError) as caught:
        rollback(request, report)
    assert expected in str(caught.value)


def test_slots_in_which_nothing_serves_are_no_choice(history: History, tmp_path: Path) -> None:
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    history.deploy("Deployments-1")
    once = NewRun(id="RunbookRuns-1", kind="deployment", slot="once", host=HOST, **values)
    history.journal.begin(once).finish("succeeded")
    assert chosen_slot("", history.journal) == "slot"
