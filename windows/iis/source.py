"""The files that make a site a source package and a bundle: Dockerfile, `.dockerignore`, `sdi.yaml`, `step.yaml`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from agent.errors import InputError, StorageError
from windows.iis.site import Site

WINDOWS_TAG = "windowsservercore-ltsc2022"
FRAMEWORK = f"mcr.microsoft.com/dotnet/framework/aspnet:{{version}}-{WINDOWS_TAG}"
CORE = "mcr.microsoft.com/dotnet/aspnet:{version}"
CORE_SELF_CONTAINED = "mcr.microsoft.com/dotnet/runtime-deps:{version}"
CORE_FOR_WINDOWS = "mcr.microsoft.com/windows/nanoserver:ltsc2022"
STATIC = "docker.io/library/nginx:stable-alpine"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\Z")


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written, and what a person should know and do next, a line each."""

    files: tuple[Path, ...]
    found: tuple[str, ...]
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]


def write_source(site: Site, name: str, into: Path) -> Written:
    """Write a bundle around a source package for the site. InputError if something is there already."""
    if not _NAME.match(name):
        raise InputError(f"'{name}' is no package id; use letters, digits, '.', '_' and '-', at most 90")
    contents = {
        f"sdi/{name}.Sdi.1.0.0/Dockerfile": dockerfile(site),
        f"sdi/{name}.Sdi.1.0.0/.dockerignore": _ignored(site),
        f"sdi/{name}.Sdi.1.0.0/sdi.yaml": manifest(site, name),
        "step.yaml": step(site, name),
        "variables/example.json": _variables(),
    }
    if into.exists() and any(into.iterdir()):
        raise InputError(f"{into} is not empty; give another folder with --into, nothing is overwritten")
    try:
        for path, text in contents.items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_text(text, encoding="utf-8", newline="\n")
        (into / "packages").mkdir()
    except OSError as error:
        raise StorageError(f"{into} cannot be written: {error.strerror}") from error
    return Written(
        files=tuple(into / path for path in contents),
        found=tuple(_found(site)),
        notes=tuple(_notes(site)),
        next_steps=tuple(_next_steps(site, name, into)),
    )


def dockerfile(site: Site) -> str:
    """The Dockerfile for the site's kind."""
    match site.kind:
        case "framework":
            return _framework_dockerfile(site)
        case "core":
            return _core_dockerfile(site)
        case "static":
            return f"ARG BASE={STATIC}\nFROM ${{BASE}}\nCOPY site/ /usr/share/nginx/html/\nEXPOSE 80\n"


def manifest(site: Site, name: str) -> str:
    """`sdi.yaml`: the site as a package, and which of its files are configured."""
    lines = [
        "# The source package: which packages it needs, and which of their files belong to an environment.",
        "packages:",
        f'  - {{name: {name}, id: {name}, version: "[1.0,)", feed: built-in, extract-to: site}}',
    ]
    transform: list[str] = []
    if site.templates:
        transform.append(f"  substitute: {_listed(site.templates)}   # #{{...}} in these")
    if site.config:
        named = ", ".join(site.transforms) or "none is there yet"
        transform.append(f"  config-transforms: {{automatic: true}}   # {named}")
    if site.web.app_settings or site.web.connection_strings:
        transform.append("  config-variables: true   # <appSettings> and <connectionStrings> by the variables' names")
    base = tuple(name for name in site.settings if name.lower().endswith("appsettings.json"))
    if base or site.settings:
        transform.append(f"  structured: {_listed(base or site.settings)}   # Section:Key by the variables' names")
    if transform:
        lines += ["transform:", *transform]
    return "\n".join(lines) + "\n"


def step(site: Site, name: str) -> str:
    """`step.yaml`: what a deployment of it does."""
    port = 8080 if site.kind == "core" else 80
    return (
        "# What a deployment does. Any value may hold #{...}; `dockwright plan` shows what it comes to.\n"
        "step: source-image\n"
        "inputs:\n"
        f"  source: {name}.Sdi\n"
        f"  image: {name.lower()}\n"
        '  registry: "#{Registry | Trim}"          # as myregistry:8080; empty: the image stays on its host\n'
        "  run:\n"
        f'    name: "{name.lower()}-#{{Octopus.Environment.Name | ToLower}}"\n'
        f'    ports: ["#{{Site.Port}}:{port}"]\n'
        "    health: {http: /}                      # better: a page that says whether the site can do its work\n"
        "packages:\n"
        f"  - {{name: {name}.Sdi, id: {name}.Sdi, version: 1.0.0, feed: built-in}}\n"
        f"  - {{name: {name}, id: {name}, version: 1.0.0, feed: built-in}}\n"
        "feeds:\n"
        "  built-in: {type: folder, uri: ./packages}\n"
    )


