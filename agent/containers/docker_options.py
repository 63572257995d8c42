"""Options of `docker run`, as people put them in Octopus's field for additional arguments, read as settings."""

from __future__ import annotations

import shlex
from typing import Any

from agent.documents import closest
from agent.errors import InputError

_ONE = {
    "cpus": "cpus",
    "gpus": "gpus",
    "hostname": "hostname",
    "isolation": "isolation",
    "log-driver": "log-driver",
    "memory": "memory",
    "memory-swap": "memory-swap",
    "name": "name",
    "network": "network",
    "pids-limit": "pids",
    "restart": "restart",
    "shm-size": "shm-size",
    "stop-signal": "stop-signal",
    "stop-timeout": "stop-timeout",
    "user": "user",
    "workdir": "working-dir",
}
_LISTS = {
    "cap-add": "cap-add",
    "cap-drop": "cap-drop",
    "device": "devices",
    "dns": "dns",
    "entrypoint": "entrypoint",
    "group-add": "group-add",
    "network-alias": "aliases",
    "publish": "ports",
    "security-opt": "security-opt",
    "tmpfs": "tmpfs",
    "volume": "volumes",
}
_TABLES = {
    "add-host": ("extra-hosts", ":"),
    "env": ("environment", "="),
    "label": ("labels", "="),
    "log-opt": ("log-options", "="),
    "sysctl": ("sysctls", "="),
    "ulimit": ("ulimits", "="),
}
_SWITCHES = {"init": "init", "privileged": "privileged", "read-only": "read-only"}
_IGNORED = ("detach", "d")
_SHORT = {
    "e": "env",
    "h": "hostname",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}


def run_options(text: str, place: str) -> dict[str, Any]:
    """Settings as `run:` has them. InputError for an option that is none of them; `place` begins the message."""
    found: dict[str, Any] = {}
    waiting = words(text, place)
    while waiting:
        option, value = _split(waiting.pop(0), place)
        if option in _IGNORED:
            continue
        if option in _SWITCHES:
            found[_SWITCHES[option]] = value or "true"
            continue
        if value is None:
            if not waiting:
                raise InputError(f"{place}: --{option} has no value; write --{option}=VALUE")
            value = waiting.pop(0)
        _put(option, value, found)
    return found


def words(text: str, place: str) -> list[str]:
    """A command line's words: quotes hold together, a backslash is a backslash (Windows paths have them)."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise InputError(f"{place}: a quote is opened and never closed; close it") from error


def _split(word: str, place: str) -> tuple[str, str | None]:
    name, equals, value = word.partition("=")
    given = value if equals else None
    option = name.removeprefix("--")
    if name.startswith("-") and not name.startswith("--"):
        option, given = _SHORT.get(name[1:2], name[1:]), name[2:] + equals + value or None
    known = (*_ONE, *_LISTS, *_TABLES, *_SWITCHES)
    if not name.startswith("-") or option not in (*known, *_IGNORED):
        raise InputError(f"{place}: '{name[:40]}' is no option that can be taken over{closest(option, known)}")
    return option, given


def _put(option: str, value: str, found: dict[str, Any]) -> None:
    if option in _ONE:
        setting = _ONE[option]
        found[setting] = "unlimited" if (setting, value) == ("memory-swap", "-1") else value
    elif option in _LISTS:
        found.setdefault(_LISTS[option], []).append(value)
    else:
        setting, separator = _TABLES[option]
        name, _, content = value.partition(separator)
        found.setdefault(setting, {})[name] = content
    if option == "restart" and ":" in value:
        found["restart"], _, found["restart-retries"] = value.partition(":")
