"""The `script:` section of a step's inputs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.errors import InputError
from agent.scripts.script import EXTENSIONS, Language, Script

_LARGEST = 4 * 1024 * 1024


class ScriptSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A script to run: its text in one of the languages, or a file of the bundle.

    `interpreter` is the program that reads it, where it is another than usual.
    """

    sh: str = ""
    python: str = ""
    powershell: str = ""
    file: str = ""
    interpreter: str = ""


def read_script(settings: ScriptSettings, bundle: Path) -> Script:
    """The script. InputError unless exactly one is given, and a file is in the bundle and of a known kind."""
    texts: list[tuple[Language, str]] = [
        ("sh", settings.sh),
        ("python", settings.python),
        ("powershell", settings.powershell),
    ]
    written = [(language, text) for language, text in texts if text]
    if len(written) + bool(settings.file) != 1:
        raise InputError("step.yaml: inputs.script: give one of sh, python, powershell and file")
    if settings.file:
        return _from_bundle(settings, bundle)
    ((language, text),) = written
    return Script(name="the script", language=language, text=text.encode(), interpreter=settings.interpreter)


def _from_bundle(settings: ScriptSettings, bundle: Path) -> Script:
    name = settings.file
    place = f"step.yaml: inputs.script.file: '{name}'"
    path = (bundle / name).resolve()
    if not path.is_relative_to(bundle.resolve()):
        raise InputError(f"{place} leads out of the bundle; put the script into it")
    language = EXTENSIONS.get(path.suffix[1:].lower())
    if language is None:
        raise InputError(f"{place} must end in .sh, .py or .ps1")
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}; it is looked for in the bundle") from error
    if len(text) > _LARGEST:
        raise InputError(f"{place} is larger than {_LARGEST:,} bytes")
    return Script(name=name, language=language, text=text, interpreter=settings.interpreter)
