"""Hooks: scripts that a package brings for certain moments of its deployment (as Calamari).

`PreDeploy`, `Deploy`, `PostDeploy` and `DeployFailed` at the package's root run on the agent's own machine, with its
user's rights: that is what they are for, and why `hooks: false` turns them off for packages that are not trusted.
Scripts in variables (`Octopus.Action.CustomScripts.PreDeploy.sh`) run too, where that feature is on. They are gone
from the folder before it becomes an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agent.errors import DockwrightError, InputError, ScriptError
from agent.report import Report
from agent.scripts.artifacts import keep_artifact
from agent.scripts.kit import readable_variables
from agent.scripts.listening import Listener
from agent.scripts.running import ScriptRun, run_script
from agent.scripts.script import EXTENSIONS, Script
from agent.variables import Variable, Variables

HookStage = Literal["PreDeploy", "Deploy", "PostDeploy", "DeployFailed"]
STAGES: Final[tuple[HookStage, ...]] = ("PreDeploy", "Deploy", "PostDeploy", "DeployFailed")

_PREFERRED = ("sh", "py", "csx", "ps1")
_PREFERRED_BY_WINDOWS = ("ps1", "py", "csx", "sh")
_LARGEST = 4 * 1024 * 1024
_MOST_SECONDS = 7 * 86_400


@dataclass(frozen=True, kw_only=True)
class HookSettings:
    """Which hooks run, and for how many seconds each may."""

    packaged: bool
    configured: bool
    delete: bool = True
    dry: bool = False
    """For a plan: they are taken out of the folder at their time, but not run."""
    time_limit: float = 3600

    @classmethod
    def of(
        cls, wanted: bool | None, variables: Variables, *, time_limit: float = 3600, dry: bool = False
    ) -> HookSettings:
        """What the step's input says; where it says nothing, the variables that Calamari would read."""
        if not 0 < time_limit <= _MOST_SECONDS:
            raise InputError("step.yaml: inputs.hook-time-limit: it is in seconds, and at most a week")
        enabled = "Octopus.Features.CustomScripts" in variables.strings("Octopus.Action.EnabledFeatures")
        packaged = variables.flag("Octopus.Action.Package.RunScripts", default=True) if wanted is None else wanted
        return cls(
            packaged=packaged,
            configured=enabled and wanted is not False,
            delete=variables.flag("OctopusDeleteScriptsOnCleanup", default=True),
            dry=dry,
            time_limit=time_limit,
        )


