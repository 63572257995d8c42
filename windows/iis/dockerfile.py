"""The Dockerfile for a site, on the base that Microsoft makes for its kind.

What changes the image's IIS comes before the site's files are copied: no RUN sees configured files then, and each
environment is one small layer on the release's image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from windows.iis.nginx import nginx_conf
from windows.iis.program import Program
from windows.iis.site import Site

WINDOWS = "ltsc2022"
FRAMEWORK = "mcr.microsoft.com/dotnet/framework/{image}:{version}-windowsservercore-" + WINDOWS
IIS = "mcr.microsoft.com/windows/servercore/iis:windowsservercore-" + WINDOWS
NANO = "mcr.microsoft.com/windows/nanoserver:" + WINDOWS
CORE = "mcr.microsoft.com/dotnet/{image}:{tag}"
STATIC = "docker.io/library/nginx:stable-alpine"
NEWEST_CORE = "10.0"
_ONLY_IN_OLD_PLACE = frozenset({"2.2", "3.0"})
_REWRITE = (
    "https://download.microsoft.com/download/1/2/8/128E2E22-C1B9-44A4-BE2A-5859ED1D4592/rewrite_amd64_en-US.msi"
)
_APPCMD = r"%windir%\System32\inetsrv\appcmd"
_BY_WINDOWS = "system.webServer/security/authentication/windowsAuthentication"
_PINNED = "# The tag says for which Windows this is: a Server 2019 host needs -ltsc2019, see `dockwright doctor`."


def dockerfile(site: Site) -> str:
    """The Dockerfile for the site's kind."""
    if site.program is not None:
        return _text(_core_lines(site.program))
    if site.kind == "static":
        return _text(_static_lines(site))
    return _text(_iis_lines(site))


def features_of(site: Site) -> list[str]:
    """The features of IIS, by their names for DISM, that the site uses and its base does not have."""
    found = {each for web in site.webs for each in web.server.features}
    if site.has_asp:
        found.add("IIS-ASP")
    if site.has_services and site.version == "3.5":
        found.add("WCF-HTTP-Activation")
    return sorted(found)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _iis_lines(site: Site) -> Iterator[str]:
    yield from ("# escape=`", _PINNED, f"ARG BASE={_iis_base(site)}", "FROM ${BASE}")
    if any(web.server.rewrites for web in site.webs):
        yield "# IIS's URL Rewrite module, for <rewrite>. Where there is no internet, COPY it from beside this file."
        yield f"ADD {_REWRITE} C:/setup/rewrite.msi"
        yield r"RUN start /wait msiexec /i C:\setup\rewrite.msi /qn /norestart"
    if features := features_of(site):
        yield "# Features of IIS that the site uses and the base does not have."
        yield "RUN dism /Online /Quiet /Enable-Feature /All" + "".join(f" /FeatureName:{each}" for each in features)
    if unlocked := sorted({each for web in site.webs for each in web.server.unlocked}):
        yield "# Sections of web.config that IIS ignores, with error 500.19, unless they are unlocked."
        yield "RUN " + " `\n && ".join(f"{_APPCMD} unlock config -section:{each}" for each in unlocked)
    if any(web.server.leaves_it_to_iis for web in site.webs):
        yield '# What <authentication mode="Windows"> leaves to IIS, which has it off at first.'
        yield f"RUN {_APPCMD} set config -section:{_BY_WINDOWS} /enabled:true /commit:apphost"
    for each in site.applications:
        below = each.path.replace("/", "\\")
        yield f"# {each.path} is an application of its own."
        yield (
            f'RUN {_APPCMD} add app /site.name:"Default Web Site" "/path:{each.path}" '
            f'"/physicalPath:C:\\inetpub\\wwwroot{below}"'
        )
    if site.has_data:
        yield "# The application may write there; what it writes ends with the container, unless a volume is mounted."
        yield r"RUN mkdir C:\inetpub\wwwroot\App_Data `"
        yield r' && icacls C:\inetpub\wwwroot\App_Data /grant "IIS AppPool\DefaultAppPool:(OI)(CI)M"'
    if site.kind == "classic-asp":
        yield "# IIS's own welcome page, which the base has there."
        yield r"RUN del /q C:\inetpub\wwwroot\*"
    yield "COPY site/ C:/inetpub/wwwroot/"
    yield "EXPOSE 80 808" if site.web.net_tcp else "EXPOSE 80"


def _iis_base(site: Site) -> str:
    if site.kind == "classic-asp":
        return IIS
    services = site.has_services and site.version != "3.5"
    return FRAMEWORK.format(image="wcf" if services else "aspnet", version=site.version)


def _core_lines(program: Program) -> Iterator[str]:
    if program.needs == "linux":
        yield f"ARG BASE={_core_base(program)}"
        if program.self_contained:
            yield from _executable(program.name)
        yield from ("FROM ${BASE}", "WORKDIR /app", "COPY site/ ./")
        if program.self_contained:
            yield f"COPY --from=program {json.dumps([f'/app/{program.name}', f'./{program.name}'])}"
        start = [f"./{program.name}"] if program.self_contained else ["dotnet", f"{program.name}.dll"]
    else:
        yield from ("# escape=`", _PINNED, f"ARG BASE={_core_base(program)}", "FROM ${BASE}")
        if program.needs == "desktop":
            yield "# The program uses WPF or Windows Forms: its runtime's installer is to lie beside this file."
            yield f"COPY windowsdesktop-runtime-{program.version}-win-x64.exe C:/setup/desktop.exe"
            yield r"RUN C:\setup\desktop.exe /install /quiet /norestart"
        yield from ("WORKDIR C:/app", "COPY site/ ./")
        by_itself = program.needs in ("self-contained", "framework")
        start = [f"C:\\app\\{program.name}.exe"] if by_itself else ["dotnet", f"{program.name}.dll"]
    yield "ENV ASPNETCORE_URLS=http://+:8080"
    yield "EXPOSE 8080"
    yield f"ENTRYPOINT {json.dumps(start)}"


def _executable(name: str) -> Iterator[str]:
    """A stage of its own, so that no RUN sees configured files."""
    yield "# Windows keeps no right to execute a file, and so has a package that was made there none."
    yield from ("FROM ${BASE} AS program", f"COPY {json.dumps([f'site/{name}', '/app/'])}")
    yield f"RUN {json.dumps(['chmod', '755', f'/app/{name}'])}"


def _core_base(program: Program) -> str:
    version = program.version or NEWEST_CORE
    match program.needs:
        case "linux":
            image = "runtime-deps" if program.self_contained else "aspnet"
            old = "core/" if version in _ONLY_IN_OLD_PLACE else ""
            return CORE.format(image=f"{old}{image}", tag=version)
        case "self-contained":
            return NANO
        case "native":
            return CORE.format(image="aspnet", tag=f"{version}-nanoserver-{WINDOWS}")
        case "desktop":
            return CORE.format(image="aspnet", tag=f"{version}-windowsservercore-{WINDOWS}")
        case "framework":
            return FRAMEWORK.format(image="runtime", version="4.8")


def _static_lines(site: Site) -> Iterator[str]:
    yield from (f"ARG BASE={STATIC}", "FROM ${BASE}")
    if nginx_conf(site):
        yield "COPY nginx.conf /etc/nginx/conf.d/default.conf"
    yield f"COPY site/{site.root} /usr/share/nginx/html/"
    yield "EXPOSE 80"
