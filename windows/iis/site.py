"""A site's folder, looked at: which kind it is, what it runs on, and which of its files are configuration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.errors import InputError
from windows.iis.assemblies import newest_runtime
from windows.iis.pages import STATIC_DOCUMENTS, Pages, pages_of_core, pages_of_program, static_pages
from windows.iis.program import Program, find_program
from windows.iis.settings import read_settings
from windows.iis.texts import Texts, read_texts
from windows.iis.values import concerns_of
from windows.iis.web_config import WebConfig, read_web_config

Kind = Literal["framework", "classic-asp", "core", "static"]

MOST_FILES = 100_000
MOST_APPLICATIONS = 50
_TRANSFORM = re.compile(r"(.+)\.[^.]+\.config$", re.IGNORECASE)
_SETTINGS = re.compile(r"appsettings(\.[^.]+)?\.json$", re.IGNORECASE)
_PLAIN = re.compile(r"[\w .,()/-]+")
"""Names that IIS takes as they are, and that stay one word between quotes."""
_CODE = frozenset({".aspx", ".ashx", ".asmx", ".asax", ".ascx", ".cshtml", ".svc", ".master"})
_PROJECTS = (".csproj", ".vbproj", ".fsproj")


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application below the site, with a `web.config` and a `bin` of its own. `path` as `/api`."""

    path: str
    web: WebConfig


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site. `version` is .NET's, `4.8` or `8.0`, empty if nothing tells it.

    Paths are relative to `folder`, with `/`, sorted; `root` is where the pages of a static site lie.
    """

    folder: Path
    kind: Kind
    version: str = ""
    program: Program | None = None
    root: str = ""
    project: str = ""
    """The project file, where these are sources, built as they lie."""
    config: str = ""
    transforms: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    setting_names: tuple[str, ...] = ()
    texts: Texts = field(default_factory=Texts)
    pages: Pages = field(default_factory=Pages)
    web: WebConfig = field(default_factory=WebConfig)
    applications: tuple[Application, ...] = ()
    has_data: bool = False
    """Files in App_Data."""
    has_services: bool = False
    """WCF's .svc files."""
    has_asp: bool = False
    verifies_files: bool = False
    """A service worker that holds the hashes of the files."""
    setting_concerns: tuple[str, ...] = ()

    @property
    def for_windows(self) -> bool:
        """Whether it needs a Windows container."""
        if self.program is not None:
            return self.program.needs != "linux"
        return self.kind in ("framework", "classic-asp")

    @property
    def environment(self) -> tuple[str, ...]:
        """The environment variables of an ASP.NET Core program: what IIS gave it, and which settings it reads."""
        if self.program is None:
            return ()
        names = [each for each in self.web.core_environment if re.fullmatch(r"\w+", each)]
        if self.has_environments and not {"ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"}.intersection(names):
            names.append("ASPNETCORE_ENVIRONMENT")
        return tuple(names)

    @property
    def has_environments(self) -> bool:
        """Whether there are settings for several environments, of which the program reads one."""
        usual = {"appsettings.json", "appsettings.development.json"}
        return any("/" not in name and name.lower() not in usual for name in self.settings)

    @property
    def webs(self) -> tuple[WebConfig, ...]:
        """What each web.config of an application says, the site's own first."""
        return (self.web, *(each.web for each in self.applications))