def _framework_dockerfile(site: Site) -> str:
    rewrite = (
        "# The site uses <rewrite>: install the URL Rewrite module here, its installer being beside this file:\n"
        "# COPY rewrite_amd64_en-US.msi C:/\n"
        "# RUN msiexec /i C:\\rewrite_amd64_en-US.msi /qn\n"
        if site.web.rewrites
        else ""
    )
    return (
        "# escape=`\n"
        "# The tag says for which Windows this is: a Server 2019 host needs -ltsc2019, see `dockwright doctor`.\n"
        f"ARG BASE={FRAMEWORK.format(version=site.version)}\n"
        "FROM ${BASE}\n"
        f"{rewrite}"
        "COPY site/ C:/inetpub/wwwroot/\n"
        "EXPOSE 80\n"
    )


def _core_dockerfile(site: Site) -> str:
    if site.for_windows:
        return (
            "# escape=`\n"
            f"ARG BASE={CORE_FOR_WINDOWS}\n"
            "FROM ${BASE}\n"
            "WORKDIR C:/app\n"
            "COPY site/ ./\n"
            "ENV ASPNETCORE_URLS=http://+:8080\n"
            "EXPOSE 8080\n"
            f'ENTRYPOINT ["C:\\\\app\\\\{site.program}.exe"]\n'
        )
    base = (CORE_SELF_CONTAINED if site.self_contained else CORE).format(version=site.version)
    start = [f"./{site.program}"] if site.self_contained else ["dotnet", f"{site.program}.dll"]
    return (
        f"ARG BASE={base}\n"
        "FROM ${BASE}\n"
        "WORKDIR /app\n"
        "COPY site/ ./\n"
        "ENV ASPNETCORE_URLS=http://+:8080\n"
        "EXPOSE 8080\n"
        f"ENTRYPOINT {json.dumps(start)}\n"
    )


def _ignored(site: Site) -> str:
    """What helps a deployment and does not belong into the image."""
    lines = [f"site/{name}" for name in site.transforms]
    if site.kind == "static" and site.config:
        lines.append(f"site/{site.config}")
    return "\n".join(["sdi.yaml", *lines]) + "\n"


def _variables() -> str:
    """A variables file to fill in. Nothing is copied into it from the site: settings may be secrets."""
    known = {
        "Octopus.Project.Name": "my-project",
        "Octopus.Environment.Name": "Test",
        "Octopus.Release.Number": "1.0.0",
        "Octopus.Deployment.Id": "Deployments-1",
        "Registry": "",
        "Site.Port": "8080",
    }
    return json.dumps(known, indent=2) + "\n"


def _found(site: Site) -> list[str]:
    kinds = {"framework": "ASP.NET (.NET Framework)", "core": "ASP.NET Core", "static": "static files"}
    lines = [f"{kinds[site.kind]} {site.version}".rstrip()]
    if site.program:
        lines.append(f"started as {site.program}{', self-contained' if site.self_contained else ''}")
    if site.transforms:
        lines.append(f"transforms: {', '.join(site.transforms)}")
    if site.settings:
        lines.append(f"settings: {', '.join(site.settings)}")
    if site.templates:
        lines.append(f"#{{...}} in: {', '.join(site.templates)}")
    if names := (*site.web.app_settings, *site.web.connection_strings):
        lines.append(f"a variable of the same name replaces: {', '.join(names)}")
    return lines


def _notes(site: Site) -> list[str]:
    lines = list(site.web.notes) if site.kind == "framework" else []
    lines += [
        f"the connection string '{name}' holds a password: give it as a sensitive variable of that name, "
        "and take it out of the file"
        for name in site.web.secret_connection_strings
    ]
    if site.kind == "core" and (site.web.rewrites or site.web.windows_authentication):
        lines.append(
            "<rewrite> and Windows authentication are IIS's: without IIS the application must do these itself"
        )
    if site.kind != "framework" and not site.for_windows:
        lines.append("this one needs no Windows: it runs on Linux hosts, which are smaller and start faster")
    if site.for_windows and site.kind == "core":
        lines.append("it was published for Windows only; publish it for linux-x64 and it needs no Windows")
    return lines


def _next_steps(site: Site, name: str, into: Path) -> list[str]:
    variables = f"--variables {into}/variables/example.json"
    return [
        f"dockwright pack {site.folder} --id {name} --version 1.0.0 --into {into}/packages",
        f"dockwright pack {into}/sdi/{name}.Sdi.1.0.0 --into {into}/packages",
        f"dockwright plan {into} {variables}",
        f"dockwright run {into} {variables}",
    ]


def _listed(names: tuple[str, ...]) -> str:
    return json.dumps([f"site/{name}" for name in names])
