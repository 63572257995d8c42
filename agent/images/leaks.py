"""Secrets that a Dockerfile would bake into the image: in its history, which keeps every instruction, or a layer.

Refused are instructions that hold a sensitive value or take one by its name (ARG and ENV), build arguments that
hold one, and COPY or ADD of a file that is a secret. A secret belongs into `build.secrets` and
`RUN --mount=type=secret`, or into the container's environment.

The configuration files of the tree are another matter: that they carry the environment's values, sensitive ones
too, is what they were transformed for, and the image is for that environment only. They are not looked at, unless
one consists of nothing but a build secret. Values under six characters are looked for in whole words only, under
four not at all: they would be found everywhere.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.engine.build_context import context_entries
from agent.engine.dockerfile import Instruction, instructions
from agent.engine.ignore import Ignore
from agent.errors import BuildError, VariablesError
from agent.images.settings import BuildSettings
from agent.variables import Variables

_WORD_LENGTH = 4
_TEXT_LENGTH = 6
_MOUNT = "give it as build.secrets and use RUN --mount=type=secret"
_LARGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class _Secrets:
    """`values` by what they are called; `names` are folded to their letters and digits."""

    values: Sequence[tuple[str, str]] = field(repr=False)
    names: dict[str, str]


def refuse_leaks(tree: Path, settings: BuildSettings, variables: Variables) -> None:
    """BuildError names the Dockerfile's line, or the build argument, and what it would give away."""
    dockerfile = settings.request(tree).dockerfile
    found = instructions(_text(tree / dockerfile))
    secrets = _secrets(settings, variables, found)
    for name, value in settings.args.items():
        if leak := _leak(f"{name}={value}", [value], secrets) or _named(name, secrets):
            raise BuildError(f"build.args.{name}: {leak}, and the image's history would keep it; {_MOUNT}")
    for instruction in found:
        if leak := _instruction_leak(instruction, secrets):
            raise BuildError(f"{dockerfile}:{instruction.line}: {instruction.keyword} {leak}; {_MOUNT}")
    _refuse_copies(tree, dockerfile, settings, found)


def _secrets(settings: BuildSettings, variables: Variables, found: Sequence[Instruction]) -> _Secrets:
    """Those that can matter: values that stand anywhere, names that are taken anywhere."""
    given = settings.secrets if isinstance(settings.secrets, dict) else {}
    everything = "\n".join(map(_told, found)) + "\n".join(settings.args.values())
    values = ((name, value.strip()) for name, value in (*given.items(), *variables.sensitive_values()))
    taken = {name for instruction in found for name in _assigned(instruction)} | set(settings.args)
    return _Secrets(
        values=[(name, value) for name, value in values if len(value) >= _WORD_LENGTH and value in everything],
        names=_sensitive_names(taken, variables) | {_folded(name): name for name in given},
    )


def _told(instruction: Instruction) -> str:
    """All that it says, as it is written and as it is meant."""
    return "\n".join((instruction.raw, *instruction.words, *instruction.bodies))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""  # the build says so, and how to name another
    except OSError as error:
        raise BuildError(f"{path.name}: cannot be read ({error.strerror}); see build.dockerfile") from error


def _instruction_leak(instruction: Instruction, secrets: _Secrets) -> str:
    """What it would bake in, to follow its keyword; "" if nothing. FROM leaves nothing behind."""
    if instruction.keyword == "FROM":
        return ""
    words = [part for word in instruction.words for part in (word, word.partition("=")[2])]
    if leak := _leak(_told(instruction), words, secrets):
        return leak
    return next((leak for name in _assigned(instruction) if (leak := _named(name, secrets))), "")


def _leak(text: str, words: Iterable[str], secrets: _Secrets) -> str:
    known = set(words)
    for name, value in secrets.values:
        if value in known or (len(value) >= _TEXT_LENGTH and value in text):
            return f"holds the value of '{name}', which is secret"
    return ""


def _named(name: str, secrets: _Secrets) -> str:
    secret = secrets.names.get(_folded(name))
    return f"takes '{name}', which is secret" if secret else ""


def _assigned(instruction: Instruction) -> list[str]:
    """The names that ARG or ENV set."""
    words = instruction.words
    if instruction.keyword == "ARG" or (instruction.keyword == "ENV" and words and "=" in words[0]):
        return [word.partition("=")[0] for word in words]
    return list(words[:1]) if instruction.keyword == "ENV" else []


def _sensitive_names(wanted: set[str], variables: Variables) -> dict[str, str]:
    """Only the wanted ones are judged: a variable is evaluated for that."""
    folded = {_folded(name) for name in wanted}
    found: dict[str, str] = {}
    for name in variables:
        try:
            if _folded(name) in folded and variables.is_sensitive(name):
                found[_folded(name)] = name
        except VariablesError:
            continue
    return found


def _folded(name: str) -> str:
    """`NuGet.ApiKey`, `NUGET_API_KEY` and `nuget-api-key` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) or name


def _refuse_copies(tree: Path, dockerfile: str, settings: BuildSettings, found: Sequence[Instruction]) -> None:
    if not (settings.secrets or settings.secret_files):
        return
    for name in _secret_files(tree, dockerfile, settings):
        for instruction in found:
            if any(_takes(source, name) for source in _sources(instruction)):
                raise BuildError(
                    f"{dockerfile}:{instruction.line}: {instruction.keyword} would put {name}, which is a secret, "
                    f"into a layer; list it in .dockerignore, {_MOUNT}"
                )


def _secret_files(tree: Path, dockerfile: str, settings: BuildSettings) -> Iterator[str]:
    """What of the context was named as secret, or holds a build secret and nothing else."""
    named = Ignore("\n".join(settings.secret_files))
    contents = settings.secrets.values() if isinstance(settings.secrets, dict) else ()
    secrets = {value.strip().encode() for value in contents}
    longest = max(map(len, secrets), default=0) + 16  # blanks and line breaks around it
    for entry in context_entries(tree, dockerfile):
        if not stat.S_ISREG(entry.status.st_mode):
            continue
        small = 0 < entry.status.st_size <= longest
        if _matches(named, entry.name) or (small and Path(entry.path).read_bytes().strip() in secrets):
            yield entry.name


def _sources(instruction: Instruction) -> Sequence[str]:
    """What COPY or ADD takes from the context."""
    if instruction.keyword not in ("COPY", "ADD"):
        return ()
    words = instruction.words
    if any(word.startswith("--from=") for word in words):
        return ()
    return [word for word in words if not word.startswith("--")][:-1]


def _takes(source: str, name: str) -> bool:
    """Whether a COPY of `source` brings the file; one that a build argument completes may bring any."""
    pattern = source.replace("\\", "/").strip("/").removeprefix("./")
    if "$" in pattern or pattern in ("", "."):
        return True
    try:
        return _matches(Ignore(pattern), name)
    except BuildError:
        return True


def _matches(patterns: Ignore, name: str) -> bool:
    """Patterns as in .dockerignore: of the file, or of a folder above it."""
    parts = name.split("/")
    matches = patterns.at_root
    for length in range(1, len(parts) + 1):
        matches = patterns.matches("/".join(parts[:length]), matches)
    return patterns.excludes(matches)
