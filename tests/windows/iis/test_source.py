"""A site's folder becomes a source package that can be packed and planned."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli.main import commands
from agent.errors import InputError
from tests.windows.iis.site_files import core_config, runtime, web_config, write
from windows.iis import begin
from windows.iis.site import Site, read_site
from windows.iis.source import manifest, step

EXAMPLE = Path(__file__).parents[3] / "windows" / "examples" / "iis"


def test_static_site_is_served_without_its_web_config(tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"index.html": "hello", "web.config": "<configuration/>"})
    begin(site, "Pages", tmp_path / "out")
    source = tmp_path / "out" / "sdi" / "Pages.Sdi.1.0.0"
    assert "nginx" in (source / "Dockerfile").read_text()
    assert "site/web.config" in (source / ".dockerignore").read_text()
    assert not (source / "nginx.conf").exists()


def test_single_page_application_gets_the_configuration_that_its_rule_was(tmp_path: Path) -> None:
    rule = '<rewrite><rules><rule><action type="Rewrite" url="/"/></rule></rules></rewrite>'
    config = f"<configuration><system.webServer>{rule}</system.webServer></configuration>"
    begin(write(tmp_path / "site", {"index.html": "x", "web.config": config}), "Pages", tmp_path / "out")
    assert "try_files" in (tmp_path / "out" / "sdi" / "Pages.Sdi.1.0.0" / "nginx.conf").read_text()


STRINGS = '<connectionStrings><add name="Db" connectionString="Server=x;Password=hunter2"/></connectionStrings>'
SETTINGS = '<appSettings><add key="Mail" value="smtp.internal"/><add key="webpages:Version" value="3"/></appSettings>'


def test_configuration_is_found_and_no_value_is_copied(tmp_path: Path) -> None:
    files = {
        "Web.config": web_config(rest=STRINGS + SETTINGS),
        "Web.Test.config": "<x/>",
        "js/app.js": "let v = '#{Version}'",
    }
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    text = "\n".join([*(path.read_text() for path in written.files), *written.found, *written.notes])
    assert "hunter2" not in text
    assert "smtp.internal" not in text
    assert 'substitute: ["site/js/app.js"]' in text
    assert "  #   Web.Test.config\n  config-transforms: {automatic: true}" in text
    assert "  #   Mail, Db\n  config-variables: true" in text
    assert any(note.startswith("Db: a secret") for note in written.notes)


DEBUG = (
    '<configuration xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform"><system.web>'
    '<compilation xdt:Transform="RemoveAttributes(debug)"/></system.web></configuration>'
)


@pytest.mark.parametrize(("other", "strict"), [("Web.Test.config", False), ("Web.Debug.config", True)])
def test_transforms_of_visual_studio_do_not_fail_for_taking_the_same_away(
    tmp_path: Path, other: str, strict: bool
) -> None:
    config = web_config().replace("<compilation", '<compilation debug="true"')
    files = {"Web.config": config, "Web.Release.config": DEBUG, other: DEBUG}
    pack, also_pack, plan, _ = _told_commands(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    manifest = (tmp_path / "out" / "sdi" / "Shop.Sdi.1.0.0" / "sdi.yaml").read_text()
    assert ("warnings-as-errors: false" in manifest) is not strict
    for each in (pack, also_pack):
        _dockwright(*each)
    code, said = _dockwright(*plan[:-2], "--home", str(tmp_path / "home"), "--output", "plain")
    assert (code, "RemoveAttributes" in said) == (7, False)  # it has come to the base, which is for Windows


def test_settings_of_core_are_named_as_their_variables_are_called(tmp_path: Path) -> None:
    settings = """
    {
      // development
      "ConnectionStrings": {"Shop": "Server=db;Password=hunter2"},
      "Hosts": [{"Url": "http://localhost:5001/"}]
    }"""
    files = {
        "Shop.runtimeconfig.json": runtime(),
        "appsettings.json": settings,
        "appsettings.Production.json": "{}",
        "appsettings.Development.json": "{}",
    }
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    text = (tmp_path / "out" / "sdi" / "Shop.Sdi.1.0.0" / "sdi.yaml").read_text()
    assert "#   ConnectionStrings:Shop, Hosts:0:Url\n" in text
    assert 'structured: ["site/appsettings.Production.json", "site/appsettings.json"]' in text
    assert any(note.startswith("ConnectionStrings:Shop: a secret") for note in written.notes)
    assert any(note.startswith("Hosts:0:Url: names the machine") for note in written.notes)


def test_file_of_blank_lines_takes_no_time_to_read(tmp_path: Path) -> None:
    files = {"Shop.runtimeconfig.json": runtime(), "appsettings.json": " \n" * 400_000 + '{"Key": "x"}'}
    assert read_site(write(tmp_path, dict(files))).setting_names == ("Key",)


def test_settings_that_are_no_plain_json_are_left_to_the_deployment(tmp_path: Path) -> None:
    files = {"Shop.runtimeconfig.json": runtime(), "appsettings.json": "{'single': 'quotes'}"}
    begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    assert 'structured: ["site/appsettings.json"]' in (tmp_path / "out/sdi/Shop.Sdi.1.0.0/sdi.yaml").read_text()


def test_environment_that_iis_gave_the_program_is_given_by_variables(tmp_path: Path) -> None:
    variable = '<environmentVariables><environmentVariable name="{}" value="Live"/></environmentVariables>'
    config = core_config(inner=variable.format("ASPNETCORE_ENVIRONMENT") + variable.format("API_KEY"))
    site = read_site(write(tmp_path / "site", {"web.config": config, "Shop.dll": "x"}))
    assert 'environment: {ASPNETCORE_ENVIRONMENT: "#{ASPNETCORE_ENVIRONMENT}", API_KEY: "#{API_KEY}"}' in step(
        site, "Shop"
    )


def test_program_with_settings_for_environments_is_told_which_one_it_is_in(tmp_path: Path) -> None:
    files = {
        "Shop.runtimeconfig.json": runtime(),
        "Shop.dll": "x",
        "appsettings.json": "{}",
        "appsettings.Test.json": "{}",
    }
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    assert (
        'environment: {ASPNETCORE_ENVIRONMENT: "#{ASPNETCORE_ENVIRONMENT}"}'
        in (tmp_path / "out/step.yaml").read_text()
    )
    assert '"ASPNETCORE_ENVIRONMENT": "Production"' in (tmp_path / "out/variables/example.json").read_text()
    assert any("ASPNETCORE_ENVIRONMENT decides" in note for note in written.notes)


def test_linux_container_is_not_sent_to_the_domain(tmp_path: Path) -> None:
    settings = '{"Db": "Server=db;Trusted_Connection=True"}'
    files = {"Shop.runtimeconfig.json": runtime(), "appsettings.json": settings}
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    assert any("Db: logs in as the account of the process, and a Linux" in note for note in written.notes)
    assert not any("credential-spec" in note for note in written.notes)
    assert any("Shop.dll, which is to be started, is not in the folder" in note for note in written.notes)


def test_runtime_without_support_is_told_as_such(tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"Shop.runtimeconfig.json": runtime("6.0.1"), "Shop.dll": "x"})
    found = begin(site, "Shop", tmp_path / "out").found
    assert found[0].startswith("ASP.NET Core 6.0, without support since 2024-11-12")


def test_password_in_the_code_of_an_old_page_is_told_without_it(tmp_path: Path) -> None:
    files = {"default.asp": "x", "inc/db.asp": '<% c = "Provider=SQLOLEDB;User ID=sa;Password=hunter2" %>'}
    notes = begin(write(tmp_path / "site", dict(files)), "Old", tmp_path / "out").notes
    assert any(note.startswith("inc/db.asp: a password in the code") for note in notes)
    assert not any("hunter2" in note for note in notes)


def test_components_that_windows_does_not_have_are_told(tmp_path: Path) -> None:
    page = '<% Set a = Server.CreateObject("ADODB.Connection")\nSet b = CreateObject( "Persits.Upload.1" ) %>'
    notes = begin(write(tmp_path / "site", {"default.asp": page}), "Old", tmp_path / "out").notes
    assert any("no part of Windows (Persits.Upload.1): the Dockerfile must register them" in note for note in notes)


def test_configured_settings_under_a_service_worker_are_told(tmp_path: Path) -> None:
    files = {"index.html": "x", "appsettings.json": '{"Api": "https://a"}', "service-worker-assets.js": "x"}
    notes = begin(write(tmp_path / "site", dict(files)), "Pages", tmp_path / "out").notes
    assert any(note.startswith("service-worker-assets.js holds the hash") for note in notes)


def test_addresses_of_other_services_are_told(tmp_path: Path) -> None:
    client = '<system.serviceModel><client><endpoint name="Pay" address="{}"/></client></system.serviceModel>'
    files = {"Web.config": web_config(rest=client.format("http://pay/a.svc"))}
    notes = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out").notes
    assert any("services that are called (<client>: Pay)" in note for note in notes)
    files = {"Web.config": web_config(rest=client.format("#{Pay.Address}"))}
    notes = begin(write(tmp_path / "other", dict(files)), "Shop", tmp_path / "out2").notes
    assert not any("services that are called" in note for note in notes)


def test_included_files_count_as_the_sites_own(tmp_path: Path) -> None:
    files = {
        "Web.config": web_config(
            rest='<connectionStrings configSource="Config\\db.config"/><appSettings file="..\\s.config"/>'
        ),
        "Config/db.config": STRINGS,
    }
    write(tmp_path, {"s.config": "<appSettings><add key='Outside' value='1'/></appSettings>"})
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    assert any(note.startswith("Db: a secret") for note in written.notes)
    assert any(
        "<appSettings> includes ..\\s.config, which the site's folder does not have" in note for note in written.notes
    )
    assert not any("Outside" in line for line in written.found)


MODULE = '<handlers><add name="php" scriptProcessor="C:\\php\\php-cgi.exe|x" modules="FastCgiModule"/></handlers>'
REDIRECT = (
    '<rewrite><rules><rule><conditions><add input="{HTTPS}" pattern="off"/></conditions></rule></rules></rewrite>'
)


@pytest.mark.parametrize(
    ("config", "note"),
    [
        (web_config(), "sessions live in the process"),
        (web_config(web='<sessionState mode="StateServer"/>'), "the session state server is this machine"),
        (web_config(web='<sessionState mode="SQLServer"/>'), "there is no fixed <machineKey>"),
        (web_config(web='<machineKey validationKey="AutoGenerate,IsolateApps"/>'), "there is no fixed <machineKey>"),
        (web_config(web='<machineKey validationKey="0123"/>'), "<machineKey> stands in web.config: a secret"),
        (web_config(web='<authentication mode="Windows"/>'), "group managed service account: run.credential-spec"),
        (web_config(web='<identity impersonate="true" userName="x" password="y"/>'), "account with its password"),
        (web_config(web='<identity impersonate="true"/>'), "acts as the visitor"),
        (web_config(web='<trace enabled="true"/>'), "<trace> is on"),
        (web_config(web='<compilation debug="true"/>'), 'debug="true"'),
        (web_config(""), "names no targetFramework"),
        (web_config(server=REDIRECT), "sends http to https"),
        (web_config(server="<rewrite/>"), "<rewrite> needs IIS's URL Rewrite module"),
        (web_config(server=MODULE), "the handler 'php' starts C:\\php\\php-cgi.exe, which is no part of Windows"),
        (web_config(server='<modules><add name="Native"/><add name="N" type="T"/></modules>'), "IIS (Native):"),
        (web_config(server="<isapiFilters/>"), "<isapiFilters> belongs to the whole server"),
        (web_config(server='<security><access sslFlags="Ssl"/></security>'), "refuses plain http"),
        (
            web_config(rest='<connectionStrings configProtectionProvider="Rsa"><EncryptedData/></connectionStrings>'),
            "<connectionStrings> is encrypted with a key of the old machine",
        ),
        (
            web_config(
                rest='<system.net><mailSettings><smtp><network password="x"/></smtp></mailSettings></system.net>'
            ),
            "<smtp> has a password",
        ),
    ],
)
def test_what_changes_in_a_container_is_told(tmp_path: Path, config: str, note: str) -> None:
    written = begin(write(tmp_path / "site", {"Web.config": config}), "Shop", tmp_path / "out")
    assert any(note in line for line in written.notes)


def test_features_of_iis_that_go_into_the_image_are_told(tmp_path: Path) -> None:
    config = web_config(server='<webSocket enabled="true"/>')
    written = begin(write(tmp_path / "site", {"Web.config": config}), "Shop", tmp_path / "out")
    assert "features of IIS that the base does not have: IIS-WebSockets" in written.found


def test_site_without_faults_hears_only_where_its_log_is(tmp_path: Path) -> None:
    state = '<sessionState mode="Custom"/><machineKey validationKey="#{MachineKey}" decryptionKey="#{Key}"/>'
    files = {"Web.config": web_config(web=state), "Default.aspx": "x"}
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    assert len(written.notes) == 1
    assert "IIS's own log" in written.notes[0]


def test_application_below_the_site_has_the_sites_keys(tmp_path: Path) -> None:
    keys = '<sessionState mode="Custom"/><machineKey validationKey="#{MachineKey}"/>'
    files = {"Web.config": web_config(web=keys), "api/Web.config": web_config(), "api/bin/A.dll": "x"}
    written = begin(write(tmp_path / "site", dict(files)), "Shop", tmp_path / "out")
    assert not any("machineKey" in note or "sessions" in note for note in written.notes)


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ("Server=db;Password=x", "a secret in the file"),
        ("Server=db;Integrated Security=SSPI", "logs in as the account of the process"),
        ("Data Source=.\\SQLEXPRESS;Database=x", "names the machine that it runs on"),
        ("Server=(local);Database=x", "names the machine that it runs on"),
        ("http://127.0.0.1:8000/api", "names the machine that it runs on"),
        ("\\\\files\\share\\x", "a file share"),
        ("D:\\uploads", "a path on the old machine"),
        ("AttachDbFilename=|DataDirectory|\\x.mdf", "a database file within the site"),
    ],
)
def test_value_that_works_on_the_old_machine_only_is_told_by_its_name(tmp_path: Path, value: str, note: str) -> None:
    settings = f'<appSettings><add key="One" value="{value}"/><add key="Two" value="{value}"/></appSettings>'
    written = begin(write(tmp_path / "site", {"Web.config": web_config(rest=settings)}), "Shop", tmp_path / "out")
    assert any(line.startswith(f"One, Two: {note}") for line in written.notes)


@pytest.mark.parametrize(
    "value", ["https://shop.example/localhostess", "C://x", "#{Server}", "a\\b", "Server=db.corp;Pwd="]
)
def test_value_that_works_anywhere_is_not_told(tmp_path: Path, value: str) -> None:
    settings = f'<appSettings><add key="One" value="{value}"/></appSettings>'
    written = begin(write(tmp_path / "site", {"Web.config": web_config(rest=settings)}), "Shop", tmp_path / "out")
    assert not any(line.startswith("One") for line in written.notes)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = write(tmp_path / "site", {"Web.config": web_config()})
    begin(folder, "Shop", tmp_path / "out")
    with pytest.raises(InputError, match="is not empty"):
        begin(folder, "Shop", tmp_path / "out")


def test_nothing_is_written_into_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = write(tmp_path / "site", {"index.html": "x"})
    monkeypatch.chdir(site)
    code, said = _dockwright("init", "iis", ".", "--name", "Shop")
    assert code == 3
    assert f"is within the site, and would be served and packed with it; give --into {tmp_path}" in said
    assert [path.name for path in site.iterdir()] == ["index.html"]
    with pytest.raises(InputError, match=r"index\.html is a file; give a folder"):
        begin(site, "Shop", site / "index.html")


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
    site = write(tmp_path / "site", {"index.html": "#{Octopus.Environment.Name}"})
    pack, also_pack, plan, run = _told_commands(site, "Pages", tmp_path / "out")
    assert [each[0] for each in (pack, also_pack, plan, run)] == ["pack", "pack", "plan", "run"]
    for each in (pack, also_pack, [*plan, "--home", str(tmp_path / "home"), "--output", "plain"]):
        code, said = _dockwright(*each)
        assert code == 0, said
    assert "+Test" in said


def test_plan_for_a_site_on_windows_asks_for_a_windows_host_where_there_is_none(tmp_path: Path) -> None:
    pack, also_pack, plan, _ = _told_commands(EXAMPLE / "site", "Shop.Web", tmp_path / "out")
    assert plan[-2:] == ["--host", "winrm://USER@HOST"]
    _dockwright(*pack)
    _dockwright(*also_pack)
    code, said = _dockwright(*plan[:-2], "--home", str(tmp_path / "home"), "--output", "plain")
    assert code == 7
    assert "is an image for Windows, and the engine runs Linux containers; give a Windows host" in said


def _told_commands(site: Path, name: str, into: Path) -> list[list[str]]:
    code, told = _dockwright("init", "iis", str(site), "--name", name, "--into", str(into))
    assert code == 0, told
    return [line.split()[1:] for line in told.splitlines() if line.strip().startswith("dockwright ")]


def _dockwright(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, words)
    return result.exit_code, result.output


def test_commands_are_quoted_and_the_name_is_made_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "Contoso Shop (Größe)", {"index.html": "x"})
    told = CliRunner().invoke(commands, ["init", "iis", "Contoso Shop (Größe)"]).output
    assert "dockwright pack 'Contoso Shop (Größe)' --id Contoso-Shop-Grosse --version 1.0.0" in told
    assert (tmp_path / "Contoso-Shop-Grosse-container" / "step.yaml").exists()


def test_on_a_windows_machine_no_host_need_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = write(tmp_path / "my shop", {"Web.config": web_config()})
    monkeypatch.setattr(sys, "platform", "win32")
    *_, run = begin(site, "Shop", tmp_path / "my out").next_steps
    assert run == f'dockwright run "{tmp_path / "my out"}" --variables "{tmp_path / "my out/variables/example.json"}"'


def test_unknown_kind_is_told_with_the_known_ones() -> None:
    result = CliRunner().invoke(commands, ["init", "apache", "/tmp"])
    assert result.exit_code == 3
    assert "there is no 'apache' to begin with; known are iis" in result.output


def test_site_without_files_to_configure_has_no_transform(tmp_path: Path) -> None:
    bare = Site(folder=tmp_path, kind="static")
    assert "transform:" not in manifest(bare, "Pages")
