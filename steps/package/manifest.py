"""Everything that `package` was asked to do, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.documents import closest
from agent.errors import InputError
from agent.packages import PackageReference
from agent.scripts import Script, ScriptSettings, read_script
from agent.step import StepContext
from agent.transform import TransformSettings


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The step's inputs in `step.yaml`. `script` is run after the switch: it restarts or reloads what serves."""

    package: str
    into: str
    transform: TransformSettings | None = None
    script: ScriptSettings | None = None
    hooks: bool | None = None
    hook_time_limit: float = 3600
    keep: int = 3
    """How many earlier releases stay in the folder."""


@dataclass(frozen=True, kw_only=True)
class PackageFolder:
    """A package and the folder it goes into, which is absolute."""

    package: PackageReference
    into: Path
    transform: TransformSettings | None
    script: Script | None
    hooks: bool | None
    hook_time_limit: float
    keep: int

    @classmethod
    def from_inputs(cls, context: StepContext) -> PackageFolder:
        """InputError for a package that is not listed, or a folder that would depend on where we were started."""
        inputs = context.decode(Inputs)
        into = Path(inputs.into)
        if not into.is_absolute() or into == Path(into.anchor) or ".." in into.parts:
            raise InputError(
                f"step.yaml: inputs.into: '{inputs.into}' must be an absolute path, of a folder for it alone"
            )
        if inputs.keep < 0:
            raise InputError(f"step.yaml: inputs.keep: it is {inputs.keep}; write 0 or more")
        return cls(
            package=_listed(inputs.package, context.packages),
            into=into,
            transform=inputs.transform,
            script=read_script(inputs.script, context.bundle) if inputs.script else None,
            hooks=inputs.hooks,
            hook_time_limit=inputs.hook_time_limit,
            keep=inputs.keep,
        )


def _listed(name: str, packages: tuple[PackageReference, ...]) -> PackageReference:
    for reference in packages:
        if reference.name.lower() == name.lower():
            return reference
    known = tuple(reference.name for reference in packages)
    raise InputError(f"step.yaml: inputs.package: no package is named '{name}' under packages{closest(name, known)}")
