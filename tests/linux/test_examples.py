"""The examples do what they say, run as their readers would run them."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from linux.sandbox import Sandbox
from tests.system.shop import SECRET, Finished, dockwright

EXAMPLES = Path(__file__).parents[2] / "linux" / "examples"


class Example:
    """An example's folder, packed as a build server would, to be run with some variables."""

    def __init__(self, name: str, folder: Path, base: str = "") -> None:
        self.home = folder / "home"
        self._bundle = folder / "bundle"
        source = folder / "source"
        shutil.copytree(EXAMPLES / name, source)
        shutil.copytree(source, self._bundle, ignore=shutil.ignore_patterns("packages"))
        (self._bundle / "packages").mkdir()
        for package in (source / "packages").iterdir():
            if (dockerfile := package / "Dockerfile").exists():
                dockerfile.write_text(dockerfile.read_text().replace("dockwright-demo/base:1", base))
            assert dockwright("pack", str(package), "--into", str(self._bundle / "packages")).code == 0

    def run(self, host: str, **settings: str) -> Finished:
        known = {
            "Octopus.Project.Id": "Projects-1",
            "Octopus.Environment.Id": "Environments-1",
            "Octopus.Environment.Name": "Test",
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        arguments = [part for name, value in known.items() for part in ("--set", f"{name}={value}")]
        secrets = self.home.with_name("secrets.json")
        secrets.write_text(f'[{{"k": "Shop:Password", "v": "{SECRET}", "s": true}}]')
        place = ["--home", str(self.home), "--host", host, "--output", "json", "--variables", str(secrets)]
        return dockwright("run", str(self._bundle), *place, *arguments)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A site to test, with a front page."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<h1>The shop in Test</h1>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

        log_error = log_request  # type: ignore[assignment]

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "site")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_suite_tests_a_site_and_leaves_its_report(sandbox: Sandbox, site: str, tmp_path: Path) -> None:
    example = Example("suite", tmp_path, sandbox.base_image)
    good = example.run(sandbox.host, Octopus_RunbookRun_Id="RunbookRuns-1", Site_Url=site)
    assert good.code == 0, good.stderr
    assert good.outputs == {"Passed": "2", "ExitCode": "0"}
    bad = example.run(
        sandbox.host, Octopus_RunbookRun_Id="RunbookRuns-2", Site_Url=site, Octopus_Environment_Name="Production"
    )
    assert bad.code == 1
    report = example.home / "artifacts" / "runbookruns-2" / "report.txt"
    assert report.read_text() == "FAILED  tests/front-page.sh\nok      tests/missing-page.sh\n"


def test_the_runbook_runs_its_script_among_the_packages_tools(sandbox: Sandbox, tmp_path: Path) -> None:
    example = Example("runbook", tmp_path, sandbox.base_image)
    done = example.run(sandbox.host, Octopus_RunbookRun_Id="RunbookRuns-3")
    assert done.code == 0, done.stderr
    assert done.outputs == {"NewPassword": "********", "Words": "3", "ExitCode": "0"}
    assert "the shop's password in Test has a successor" in done.stderr
    assert (example.home / "artifacts" / "runbookruns-3" / "rotation.txt").read_text() == "rotated for Test\n"
    images = subprocess.run(["docker", "images", "-q", "dockwright/once-run-image"], capture_output=True, check=True)
    assert images.stdout == b""


def test_inside_goes_back_when_the_package_itself_finds_a_fault(tmp_path: Path) -> None:
    example = Example("inside", tmp_path)
    deployment = {"Octopus_Release_Number": "1.0.0", "Site_Folder": str(tmp_path / "shop")}
    good = example.run(
        "unix:///nowhere.sock",
        Octopus_Deployment_Id="Deployments-75",
        **deployment,
        **{"ConnectionStrings:Shop": "Server=db"},
    )
    assert good.code == 0, good.stderr
    current = tmp_path / "shop" / "current"
    assert '"Shop": "Server=db"}  // each' in (current / "appsettings.json").read_text()
    assert "deployed Deployments-75" in good.stderr
    assert (tmp_path / "shop" / "reloaded").exists()
    bad = example.run("unix:///nowhere.sock", Octopus_Deployment_Id="Deployments-76", **deployment)
    assert bad.code == 14
    assert "the connection string is still the developer's" in bad.error
    assert current.readlink().name == "1.0.0-deployments-75"
