"""`ps`, `logs`, `stop`, `start` and `prune`, as a user types them, on a real engine."""

from __future__ import annotations

from agent.host import ContainerSpec
from agent.journal import read_runs
from tests.system.shop import Finished, Site, dockwright


def typed(site: Site, command: str, *more: str) -> Finished:
    place = ("--home", str(site.home), "--host", site.sandbox.host, "--output", "json")
    return dockwright(command, *more, *place)


def kinds(site: Site) -> list[tuple[str, str]]:
    return [(run.kind, run.state) for run in read_runs(site.home / "journal.db")]


def test_what_serves_is_shown_stopped_and_started_again(site: Site) -> None:
    site.step = site.step.replace(
        "    stop-timeout: 1\n", '    stop-timeout: 1\n    command: [sh, -c, "echo hello; exec httpd -f -h /app"]\n'
    )
    done = site.run(1)
    assert done.code == 0, done.stderr
    name = f"{site.name}-deployments-1"
    (shown,) = [one for one in typed(site, "ps").result if one["slot"] == site.slot]
    assert (shown["container"], shown["state"], shown["deployment"]) == (name, "running", "Deployments-1")
    assert shown["digest"] == done.outputs["Digest"]
    assert f"127.0.0.1:{site.port}:80" in shown["ports"]
    assert typed(site, "logs", site.slot.upper()).document["result"] == ["hello"]
    assert typed(site, "stop", site.slot).outputs == {"Stopped": name}
    assert site.serving() == []
    assert typed(site, "stop", name).outputs == {"Stopped": ""}
    (stopped,) = [one for one in typed(site, "ps").result if one["slot"] == site.slot]
    assert stopped["state"] == "exited"
    assert typed(site, "start", site.slot).outputs == {"Container": name}
    assert "Deployments-1" in site.page()
    assert typed(site, "start", name).outputs == {"Container": name}
    assert kinds(site) == [("start", "succeeded"), ("stop", "succeeded"), ("deployment", "succeeded")]
    assert site.rollback().code == 3


def test_one_that_does_not_become_good_again_is_stopped_and_the_journal_says_so(site: Site) -> None:
    site.step = site.step.replace(
        "    stop-timeout: 1\n",
        '    stop-timeout: 1\n    command: [sh, -c, "test ! -e /ran && touch /ran && exec httpd -f -h /app"]\n',
    )
    assert site.run(1).code == 0
    assert typed(site, "stop", site.slot).code == 0
    failed = typed(site, "start", site.slot)
    assert failed.code == 9
    assert "ended with exit code 1" in failed.error or "keeps restarting" in failed.error
    assert site.serving() == []
    assert kinds(site)[0] == ("start", "failed")


def test_a_strangers_container_is_left_alone_and_names_are_suggested(site: Site) -> None:
    assert site.run(1).code == 0
    stranger = f"{site.name}-stranger"
    site.host.create(ContainerSpec(name=stranger, image=site.sandbox.base_image, command=("sleep", "60")))
    site.host.start(stranger)
    for command in ("stop", "start", "logs"):
        refused = typed(site, command, stranger)
        assert refused.code == 3
        assert "is not dockwright's" in refused.error
    found = site.host.inspect(stranger)
    assert found is not None
    assert found.running
    site.host.remove(stranger)
    unknown = typed(site, "stop", f"{site.name}-deployment-1")
    assert unknown.code == 3
    assert f"did you mean '{site.name}-deployments-1'?" in unknown.error


def test_prune_shows_and_then_takes_only_what_no_rollback_needs(site: Site) -> None:
    for number in (1, 2, 3):
        assert site.run(number, Greeting=str(number)).code == 0
    before = sorted(container.name for container in site.containers())
    mine = [one for one in typed(site, "prune", "--keep", "1").result if one["slot"] == site.slot]
    assert [(one["kind"], *one["names"]) for one in mine] == [
        ("container", f"{site.name}-deployments-1"),
        ("image", f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-1"),
    ]
    assert sorted(container.name for container in site.containers()) == before
    gone = [one for one in typed(site, "prune", "--keep", "1", "--yes").result if one["slot"] == site.slot]
    assert gone == mine
    assert sorted(container.name for container in site.containers()) == before[1:]
    assert site.host.image(f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-1") is None
    assert site.serving() == [f"{site.name}-deployments-3"]
    assert kinds(site)[0] == ("prune", "succeeded")
    assert site.rollback().outputs["Container"] == f"{site.name}-deployments-2"
