"""A site's folder, looked at: which kind it is, what it runs on, and which of its files are configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from agent.errors import InputError
from windows.iis.web_config import WebConfig, read_web_config

Kind = Literal["framework", "core", "static"]

MOST_FILES = 100_000
LARGEST_TEMPLATE = 1_000_000
_TEXTS = frozenset({".config", ".json", ".xml", ".html", ".htm", ".js", ".css", ".txt", ".ini", ".yaml", ".yml"})
_TRANSFORM = re.compile(r"web\.[^.]+\.config$", re.IGNORECASE)
_SETTINGS = re.compile(r"appsettings(\.[^.]+)?\.json$", re.IGNORECASE)
_CODE = frozenset({".aspx", ".ashx", ".asmx", ".asax", ".ascx", ".cshtml", ".svc", ".master"})


class _Framework(msgspec.Struct):
    name: str = ""
    version: str = ""


class _RuntimeOptions(msgspec.Struct, rename="camel"):
    tfm: str = ""
    framework: _Framework | None = None
    frameworks: list[_Framework] = []
    included_frameworks: list[_Framework] = []


class _RuntimeConfig(msgspec.Struct, rename="camel"):
    runtime_options: _RuntimeOptions = msgspec.field(default_factory=_RuntimeOptions)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site. `version` is .NET's, `4.8` or `8.0`; `program` what ASP.NET Core starts, without its extension.

    Paths are relative to `folder`, with `/`, sorted.
    """

    folder: Path
    kind: Kind
    version: str = ""
    program: str = ""
    self_contained: bool = False
    for_windows: bool = False
    config: str = ""
    transforms: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    web: WebConfig = field(default_factory=WebConfig)


def read_site(folder: Path) -> Site:
    """Look at a folder. InputError if it is no site, or one whose configuration cannot be read."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one that IIS serves, with its web.config")
    files = sorted(_files(folder))
    config = next((name for name in files if name.lower() == "web.config"), "")
    web = read_web_config(folder / config) if config else WebConfig()
    runtime = next((name for name in files if "/" not in name and name.lower().endswith(".runtimeconfig.json")), "")
    common = {
        "folder": folder,
        "config": config,
        "transforms": tuple(name for name in files if _TRANSFORM.search(name.rpartition("/")[2])),
        "settings": tuple(name for name in files if _SETTINGS.search(name.rpartition("/")[2])),
        "templates": tuple(name for name in files if _is_template(folder, name)),
        "web": web,
    }
    if runtime or web.core_process:
        return Site(kind="core", **_core(folder, runtime, web, files), **common)  # type: ignore[arg-type]
    if web.has_system_web or any(_is_code(name) for name in files):
        return Site(kind="framework", version=_framework_version(web), for_windows=True, **common)  # type: ignore[arg-type]
    if any(name.lower() in {"index.html", "index.htm", "default.htm", "default.html"} for name in files):
        return Site(kind="static", **common)  # type: ignore[arg-type]
    raise InputError(
        f"{folder} is no site: it has no web.config with <system.web>, no *.runtimeconfig.json and no index.html; "
        "give the published folder, not the sources"
    )


def _files(folder: Path) -> Iterator[str]:
    count = 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            count += 1
            if count > MOST_FILES:
                raise InputError(f"{folder} has more than {MOST_FILES:,} files; give the site's own folder")
            yield path.relative_to(folder).as_posix()


def _core(folder: Path, runtime: str, web: WebConfig, files: list[str]) -> dict[str, object]:
    options = _runtime_options(folder / runtime) if runtime else _RuntimeOptions()
    frameworks = [*filter(None, [options.framework]), *options.frameworks, *options.included_frameworks]
    version = next((each.version for each in frameworks if each.version), options.tfm.removeprefix("net"))
    program = runtime[: -len(".runtimeconfig.json")] if runtime else _program(web)
    found = re.match(r"\d+\.\d+", version)
    return {
        "version": found[0] if found else "8.0",
        "program": program,
        "self_contained": bool(options.included_frameworks),
        "for_windows": bool(options.included_frameworks) and f"{program}.exe" in files and program not in files,
    }


def _program(web: WebConfig) -> str:
    named = re.search(r"([^\\/\s\"]+)\.dll", web.core_arguments) or re.search(r"([^\\/\s\"]+)\.exe", web.core_process)
    return named[1] if named else "app"


def _runtime_options(path: Path) -> _RuntimeOptions:
    try:
        return msgspec.json.decode(
            path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=_RuntimeConfig
        ).runtime_options
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}; publish the site again") from error


def _framework_version(web: WebConfig) -> str:
    """4.8 runs everything from 4.0 on; 3.5 runs what is older."""
    return "3.5" if web.target_framework.startswith(("2.", "3.")) else "4.8"


def _is_code(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return suffix in _CODE or (suffix == ".dll" and name.lower().startswith("bin/"))


def _is_template(folder: Path, name: str) -> bool:
    """A text with `#{...}` in it, which a deployment fills."""
    path = folder / name
    if path.suffix.lower() not in _TEXTS or path.stat().st_size > LARGEST_TEMPLATE:
        return False
    return b"#{" in path.read_bytes()