class Hooks:
    """The hooks of one package, in `folder`; `private` is for what they must be told, `artifacts` for their files.

    `variables` grows by what they set; `outputs` are those that may be shown.
    """

    def __init__(
        self, settings: HookSettings, folder: Path, *, variables: Variables, places: HookPlaces, report: Report
    ) -> None:
        """For each of its stages the package is looked through again: a hook may bring another."""
        self.variables = variables
        self.outputs: dict[str, str] = {}
        self.ran: list[str] = []
        self._settings = settings
        self._folder = folder
        self._places = places
        self._report = report

    def run(self, stage: HookStage) -> None:
        """Run the stage's scripts, if there are any. ScriptError if one fails.

        Of the packaged ones, one runs: the machine's own kind is preferred. Configured ones all run, before the
        packaged one in PreDeploy and after it otherwise. All are then deleted (all as Calamari).
        """
        packaged, configured = self._packaged(stage), self._configured(stage)
        scripts = [*configured, *packaged] if stage == "PreDeploy" else [*packaged, *configured]
        for script, path in [] if self._settings.dry else scripts:
            self._run(script, path)
        if self._settings.packaged and self._settings.delete:
            for path in self._files([stage]):
                path.unlink(missing_ok=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """If what is inside fails, DeployFailed is run. A run that is stopped from outside does not wait for it."""
        try:
            yield
        except Exception as error:
            self.failed(error)
            raise

    def failed(self, error: BaseException) -> None:
        """Run DeployFailed, with the error to read. What goes wrong in it is told and does not hide the error."""
        text = str(error) or type(error).__name__
        self._know({"OctopusLastError": text, "OctopusLastErrorMessage": text}, sensitive=False)
        try:
            self.run("DeployFailed")
        except (DockwrightError, OSError) as failure:
            self._report.warning(f"DeployFailed: {failure}")

    def run_also(self, script: Script) -> None:
        """Run another script as if it were a hook: in the package's folder, with the variables that they have set."""
        self._run(script, None)

    def tell(self, outputs: Mapping[str, str], *, sensitive: bool = False) -> None:
        """Give later scripts (and transforms) the step's output variables, as later steps will read them."""
        step = self._places.step
        self._know({f"Octopus.Action[{step}].Output.{name}": value for name, value in outputs.items()}, sensitive)

    def _know(self, values: Mapping[str, str], sensitive: bool) -> None:
        more = (Variable(name, value, sensitive=sensitive, source="hooks") for name, value in values.items())
        self.variables = self.variables.merged(more)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """The scripts are not in the folder for the time of the block: it becomes an image."""
        aside = self._places.private.with_name(f"{self._places.private.name}-aside")
        moved = self._files(STAGES) if self._settings.packaged and self._settings.delete else []
        if moved:
            aside.mkdir(mode=0o700, exist_ok=True)
        for path in moved:
            path.replace(aside / path.name)
        try:
            yield
        finally:
            for path in moved:
                if self._folder.is_dir():
                    (aside / path.name).replace(path)

    def awaited(self, stages: Iterable[HookStage]) -> bool:
        """Whether there is anything to run in these stages."""
        return any(self._configured(stage) or self._packaged(stage) for stage in stages)

    def names(self) -> list[str]:
        """What would run, in order, for a plan."""
        found: list[str] = []
        for stage in STAGES[:3]:
            found += [script.name for script, _ in (*self._configured(stage), *self._packaged(stage))]
        return found

    def _run(self, script: Script, path: Path | None) -> None:
        self._report.info(f"running {script.name}")
        self.ran.append(script.name)
        listener = Listener(self._report)
        run = ScriptRun(
            script=script,
            path=path,
            folder=self._folder,
            private=self._places.private,
            variables=readable_variables(self.variables, environment=True),
            time_limit=self._settings.time_limit,
        )
        try:
            code = run_script(run, listener.line)
        finally:
            listener.close()
            self._take(listener)
        if code != 0:
            raise ScriptError(f"{script.name} failed: {listener.result or f'it ended with exit code {code}'}")

    def _take(self, listener: Listener) -> None:
        self.outputs |= listener.outputs
        for values, sensitive in ((listener.outputs, False), (listener.sensitive, True)):
            self._know(values, sensitive)
            self.tell(values, sensitive=sensitive)
        for artifact in listener.artifacts:
            try:
                kept = keep_artifact(Path(artifact.path), artifact.name, self._places.artifacts)
            except DockwrightError as error:
                self._report.warning(str(error))
            else:
                self._report.artifact(kept, artifact.name)

    def _packaged(self, stage: HookStage) -> list[tuple[Script, Path | None]]:
        if not self._settings.packaged:
            return []
        order = _PREFERRED if _is_posix() else _PREFERRED_BY_WINDOWS
        found = {path.suffix[1:].lower(): path for path in self._files([stage])}
        extension = next((extension for extension in order if extension in found), None)
        if extension is None:
            return []
        path = found[extension]
        if extension not in EXTENSIONS:
            raise ScriptError(f"{path.name} cannot be run: C# scripts are not read here; write it in sh, py or ps1")
        return [(self._read(path, extension), path)]

    def _read(self, path: Path, extension: str) -> Script:
        """The script; a file that its interpreter would stumble over is put right first."""
        if path.stat().st_size > _LARGEST:
            raise ScriptError(f"{path.name} is larger than {_LARGEST:,} bytes; a script that long is not run")
        script = Script(name=path.name, language=EXTENSIONS[extension], text=path.read_bytes())
        if script.readable != script.text:
            path.write_bytes(script.readable)
        return script

    def _configured(self, stage: HookStage) -> list[tuple[Script, Path | None]]:
        if not self._settings.configured or stage == "DeployFailed":
            return []
        found: list[tuple[Script, Path | None]] = []
        for extension, language in EXTENSIONS.items():
            text = self.variables.get(f"Octopus.Action.CustomScripts.{stage}.{extension}")
            if text and text.strip():
                name = f"the custom script {stage}.{extension}"
                found.append((Script(name=name, language=language, text=text.encode("utf-8", "replace")), None))
        return found

    def _files(self, stages: Iterable[HookStage]) -> list[Path]:
        """Their files at the package's root, whatever the case of their names; links are none."""
        wanted = {f"{stage}.{extension}".lower() for stage in stages for extension in _PREFERRED}
        if not self._folder.is_dir():
            return []
        return [
            path
            for path in sorted(self._folder.iterdir())
            if path.name.lower() in wanted and path.is_file() and not path.is_symlink()
        ]


@dataclass(frozen=True, kw_only=True)
class HookPlaces:
    """Where hooks put what they need and leave; `step` is the name that their output variables are found under."""

    private: Path
    artifacts: Path
    step: str


def _is_posix() -> bool:
    import os

    return hasattr(os, "killpg")