def read_site(folder: Path) -> Site:
    """Look at a folder. InputError if it is no site, or one whose configuration cannot be read."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one that IIS serves, with its web.config")
    files = sorted(_files(folder))
    config = next((name for name in files if name.lower() == "web.config"), "")
    web = read_web_config(folder / config, folder) if config else WebConfig()
    known = set(files)
    settings = tuple(name for name in files if _SETTINGS.fullmatch(name.rpartition("/")[2]))
    values = list(dict.fromkeys(pair for name in settings for pair in read_settings(folder / name)))
    project = next((name for name in files if "/" not in name and name.lower().endswith(_PROJECTS)), "")
    program = find_program(folder, known, web)
    kind = _kind(files, web, program)
    if kind is None or (project and not _is_built(files, program)):
        raise InputError(f"{folder} {_advice(folder, files, project)}")
    transforms = tuple(_transforms(files))
    root = "wwwroot/" if kind == "static" and not static_pages(files, web).front else ""
    on_windows = kind != "static" and (program is None or program.needs != "linux")
    return Site(
        folder=folder,
        kind=kind,
        version=_version(kind, folder, files, web, program),
        program=program if kind == "core" else None,
        root=root,
        project=project,
        config=config,
        transforms=transforms,
        settings=settings,
        setting_names=tuple(dict.fromkeys(name for name, _ in values)),
        texts=read_texts(folder, files, transforms),
        pages=_pages(kind, root, files, web),
        web=web,
        applications=tuple(_applications(folder, files)) if kind == "framework" else (),
        has_data=any(name.lower().startswith("app_data/") for name in files),
        has_services=any(name.lower().endswith(".svc") for name in files),
        has_asp=any(name.lower().endswith(".asp") for name in files),
        verifies_files=any(name.endswith("service-worker-assets.js") for name in files),
        setting_concerns=tuple(concerns_of(values, on_windows=on_windows)),
    )


def _pages(kind: Kind, root: str, files: Sequence[str], web: WebConfig) -> Pages:
    if kind == "core":
        return pages_of_core(files)
    return static_pages(files, web, root) if kind == "static" else pages_of_program(files, web)


def _files(folder: Path) -> Iterator[str]:
    count = 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            count += 1
            if count > MOST_FILES:
                raise InputError(f"{folder} has more than {MOST_FILES:,} files; give the site's own folder")
            name = path.relative_to(folder).as_posix()
            if name.isprintable():  # a line break in a name would begin a line of its own in what is written
                yield name


def _kind(files: Collection[str], web: WebConfig, program: Program | None) -> Kind | None:
    lower = {name.lower() for name in files}
    if program is not None:
        return "core"
    if web.has_system_web or any(_is_code(name) for name in lower):
        return "framework"
    if any(name.endswith(".asp") for name in lower):
        return "classic-asp"
    return "static" if any(static_pages(files, web, root).front for root in ("", "wwwroot/")) else None


def _is_code(name: str) -> bool:
    return Path(name).suffix in _CODE or _is_assembly(name)


def _is_assembly(name: str) -> bool:
    """Directly in `bin`: what is deeper there was not published."""
    return name.count("/") == 1 and name.lower().startswith("bin/") and name.lower().endswith(".dll")


def _is_built(files: Collection[str], program: Program | None) -> bool:
    return program is not None or any(map(_is_assembly, files))


def _advice(folder: Path, files: Collection[str], project: str) -> str:
    """Why it is no site, and which folder to give instead."""
    if project or any(name.lower().endswith((*_PROJECTS, ".sln")) for name in files):
        published = f"dotnet publish {project}" if project else "dotnet publish"
        return (
            f"has the sources of a site: publish it first (`{published} -c Release -o FOLDER`, or msbuild with "
            "/p:DeployOnBuild=true /p:WebPublishMethod=FileSystem /p:PublishUrl=FOLDER for .NET Framework), "
            "and give that FOLDER"
        )
    if any(name.lower().endswith(".php") for name in files):
        return "has PHP pages, which this knows nothing of; begin with PHP's own image, php:apache"
    marks = STATIC_DOCUMENTS | {"web.config"}
    inner = {
        name.partition("/")[0] for name in files if name.count("/") == 1 and name.lower().rpartition("/")[2] in marks
    }
    if inner:
        some = ", ".join(str(folder / name) for name in sorted(inner)[:3])
        return f"is no site, but has some: {some}; give one of them"
    return (
        "is no site: it has no web.config with <system.web>, no *.runtimeconfig.json and no index.html; "
        "give the published folder"
    )


def _version(kind: Kind, folder: Path, files: Collection[str], web: WebConfig, program: Program | None) -> str:
    if kind == "core" and program is not None:
        return program.version
    return _framework_version(folder, files, web) if kind == "framework" else ""


def _framework_version(folder: Path, files: Collection[str], web: WebConfig) -> str:
    """4.8 runs everything from 4.0 on; 3.5 what is older. A web.config that names no version is asked of `bin`."""
    target = web.target_framework
    if target.startswith("4.8.1"):
        return "4.8.1"
    if target:
        return "3.5" if target.startswith(("2.", "3.")) else "4.8"
    runtime = newest_runtime(folder / name for name in files if _is_assembly(name))
    return "3.5" if runtime == "v2.0" or (not runtime and web.for_old_runtime) else "4.8"


def _transforms(files: Collection[str]) -> Iterator[str]:
    """`web.Release.config` beside `web.config`, and so for every configuration file."""
    lower = {name.lower() for name in files}
    for name in files:
        found = _TRANSFORM.fullmatch(name)
        if found and f"{found[1]}.config".lower() in lower:
            yield name


def _applications(folder: Path, files: Collection[str]) -> Iterator[Application]:
    places = {
        name.lower().rpartition("/bin/")[0] for name in files if "/bin/" in name.lower() and name.endswith(".dll")
    }
    configs = [name for name in files if name.lower().endswith("/web.config") and name.lower()[:-11] in places]
    for name in filter(_PLAIN.fullmatch, configs[:MOST_APPLICATIONS]):
        yield Application(path=f"/{name[:-11]}", web=read_web_config(folder / name, folder, inherits=True))
