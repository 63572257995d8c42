"""`dockwright acquire` and `dockwright packages`, as a user types them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.journal import Journal, NewRun
from tests.packages.archive_making import Member, write_archive
from tests.packages.web_server import WebServer, reply, serving

DOCKWRIGHT = Path(sys.executable).with_name("dockwright")


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder feed with `App` 1.0.0, 1.1.0 and 2.0.0."""
    folder = tmp_path / "feed"
    folder.mkdir()
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        write_archive(folder / f"App.{version}", [Member(name="version", data=version.encode())])
    return folder


def test_packages_are_acquired_and_copied(tmp_path: Path, folder: Path) -> None:
    done = _dockwright(tmp_path, "acquire", "App@[1.0,2.0)", "App", "--feed", f"folder:{folder}", "--into", "out")
    assert done.returncode == 0, done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["App.1.1.0.zip", "App.2.0.0.zip"]
    assert (tmp_path / "out/App.2.0.0.zip").read_bytes() == (folder / "App.2.0.0.zip").read_bytes()


def test_a_feed_on_this_machine_may_be_typed(tmp_path: Path, server: WebServer) -> None:
    server.files["/App.1.0.zip"] = b"zip"
    (tmp_path / "secret").write_text("word\n")
    done = _dockwright(
        tmp_path,
        *("acquire", "App@1.0", "--feed", f"http:{server.url}/{{id}}.{{version}}.zip", "--output", "json"),
        *("--username", "me", "--password-file", "secret"),
    )
    (acquired,) = json.loads(done.stdout)["result"]
    assert (acquired["id"], acquired["version"], acquired["size"]) == ("App", "1.0", 3)
    assert Path(acquired["path"]).read_bytes() == b"zip"
    assert server.secrets == ["Basic bWU6d29yZA=="] * 2


def test_an_image_is_resolved_and_stays_where_it_is(tmp_path: Path, server: WebServer) -> None:
    digest = f"sha256:{'5' * 64}"
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json", "Docker-Content-Digest": digest}
    server.special["/v2/acme/web/manifests/1.4"] = reply(200, headers, b"{}")
    done = _dockwright(tmp_path, "acquire", "acme/web@1.4", "--feed", f"docker:{server.url}", "--output", "json")
    (acquired,) = json.loads(done.stdout)["result"]
    assert acquired["path"] == f"127.0.0.1:{server.port}/acme/web@{digest}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["App", "--feed", "nuge:https://x"], "'nuge' is no type; did you mean 'nuget'?"),
        (["App", "--feed", "nuget:"], "a feed of type nuget needs a uri"),
        (["../App", "--feed", "folder:."], "'../App' is not a package id"),
        (["App@1.*.2", "--feed", "folder:."], "is not a version range"),
        (["App", "--feed", "http:http://169.254.169.254/{version}.zip"], "plain http"),
        (["App@1", "--feed", "http:http://169.254.169.254/{version}.zip", "--insecure"], "a metadata service"),
        (["App", "--feed", "octopus:https://x", "--api-key-file", "none"], "cannot be read for a secret"),
        (["App", "--feed", "maven:https://x", "--username", "me"], "a username and a password go together"),
    ],
)
def test_what_cannot_be_acquired_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = _dockwright(tmp_path, "acquire", *arguments)
    assert done.returncode in {3, 5}
    assert message in " ".join((done.stdout + done.stderr).split())


def test_extraction_may_drop_what_calamari_drops(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "App.1.0.0", [Member(name="run.sh", data=b"x", mode=0o755)])
    for folder, mode, more in (("full", 0o755, []), ("plain", 0o644, ["--as-calamari"])):
        command = [str(DOCKWRIGHT), "extract", str(archive), str(tmp_path / folder), *more]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        assert (tmp_path / folder / "run.sh").stat().st_mode & 0o777 == mode


