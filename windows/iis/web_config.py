"""What `web.config` tells about a site: its framework, what is configured in it, and what a container changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from agent.errors import InputError
from agent.transform.xml.document import parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.files import read_xml
from agent.transform.xml.nodes import Element
from windows.iis.concerns import framework_concerns
from windows.iis.elements import all_at, attribute, has, is_true, value_at
from windows.iis.server import ServerNeeds, server_needs
from windows.iis.values import concerns_of

LARGEST_BYTES = 1_000_000
"""IIS itself reads no more than 250 kB, unless a registry key says otherwise."""
_PLUMBING = re.compile(
    r"(webpages|aspnet|owin|vs|clientvalidation|unobtrusivejavascript|preserveloginurl|validationsettings)",
    re.IGNORECASE,
)
"""Switches of the framework, which no environment sets otherwise."""


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """Facts, and `concerns` to think of before it runs in a container. No value of a setting is kept."""

    target_framework: str = ""
    for_old_runtime: bool = False
    has_system_web: bool = False
    debug: bool = False
    core_process: str = ""
    core_arguments: str = ""
    core_environment: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    """The names in appSettings, connectionStrings and applicationSettings."""
    net_tcp: bool = False
    falls_back: bool = False
    """A rewrite rule answers with the front page what is no file."""
    headers: tuple[tuple[str, str], ...] = ()
    """What every answer tells every visitor, with its value."""
    documents: tuple[str, ...] = ()
    """What answers for a folder, before or instead of what IIS itself looks for."""
    only_these_documents: bool = False
    missing_page: str = ""
    """The page for error 404, from the root."""
    server: ServerNeeds = field(default_factory=ServerNeeds)
    concerns: tuple[str, ...] = ()


def read_web_config(path: Path, site: Path, *, inherits: bool = False) -> WebConfig:
    """The facts of one file, and of the ones in `site` that it includes. InputError if it is no well-formed XML.

    `inherits`: it is an application's below the site, and what it does not say the site's own says.
    """
    top = _parsed(path)
    if top.local != "configuration":
        raise InputError(f"{path} is no configuration file: its first element is not <configuration>")
    values, missing = _values(top, path.parent, site)
    names = tuple(name for name, _ in values if not _PLUMBING.match(name))
    module = "system.webServer/aspNetCore"
    return WebConfig(
        target_framework=value_at(top, "system.web/compilation", "targetFramework")
        or value_at(top, "system.web/httpRuntime", "targetFramework"),
        for_old_runtime=_for_old_runtime(top),
        has_system_web=has(top, "system.web"),
        debug=is_true(top, "system.web/compilation", "debug"),
        core_process=value_at(top, module, "processPath"),
        core_arguments=value_at(top, module, "arguments"),
        core_environment=_names(top, f"{module}/environmentVariables/environmentVariable", "name"),
        settings=(*names, *_names(top, "applicationSettings/*/setting", "name")),
        net_tcp=any(attribute(each, "binding") == "netTcpBinding" for each in all_at(top, _ENDPOINTS)),
        falls_back=_falls_back(top),
        headers=tuple(dict.fromkeys(_headers(top))),
        documents=_names(top, f"{_DOCUMENTS}/add", "value"),
        only_these_documents=has(top, f"{_DOCUMENTS}/clear"),
        missing_page=_missing_page(top),
        server=server_needs(top),
        concerns=(*missing, *framework_concerns(top, inherits=inherits), *concerns_of(values)),
    )


_ENDPOINTS = "system.serviceModel/services/service/endpoint"
_DOCUMENTS = "system.webServer/defaultDocument/files"


def _parsed(path: Path) -> Element:
    try:
        data = path.read_bytes()
        if len(data) > LARGEST_BYTES:
            raise InputError(f"{path} is {len(data):,} bytes; no configuration file is as large as that")
        top = parse(read_xml(data).text).top
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check its rights") from error
    except XmlError as error:
        raise InputError(f"{path}: {error}; repair it first") from error
    if top is None:
        raise InputError(f"{path} has no element in it; repair it first")
    return top


def _values(top: Element, folder: Path, site: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and values of appSettings and connectionStrings, with included files; and which of those are missing."""
    found: list[tuple[str, str]] = []
    missing: list[str] = []
    for section, key, value in (("appSettings", "key", "value"), ("connectionStrings", "name", "connectionString")):
        elements = list(all_at(top, f"{section}/add"))
        for each in all_at(top, section):
            named = attribute(each, "configSource") or attribute(each, "file")
            included = _included(named, folder, site) if named else None
            if included:
                elements += [child for child in _parsed(included).elements() if child.local == "add"]
            elif named:
                missing.append(f"<{section}> includes {named}, which the site's folder does not have; bring it along")
        found += [(attribute(each, key), attribute(each, value)) for each in elements if attribute(each, key)]
    return list(dict.fromkeys(found)), missing


def _included(named: str, folder: Path, site: Path) -> Path | None:
    path = folder.joinpath(*PureWindowsPath(named).parts).resolve()
    return path if path.is_file() and path.is_relative_to(site.resolve()) else None


def _for_old_runtime(top: Element) -> bool:
    """Visual Studio 2005 gives the file a namespace; 2008 names .NET 3.5's compiler, and assemblies by version."""
    if attribute(top, "xmlns").endswith("/v2.0"):
        return True
    compilers = all_at(top, "system.codedom/compilers/compiler/providerOption")
    if any(attribute(each, "value").startswith(("v2.", "v3.")) for each in compilers):
        return True
    assemblies = list(all_at(top, "system.web/compilation/assemblies/add"))
    versions = [found[1] for each in assemblies if (found := re.search(r"Version=(\d)", attribute(each, "assembly")))]
    return bool(versions) and max(versions) < "4"


def _falls_back(top: Element) -> bool:
    actions = all_at(top, "system.webServer/rewrite/rules/rule/action")
    rewritten = (attribute(each, "url") for each in actions if attribute(each, "type").lower() == "rewrite")
    return any(url.strip("./\\~").lower() in {"", "wwwroot", "index.html", "wwwroot/index.html"} for url in rewritten)


def _headers(top: Element) -> Iterator[tuple[str, str]]:
    for each in all_at(top, "system.webServer/httpProtocol/customHeaders/add"):
        yield attribute(each, "name"), attribute(each, "value")


def _missing_page(top: Element) -> str:
    errors = all_at(top, "system.webServer/httpErrors/error")
    pages = (attribute(each, "path") for each in errors if attribute(each, "statusCode") == "404")
    return next((page.replace("\\", "/").lstrip("/~") for page in pages if page), "")


def _names(top: Element, path: str, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, _each_name(top, path, name))))


def _each_name(top: Element, path: str, name: str) -> Iterator[str]:
    before, star, after = path.partition("/*/")
    if not star:
        yield from (attribute(each, name) for each in all_at(top, path))
        return
    for group in (child for each in all_at(top, before) for child in each.elements()):
        yield from (attribute(each, name) for each in group.elements() if each.local == after)
