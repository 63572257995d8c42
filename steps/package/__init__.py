"""The step `package`: a package is deployed into a folder of the machine, or container, that the agent lives in.

acquire → extract → transform → switch

No container host is needed. Each deployment gets a folder of its own; `current` leads to the newest good one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.errors import DockwrightError
from agent.packages import AcquiredPackage, acquire, extract, package_variables
from agent.plan import Plan
from agent.registry import tag_from
from agent.report.wording import size
from agent.scripts import HookPlaces, Hooks, HookSettings
from agent.step import Outcome, StepContext
from agent.transform import Transformed
from steps.package.manifest import PackageFolder
from steps.package.releases import Releases, held_releases
from steps.source_image.configuring import configure, note_changes
from steps.source_image.planning import planned_file, planned_package

STAGES = ("acquire", "extract", "transform", "switch")


class PackageStep:
    """Extracts, configures and switches to a package, and goes back to the one before if anything fails."""

    def run(self, context: StepContext) -> Outcome:
        """The whole way, in the order of the module's second line."""
        wanted = PackageFolder.from_inputs(context)
        context.report.stages(STAGES)
        package = _acquire(wanted, context)
        with held_releases(wanted.into) as releases:
            _tell_of_the_dead(releases, context)
            with releases.making(_name(package, context)) as release:
                with context.journal.effect("files", "extract", str(release)):
                    files = _extract(package, release, context)
                hooks = _hooks(wanted, package, release, context)
                named = hooks.names()
                with hooks.watching():
                    transformed = _configure(wanted, hooks, release, context)
                    context.confirm(lambda: _describe(wanted, package, transformed, named, context))
                    _switch(wanted, hooks, releases, release, context)
            _prune(wanted, releases, context)
        return _outcome(package, release, files, hooks)

    def plan(self, context: StepContext) -> Plan:
        """The same way in a folder of the run's own, without its hooks, up to the switch."""
        wanted = PackageFolder.from_inputs(context)
        context.report.stages(STAGES[:3])
        package = _acquire(wanted, context)
        tree = context.scratch(package.size)[-1] / "tree"
        _extract(package, tree, context)
        hooks = _hooks(wanted, package, tree, context, planning=True)
        named = hooks.names()
        return _describe(wanted, package, _configure(wanted, hooks, tree, context), named, context)


def _acquire(wanted: PackageFolder, context: StepContext) -> AcquiredPackage:
    with context.report.stage("acquire"):
        (package,) = acquire([wanted.package], context.feeds, context.cache, context.report.transfer)
        context.report.detail(f"{package.id} {package.version} ({size(package.size)})")
        row = (package.reference.name, package.id, str(package.version), package.sha256, package.size)
        context.journal.packages([row])
        return package


def _name(package: AcquiredPackage, context: StepContext) -> str:
    return tag_from(f"{context.deployment.release or package.version}-{context.deployment.suffix}")


def _tell_of_the_dead(releases: Releases, context: StepContext) -> None:
    for name in releases.left:
        context.report.warning(f"a run had died while it made {name}; what it had begun was undone")


def _extract(package: AcquiredPackage, release: Path, context: StepContext) -> int:
    with context.report.stage("extract"):
        extracted = extract(package, release)
        context.report.detail(f"{extracted.files:,} files, {size(extracted.bytes)}, in {release}")
        return extracted.files


def _hooks(
    wanted: PackageFolder, package: AcquiredPackage, release: Path, context: StepContext, *, planning: bool = False
) -> Hooks:
    variables = context.variables.merged(package_variables([package], {package.reference.name: release}))
    settings = HookSettings.of(wanted.hooks, variables, time_limit=wanted.hook_time_limit, dry=planning)
    private = context.scratch(1 << 20)[0]
    places = HookPlaces(private=private / "hook", artifacts=context.artifacts, step=context.deployment.step)
    return Hooks(settings, release, variables=variables, places=places, report=context.report)


def _configure(wanted: PackageFolder, hooks: Hooks, release: Path, context: StepContext) -> Transformed:
    with context.report.stage("transform"):
        transformed = configure(release, wanted.transform, hooks, context)
        note_changes(transformed, context)
        hooks.run("Deploy")
        return transformed


def _describe(
    wanted: PackageFolder,
    package: AcquiredPackage,
    transformed: Transformed,
    hooks: list[str],
    context: StepContext,
) -> Plan:
    return Plan(
        deployment=context.deployment.id,
        slot=context.deployment.slot,
        step="package",
        host=context.host_url,
        packages=[planned_package(package)],
        files=[planned_file(file, context) for file in transformed.files],
        unmatched=[f"{rule.feature}: {rule.rule}: {rule.reason}" for rule in transformed.unmatched],
        way=f"{wanted.into / 'current'} leads to releases/{_name(package, context)}",
        hooks=hooks,
    )


def _switch(wanted: PackageFolder, hooks: Hooks, releases: Releases, release: Path, context: StepContext) -> None:
    """What serves is restarted after the switch, and after going back from a switch that came to nothing."""
    with context.report.stage("switch"):
        before = releases.current()
        try:
            with context.journal.effect("files", "switch", str(release)):
                releases.switch(release)
            if wanted.script is not None:
                hooks.run_also(wanted.script)
            hooks.run("PostDeploy")
        except BaseException:
            releases.leave(release, before)
            if wanted.script is not None and before is not None:
                _restart_again(wanted, hooks, context)
            raise
        context.report.detail(f"{releases.link} leads to {release.name}")


def _restart_again(wanted: PackageFolder, hooks: Hooks, context: StepContext) -> None:
    assert wanted.script is not None
    try:
        hooks.run_also(wanted.script)
    except DockwrightError as error:
        context.report.warning(f"current leads to the release before again, but: {error}")


def _prune(wanted: PackageFolder, releases: Releases, context: StepContext) -> None:
    """One that cannot be removed is tried again by the next run; this one has done what it was to do."""
    for release in releases.surplus(wanted.keep):
        try:
            with context.journal.effect("files", "remove", str(release)):
                shutil.rmtree(release)
        except OSError as error:
            context.report.warning(f"the earlier release {release} cannot be removed: {error.strerror}")


def _outcome(package: AcquiredPackage, release: Path, files: int, hooks: Hooks) -> Outcome:
    """The names are Calamari's, the short ones ours."""
    outputs = {
        "Folder": str(release),
        "Version": str(package.version),
        "Octopus.Action.Package.InstallationDirectoryPath": str(release),
        "Package.InstallationDirectoryPath": str(release),
        "Package.ExtractedFileCount": str(files),
    }
    said = hooks.outputs
    return Outcome(outputs={**said, **outputs}, told=frozenset(said.keys() - outputs.keys()))
