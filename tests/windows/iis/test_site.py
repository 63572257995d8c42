"""What a site's folder is taken for, and on which base it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import InputError
from agent.images.placement import Placement, place
from agent.images.settings import BuildSettings
from tests.windows.iis.site_files import ASSEMBLY, core_config, runtime, web_config, with_own_runtime, write
from windows.iis.dockerfile import dockerfile
from windows.iis.nginx import nginx_conf, untold_headers
from windows.iis.site import Site, read_site
from windows.iis.texts import read_texts

OLD_COMPILER = (
    '<system.codedom><compilers><compiler><providerOption name="CompilerVersion" value="v3.5"/>'
    "</compiler></compilers></system.codedom>"
)
OLD_ASSEMBLY = '<assemblies><add assembly="A, Version=3.5.0.0"/></assemblies>'


@pytest.mark.parametrize(
    ("target", "image"),
    [
        ("4.8", "4.8"),
        ("4.7.2", "4.8"),
        ("4.5.2", "4.8"),
        ("4.8.1", "4.8.1"),
        ("3.5", "3.5"),
        ("2.0", "3.5"),
        ("", "4.8"),
    ],
)
def test_framework_site_gets_a_base_that_runs_it(tmp_path: Path, target: str, image: str) -> None:
    found = read_site(write(tmp_path, {"Web.config": web_config(target)}))
    assert found.kind == "framework"
    assert f"framework/aspnet:{image}-windowsservercore-ltsc2022" in dockerfile(found)
    assert dockerfile(found).startswith("# escape=`\n")


@pytest.mark.parametrize(
    ("config", "assembly", "version"),
    [
        (web_config(""), ASSEMBLY["v2.0"], "3.5"),
        (web_config(""), ASSEMBLY["v4.0"], "4.8"),
        (web_config("", rest=OLD_COMPILER), b"MZ", "3.5"),
        (web_config("", rest=OLD_COMPILER), ASSEMBLY["v4.0"], "4.8"),
        (
            f"<configuration><system.web><compilation>{OLD_ASSEMBLY}</compilation></system.web></configuration>",
            b"BSJB",
            "3.5",
        ),
        (
            '<configuration xmlns="http://schemas.microsoft.com/.NetConfiguration/v2.0"><system.web/></configuration>',
            b"",
            "3.5",
        ),
        (web_config("4.8"), ASSEMBLY["v2.0"], "4.8"),
    ],
)
def test_site_that_names_no_framework_is_known_by_what_it_was_built_for(
    tmp_path: Path, config: str, assembly: bytes, version: str
) -> None:
    assert read_site(write(tmp_path, {"web.config": config, "bin/Old.dll": assembly})).version == version


@pytest.mark.parametrize("version", ["2.1", "3.1", "6.0", "8.0", "9.0", "10.0"])
def test_core_site_runs_on_linux(tmp_path: Path, version: str) -> None:
    files = {"web.config": core_config(), "Shop.runtimeconfig.json": runtime(f"{version}.4"), "Shop.dll": "x"}
    found = read_site(write(tmp_path, dict(files)))
    assert (found.kind, found.version, found.for_windows) == ("core", version, False)
    assert f"mcr.microsoft.com/dotnet/aspnet:{version}\n" in dockerfile(found)
    assert 'ENTRYPOINT ["dotnet", "Shop.dll"]' in dockerfile(found)


def test_core_site_starts_the_program_that_its_web_config_names(tmp_path: Path) -> None:
    files = {
        "web.config": core_config(),
        "A.runtimeconfig.json": runtime(),
        "Shop.runtimeconfig.json": runtime("9.0.0"),
    }
    found = read_site(write(tmp_path, dict(files)))
    assert found.program is not None
    assert (found.program.name, found.version) == ("Shop", "9.0")


def test_core_site_without_web_config_is_known_by_its_runtime(tmp_path: Path) -> None:
    found = read_site(write(tmp_path, {"Shop.runtimeconfig.json": runtime(), "Shop.dll": "x"}))
    assert 'ENTRYPOINT ["dotnet", "Shop.dll"]' in dockerfile(found)


def test_core_site_that_names_several_frameworks_has_their_version(tmp_path: Path) -> None:
    several = '{"runtimeOptions": {"tfm": "net8.0", "frameworks": [{"name": "A", "version": "8.0.2"}]}}'
    assert read_site(write(tmp_path, {"Shop.runtimeconfig.json": several})).version == "8.0"


def test_self_contained_core_site_brings_its_own_runtime(tmp_path: Path) -> None:
    found = read_site(write(tmp_path, {"Shop.runtimeconfig.json": with_own_runtime(), "Shop": "elf"}))
    assert "runtime-deps:8.0" in dockerfile(found)
    assert 'ENTRYPOINT ["./Shop"]' in dockerfile(found)


def test_program_of_its_own_may_be_executed_and_no_run_sees_what_is_configured(tmp_path: Path) -> None:
    files = {"Shop.runtimeconfig.json": with_own_runtime(), "Shop": "elf", "appsettings.json": "{}"}
    write(tmp_path, {"Dockerfile": dockerfile(read_site(write(tmp_path / "site", dict(files))))})
    assert 'RUN ["chmod", "755", "/app/Shop"]' in (tmp_path / "Dockerfile").read_text()
    found = place(tmp_path, BuildSettings(), ["site/appsettings.json"], "linux")
    assert isinstance(found, Placement), found
    assert list(found.paths["site/appsettings.json"]) == ["app/appsettings.json"]


EXE = r".\Shop.exe"
FOR_WINDOWS = '{"runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/win-x64"}}'
SKU = '<configuration><startup><supportedRuntime sku=".NETFramework,Version=v4.7.2"/></startup></configuration>'


@pytest.mark.parametrize(
    ("files", "base", "start"),
    [
        (
            {"Shop.runtimeconfig.json": with_own_runtime(), "Shop.exe": "MZ"},
            "windows/nanoserver:ltsc2022",
            r'["C:\\app\\Shop.exe"]',
        ),
        (
            {"web.config": core_config(EXE, ""), "Shop.exe": "MZ"},
            "windows/nanoserver:ltsc2022",
            r'["C:\\app\\Shop.exe"]',
        ),
        (
            {"Shop.runtimeconfig.json": runtime(), "Shop.dll": "x", "Shop.deps.json": FOR_WINDOWS},
            "dotnet/aspnet:8.0-nanoserver-ltsc2022",
            '["dotnet", "Shop.dll"]',
        ),
        (
            {"Shop.runtimeconfig.json": runtime(name="Microsoft.WindowsDesktop.App"), "Shop.dll": "x"},
            "dotnet/aspnet:8.0-windowsservercore-ltsc2022",
            '["dotnet", "Shop.dll"]',
        ),
        (
            {"web.config": core_config(EXE, ""), "Shop.exe": "MZ", "Shop.exe.config": SKU},
            "dotnet/framework/runtime:4.8-windowsservercore-ltsc2022",
            r'["C:\\app\\Shop.exe"]',
        ),
    ],
)
def test_core_site_for_windows_only_gets_a_windows_base(
    tmp_path: Path, files: dict[str, str | bytes], base: str, start: str
) -> None:
    found = read_site(write(tmp_path, files))
    assert found.kind == "core"
    assert found.for_windows
    assert f"mcr.microsoft.com/{base}\n" in dockerfile(found)
    assert f"ENTRYPOINT {start}\n" in dockerfile(found)


def test_core_program_with_an_exe_beside_its_dll_still_runs_on_linux(tmp_path: Path) -> None:
    files = {
        "web.config": core_config(EXE, ""),
        "Shop.runtimeconfig.json": runtime(),
        "Shop.exe": "MZ",
        "Shop.dll": "x",
    }
    assert 'ENTRYPOINT ["dotnet", "Shop.dll"]' in dockerfile(read_site(write(tmp_path, dict(files))))


def test_core_version_of_the_old_place_is_taken_from_there(tmp_path: Path) -> None:
    found = read_site(write(tmp_path, {"Shop.runtimeconfig.json": runtime("2.2.0")}))
    assert "mcr.microsoft.com/dotnet/core/aspnet:2.2\n" in dockerfile(found)


def test_wcf_services_get_the_image_that_activates_them(tmp_path: Path) -> None:
    services = (
        "<system.serviceModel><services><service><endpoint binding='netTcpBinding'/></service></services>"
        "</system.serviceModel>"
    )
    found = read_site(write(tmp_path, {"Web.config": web_config(rest=services), "S.svc": "x"}))
    assert "dotnet/framework/wcf:4.8-windowsservercore-ltsc2022" in dockerfile(found)
    assert "EXPOSE 80 808\n" in dockerfile(found)


def test_classic_asp_gets_iis_with_asp(tmp_path: Path) -> None:
    found = read_site(write(tmp_path, {"default.asp": "<% %>"}))
    assert found.kind == "classic-asp"
    assert "windows/servercore/iis:windowsservercore-ltsc2022" in dockerfile(found)
    assert "/FeatureName:IIS-ASP\n" in dockerfile(found)


SECURITY = (
    '<security><authentication><windowsAuthentication enabled="true"/></authentication>'
    '<ipSecurity allowUnlisted="false"/></security><webSocket enabled="true"/>'
)


def test_what_the_site_asks_of_iis_is_in_the_image_before_the_site_is(tmp_path: Path) -> None:
    site = write(
        tmp_path / "site", {"Web.config": web_config(server=SECURITY + "<rewrite/>"), "App_Data/x.xml": "<x/>"}
    )
    lines = dockerfile(read_site(site))
    before, _, after = lines.partition("COPY site/ ")
    for feature in ("IIS-WindowsAuthentication", "IIS-IPSecurity", "IIS-WebSockets"):
        assert f"/FeatureName:{feature}" in before
    assert "unlock config -section:system.webServer/security/authentication/windowsAuthentication" in before
    assert "unlock config -section:system.webServer/security/ipSecurity" in before
    assert "rewrite.msi" in before
    assert 'App_Data /grant "IIS AppPool\\DefaultAppPool:(OI)(CI)M"' in before
    assert "RUN" not in after


def test_windows_authentication_that_the_old_machine_had_on_is_turned_on(tmp_path: Path) -> None:
    asked = write(tmp_path / "a", {"Web.config": web_config(web='<authentication mode="Windows"/>')})
    assert "windowsAuthentication /enabled:true /commit:apphost" in dockerfile(read_site(asked))
    set_there = write(tmp_path / "b", {"Web.config": web_config(server=SECURITY)})
    assert "/enabled:true" not in dockerfile(read_site(set_there))


def test_site_that_asks_nothing_of_iis_changes_nothing_there(tmp_path: Path) -> None:
    assert "RUN" not in dockerfile(read_site(write(tmp_path, {"Web.config": web_config(), "bin/A.dll": "x"})))


def test_configuration_is_one_layer_on_a_windows_host(tmp_path: Path) -> None:
    site = {
        "Web.config": web_config(server=SECURITY + "<rewrite/>"),
        "api/Web.config": web_config(),
        "api/bin/A.dll": "x",
    }
    write(tmp_path / "site", dict(site))
    write(tmp_path, {"Dockerfile": dockerfile(read_site(tmp_path / "site"))})
    found = place(tmp_path, BuildSettings(), ["site/Web.config"], "windows")
    assert isinstance(found, Placement), found
    assert [path.lower() for path in found.paths["site/Web.config"]] == ["inetpub/wwwroot/web.config"]


def test_application_below_the_site_becomes_one_in_the_image(tmp_path: Path) -> None:
    strings = '<connectionStrings><add name="ApiDb" connectionString="Server=a"/></connectionStrings>'
    site = {
        "Web.config": web_config(),
        "api/Web.config": web_config(rest=strings),
        "api/bin/Api.dll": "x",
        "admin/Web.config": web_config(),
    }
    found = read_site(write(tmp_path, dict(site)))
    assert [each.path for each in found.applications] == ["/api"]
    assert found.applications[0].web.settings == ("ApiDb",)
    assert '"/path:/api" "/physicalPath:C:\\inetpub\\wwwroot\\api"' in dockerfile(found)


@pytest.mark.parametrize("folder", ['a"b', "a\nRUN evil", "%windir%"])
def test_name_that_could_be_a_command_makes_no_application(tmp_path: Path, folder: str) -> None:
    site = {"Web.config": web_config(), f"{folder}/Web.config": web_config(), f"{folder}/bin/Api.dll": "x"}
    assert "RUN" not in dockerfile(read_site(write(tmp_path, dict(site))))


def test_blazor_site_is_served_from_its_wwwroot_with_a_fallback_to_the_front_page(tmp_path: Path) -> None:
    rule = '<rewrite><rules><rule><match url=".*"/><action type="Rewrite" url="wwwroot\\"/></rule></rules></rewrite>'
    config = f"<configuration><system.webServer>{rule}</system.webServer></configuration>"
    files = {"web.config": config, "wwwroot/index.html": "x", "wwwroot/_framework/blazor.webassembly.js": "x"}
    found = read_site(write(tmp_path, dict(files)))
    assert found.kind == "static"
    assert "COPY site/wwwroot/ /usr/share/nginx/html/" in dockerfile(found)
    assert "COPY nginx.conf " in dockerfile(found)


def test_static_site_without_rules_keeps_the_configuration_of_nginx(tmp_path: Path) -> None:
    assert "nginx.conf" not in dockerfile(read_site(write(tmp_path, {"index.html": "x"})))


SERVER = (
    '<defaultDocument><files>{}<add value="Home.html"/></files></defaultDocument><httpProtocol><customHeaders>'
    '<add name="X-Frame-Options" value="DENY"/><add name="X-B" value="$host"/></customHeaders></httpProtocol>'
    '<httpErrors><error statusCode="404" path="/lost.html"/></httpErrors>'
)


def static_site(folder: Path, server: str, *names: str) -> Site:
    config = f"<configuration><system.webServer>{server}</system.webServer></configuration>"
    return read_site(write(folder, {"web.config": config, **dict.fromkeys(names, "x")}))


def test_static_site_keeps_its_front_page_headers_and_missing_page(tmp_path: Path) -> None:
    site = static_site(tmp_path, SERVER.format(""), "home.html", "Index.html", "lost.html")
    conf = nginx_conf(site)
    assert "    index home.html Index.html;\n" in conf
    assert '    add_header X-Frame-Options "DENY" always;\n' in conf
    assert "    error_page 404 /lost.html;\n" in conf
    assert "try_files" not in conf
    assert untold_headers(site) == ["X-B"]


def test_front_page_is_the_one_that_iis_takes_spelled_as_it_is(tmp_path: Path) -> None:
    assert "index Default.htm index.html;" in nginx_conf(static_site(tmp_path / "a", "", "Default.htm", "index.html"))
    assert nginx_conf(static_site(tmp_path / "b", "", "index.html")) == ""
    only = static_site(tmp_path / "c", SERVER.format("<clear/>"), "home.html", "index.html")
    assert "index home.html;" in nginx_conf(only)


@pytest.mark.parametrize("page", ["a;b.html", "a b.html", 'a".html', "a\tb.html"])
def test_name_that_nginx_would_read_as_more_is_left_out(tmp_path: Path, page: str) -> None:
    server = f'<defaultDocument><files><add value="{page}"/></files></defaultDocument>'
    if '"' in page:
        server = server.replace(page, page.replace('"', "&quot;"))
    assert nginx_conf(static_site(tmp_path, server, page, "index.html")) == ""


@pytest.mark.parametrize(
    ("files", "page"),
    [
        ({"Service.asmx": "x", "bin/A.dll": "x"}, "/Service.asmx"),
        ({"My Service.svc": "x"}, "/My%20Service.svc"),
        ({"Service.asmx": "x", "Default.aspx": "x"}, "/"),
        ({"Service.asmx": "x", "Global.asax": "x"}, "/Service.asmx"),
        ({"bin/A.dll": "x"}, "/?"),
        ({"Global.asax": "x", "bin/A.dll": "x"}, "/?"),
        ({"Global.asax": "x", "Views/Home/Index.cshtml": "x"}, "/"),
    ],
)
def test_health_asks_what_answers(tmp_path: Path, files: dict[str, str | bytes], page: str) -> None:
    pages = read_site(write(tmp_path, {"web.config": web_config(), **files})).pages
    assert pages.ask + "?" * (not pages.certain) == page


@pytest.mark.parametrize(
    ("name", "text", "is_template"),
    [
        ("app.js", "let v = '#{Version}'", True),
        ("page.html", "#{if Banner}x#{/if}", True),
        ("page.html", "#{Name | HtmlEscape}", True),
        ("app.js", "`#${x}` '#' + {a: 1}, '#{', '#{$sass}', '#{ 1 }'", False),
        ("jquery.min.js", "'#{Version}'", False),
        ("node_modules/x/a.js", "'#{Version}'", False),
    ],
)
def test_template_is_a_text_of_the_sites_own_with_a_token(
    tmp_path: Path, name: str, text: str, is_template: bool
) -> None:
    found = read_site(write(tmp_path, {"index.html": "x", name: text}))
    assert found.texts.templates == ((name,) if is_template else ())


def test_file_that_cannot_be_read_now_is_no_template(tmp_path: Path) -> None:
    write(tmp_path, {"a.html": "#{A}"})
    assert read_texts(tmp_path, ["gone.html", "a.html"], []).templates == ("a.html",)


def test_transforms_are_found_beside_any_configuration_file(tmp_path: Path) -> None:
    site = {
        "Web.config": web_config(),
        "Web.Release.config": "<x/>",
        "Config/db.config": "<x/>",
        "Config/db.Production.config": "<x/>",
        "packages.config": "<x/>",
        "Other.Release.config": "<x/>",
    }
    assert read_site(write(tmp_path, dict(site))).transforms == ("Config/db.Production.config", "Web.Release.config")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "windows-1252"])
def test_configuration_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    settings = '<appSettings><add key="Größe" value="1"/></appSettings>'
    declared = "" if encoding == "utf-8-sig" else f'<?xml version="1.0" encoding="{encoding}"?>'
    content = (declared + web_config(rest=settings)).encode(encoding)
    assert read_site(write(tmp_path, {"web.config": content})).web.settings == ("Größe",)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"readme.txt": "x"}, "is no site"),
        ({"Web.config": "<configuration"}, "repair it first"),
        (
            {"Web.config": "<!DOCTYPE x [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]><configuration>&c;</configuration>"},
            "Web.config",
        ),
        ({"Web.config": f"<configuration>{' ' * 1_000_000}</configuration>"}, "no configuration file is as large"),
        ({"Web.config": "<project/>"}, "first element is not <configuration>"),
        ({"Web.config": web_config(), "api/bin/a.dll": "x", "api/web.config": "<"}, "api/web.config"),
        ({"x.runtimeconfig.json": "{"}, "cannot be read"),
        ({"x.runtimeconfig.json": "[" * 100_000}, "cannot be read"),
        ({"Shop.csproj": "x", "Program.cs": "x", "wwwroot/index.html": "x"}, "dotnet publish Shop.csproj"),
        ({"Shop.csproj": "x", "web.config": core_config("%LAUNCHER_PATH%", "%LAUNCHER_ARGS%")}, "publish it first"),
        ({"Shop.sln": "x", "Shop/Shop.csproj": "x"}, "publish it first"),
        ({"index.php": "x", "web.config": "<configuration/>"}, "has PHP pages"),
        ({"shop/web.config": web_config(), "docs/index.html": "x"}, "has some: .*docs, .*shop; give one of them"),
    ],
)
def test_what_is_no_site_is_refused(tmp_path: Path, files: dict[str, str | bytes], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_site(write(tmp_path, files))


def test_sources_that_were_built_are_taken_and_kept_out_of_the_image(tmp_path: Path) -> None:
    files = {"Shop.csproj": "x", "Web.config": web_config(), "bin/Shop.dll": "x", "Default.aspx.cs": "x"}
    assert read_site(write(tmp_path, dict(files))).project == "Shop.csproj"
