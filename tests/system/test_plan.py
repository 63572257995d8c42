"""A plan tells what a run would do, does nothing, and holds the run to it."""

from pathlib import Path

from tests.system.shop import SECRET, Site, dockwright


def test_a_plan_tells_everything_and_changes_nothing(site: Site) -> None:
    site.run(1)
    before = [(container.id, container.state) for container in site.containers()]
    done = dockwright(*site.arguments("plan", 2, "--output", "plain", **{"Shop:Title": "New"}))
    assert done.code == 0, done.stderr
    for expected in (
        "Shop.Sdi 1.0.0",
        "Shop.Web 1.0.0",
        "-<h1>#{Octopus.Environment.Name} #{Octopus.Deployment.Id}</h1>",
        "+<h1>Test Deployments-2</h1>",
        '"Title": "New"',
        '"Password": "********"',
        f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-2",
        f"replaces {site.name}-deployments-1",
        "outage to expect: about ",
    ):
        assert expected in done.stdout
    assert [(container.id, container.state) for container in site.containers()] == before
    assert site.host.image(f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-2") is None
    history = dockwright("history", "--output", "json", "--home", str(site.home))
    assert [run["id"] for run in history.result] == ["Deployments-1"]


def test_a_run_keeps_to_its_plan(site: Site, tmp_path: Path) -> None:
    site.write()
    plan = tmp_path / "plan.json"
    assert dockwright(*site.arguments("plan", 1, "--save", str(plan))).code == 0
    assert SECRET not in plan.read_text(encoding="utf-8")
    done = dockwright(*site.arguments("run", 1, "--plan", str(plan), "--output", "json"))
    assert done.code == 0, done.stderr
    assert site.page() == "<h1>Test Deployments-1</h1>\n"


def test_a_run_that_would_do_something_else_is_refused_with_the_reason(site: Site, tmp_path: Path) -> None:
    site.write()
    plan = tmp_path / "plan.json"
    dockwright(*site.arguments("plan", 1, "--save", str(plan)))
    done = dockwright(
        *site.arguments("run", 1, "--plan", str(plan), "--output", "json", **{"Shop:Title": "Sneaked in"})
    )
    assert done.code == 12
    assert "the file app/appsettings.json would change differently" in done.error
    assert site.containers() == []
    assert site.host.image(f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-1") is None