def test_the_cache_is_shown_with_who_needs_what(tmp_path: Path, folder: Path) -> None:
    assert "no package is cached" in _dockwright(tmp_path, "packages").stdout
    _dockwright(tmp_path, "acquire", "App@1.0.0", "App@1.1.0", "--feed", f"folder:{folder}")
    _deployed(tmp_path, "App", "1.0.0")
    shown = json.loads(_dockwright(tmp_path, "packages", "--output", "json").stdout)["result"]
    assert {tuple(one["names"]): one["needed-by"] for one in shown} == {
        ("App 1.0.0",): ["Deployments-1"],
        ("App 1.1.0",): [],
    }
    assert "Deployments-1" in _dockwright(tmp_path, "packages").stdout


def test_prune_shows_first_and_removes_with_yes_but_nothing_that_is_needed(tmp_path: Path, folder: Path) -> None:
    _dockwright(tmp_path, "acquire", "App@1.0.0", "App@1.1.0", "App@2.0.0", "--feed", f"folder:{folder}")
    _deployed(tmp_path, "App", "1.0.0")
    files = tmp_path / "home/packages/sha256"
    preview = _dockwright(tmp_path, "packages", "--prune", "--keep", "0")
    assert "would remove 2 packages" in preview.stdout
    assert len(list(files.glob("*/*"))) == 3
    done = _dockwright(tmp_path, "packages", "--prune", "--keep", "0", "--yes")
    assert "removed 2 packages" in done.stdout
    assert len(list(files.glob("*/*"))) == 1
    assert "nothing is to go" in _dockwright(tmp_path, "packages", "--prune", "--keep", "0", "--yes").stdout


def test_a_deployment_keeps_its_packages_until_four_good_ones_came_after_it(tmp_path: Path, folder: Path) -> None:
    _dockwright(tmp_path, "acquire", "App@1.0.0", "--feed", f"folder:{folder}")
    _deployed(tmp_path, "App", "1.0.0")
    for number in range(2, 6):
        assert "nothing is to go" in _dockwright(tmp_path, "packages", "--prune", "--keep", "0").stdout
        _deployed(tmp_path, "Other", "1.0", f"Deployments-{number}")
    assert "would remove 1 package," in _dockwright(tmp_path, "packages", "--prune", "--keep", "0").stdout


def test_deployments_to_another_host_make_none_of_the_first_go(tmp_path: Path, folder: Path) -> None:
    _dockwright(tmp_path, "acquire", "App@1.0.0", "--feed", f"folder:{folder}")
    _deployed(tmp_path, "App", "1.0.0")
    for number in range(2, 6):
        _deployed(tmp_path, "Other", "1.0", f"Deployments-{number}", host="ssh://elsewhere")
    assert "nothing is to go" in _dockwright(tmp_path, "packages", "--prune", "--keep", "0").stdout
    assert "App 1.0.0" in _dockwright(tmp_path, "packages").stdout


def test_yes_without_prune_is_refused(tmp_path: Path) -> None:
    done = _dockwright(tmp_path, "packages", "--yes")
    assert done.returncode == 3


def _deployed(tmp_path: Path, id_: str, version: str, deployment: str = "Deployments-1", host: str = "x") -> None:
    shown = json.loads(_dockwright(tmp_path, "packages", "--output", "json").stdout)["result"]
    sha256 = next((one["sha256"] for one in shown if one["names"] == [f"{id_} {version}"]), "0" * 64)
    journal = Journal(tmp_path / "home/journal.db")
    names = ("slot", "release", "project", "environment", "tenant", "step")
    entry = journal.begin(NewRun(id=deployment, kind="deployment", host=host, **dict.fromkeys(names, "x")))
    entry.packages([(id_, id_, version, sha256, 1)])
    entry.finish("succeeded")
    journal.close()


def _dockwright(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [str(DOCKWRIGHT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**plain, "DOCKWRIGHT_HOME": str(tmp_path / "home")},
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done
