"""What `web.config` tells about a site: its framework, what is configured in it, and what a container changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import InputError
from agent.transform.xml.document import parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.files import read_xml
from agent.transform.xml.nodes import Element

_SECRET = re.compile(r"\b(password|pwd|accountkey|sharedaccesskey|secret)\s*=", re.IGNORECASE)
LARGEST_BYTES = 10_000_000


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """Facts, and `notes` on what to think of before it runs in a container. Values of settings are never kept."""

    target_framework: str = ""
    core_process: str = ""
    core_arguments: str = ""
    app_settings: tuple[str, ...] = ()
    connection_strings: tuple[str, ...] = ()
    secret_connection_strings: tuple[str, ...] = ()
    rewrites: bool = False
    windows_authentication: bool = False
    has_system_web: bool = False
    notes: tuple[str, ...] = ()


def read_web_config(path: Path) -> WebConfig:
    """The facts of one file. InputError if it is no well-formed XML."""
    try:
        data = path.read_bytes()
        if len(data) > LARGEST_BYTES:
            raise InputError(f"{path.name} is {len(data):,} bytes; no web.config is as large as that")
        top = parse(read_xml(data).text).top
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except XmlError as error:
        raise InputError(f"{path.name}: {error}; repair it first") from error
    if top is None or top.local != "configuration":
        raise InputError(f"{path.name} is no configuration file: its first element is not <configuration>")
    return _facts(top)


def _facts(top: Element) -> WebConfig:
    compilation = _value(top, "system.web/compilation", "targetFramework")
    runtime = _value(top, "system.web/httpRuntime", "targetFramework")
    strings = [each for each in _all(top, "connectionStrings/add") if _attribute(each, "name")]
    return WebConfig(
        target_framework=compilation or runtime,
        core_process=_value(top, "system.webServer/aspNetCore", "processPath"),
        core_arguments=_value(top, "system.webServer/aspNetCore", "arguments"),
        app_settings=tuple(filter(None, (_attribute(each, "key") for each in _all(top, "appSettings/add")))),
        connection_strings=tuple(_attribute(each, "name") for each in strings),
        secret_connection_strings=tuple(
            _attribute(each, "name") for each in strings if _SECRET.search(_attribute(each, "connectionString"))
        ),
        rewrites=_has(top, "system.webServer/rewrite"),
        windows_authentication=_windows_authentication(top),
        has_system_web=_has(top, "system.web"),
        notes=tuple(_notes(top)),
    )


def _windows_authentication(top: Element) -> bool:
    mode = _value(top, "system.web/authentication", "mode").lower()
    enabled = _value(top, "system.webServer/security/authentication/windowsAuthentication", "enabled").lower()
    return mode == "windows" or enabled == "true"


def _notes(top: Element) -> Iterator[str]:
    mode = _value(top, "system.web/sessionState", "mode").lower()
    if _has(top, "system.web") and mode in {"", "inproc"}:
        yield "sessions live in the process and end with each container; keep them in SQL Server or Redis"
    if _has(top, "system.web") and not _has(top, "system.web/machineKey"):
        yield "there is no <machineKey>: each container makes its own, so cookies end with it; set one as a variable"
    if _has(top, "system.webServer/rewrite"):
        yield "<rewrite> needs IIS's URL Rewrite module, which the base image does not have; see the Dockerfile"
    if _windows_authentication(top):
        yield "Windows authentication in a container needs a group managed service account: run.credential-spec"
    for each in _all(top, "appSettings/add"):
        if re.match(r"[A-Za-z]:\\", _attribute(each, "value")):
            yield f"appSettings '{_attribute(each, 'key')}' is a path on the old machine; mount it with run.volumes"


def _has(top: Element, path: str) -> bool:
    return next(_all(top, path), None) is not None


def _value(top: Element, path: str, attribute: str) -> str:
    return next(filter(None, (_attribute(each, attribute) for each in _all(top, path))), "")


def _attribute(element: Element, name: str) -> str:
    found = element.attribute(name)
    return found.value.strip() if found else ""


def _all(top: Element, path: str) -> Iterator[Element]:
    """Elements by path, also below `<location>`, as IIS reads them."""
    tops = [top, *(each for each in top.elements() if each.local == "location")]
    for start in tops:
        found = [start]
        for name in path.split("/"):
            found = [child for each in found for child in each.elements() if child.local == name]
        yield from found
