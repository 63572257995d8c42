"""Everything that `run-image` was asked to do, as one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agent.errors import InputError
from agent.host import Credentials
from agent.images import BuildSettings
from agent.scripts import Language, Script
from agent.step import StepContext
from agent.transform import TransformSettings
from steps.source_image.manifest import SourceImage, find_source

_LARGEST_SCRIPT = 4 * 1024 * 1024
_UNFIT = re.compile(r"[^a-z0-9]+")


class ScriptInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A script to run inside the image: its text in one of the languages, or a file of the bundle.

    `interpreter` is the program that reads it in the image, where it is another than usual.
    """

    sh: str = ""
    python: str = ""
    powershell: str = ""
    file: str = ""
    interpreter: str = ""


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The step's inputs in `step.yaml`: `source` is a package with a Dockerfile, `image` one that is there already.

    `run` is what it is for `source-image`, its name left to us; `artifacts` are paths in the container.
    """

    source: str = ""
    image: str = ""
    registry_username: str = ""
    registry_password: str = ""
    transform: TransformSettings | None = None
    build: BuildSettings | None = None
    run: dict[str, Any] = {}
    script: ScriptInput | None = None
    artifacts: list[str] = []
    time_limit: float = 3600
    hooks: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RunImage:
    """What to run. Of `source` and `image`, one is there."""

    source: str
    image: str
    credentials: Credentials | None
    transform: TransformSettings | None
    build: BuildSettings | None
    run: dict[str, Any] = field(repr=False)
    script: Script | None
    interpreter: str
    artifacts: tuple[str, ...]
    time_limit: float
    hooks: bool | None
    name: str
    """The part of names that is this step's: of the container, and of an image that is made."""

    @classmethod
    def from_inputs(cls, context: StepContext) -> RunImage:
        """InputError for inputs that contradict each other, or a script that is not there."""
        inputs = context.decode(Inputs)
        if bool(inputs.source) == bool(inputs.image):
            raise InputError("step.yaml: inputs: give either source, a package with a Dockerfile, or image, not both")
        if inputs.image and (inputs.transform or inputs.build):
            raise InputError("step.yaml: inputs: transform and build are for a source; an image is taken as it is")
        if not 0 < inputs.time_limit <= 7 * 86_400:
            raise InputError("step.yaml: inputs.time-limit: it is in seconds, and at most a week")
        credentials = None
        if inputs.registry_username:
            credentials = Credentials(username=inputs.registry_username, password=inputs.registry_password)
        name = f"once-{_UNFIT.sub('-', context.deployment.step.lower()).strip('-')[:60] or 'image'}"
        return cls(
            source=inputs.source,
            image=inputs.image,
            credentials=credentials,
            transform=inputs.transform,
            build=inputs.build,
            run={"name": name, **inputs.run},
            script=_script(inputs.script, context.bundle) if inputs.script else None,
            interpreter=inputs.script.interpreter if inputs.script else "",
            artifacts=tuple(inputs.artifacts),
            time_limit=inputs.time_limit,
            hooks=inputs.hooks,
            name=name,
        )

    def as_source(self, context: StepContext) -> SourceImage:
        """The same, as `source-image` would make it: an image of that name, which is pushed nowhere."""
        return SourceImage(
            source=find_source(self.source, context.packages),
            registry="",
            repository=f"dockwright/{self.name}",
            credentials=self.credentials,
            transform=self.transform,
            build=self.build,
            run=self.run,
            hooks=self.hooks,
        )


_BY_EXTENSION: dict[str, Language] = {".sh": "sh", ".py": "python", ".ps1": "powershell"}


def _script(given: ScriptInput, bundle: Path) -> Script:
    texts: list[tuple[Language, str]] = [
        ("sh", given.sh),
        ("python", given.python),
        ("powershell", given.powershell),
    ]
    written = [(language, text) for language, text in texts if text]
    if len(written) + bool(given.file) != 1:
        raise InputError("step.yaml: inputs.script: give one of sh, python, powershell and file")
    if given.file:
        return _read(given.file, bundle)
    ((language, text),) = written
    return Script(name="the script", language=language, text=text.encode())


def _read(name: str, bundle: Path) -> Script:
    place = f"step.yaml: inputs.script.file: '{name}'"
    path = (bundle / name).resolve()
    if not path.is_relative_to(bundle.resolve()):
        raise InputError(f"{place} leads out of the bundle")
    language = _BY_EXTENSION.get(path.suffix.lower())
    if language is None:
        raise InputError(f"{place} must end in .sh, .py or .ps1")
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_SCRIPT + 1)
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}; it is looked for in the bundle") from error
    if len(text) > _LARGEST_SCRIPT:
        raise InputError(f"{place} is larger than {_LARGEST_SCRIPT:,} bytes")
    return Script(name=name, language=language, text=text)
