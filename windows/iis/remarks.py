"""What a person is told about a site: what was found in it, and what to think of before it runs in a container."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from windows.iis.dockerfile import features_of
from windows.iis.nginx import untold_headers
from windows.iis.program import SUPPORTED_UNTIL, Program
from windows.iis.site import Site

_KINDS = {
    "framework": "ASP.NET, .NET Framework",
    "classic-asp": "classic ASP",
    "core": "ASP.NET Core",
    "static": "static files",
}


def found_in(site: Site) -> Iterator[str]:
    """A line for each thing that decided what was written."""
    yield f"{_KINDS[site.kind]} {site.version}".rstrip() + _supported(site)
    if site.program:
        yield f"started as {site.program.name}{', with a runtime of its own' if site.program.self_contained else ''}"
    if site.has_services:
        yield "WCF services"
    if site.kind != "core" and site.for_windows and (features := features_of(site)):
        yield f"features of IIS that the base does not have: {', '.join(features)}"
    for each in site.applications:
        yield f"an application of its own at {each.path}"
    if site.transforms:
        yield f"transforms: {', '.join(site.transforms)}"
    if site.settings:
        yield f"settings: {', '.join(site.settings)}"
    if site.texts.templates:
        yield f"#{{...}} in: {', '.join(site.texts.templates)}"
    if names := replaceable(site):
        yield f"a variable of the same name replaces: {', '.join(names[:30])}{', ...' if len(names) > 30 else ''}"


def _supported(site: Site) -> str:
    until = SUPPORTED_UNTIL.get(site.version, "") if site.kind == "core" else ""
    if not until:
        return ""
    over = until < f"{datetime.now(UTC):%Y-%m-%d}"
    return (
        f", without support since {until}: no fixes, not even for its base image"
        if over
        else f", supported until {until}"
    )


def replaceable(site: Site) -> list[str]:
    """The names of settings that a variable of the same name replaces."""
    return list(dict.fromkeys([*(name for web in site.webs for name in web.settings), *site.setting_names]))


def concerns_for(site: Site) -> Iterator[str]:
    """A line for each thing to think of, the gravest first."""
    if not site.pages.certain:
        yield (
            "whether anything answers at / cannot be seen: for an API that answers nothing there, name something "
            "under health.http that it does answer"
        )
    yield from site.setting_concerns
    if site.verifies_files and site.settings:
        yield (
            "service-worker-assets.js holds the hash of each file, and browsers refuse what was configured; "
            "leave appsettings*.json out of it when publishing"
        )
    if site.kind in ("framework", "classic-asp"):
        yield from _of_iis(site)
    elif site.program is not None:
        yield from _of_core(site, site.program)
    else:
        yield from _of_pages(site)


def _of_iis(site: Site) -> Iterator[str]:
    if site.project:
        yield (
            f"these are the sources ({site.project}) with what was last built in bin, perhaps for debugging; "
            "better publish the project, and give that folder"
        )
    yield from _of_old_pages(site)
    if any(web.server.rewrites for web in site.webs):
        yield (
            "<rewrite> needs IIS's URL Rewrite module, which the base image does not have: the Dockerfile downloads "
            "and installs it; have a copy beside it if the build host has no internet"
        )
    for path, web in (("", site.web), *((each.path, each.web) for each in site.applications)):
        yield from (f"{path}: {line}" if path else line for line in (*web.server.concerns, *web.concerns))
    if any(web.server.windows_authentication for web in site.webs):
        yield (
            "Windows authentication in a container needs a group managed service account: run.credential-spec; "
            "and health.http a page that asks for no login. A new IIS lets anonymous visitors in beside it: "
            "turn that off in the Dockerfile, if it was off"
        )
    if site.kind == "framework" and not site.web.target_framework:
        pool = "2.0" if site.version == "3.5" else "4.0"
        yield (
            f"web.config names no targetFramework; bin and the rest of it look like .NET {pool}: see that the "
            "application pool says the same, and the Dockerfile's base with it (3.5 or 4.8)"
        )
    if any(web.debug for web in site.webs) and not site.transforms:
        yield 'debug="true" in web.config, and no Web.Release.config that takes it away'
    if site.has_data:
        yield (
            "App_Data is in the image: what the application writes there ends with the container; "
            r"mount a volume, as volumes: ['shop-data:C:\inetpub\wwwroot\App_Data']"
        )
    if site.web.net_tcp:
        yield "net.tcp answers on port 808, which step.yaml publishes"
    yield r"IIS's own log is in C:\inetpub\logs; `dockwright logs` shows it if Microsoft's LogMonitor is in the image"


def _of_old_pages(site: Site) -> Iterator[str]:
    """What stands in the code of classic ASP."""
    if site.texts.with_passwords:
        yield (
            f"{_some(site.texts.with_passwords)}: a password in the code; write #{{...}} there, "
            "and list the file under substitute"
        )
    if site.texts.components:
        yield (
            f"COM components that are no part of Windows ({_some(site.texts.components)}): the Dockerfile must "
            "register them; 32-bit ones also need enable32BitAppOnWin64 for the application pool"
        )


def _of_core(site: Site, program: Program) -> Iterator[str]:
    server = site.web.server
    if program.incomplete:
        yield f"{program.name}.dll, which is to be started, is not in the folder: publish the site again"
    if server.rewrites:
        yield "<rewrite> is IIS's: without IIS the application must do this itself, or the proxy before it"
    if server.windows_authentication:
        yield "Windows authentication was IIS's: without IIS the application must do it itself (Negotiate)"
    if site.web.headers:
        names = ", ".join(name for name, _ in site.web.headers)
        yield f"response headers of web.config ({names}) are the application's to set now"
    if names := ", ".join(site.web.core_environment):
        yield f"environment variables of web.config ({names}) are in step.yaml now; give their values as variables"
    if site.has_environments:
        yield (
            "which appsettings.*.json the program reads, ASPNETCORE_ENVIRONMENT decides, perhaps set on the old "
            "machine: it is in step.yaml now; give it for each environment"
        )
    place = ", as volumes: [shop-keys:/root/.aspnet/DataProtection-Keys]" if program.needs == "linux" else ""
    yield f"keys for logins and forms end with each container; keep them in a database or on a volume{place}"
    yield from _to_linux(program)


def _to_linux(program: Program) -> Iterator[str]:
    if not program.version and program.needs == "linux":
        yield "no *.runtimeconfig.json says which .NET it needs: see the tag of the base in the Dockerfile"
    match program.needs:
        case "linux":
            yield (
                "this one needs no Windows: it runs on Linux hosts, which are smaller and start faster; there, names "
                "of files are case-sensitive, and the clock is UTC unless run.environment sets TZ"
            )
        case "self-contained" | "native":
            yield "it was published for Windows; publish it for linux-x64, or for any system, and it needs no Windows"
        case "desktop":
            yield (
                "it uses WPF or Windows Forms, whose runtime no base image has: put the installer beside the "
                "Dockerfile, or do without (System.Drawing alone can be replaced)"
            )
        case "framework":
            yield "it is ASP.NET Core on .NET Framework, which needs Windows; on .NET it would run on Linux"


def _of_pages(site: Site) -> Iterator[str]:
    yield "this one needs no Windows: nginx serves it on Linux hosts, where names of files are case-sensitive"
    if site.web.falls_back:
        yield "the <rewrite> to the front page is in nginx.conf now; other rules of web.config are not"
    elif site.web.server.rewrites:
        yield "the <rewrite> rules of web.config are IIS's; write what they did into an nginx.conf"
    if names := untold_headers(site):
        yield f"response headers that web.config sets ({', '.join(names)}) are to be set in nginx.conf"


def _some(names: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
