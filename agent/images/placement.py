"""Where a Dockerfile puts the configuration files, and whether one of its instructions could see what is in them.

If none can, the image is built once, of the files as they were packed, and each environment's own are a layer on
top: the file system is the same as if they had been there when it was built. That has to be certain. Whatever is
not understood beyond doubt here is a `Doubt`, and leads to a full build.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from agent.engine.build_context import entries
from agent.engine.dockerfile import Instruction, instructions
from agent.engine.ignore import Ignore
from agent.images.destinations import copied_path, expanded, flags_and_words, image_path, matching_names
from agent.images.rewriting import Doubt
from agent.images.settings import BuildSettings

if TYPE_CHECKING:
    from agent.host import OperatingSystem

_LARGEST: Final = 1024 * 1024
_HARMLESS_MOUNTS: Final = frozenset({"cache", "secret", "ssh", "tmpfs"})
_HARMLESS: Final = frozenset(
    {"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "SHELL", "STOPSIGNAL", "USER"}
)
_COPY_FLAGS: Final = frozenset({"--chown", "--chmod", "--link", "--from", "--checksum", "--keep-git-dir"})
_REMOTE: Final = ("http://", "https://", "ftp://", "git@", "git://", "ssh://", "<<")


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """`paths` in the image, by paths in the context; none for a file that is not in the image.

    `bases` are the images that the Dockerfile begins with; a trigger (ONBUILD) of theirs could see the files too.
    """

    paths: Mapping[str, tuple[str, ...]]
    bases: tuple[str, ...]


def place(
    context: Path, settings: BuildSettings, changed: Sequence[str], system: OperatingSystem
) -> Placement | Doubt:
    """Where the files `changed` of the context (posix, relative) are in the image that its Dockerfile makes."""
    try:
        final = _Reading(context, settings, frozenset(changed), system).final_stage()
    except _Unsure as unsure:
        return Doubt(reason=str(unsure))
    if final.doubt:
        return Doubt(reason=final.doubt)
    paths: dict[str, tuple[str, ...]] = dict.fromkeys(changed, ())
    for path, name in sorted(final.files.items()):
        paths[name] = (*paths[name], path)
    return Placement(paths=paths, bases=final.bases)


class _Unsure(Exception):  # noqa: N818  no error: what it says becomes a Doubt
    """Something that is not understood beyond doubt."""


@dataclass
class _Stage:
    """What is known of one stage so far. `files` are those that matter: path in the image to name in the context."""

    name: str = ""
    bases: tuple[str, ...] = ()
    workdir: str | None = None
    environment: dict[str, str | None] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    triggers: bool = False
    doubt: str = ""


class _Reading:
    """One Dockerfile, read instruction by instruction as a builder would."""

    def __init__(
        self, context: Path, settings: BuildSettings, changed: frozenset[str], system: OperatingSystem
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._system = system
        self._context = _Context(context, settings.dockerfile)
        self._arguments: dict[str, str | None] = {}
        self._stages: list[_Stage] = []

    def final_stage(self) -> _Stage:
        for instruction in instructions(self._context.dockerfile()):
            if instruction.keyword == "FROM":
                if self._stages and self._is_target(self._stages[-1]):
                    break
                self._begin(instruction)
            elif not self._stages:
                self._declare(instruction)
            elif not self._stages[-1].doubt:
                self._read(instruction, self._stages[-1])
        if not self._stages:
            raise _Unsure(f"{self._settings.dockerfile} has no FROM")
        final = self._stages[-1]
        if self._settings.target and not self._is_target(final):
            raise _Unsure(f"{self._settings.dockerfile} has no stage {self._settings.target}")
        if final.triggers and not final.doubt:
            raise _Unsure(f"{self._settings.dockerfile} has triggers (ONBUILD)")
        covered = [path for path in final.files if any(_is_within(path, volume) for volume in final.volumes)]
        if covered and not final.doubt:
            raise _Unsure(f"a VOLUME holds {final.files[covered[0]]}")
        return final

    def _is_target(self, stage: _Stage) -> bool:
        wanted = self._settings.target.lower()
        return bool(wanted) and wanted in (stage.name, str(self._stages.index(stage)))

    def _declare(self, instruction: Instruction) -> None:
        """ARG before the first FROM: only these, and what is given for them, count in FROM."""
        for word in instruction.words:
            name, is_set, default = word.partition("=")
            value = self._settings.args.get(name, default if is_set else None)
            self._arguments[name] = expanded(value, self._arguments) if value is not None else None

    def _begin(self, instruction: Instruction) -> None:
        flags, words = flags_and_words(instruction)
        image = expanded(words[0], self._arguments) if words else None
        name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""
        earlier = self._stage(image) if image else None
        if image is None or (flags and "$" in "".join(flags.values())):
            self._stages.append(_Stage(name=name, doubt=self._say(instruction, "its image depends on an argument")))
        elif earlier is None:
            scratch = image == "scratch"
            self._stages.append(_Stage(name=name, bases=() if scratch else (image,), workdir="" if scratch else None))
        else:
            self._stages.append(_inherited(earlier, name, self._say(instruction, "it has triggers of its own")))

    def _stage(self, name: str) -> _Stage | None:
        return next((stage for stage in reversed(self._stages) if stage.name and stage.name == name.lower()), None)

    def _read(self, instruction: Instruction, stage: _Stage) -> None:
        try:
            self._apply(instruction, stage)
        except _Unsure as unsure:
            stage.doubt = str(unsure)

    def _apply(self, instruction: Instruction, stage: _Stage) -> None:
        keyword = instruction.keyword
        if keyword == "RUN":
            self._run(instruction, stage)
        elif keyword in ("COPY", "ADD"):
            self._copy(instruction, stage)
        elif keyword == "WORKDIR":
            stage.workdir = self._workdir(instruction, stage)
        elif keyword == "ENV":
            stage.environment.update(_environment(instruction))
        elif keyword == "ARG":
            names = {word.partition("=")[0] for word in instruction.words}
            stage.environment.update((name, None) for name in names if name not in stage.environment)
        elif keyword == "VOLUME":
            found = (image_path(word, stage.workdir, self._system) for word in instruction.words)
            stage.volumes += tuple(path for path in found if path is not None)
        elif keyword == "ONBUILD":
            stage.triggers = True
        elif keyword not in _HARMLESS:
            raise _Unsure(self._say(instruction, f"{keyword[:20]} is not known"))

    def _run(self, instruction: Instruction, stage: _Stage) -> None:
        if stage.files:
            raise _Unsure(self._say(instruction, f"RUN could see {min(stage.files.values())}"))
        for flag in (word for word in instruction.raw.split() if word.lower().startswith("--mount")):
            kinds = [part.partition("=")[2] for part in flag.split("=", 1)[-1].split(",") if part.startswith("type=")]
            if not kinds or not _HARMLESS_MOUNTS.issuperset(kinds):
                raise _Unsure(self._say(instruction, "RUN mounts files that it could see"))

    def _workdir(self, instruction: Instruction, stage: _Stage) -> str | None:
        word = expanded(" ".join(instruction.words), stage.environment)
        return None if word is None else image_path(word, stage.workdir, self._system)

    def _copy(self, instruction: Instruction, stage: _Stage) -> None:
        flags, words = flags_and_words(instruction)
        plain = [expanded(word, stage.environment) for word in words]
        if not _COPY_FLAGS.issuperset(flags) or len(words) < 2 or None in plain:
            raise _Unsure(self._say(instruction, f"what {instruction.keyword} copies is not certain"))
        *sources, target = (word for word in plain if word is not None)
        into = image_path(target, stage.workdir, self._system)
        if into is None or (self._system == "linux" and "\\" in instruction.raw):
            raise _Unsure(self._say(instruction, f"where {instruction.keyword} copies to is not certain"))
        copy = _Copy(
            instruction=instruction,
            into=into,
            as_folder=target.replace("\\", "/").endswith(("/", "/.")) or target in (".", "..") or len(sources) > 1,
        )
        if "--from" in flags:
            self._copy_stage(flags["--from"], sources, copy, stage)
            return
        for source in sources:
            if source.lower().startswith(_REMOTE):
                self._written_over(copy, stage)
            else:
                self._copy_context(source, copy, stage)

    def _copy_stage(self, name: str, sources: Sequence[str], copy: _Copy, stage: _Stage) -> None:
        """As a whole only: what a part of a stage holds depends on links that its base may have."""
        if "$" in name:
            raise _Unsure(self._say(copy.instruction, "the stage that it copies from depends on an argument"))
        index = int(name) if name.isascii() and name.isdigit() else -1
        source = self._stages[index] if 0 <= index < len(self._stages) - 1 else self._stage(name)
        if source is not None and source.doubt:
            raise _Unsure(source.doubt)
        self._written_over(copy, stage)
        if source is None or not source.files:
            return
        root = image_path(sources[0], "", self._system)
        certain = len(sources) == 1 and root is not None and matching_names(sources[0], (), self._system).literal
        if root is None or not certain or not all(_is_within(path, root) and path != root for path in source.files):
            raise _Unsure(self._say(copy.instruction, f"it could copy {min(source.files.values())}"))
        for path, file in source.files.items():
            stage.files[copied_path(path, root, copy.into)] = file

    def _copy_context(self, source: str, copy: _Copy, stage: _Stage) -> None:
        found = matching_names(source, self._context.names, self._system)
        if found.uncertain:
            raise _Unsure(self._say(copy.instruction, f"what {source[:80]!r} stands for is not certain"))
        several = copy.as_folder or len(found.names) > 1
        for name in found.names:
            if self._context.through_link(name):
                raise _Unsure(self._say(copy.instruction, f"{name[:80]!r} is a link"))
            if self._context.is_folder(name):
                self._place(((file, copied_path(file, name, copy.into)) for file in self._context.below(name)), stage)
                continue
            if copy.instruction.keyword == "ADD" and name not in self._changed:
                self._written_over(copy, stage)
            base = name.rpartition("/")[2]
            self._place([(name, f"{copy.into}/{base}".lstrip("/") if several else copy.into)], stage)

    def _place(self, copied: Iterator[tuple[str, str]] | Sequence[tuple[str, str]], stage: _Stage) -> None:
        """Ours are remembered; another file at the place of one of ours takes it."""
        for name, path in copied:
            if name in self._changed:
                stage.files[path] = name
            else:
                stage.files.pop(path, None)

    def _written_over(self, copy: _Copy, stage: _Stage) -> None:
        """What comes from elsewhere may hold anything, and so replace one of ours."""
        for path, name in stage.files.items():
            if _is_within(path, copy.into) or _is_within(copy.into, path):
                raise _Unsure(self._say(copy.instruction, f"{copy.instruction.keyword} could replace {name}"))

    def _say(self, instruction: Instruction, what: str) -> str:
        return f"{self._settings.dockerfile}:{instruction.line}: {what}"


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """A COPY or ADD: `into` is a path in the image; files keep their names below it if `as_folder`."""

    instruction: Instruction
    into: str
    as_folder: bool


class _Context:
    """What the engine is sent: names to the kinds of what they are. Nothing is read but the Dockerfile."""

    def __init__(self, folder: Path, dockerfile: str) -> None:
        self._folder = folder
        self._path = dockerfile
        if (folder / f"{dockerfile}.dockerignore").exists():
            raise _Unsure(f"{dockerfile}.dockerignore is not read by every builder")
        ignored = folder / ".dockerignore"
        text = ignored.read_bytes()[:_LARGEST].decode("utf-8", "replace") if ignored.is_file() else ""
        self.names = {
            entry.name: stat.S_IFMT(entry.status.st_mode) for entry in entries(folder, Ignore(text), dockerfile)
        }

    def dockerfile(self) -> str:
        path = self._folder / self._path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _Unsure(f"{self._path} cannot be read ({error.strerror})") from error
        if len(data) > _LARGEST:
            raise _Unsure(f"{self._path} is too long to be judged")
        return data.decode("utf-8", "replace")

    def is_folder(self, name: str) -> bool:
        return not name or self.names.get(name) == stat.S_IFDIR or name not in self.names

    def through_link(self, name: str) -> bool:
        parts = name.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        return any(self.names.get(path) == stat.S_IFLNK for path in above)

    def below(self, folder: str) -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        return (name for name, kind in self.names.items() if kind != stat.S_IFDIR and name.startswith(prefix))


def _inherited(earlier: _Stage, name: str, triggers: str) -> _Stage:
    return _Stage(
        name=name,
        bases=earlier.bases,
        workdir=earlier.workdir,
        environment={key: value for key, value in earlier.environment.items() if value is not None},
        files=dict(earlier.files),
        volumes=earlier.volumes,
        doubt=earlier.doubt or (triggers if earlier.triggers else ""),
    )


def _environment(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """What ENV sets; None for values made of others."""
    words = instruction.words
    pairs = [word.partition("=")[::2] for word in words]
    if words and "=" not in words[0]:
        pairs = [(words[0], " ".join(words[1:]))]
    for name, value in pairs:
        yield name, None if "$" in value else value


def _is_within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
