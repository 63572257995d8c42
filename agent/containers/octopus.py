"""What Octopus's own Docker steps were told, for a step that is moved here from there.

Their variables fill in what neither the inputs nor the package say about running the container. What we do not
do as they did is refused by name rather than left out in silence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from agent.containers.docker_options import run_options, words
from agent.containers.settings import RunSettings
from agent.documents import convert
from agent.errors import InputError
from agent.inputs import Missing, evaluated
from agent.variables import Variables

PREFIX = "Octopus.Action.Docker."

_TOGETHER = (
    frozenset({"network", "networks", "aliases"}),
    frozenset({"restart", "restart-retries"}),
    frozenset({"memory", "memory-swap"}),
)
"""Settings that mean something together only: who gives one of them gives them all."""

_REFUSED = {
    "PortAutoMap": "list the ports under run.ports, as 8080:80 or just 80",
    "VolumeDriver": "make the volume beforehand and name it under run.volumes",
    "VolumesFrom": "list the volumes under run.volumes",
    "DontRun": "leave out run: to make the image only",
}


def run_settings(
    defaults: Mapping[str, Any], inputs: Mapping[str, Any] | None, variables: Variables, place: str
) -> RunSettings | None:
    """`run:` of the inputs over that of the package (`place` is its file) over Octopus's variables.

    Nothing is run, whatever the variables say, unless the inputs or the package name a container. VariablesError
    for what the package's settings refer to and is not there, InputError for what is no setting.
    """
    missing = Missing()
    known = evaluated(defaults, variables, missing, f"{place}: run")
    missing.raise_if_any()
    assert isinstance(known, dict)
    asked = {**known, **(inputs or {})}
    if not asked:
        return None
    told = octopus_settings(variables)
    for group in _TOGETHER:
        if not group.isdisjoint(asked):
            told = {name: value for name, value in told.items() if name not in group}
    settings = convert({**told, **asked}, RunSettings, where="run")
    settings.specification("image", "deployment", {})  # so that what is wrong is said before anything is made
    return settings


def octopus_settings(variables: Variables) -> dict[str, Any]:
    """The settings, as `run:` has them, that the variables of Octopus's Docker run and stop steps stand for."""
    for name, advice in _REFUSED.items():
        if (variables.get(PREFIX + name) or "").lower() not in ("", "false"):
            raise InputError(f"{PREFIX}{name} is not done here; {advice}")
    found = run_options(variables.get(f"{PREFIX}Args") or "", f"{PREFIX}Args")
    for name, read in _READERS.items():
        if text := variables.get_raw(PREFIX + name):
            found |= read(_Given(PREFIX + name, text, variables))
    return found | _network(variables)


class _Given:
    """One variable that is set. Its value may be secret, so no error shows it."""

    def __init__(self, name: str, raw: str, variables: Variables) -> None:
        self.name = name
        self._raw = raw
        self._variables = variables

    def text(self) -> str:
        return self._variables.get(self.name) or ""

    def table(self) -> dict[str, Any]:
        """Of a JSON object. Its tokens are evaluated one by one, so that a quote in a value breaks nothing."""
        missing = Missing()
        try:
            found = json.loads(self._raw)
        except ValueError:
            found = self._decoded()
        if not isinstance(found, dict):
            raise InputError(f"{self.name}: it is not a JSON object; write it as Octopus does")
        values = evaluated(found, self._variables, missing, self.name)
        missing.raise_if_any()
        assert isinstance(values, dict)
        return values

    def texts(self) -> dict[str, str]:
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in self.table().items()}

    def _decoded(self) -> object:
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.name}: it is not JSON; write it as Octopus does") from error


def _ports(given: _Given) -> dict[str, Any]:
    pairs = given.texts().items()
    return {"ports": [f"{host}:{container}" if host.strip() else container for container, host in pairs]}


def _hosts(given: _Given) -> dict[str, Any]:
    """An address for each name, whichever of the two was written first."""
    pairs = given.texts().items()
    return {
        "extra-hosts": {(name if _is_address(at) else at): (at if _is_address(at) else name) for at, name in pairs}
    }


def _volumes(given: _Given) -> dict[str, Any]:
    found = []
    for target, about in given.table().items():
        details = {key.lower(): value for key, value in about.items()} if isinstance(about, dict) else {"host": about}
        source = str(details.get("host") or "")
        if not source:
            raise InputError(f"{given.name}: {target} has no host folder or volume; give it one")
        read_only = str(details.get("readonly", "")).lower() == "true"
        found.append(f"{source}:{target}{':ro' if read_only else ''}")
    return {"volumes": found}


def _number(setting: str) -> Callable[[_Given], dict[str, Any]]:
    def read(given: _Given) -> dict[str, Any]:
        text = given.text().strip()
        if not text.isdecimal():
            raise InputError(f"{given.name}: '{text[:40]}' is not a whole number")
        return {setting: text} if int(text) else {}

    return read


_READERS: dict[str, Callable[[_Given], dict[str, Any]]] = {
    "PortMapping": _ports,
    "AddedHost": _hosts,
    "VolumeBindings": _volumes,
    "EnvVariable": lambda given: {"environment": given.texts()},
    "RestartPolicy": lambda given: {"restart": given.text()} if given.text() else {},
    "RestartPolicyMax": _number("restart-retries"),
    "Command": lambda given: {"command": words(given.text(), given.name)},
    "StopTimeout": _number("stop-timeout"),
}


def _network(variables: Variables) -> dict[str, Any]:
    def value(name: str) -> str:
        return variables.get(PREFIX + name) or ""

    kind = value("NetworkType").lower()
    if not kind:
        return {}
    if kind in ("none", "bridge", "host"):
        return {"network": kind}
    if kind not in ("container", "network"):
        raise InputError(f"{PREFIX}NetworkType: '{kind}' is none of none, bridge, host, container, network")
    named = f"Network{'Container' if kind == 'container' else 'Name'}"
    if not value(named):
        raise InputError(f"{PREFIX}NetworkType is {kind}, so {PREFIX}{named} must say which; set it")
    if kind == "container":
        return {"network": f"container:{value(named)}"}
    alias = value("NetworkAlias")
    return {"network": value(named), **({"aliases": [alias]} if alias else {})}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
