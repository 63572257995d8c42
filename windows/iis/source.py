"""The files that make a site a source package and a bundle: Dockerfile, `.dockerignore`, `sdi.yaml`, `step.yaml`."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from agent.errors import InputError, StorageError
from windows.iis.dockerfile import dockerfile
from windows.iis.nginx import nginx_conf
from windows.iis.remarks import concerns_for, found_in
from windows.iis.site import Site
from windows.local import at_home

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\Z")
_WIDTH = 110
_LENIENT = """\
  # Some of them take away what Release's took away before, which is a warning; those would fail a deployment.
  config-transforms: {automatic: true, warnings-as-errors: false}"""


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
        raise InputError(
            f"'{name}' is no package id; give one with --name: letters, digits, '.', '_', '-', at most 90"
        )
    source = f"sdi/{name}.Sdi.1.0.0"
    contents = {
        f"{source}/Dockerfile": dockerfile(site),
        f"{source}/.dockerignore": _ignored(site),
        f"{source}/sdi.yaml": manifest(site, name),
        **({f"{source}/nginx.conf": served} if site.kind == "static" and (served := nginx_conf(site)) else {}),
        "step.yaml": step(site, name),
        "variables/example.json": _variables(site),
    }
    _require_free(into, site.folder)
    try:
        for path, text in contents.items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_text(text, encoding="utf-8", newline="\n")
        (into / "packages").mkdir()
    except OSError as error:
        raise StorageError(f"{into} cannot be written: {error.strerror}; name another folder with --into") from error
    return Written(
        files=tuple(into / path for path in contents),
        found=tuple(found_in(site)),
        notes=tuple(concerns_for(site)),
        next_steps=tuple(_next_steps(site, name, into)),
    )


def _require_free(into: Path, folder: Path) -> None:
    if into.exists() and not into.is_dir():
        raise InputError(f"{into} is a file; give a folder with --into")
    if into.exists() and any(into.iterdir()):
        raise InputError(f"{into} is not empty; give another folder with --into, nothing is overwritten")
    if into.resolve().is_relative_to(folder.resolve()):
        beside = folder.resolve().parent / into.name
        raise InputError(f"{into} is within the site, and would be served and packed with it; give --into {beside}")


def manifest(site: Site, name: str) -> str:
    """`sdi.yaml`: the site as a package, and which of its files are configured."""
    lines = [
        "# The source package: which packages it needs, and which of their files belong to an environment.",
        "packages:",
        f'  - {{name: {name}, id: {name}, version: "[1.0,)", feed: built-in, extract-to: site}}',
    ]
    if transform := _transform_lines(site):
        lines += ["transform:", *transform]
    return "\n".join(lines) + "\n"


def _transform_lines(site: Site) -> list[str]:
    lines: list[str] = []
    if site.texts.templates:
        lines.append(f"  substitute: {_listed(site.texts.templates)}   # #{{...}} in these")
    if site.kind == "framework" or site.transforms:
        lines += _transform_comment(site)
        lines.append("  config-transforms: {automatic: true}" if not site.texts.removes_twice else _LENIENT)
    names = list(dict.fromkeys(name for web in site.webs for name in web.settings))
    if names and site.kind != "static":
        lines += ["  # A variable of the same name replaces one of:", *_wrapped(names), "  config-variables: true"]
    settings = tuple(each for each in site.settings if not each.lower().endswith("appsettings.development.json"))
    if settings:
        lines += ["  # A variable of the same name replaces one of:", *_wrapped(list(site.setting_names))]
        lines.append(f"  structured: {_listed(settings)}")
    return lines


def _transform_comment(site: Site) -> list[str]:
    if not site.transforms:
        return [
            "  # *.Release.config, then *.ENVIRONMENT.config; publishing leaves them out unless they are content."
        ]
    return ["  # *.Release.config, then *.ENVIRONMENT.config, of:", *_wrapped(list(site.transforms))]


def step(site: Site, name: str) -> str:
    """`step.yaml`: what a deployment of it does."""
    ports = '"#{Site.Port}:8080"' if site.kind == "core" else '"#{Site.Port}:80"'
    if site.web.net_tcp and site.kind == "framework":
        ports += ', "808:808"'
    # IIS in a new container takes its time, and the first request compiles the pages.
    health = f"{{http: {site.pages.ask}{', timeout: 180' if site.for_windows else ''}}}"
    environment = ", ".join(f'{each}: "#{{{each}}}"' for each in site.environment)
    by_windows = any(web.server.windows_authentication for web in site.webs) and site.kind == "framework"
    return (
        "# What a deployment does. Any value may hold #{...}; `dockwright plan` shows what it comes to.\n"
        "step: source-image\n"
        "inputs:\n"
        f"  source: {name}.Sdi\n"
        f"  image: {_image_name(name)}\n"
        '  registry: "#{Registry | Trim}"          # as myregistry:8080; empty: the image stays on its host\n'
        "  run:\n"
        f'    name: "{_image_name(name)}-#{{Octopus.Environment.Name | ToLower}}"\n'
        f"    ports: [{ports}]\n"
        + (f"    environment: {{{environment}}}\n" if environment else "")
        + ("    # credential-spec: file://shop.json    # the group managed service account\n" if by_windows else "")
        + f"    health: {health:<29} # better: a page that says whether the site can do its work\n"
        "packages:                                  # what a release is made of; its versions go here\n"
        f"  - {{name: {name}.Sdi, id: {name}.Sdi, version: 1.0.0, feed: built-in}}\n"
        f"  - {{name: {name}, id: {name}, version: 1.0.0, feed: built-in}}\n"
        "feeds:\n"
        "  built-in: {type: folder, uri: ./packages}\n"
    )


def _image_name(name: str) -> str:
    """As a registry wants it: small letters, and one separator between the others."""
    return re.sub(r"[._-]*([._-])", r"\1", name.lower()).strip("._-")


def _ignored(site: Site) -> str:
    """What helps a deployment and does not belong into the image."""
    lines = [f"site/{name}" for name in site.transforms]
    if site.kind == "static" and site.config:
        lines.append(f"site/{site.config}")
    if site.project:
        lines += ["site/obj", "site/**/*.cs", "site/**/*.vb", f"site/{site.project}"]
    return "\n".join(["sdi.yaml", *lines]) + "\n"


def _variables(site: Site) -> str:
    """A variables file to fill in. Nothing is copied into it from the site: settings may be secrets."""
    known = {
        "Octopus.Project.Name": "my-project",
        "Octopus.Environment.Name": "Test",
        "Octopus.Release.Number": "1.0.0",
        "Octopus.Deployment.Id": "Deployments-1",
        "Registry": "",
        "Site.Port": "8080",
        **{name: "Production" if name.endswith("_ENVIRONMENT") else "" for name in site.environment},
    }
    return json.dumps(known, indent=2) + "\n"


def _next_steps(site: Site, name: str, into: Path) -> list[str]:
    folder, variables = _quoted(into), _quoted(into / "variables" / "example.json")
    host = " --host winrm://USER@HOST" if site.for_windows and not at_home() else ""
    packages = _quoted(into / "packages")
    return [
        f"dockwright pack {_quoted(site.folder)} --id {name} --version 1.0.0 --into {packages}",
        f"dockwright pack {_quoted(into / 'sdi' / f'{name}.Sdi.1.0.0')} --into {packages}",
        f"dockwright plan {folder} --variables {variables}{host}",
        f"dockwright run {folder} --variables {variables}{host}",
    ]


def _quoted(path: Path) -> str:
    """As the shell of this system wants it."""
    if at_home():
        return f'"{path}"' if re.search(r"[^\w.:\\/-]", str(path)) else str(path)
    return shlex.quote(str(path))


def _listed(names: tuple[str, ...]) -> str:
    return json.dumps([f"site/{name}" for name in names], ensure_ascii=False)


def _wrapped(names: list[str]) -> list[str]:
    """Names in lines of comment, none cut; line breaks within a name would end the comment."""
    lines = ["  #  "]
    for name in (" ".join(each.split()) for each in names):
        if len(lines[-1]) + len(name) > _WIDTH and lines[-1] != "  #  ":
            lines.append("  #  ")
        lines[-1] += f" {name},"
    lines[-1] = lines[-1].rstrip(",")
    return lines if names else []
