"""A site's folder becomes a source package that can be packed and planned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli.main import commands
from agent.errors import InputError
from windows.iis import begin
from windows.iis.site import Site, read_site
from windows.iis.source import dockerfile, manifest

EXAMPLE = Path(__file__).parents[2] / "windows" / "examples" / "iis"
FRAMEWORK = '<configuration><system.web><compilation targetFramework="{}"/>{}</system.web>{}</configuration>'


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Path]:
    def make(**files: str) -> Path:
        folder = tmp_path / "site"
        for name, text in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return make


def framework(version: str = "4.8", web: str = "", rest: str = "") -> dict[str, str]:
    return {"Web.config": FRAMEWORK.format(version, web, rest)}


def core(tfm: str = "net8.0", **options: object) -> dict[str, str]:
    runtime = {"runtimeOptions": {"tfm": tfm, **options}}
    return {"Shop.runtimeconfig.json": json.dumps(runtime), "appsettings.json": "{}"}


@pytest.mark.parametrize(
    ("target", "image"), [("4.8", "4.8"), ("4.5.2", "4.8"), ("3.5", "3.5"), ("2.0", "3.5"), ("", "4.8")]
)
def test_framework_site_gets_a_base_that_runs_it(site: Callable[..., Path], target: str, image: str) -> None:
    found = read_site(site(**framework(target)))
    assert found.kind == "framework"
    assert f"aspnet:{image}-windowsservercore-ltsc2022" in dockerfile(found)
    assert dockerfile(found).startswith("# escape=`\n")


def test_core_site_runs_on_linux(site: Callable[..., Path]) -> None:
    found = read_site(site(**core(framework={"name": "Microsoft.AspNetCore.App", "version": "9.0.1"})))
    assert (found.kind, found.version, found.program) == ("core", "9.0", "Shop")
    assert "dotnet/aspnet:9.0" in dockerfile(found)
    assert 'ENTRYPOINT ["dotnet", "Shop.dll"]' in dockerfile(found)
    assert '["site/appsettings.json"]' in manifest(found, "Shop")


def test_self_contained_core_site_brings_its_own_runtime(site: Callable[..., Path]) -> None:
    parts = core(includedFrameworks=[{"name": "Microsoft.NETCore.App", "version": "8.0.3"}])
    found = read_site(site(**parts, Shop="elf"))
    assert "runtime-deps:8.0" in dockerfile(found)
    assert 'ENTRYPOINT ["./Shop"]' in dockerfile(found)


def test_core_site_published_for_windows_only_needs_windows(site: Callable[..., Path]) -> None:
    parts = core(includedFrameworks=[{"name": "Microsoft.NETCore.App", "version": "8.0.3"}])
    found = read_site(site(**parts, **{"Shop.exe": "MZ"}))
    assert found.for_windows
    assert "nanoserver:ltsc2022" in dockerfile(found)


def test_core_site_is_known_by_its_web_config_too(site: Callable[..., Path]) -> None:
    core_module = '<aspNetCore processPath="dotnet" arguments=".\\Office.dll"/>'
    inside = f'<location path="."><system.webServer>{core_module}</system.webServer></location>'
    text = f"<configuration>{inside}</configuration>"
    found = read_site(site(**{"web.config": text, "Office.dll": "x"}))
    assert (found.kind, found.program) == ("core", "Office")


def test_static_site_is_served_by_nginx_without_its_web_config(site: Callable[..., Path], tmp_path: Path) -> None:
    folder = site(**{"index.html": "hello", "web.config": "<configuration/>"})
    begin(folder, "Pages", tmp_path / "out")
    source = tmp_path / "out" / "sdi" / "Pages.Sdi.1.0.0"
    assert "nginx" in (source / "Dockerfile").read_text()
    assert "site/web.config" in (source / ".dockerignore").read_text()


def test_configuration_is_found_and_no_value_is_copied(site: Callable[..., Path], tmp_path: Path) -> None:
    rest = (
        '<connectionStrings><add name="Db" connectionString="Server=x;Password=hunter2"/></connectionStrings>'
        '<appSettings><add key="Mail" value="smtp.internal"/></appSettings>'
    )
    folder = site(**framework(rest=rest), **{"Web.Test.config": "<x/>", "js__app.js": "let v = '#{Version}'"})
    written = begin(folder, "Shop", tmp_path / "out")
    text = "\n".join(path.read_text() for path in written.files)
    assert "hunter2" not in text
    assert "smtp.internal" not in text
    assert 'substitute: ["site/js/app.js"]' in text
    assert "config-variables: true" in text
    assert any("'Db' holds a password" in note for note in written.notes)


@pytest.mark.parametrize(
    ("web", "rest", "note"),
    [
        ("", "", "sessions live in the process"),
        ('<sessionState mode="SQLServer"/>', "", "there is no <machineKey>"),
        ('<authentication mode="Windows"/>', "", "group managed service account"),
        ("", "<system.webServer><rewrite/></system.webServer>", "URL Rewrite"),
        ("", '<appSettings><add key="Up" value="D:\\files"/></appSettings>', "'Up' is a path on the old machine"),
    ],
)
def test_what_changes_in_a_container_is_told(
    site: Callable[..., Path], tmp_path: Path, web: str, rest: str, note: str
) -> None:
    written = begin(site(**framework("4.8", web, rest)), "Shop", tmp_path / "out")
    assert any(note in line for line in written.notes)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"readme.txt": "x"}, "is no site"),
        ({"Web.config": "<configuration"}, "repair it first"),
        (
            {"Web.config": "<!DOCTYPE x [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]><configuration>&c;</configuration>"},
            "Web.config",
        ),
        ({"Web.config": "<project/>"}, "first element is not <configuration>"),
        ({"x.runtimeconfig.json": "{"}, "cannot be read"),
    ],
)
def test_what_is_no_site_is_refused(site: Callable[..., Path], files: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_site(site(**files))


def test_nothing_is_overwritten(site: Callable[..., Path], tmp_path: Path) -> None:
    folder = site(**framework())
    begin(folder, "Shop", tmp_path / "out")
    with pytest.raises(InputError, match="is not empty"):
        begin(folder, "Shop", tmp_path / "out")


def test_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no package id"):
        begin(EXAMPLE / "site", "../x", tmp_path / "out")


def test_example_is_what_init_makes(tmp_path: Path) -> None:
    begin(EXAMPLE / "site", "Shop.Web", tmp_path / "out")
    made = {path.relative_to(tmp_path / "out"): path.read_text() for path in _texts(tmp_path / "out")}
    kept = {path.relative_to(EXAMPLE / "container"): path.read_text() for path in _texts(EXAMPLE / "container")}
    assert made == kept


def _texts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".zip"]


def test_commands_that_init_tells_lead_to_a_plan(tmp_path: Path) -> None:
    def dockwright(*words: str) -> str:
        result = CliRunner().invoke(commands, words)
        assert result.exit_code == 0, result.output
        return result.output

    told = dockwright("init", "iis", str(EXAMPLE / "site"), "--name", "Shop.Web", "--into", str(tmp_path / "out"))
    steps = [line.split()[1:] for line in told.splitlines() if line.strip().startswith("dockwright ")]
    assert [step[0] for step in steps] == ["pack", "pack", "plan", "run"]
    for step in steps[:2]:
        dockwright(*step)
    plan = dockwright(*steps[2], "--home", str(tmp_path / "home"), "--output", "plain")
    assert "web.config" in plan.lower()
    assert "about.html" in plan


def test_unknown_kind_is_told_with_the_known_ones() -> None:
    result = CliRunner().invoke(commands, ["init", "apache", "/tmp"])
    assert result.exit_code == 3
    assert "there is no 'apache' to begin with; known are iis" in result.output


def test_site_without_files_to_configure_has_no_transform(tmp_path: Path) -> None:
    bare = Site(folder=tmp_path, kind="static")
    assert "transform:" not in manifest(bare, "Pages")
