import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli.main import commands
from agent.commands.several_hosts import run_on_each
from agent.containers import DEPLOYMENT, serving
from agent.errors import ContainerError, HostError
from agent.host import ContainerSpec, HostAddress
from agent.journal import Journal
from agent.lock import slot_lock
from agent.report import Report, open_report
from agent.rolling import Standing, roll
from agent.step import Outcome
from agent.testing import Behaviour, MemoryHost
from tests.commands.serving_step import HOSTS, IMAGE, PASSWORDS, register

SLOT = "projects-1/environments-1/untenanted/serving"
Dockwright = Callable[..., Result]


@pytest.fixture
def hosts() -> Iterator[dict[str, MemoryHost]]:
    for name in ("east", "west", "south"):
        HOSTS[name] = MemoryHost(url=f"memory://{name}")
        HOSTS[name].add_image(IMAGE)
    yield HOSTS
    HOSTS.clear()
    PASSWORDS.clear()


@pytest.fixture
def dockwright(hosts: dict[str, MemoryHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dockwright:
    register(tmp_path / "installed")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/step.yaml").write_text("step: serving\n", encoding="utf-8")

    def run(*arguments: str, deployment: int = 1) -> Result:
        if arguments[0] == "run":
            settings = {
                "Octopus.Deployment.Id": f"Deployments-{deployment}",
                "Octopus.Release.Number": f"1.{deployment}",
                "Octopus.Project.Id": "Projects-1",
                "Octopus.Environment.Id": "Environments-1",
            }
            sets = [text for name, value in settings.items() for text in ("--set", f"{name}={value}")]
            arguments = ("run", str(tmp_path / "bundle"), *sets, "--cache-keep", "-1", *arguments[1:])
        place = ["--home", str(tmp_path / "home"), "--output", "plain"]
        return CliRunner().invoke(commands, [arguments[0], *place, *arguments[1:]])

    return run


def to(*names: str) -> list[str]:
    return [text for name in names for text in ("--host", f"memory://{name}")]


def deployed(host: MemoryHost) -> list[str]:
    return [found.labels[DEPLOYMENT] for found in serving(host, SLOT)]


@pytest.mark.parametrize("rolling", ["1", "2", "9"])
def test_each_host_gets_the_deployment(rolling: str, dockwright: Dockwright, hosts: dict[str, MemoryHost]) -> None:
    done = dockwright("run", *to("east", "west", "south"), "--rolling", rolling)
    assert done.exit_code == 0, done.output
    assert [deployed(host) for host in hosts.values()] == [["Deployments-1"]] * 3
    assert "memory://west: run done" in done.output


@pytest.mark.parametrize(
    "command",
    [["rollback"], ["stop", SLOT], ["scale", SLOT, "1"], ["prune", "--yes"], ["ps"]],
    ids=lambda each: each[0],
)
def test_every_command_closes_its_host(
    command: list[str], dockwright: Dockwright, hosts: dict[str, MemoryHost]
) -> None:
    for deployment in (1, 2):
        assert dockwright("run", *to("east"), deployment=deployment).exit_code == 0
        assert hosts["east"].calls.count("close") == deployment
        assert hosts["east"].calls[-1] == "close"
    dockwright(*command, *to("east"))
    assert hosts["east"].calls.count("close") == 3


def test_outputs_are_those_that_are_the_same_everywhere(dockwright: Dockwright) -> None:
    done = dockwright("run", *to("east", "west"))
    outputs = done.output.partition("\nsucceeded in")[2]
    assert f"Image  {IMAGE}" in outputs
    assert "Address" not in outputs


def test_after_a_failure_no_further_host_is_begun_and_it_is_said_what_stands_where(
    dockwright: Dockwright, hosts: dict[str, MemoryHost]
) -> None:
    dockwright("run", *to("east", "west", "south"))
    hosts["west"].behaviour = lambda _spec: Behaviour(exits_with=1)
    done = dockwright("run", *to("east", "west", "south"), deployment=2)
    assert done.exit_code == ContainerError.exit_code
    assert "memory://east succeeded; memory://west failed: " in done.output
    assert "; memory://south was not begun" in done.output
    hosts["west"].behaviour = lambda _spec: Behaviour()
    assert [deployed(host) for host in hosts.values()] == [["Deployments-2"], ["Deployments-1"], ["Deployments-1"]]


def test_those_at_the_same_time_go_to_their_end_when_one_fails(
    dockwright: Dockwright, hosts: dict[str, MemoryHost]
) -> None:
    hosts["east"].fail_next("create", HostError("memory://east: the engine is gone"))
    done = dockwright("run", *to("east", "west", "south"), "--rolling", "2")
    assert done.exit_code == HostError.exit_code
    assert [deployed(host) for host in hosts.values()] == [[], ["Deployments-1"], []]
    assert "memory://west succeeded" in done.output


def test_several_are_under_way_at_once() -> None:
    together = threading.Barrier(3, timeout=30)

    def attempt(place: str) -> Standing:
        together.wait()
        return Standing(place=place, said="succeeded")

    assert len(roll(["a", "b", "c"], 3, attempt, str)) == 3


def test_the_same_host_twice_is_refused_before_anything_happens(
    dockwright: Dockwright, hosts: dict[str, MemoryHost]
) -> None:
    done = dockwright("run", "--host", "memory://east", "--host", "memory://EAST?address=10.0.0.1")
    assert done.exit_code == 3
    assert "are the same host; give it once" in done.output
    assert hosts["east"].calls == []


def test_a_plan_is_for_one_host(dockwright: Dockwright) -> None:
    done = dockwright("run", *to("east", "west"), "--plan", "plan.json")
    assert done.exit_code == 3
    assert "give one --host with --plan" in done.output


def test_passwords_are_one_for_all_or_one_for_each(dockwright: Dockwright, tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.write_text(f"secret of {file.name}\n", encoding="utf-8")
    given = [text for file in files for text in ("--host-password-file", str(file))]
    assert dockwright("run", *to("east", "west"), *given[:2]).exit_code == 0
    assert dockwright("run", *to("east", "west"), *given, deployment=2).exit_code == 0
    assert set(PASSWORDS["east"]) == {"secret of one"}
    assert PASSWORDS["west"][-1] == "secret of two"
    refused = dockwright("run", *to("east", "west", "south"), *given)
    assert refused.exit_code == 3
    assert "there are 3 hosts and 2 files with passwords" in refused.output


def test_one_host_goes_back_and_the_other_stays(dockwright: Dockwright, hosts: dict[str, MemoryHost]) -> None:
    dockwright("run", *to("east", "west"))
    dockwright("run", *to("east", "west"), deployment=2)
    done = dockwright("rollback", "--host", "memory://west?address=10.0.0.1")
    assert done.exit_code == 0, done.output
    assert [deployed(hosts[name]) for name in ("east", "west")] == [["Deployments-2"], ["Deployments-1"]]
    again = dockwright("rollback", *to("west"))
    assert "Deployments-1 is the first that succeeded in the slot" in again.output
    assert "the journal knows no deployment to this host" in dockwright("rollback", *to("south")).output


def test_what_died_on_one_host_is_left_to_that_host(
    dockwright: Dockwright, hosts: dict[str, MemoryHost], tmp_path: Path
) -> None:
    dockwright("run", *to("east", "west"))

    def die(_spec: ContainerSpec) -> Behaviour:
        raise KeyboardInterrupt

    hosts["east"].behaviour = die
    dockwright("run", *to("east"), deployment=2)
    journal = Journal(tmp_path / "home/journal.db", host="memory://east")
    dead = journal.runs(SLOT)[0]
    journal.entry(dead).finish("half-done", "as if it had died")
    assert dockwright("run", *to("west"), deployment=3).exit_code == 0
    assert [run.id for run in journal.unfinished(SLOT)] == [dead.id]
    hosts["east"].behaviour = lambda _spec: Behaviour()
    assert dockwright("run", *to("east"), deployment=3).exit_code == 0
    assert journal.unfinished(SLOT) == []
    journal.close()


def test_an_interrupt_says_where_it_stands_and_goes_on_with_no_other(
    dockwright: Dockwright, hosts: dict[str, MemoryHost]
) -> None:
    def interrupt(_spec: ContainerSpec) -> Behaviour:
        raise KeyboardInterrupt

    hosts["west"].behaviour = interrupt
    done = dockwright("run", *to("east", "west", "south"))
    assert done.exit_code != 0
    assert "stopped early; it stands on memory://east, and on no other" in done.output
    assert deployed(hosts["south"]) == []


@pytest.mark.parametrize(("output", "expected"), [("octopus", 1), ("json", 0), ("events", 0)])
def test_a_server_is_told_an_output_once(dockwright: Dockwright, output: str, expected: int) -> None:
    done = dockwright("run", *to("east", "west"), "--rolling", "2", "--output", output)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("##octopus[setVariable") == expected
    if output == "json":
        assert json.loads(done.stdout)["outputs"] == {"Image": IMAGE}


def test_secrets_are_masked_whichever_host_tells_them() -> None:
    shown = io.StringIO()
    report = open_report("plain", shown, shown, {}, verbose=True, is_terminal=False)
    report.masker.add("Password", "correct\nhorse")

    def deploy(host: HostAddress, own: Report) -> Outcome:
        own.mask("Token", f"battery-{host.url[-1]}")
        own.output("is it correct")
        own.output("horse?")
        own.info("battery-a or battery-b")
        return Outcome()

    run_on_each([HostAddress(url=f"memory://{name}") for name in "ab"], 1, report, deploy)
    report.close()
    assert "memory://b" in shown.getvalue()
    assert not re.search(r"correct|horse|battery-b", shown.getvalue().partition("memory://b")[2])
    assert "battery-a" not in shown.getvalue()


def test_stop_and_start_act_on_one_host(dockwright: Dockwright, hosts: dict[str, MemoryHost]) -> None:
    dockwright("run", *to("east", "west"))
    assert dockwright("stop", SLOT, *to("west")).exit_code == 0
    assert [deployed(hosts[name]) for name in ("east", "west")] == [["Deployments-1"], []]
    assert dockwright("start", SLOT, *to("west")).exit_code == 0
    assert deployed(hosts["west"]) == ["Deployments-1"]


def test_what_one_host_can_go_back_to_is_not_removed_for_what_another_has(
    dockwright: Dockwright, hosts: dict[str, MemoryHost]
) -> None:
    for number in (1, 2):
        dockwright("run", *to("east"), deployment=number)
    for number in range(3, 8):
        dockwright("run", *to("west"), deployment=number)
    assert "nothing is to go" in dockwright("prune", "--keep", "1", *to("east")).output
    assert "Deployments-1" not in deployed(hosts["east"])
    assert dockwright("rollback", *to("east")).exit_code == 0
    assert deployed(hosts["east"]) == ["Deployments-1"]


def test_a_slot_that_is_held_on_one_host_is_free_on_another(dockwright: Dockwright, tmp_path: Path) -> None:
    with slot_lock(tmp_path / "home", SLOT, "somebody", 0, lambda _: None, host="memory://east"):
        assert dockwright("run", *to("west"), "--wait", "0").exit_code == 0
        assert dockwright("run", *to("east"), "--wait", "0").exit_code == 11


def test_the_history_says_which_host_where_there_are_several(dockwright: Dockwright) -> None:
    dockwright("run", *to("east"))
    assert "memory://east" not in dockwright("history").output
    dockwright("run", *to("west"))
    assert "memory://east" in dockwright("history").output
