"""The `build:` section of a step's inputs and of `sdi.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from agent.documents import convert
from agent.errors import InputError, VariablesError
from agent.variables import Variables

if TYPE_CHECKING:
    from agent.host import BuildRequest

_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<unit>[KMGT]?)i?B?\Z", re.IGNORECASE)
_SMALLEST_MEMORY: Final = 6 * 1024 * 1024  # engines refuse less
_LARGEST_MEMORY: Final = 1 << 60
_LONGEST: Final = 7 * 24 * 3600


class BuildSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How the Dockerfile is built; what is left out is the engine's own choice.

    `args` end in the image's history, so they must hold no secrets. `secrets` are what
    `RUN --mount=type=secret,id=…` sees: values by id, or ids that are names of variables. `secret-files` are
    paths in the tree that no COPY may put into a layer. `memory` (`512MB`, powers of 1024) is for one
    instruction, and the classic builder's only: together with secrets it is refused. `time-limit` is in seconds
    and for the whole build.
    """

    args: dict[str, str] = {}
    target: str = ""
    platform: str = ""
    dockerfile: str = "Dockerfile"
    secrets: dict[str, str] | list[str] = {}
    secret_files: list[str] = []
    cache_from: list[str] = []
    memory: str = ""
    time_limit: float = 0
    isolation: Literal["", "process", "hyperv"] = ""
    pull: bool = False

    def __repr__(self) -> str:
        return f"BuildSettings(dockerfile={self.dockerfile!r}, secrets={sorted(self.secrets)})"

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What makes two builds of one tree differ. Secrets count by id: their values leave no trace."""
        known: dict[str, Any] = msgspec.to_builtins(self)
        aside = {"secrets": sorted(self.secrets), "time-limit": 0, "memory": "", "cache-from": []}
        return known | aside

    def request(self, context: Path) -> BuildRequest:
        """The build of the tree in `context`. InputError names the field that cannot be."""
        from agent.host import BuildRequest

        if not isinstance(self.secrets, dict):
            raise InputError("build.secrets: ids without values; they need the deployment's variables")
        return BuildRequest(
            context=context,
            tags=(),
            dockerfile=self.dockerfile.replace("\\", "/").removeprefix("./"),
            arguments=self.args,
            target=self.target,
            platform=self.platform,
            pull=self.pull,
            cache_from=tuple(self.cache_from),
            memory=_memory(self.memory),
            timeout=self.time_limit,
            isolation=self.isolation,
            secrets=self.secrets,
        )


def build_settings(
    packaged: BuildSettings | None, inputs: BuildSettings | None, variables: Variables, place: str
) -> BuildSettings:
    """`build:` of the inputs, which are evaluated already, or else that of the package (`place` is its file).

    VariablesError for what they refer to and is not there, InputError for what cannot be.
    """
    settings = inputs or _evaluated(packaged or BuildSettings(), variables, place)
    secrets = settings.secrets
    if not isinstance(secrets, dict):
        secrets = {name: _required(variables, name) for name in secrets}
    for name, value in secrets.items():
        if not value:
            raise VariablesError(f"build.secrets.{name}: its value is empty; see whether its variable is set")
    known = msgspec.structs.replace(settings, secrets=secrets)
    _check(known)
    return known


def _evaluated(settings: BuildSettings, variables: Variables, place: str) -> BuildSettings:
    from agent.inputs import Missing, evaluated

    missing = Missing()
    known = evaluated(msgspec.to_builtins(settings), variables, missing, f"{place}: build")
    missing.raise_if_any()
    return convert(known, BuildSettings, where=f"{place}: build")


def _required(variables: Variables, name: str) -> str:
    value = variables.get(name)
    if value is None:
        raise VariablesError(f"build.secrets: there is no variable '{name}'; set it, or write {{{name}: \"#{{…}}\"}}")
    return value


def _check(settings: BuildSettings) -> None:
    from agent.engine.build_names import check_names

    check_names(settings.request(Path()))
    if not 0 <= settings.time_limit <= _LONGEST:
        raise InputError(f"build.time-limit: {settings.time_limit:g} seconds are no limit; write 1 to {_LONGEST}")
    if settings.memory and settings.secrets:
        raise InputError("build.memory: BuildKit, which secrets need, limits no memory; leave one of them out")


def _memory(text: str) -> int:
    if not text:
        return 0
    match = _SIZE.match(text.strip())
    size = int(float(match["number"]) * 1024 ** " KMGT".index(match["unit"].upper() or " ")) if match else 0
    if not _SMALLEST_MEMORY <= size <= _LARGEST_MEMORY:
        raise InputError(f"build.memory: '{text}' is no size of 6MB or more; write it as 512MB or 1.5GB")
    return size
