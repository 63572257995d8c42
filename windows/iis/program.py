"""Which program an ASP.NET Core site starts, on which runtime, and whether that runs on Linux."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from agent.errors import InputError
from windows.iis.web_config import WebConfig

Needs = Literal["linux", "self-contained", "native", "desktop", "framework"]
"""`linux`: anything. The others need Windows: with its own runtime, with libraries for Windows only, with WPF or
Windows Forms, or with .NET Framework."""

SUPPORTED_UNTIL = {
    "2.1": "2021-08-21",
    "2.2": "2019-12-23",
    "3.0": "2020-03-03",
    "3.1": "2022-12-13",
    "5.0": "2022-05-10",
    "6.0": "2024-11-12",
    "7.0": "2024-05-14",
    "8.0": "2026-11-10",
    "9.0": "2026-11-10",
    "10.0": "2028-11-14",
}
Shape = TypeVar("Shape")
_RUNTIME = ".runtimeconfig.json"
_LARGEST = 10_000_000


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


class _RuntimeTarget(msgspec.Struct):
    name: str = ""


class _Dependencies(msgspec.Struct, rename="camel"):
    runtime_target: _RuntimeTarget = msgspec.field(default_factory=_RuntimeTarget)


@dataclass(frozen=True, kw_only=True)
class Program:
    """`name` is without its extension, `version` .NET's as `8.0`; empty where nothing tells it."""

    name: str
    version: str = ""
    needs: Needs = "linux"
    self_contained: bool = False
    """It brings its runtime along."""
    incomplete: bool = False
    """The file to start is not there."""


def find_program(folder: Path, files: Collection[str], web: WebConfig) -> Program | None:
    """The program of a published site, the one that `web.config` names if there are several; None if there is none.

    `files` are the site's, relative, with `/`. InputError if its own files cannot be read.
    """
    named = _named(web)
    runtimes = [name for name in files if "/" not in name and name.lower().endswith(_RUNTIME)]
    runtime = next((each for each in runtimes if each.lower() == f"{named}{_RUNTIME}".lower()), "")
    if not runtime and not named:
        runtime = next((each for each in runtimes if f"{each[: -len(_RUNTIME)]}.dll" in files), "".join(runtimes[:1]))
    if runtime:
        return _with_runtime(folder, files, runtime)
    if not named:
        return None
    if f"{named}.exe" in files and f"{named}.dll" not in files:
        old = _is_for_framework(folder / f"{named}.exe.config")
        return Program(name=named, needs="framework" if old else "self-contained", self_contained=not old)
    return Program(name=named)


def _named(web: WebConfig) -> str:
    dll = re.search(r"([^\\/\s\"]+)\.dll", web.core_arguments, re.IGNORECASE)
    named = dll or re.search(r"([^\\/\"]+)\.exe", web.core_process, re.IGNORECASE)
    if named:
        return named[1]
    process = web.core_process.replace("\\", "/").rpartition("/")[2]
    return "" if process == "dotnet" or "%" in process else process


def _with_runtime(folder: Path, files: Collection[str], runtime: str) -> Program:
    options = _decoded(folder / runtime, _RuntimeConfig).runtime_options
    frameworks = [*filter(None, [options.framework]), *options.frameworks, *options.included_frameworks]
    name = runtime[: -len(_RUNTIME)]
    version = next((each.version for each in frameworks if each.version), re.sub(r"^net(coreapp)?", "", options.tfm))
    found = re.match(r"\d+\.\d+", version)
    own = bool(options.included_frameworks)
    starts = {f"{name}.dll", f"{name}.exe", name} if own else {f"{name}.dll"}
    return Program(
        name=name,
        version=found[0] if found else "",
        needs=_needs(folder, files, name, frameworks, own=own),
        self_contained=own,
        incomplete=starts.isdisjoint(files),
    )


def _needs(folder: Path, files: Collection[str], name: str, frameworks: Iterable[_Framework], *, own: bool) -> Needs:
    if any(each.name == "Microsoft.WindowsDesktop.App" for each in frameworks) and not own:
        return "desktop"
    if own:
        return "linux" if name in files else "self-contained"
    dependencies = f"{name}.deps.json"
    target = _decoded(folder / dependencies, _Dependencies).runtime_target.name if dependencies in files else ""
    return "native" if "/win" in target else "linux"


def _is_for_framework(config: Path) -> bool:
    """ASP.NET Core 2 ran on .NET Framework too; the program's own configuration file says so."""
    try:
        return b".NETFramework" in config.read_bytes()[:_LARGEST]
    except OSError:
        return False


def _decoded(path: Path, shape: type[Shape]) -> Shape:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path.name} is larger than {_LARGEST:,} bytes; publish the site again")
        return msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=shape)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be read: {error}; publish the site again") from error
