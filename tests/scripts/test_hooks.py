from pathlib import Path

import pytest

from agent.errors import ScriptError
from agent.scripts import HookPlaces, Hooks, HookSettings
from agent.variables import Variables
from tests.scripts.hearing import Heard, heard


class Package:
    """An unpacked package with hooks."""

    def __init__(self, folder: Path, files: dict[str, str], variables: dict[str, str], wanted: bool | None) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        for name, text in files.items():
            (self.tree / name).write_text(text, encoding="utf-8")
        known = Variables.of(variables)
        self.said: Heard = heard()
        self.hooks = Hooks(
            HookSettings.of(wanted, known),
            self.tree,
            variables=known,
            places=HookPlaces(private=folder / "private", artifacts=folder / "artifacts" / "1", step="Web"),
            report=self.said.report,
        )

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.tree.iterdir())


def package(
    folder: Path, wanted: bool | None = None, *, variables: dict[str, str] | None = None, **files: str
) -> Package:
    """`Deploy_sh` is the file `Deploy.sh`."""
    return Package(folder, {name.replace("_", "."): text for name, text in files.items()}, variables or {}, wanted)


CUSTOM = {"Octopus.Action.EnabledFeatures": "Octopus.Features.CustomScripts"}


def test_a_hook_runs_in_the_package_and_is_deleted_with_its_variants(tmp_path: Path) -> None:
    made = package(tmp_path, PreDeploy_sh="cat config > seen", predeploy_PS1="exit 3", config="x", PostDeploy_sh="")
    made.hooks.run("PreDeploy")
    assert made.files == ["PostDeploy.sh", "config", "seen"]
    assert made.hooks.ran == ["PreDeploy.sh"]


def test_the_machines_own_kind_is_preferred(tmp_path: Path) -> None:
    made = package(tmp_path, Deploy_py="open('py', 'w')", Deploy_sh="touch sh", Deploy_ps1="exit 3")
    made.hooks.run("Deploy")
    assert made.files == ["sh"]


def test_what_a_hook_sets_later_ones_and_transforms_can_read(tmp_path: Path) -> None:
    made = package(
        tmp_path,
        PreDeploy_sh="set_octopusvariable Colour green; set_octopusvariable Key s3cret-key -sensitive",
        Deploy_py="colour = get_octopusvariable('Octopus.Action[Web].Output.Colour')\n"
        "open('seen', 'w').write(colour + octopusvariables['key'])",
    )
    made.hooks.run("PreDeploy")
    made.hooks.run("Deploy")
    assert (made.tree / "seen").read_text(encoding="utf-8") == "greens3cret-key"
    assert made.hooks.variables.evaluate("#{Colour}").value == "green"
    assert made.hooks.variables.is_sensitive("Octopus.Action[Web].Output.Key")
    assert made.hooks.outputs == {"Colour": "green"}


def test_a_failing_hook_says_which_and_why(tmp_path: Path) -> None:
    made = package(tmp_path, PreDeploy_sh="exit 7", Deploy_sh="fail_step 'no licence'")
    with pytest.raises(ScriptError, match=r"PreDeploy\.sh failed: it ended with exit code 7"):
        made.hooks.run("PreDeploy")
    with pytest.raises(ScriptError, match=r"Deploy\.sh failed: no licence"):
        made.hooks.run("Deploy")


def test_after_a_failure_deploy_failed_reads_the_error_and_cannot_hide_it(tmp_path: Path) -> None:
    script = "get_octopusvariable OctopusLastErrorMessage > seen; exit 5"
    made = package(tmp_path, DeployFailed_sh=script)
    made.hooks.failed(ScriptError("the disk is gone"))
    assert (made.tree / "seen").read_text(encoding="utf-8") == "the disk is gone"
    assert made.said.warnings == ["DeployFailed: DeployFailed.sh failed: it ended with exit code 5"]


@pytest.mark.parametrize(
    ("wanted", "variables", "runs"),
    [
        (None, {}, True),
        (None, {"Octopus.Action.Package.RunScripts": "False"}, False),
        (True, {"Octopus.Action.Package.RunScripts": "False"}, True),
        (False, {}, False),
    ],
)
def test_the_input_decides_else_the_variable(
    wanted: bool | None, variables: dict[str, str], runs: bool, tmp_path: Path
) -> None:
    made = package(tmp_path, wanted, variables=variables, Deploy_sh="touch ran")
    made.hooks.run("Deploy")
    assert ("ran" in made.files) is runs


def test_custom_scripts_come_before_the_packages_own_only_in_predeploy(tmp_path: Path) -> None:
    custom = {
        f"Octopus.Action.CustomScripts.{stage}.sh": f"echo custom{stage} >> order"
        for stage in ("PreDeploy", "Deploy")
    }
    scripts = {f"{stage}.sh": f"echo own{stage} >> order" for stage in ("PreDeploy", "Deploy")}
    made = Package(tmp_path, scripts, {**CUSTOM, **custom}, None)
    made.hooks.run("PreDeploy")
    made.hooks.run("Deploy")
    order = (made.tree / "order").read_text(encoding="utf-8").split()
    assert order == ["customPreDeploy", "ownPreDeploy", "ownDeploy", "customDeploy"]


def test_custom_scripts_need_their_feature(tmp_path: Path) -> None:
    made = package(tmp_path, variables={"Octopus.Action.CustomScripts.Deploy.sh": "touch ran"})
    assert made.hooks.names() == []
    made.hooks.run("Deploy")
    assert made.files == []


def test_an_image_is_made_without_the_hooks_and_later_ones_run_all_the_same(tmp_path: Path) -> None:
    made = package(
        tmp_path, PostDeploy_sh=". ./lib; say", lib="say() { echo here; }", DeployFailed_py="", Dockerfile=""
    )
    with made.hooks.hidden():
        assert made.files == ["Dockerfile", "lib"]
    made.hooks.run("PostDeploy")
    assert made.said.output == ["here"]


def test_an_artifact_is_kept_beyond_the_folder(tmp_path: Path) -> None:
    made = package(
        tmp_path, Deploy_sh="echo fine > r.txt; new_octopusartifact r.txt '../Re:port'; new_octopusartifact none"
    )
    made.hooks.run("Deploy")
    assert (tmp_path / "artifacts" / "1" / "_Re_port").read_text(encoding="utf-8") == "fine\n"
    assert "the artifact none cannot be kept" in made.said.warnings[0]


def test_c_sharp_is_named_as_what_cannot_be_run(tmp_path: Path) -> None:
    made = package(tmp_path, Deploy_csx="x")
    with pytest.raises(ScriptError, match=r"Deploy.csx cannot be run: C# scripts are not read here"):
        made.hooks.run("Deploy")


def test_a_link_is_no_hook(tmp_path: Path) -> None:
    made = package(tmp_path, other="touch ran")
    (made.tree / "Deploy.sh").symlink_to(made.tree / "other")
    made.hooks.run("Deploy")
    assert "ran" not in made.files
