"""`dockwright image diff`, `verify` and `sbom`, as their functions and as the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from agent.commands.image_diff import ImageDifference, difference, difference_lines
from agent.commands.image_sbom import bill_of_materials
from agent.commands.image_verify import verify_image
from agent.containers import DEPLOYMENT, SLOT
from agent.errors import InputError, RegistryError
from agent.images.verification import Finding
from agent.labels import BASE, CONFIGURATION
from tests.commands.remote_images import Images
from tests.images.tars import entry, packed

DOCKWRIGHT = Path(sys.executable).with_name("dockwright")
APP = packed(entry("app", None), entry("app/a.json", '{"Mode": "dev"}'), entry("app/x.dll", b"1" * 2_000))
LIVE = packed(entry("app/a.json", '{"Mode": "live"}'))
OURS = {DEPLOYMENT: "Deployments-1", SLOT: "p/e/untenanted/s", CONFIGURATION: "c" * 64}


def compared(images: Images, first: str, second: str, *, show: bool = False) -> ImageDifference:
    return difference((images.name(first), images.name(second)), "", images.home, lambda _line: None, show=show)


def verified(images: Images, *, alone: bool = False) -> dict[str, Finding]:
    found = verify_image(images.name("1"), "", images.home, lambda _line: None, quick=False, alone=alone)
    return {finding.what: finding for finding in found}


def command(images: Images, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = ["--home", str(images.home)]
    return subprocess.run(
        [str(DOCKWRIGHT), "image", *arguments, *home], capture_output=True, text=True, check=False, timeout=60
    )


def test_uat_and_production_share_their_layers_and_differ_in_configuration(images: Images) -> None:
    images.keep("uat", APP)
    images.keep("live", APP, LIVE, env=("A=1",))
    found = compared(images, "uat", "live")
    assert (found.shared.layers, found.first.own.layers, found.second.own.layers) == (1, 0, 1)
    assert found.shared.bytes == len(APP)
    assert found.settings == ("Env A",)
    assert [change.path for change in found.configuration] == ["app/a.json"]
    assert '+{"Mode": "live"}' in found.configuration[0].diff
    assert found.files == ()
    assert any(line.startswith("layers: 1 shared") for line in difference_lines(found))


def test_other_files_are_told_by_size_and_mode_only(images: Images) -> None:
    images.keep("uat", APP)
    images.keep("live", APP, packed(entry("app/x.dll", b"2" * 3_000, mode=0o755)))
    found = compared(images, "uat", "live")
    assert found.configuration == ()
    assert "  changed  app/x.dll  2.0 kB, mode 644 -> 3.0 kB, mode 755" in difference_lines(found)


def test_another_content_of_the_same_size_is_told(images: Images) -> None:
    images.keep("uat", APP)
    images.keep("live", APP, packed(entry("app/x.dll", b"2" * 2_000)))
    lines = difference_lines(compared(images, "uat", "live"))
    assert "  changed  app/x.dll  another content of the same size" in lines


def test_a_mode_alone_is_told_of_a_configuration_file_too(images: Images) -> None:
    images.keep("uat", APP)
    images.keep("live", APP, packed(entry("app/a.json", '{"Mode": "dev"}', mode=0o600)))
    assert [each.path for each in compared(images, "uat", "live").files] == ["app/a.json"]


@pytest.mark.parametrize("show", [True, False])
@pytest.mark.parametrize("secret", [("structured", "a.json", "Mode"), ("substitute", "app/a.json", "#{Other}")])
def test_what_the_journal_knows_as_secret_is_never_shown(
    images: Images, secret: tuple[str, str, str], show: bool
) -> None:
    images.keep("uat", APP)
    digest = images.keep("live", APP, LIVE)
    images.deployed("live", digest, secrets=(secret,))
    (change,) = compared(images, "uat", "live", show=show).configuration
    assert "live" not in change.diff
    assert "********" in change.diff


def test_paths_that_look_like_globs_are_paths(images: Images) -> None:
    images.keep("uat", packed(entry("app/[a]*.json", "1")))
    images.keep("live", packed(entry("app/[a]*.json", "2"), entry("app/a.json", "3")))
    diffs = {change.path: change.diff for change in compared(images, "uat", "live").configuration}
    assert diffs["app/[a]*.json"].splitlines()[-2:] == ["-1", "+2"]


def test_images_for_different_systems_are_not_compared(images: Images) -> None:
    images.keep("uat", APP)
    images.keep("win", packed(entry("Files/a.json", "1")), os="windows")
    with pytest.raises(InputError, match=r"is for linux, .* for windows"):
        compared(images, "uat", "win")


def test_the_command_ends_as_diff_does(images: Images) -> None:
    images.keep("uat", APP)
    images.keep("live", APP, LIVE)
    same = command(images, "diff", images.name("uat"), images.name("uat"))
    assert (same.returncode, "no file and no setting differs" in same.stdout) == (0, True)
    other = command(images, "diff", images.name("uat"), images.name("live"), "--set", "X=1", "--output", "json")
    assert other.returncode == 1
    assert json.loads(other.stdout)["result"]["shared"]["layers"] == 1
    missing = command(images, "diff", images.name("uat"), images.name("none"))
    assert missing.returncode == InputError.exit_code
    assert "is not in the registry" in missing.stderr


def test_an_image_is_what_the_journal_says(images: Images) -> None:
    digest = images.keep("1", APP, labels=OURS)
    images.deployed("1", digest, configuration="c" * 64)
    assert all(finding.good for finding in verified(images).values())


def test_a_tag_that_was_moved_is_found(images: Images) -> None:
    images.deployed("1", images.keep("1", APP, labels=OURS), configuration="c" * 64)
    images.keep("1", APP, LIVE, labels=OURS)
    found = verified(images)
    assert not found["digest"].good
    assert found[f"label {CONFIGURATION}"].good


def test_labels_that_tell_another_story_are_found(images: Images) -> None:
    digest = images.keep("1", APP, labels={**OURS, SLOT: "p/other/untenanted/s", CONFIGURATION: "d" * 64})
    images.deployed("1", digest, configuration="c" * 64)
    bad = {what for what, finding in verified(images).items() if not finding.good}
    assert bad == {f"label {SLOT}", f"label {CONFIGURATION}"}


def test_an_image_that_the_journal_does_not_know_is_not_ok_unless_looked_at_alone(images: Images) -> None:
    images.keep("1", APP)
    assert not verified(images)["journal"].good
    assert all(finding.good for finding in verified(images, alone=True).values())
    done = command(images, "verify", images.name("1"), "--output", "json")
    assert done.returncode == 1
    assert command(images, "verify", images.name("1"), "--alone", "--quick").returncode == 0


def test_the_bill_of_materials_is_valid_and_names_packages_base_and_layers(images: Images) -> None:
    base = images.keep("base", APP)
    digest = images.keep("1", APP, LIVE, labels={BASE: base})
    packages = (
        ("app", "My.App", "1.0", "a" * 64, 5),
        ("lib", "org.example:lib:jar", "2.0", "b" * 64, 6),
        ("same", "My.App", "1.0", "a" * 64, 5),
    )
    images.deployed("1", digest, packages=packages)
    bill = bill_of_materials(images.name("1"), "", images.home)
    assert bill.packages == 3
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.json) is None
    document = json.loads(bill.json)
    purls = [component.get("purl", "") for component in document["components"]]
    assert "pkg:generic/My.App@1.0" in purls
    assert "pkg:maven/org.example/lib@2.0" in purls
    assert any(purl.startswith(f"pkg:oci/shop@{base}") for purl in purls)
    assert [part["version"] for part in document["components"] if part["type"] == "file"] == [
        each["digest"] for each in json.loads(images.registry.manifests["shop", "1"][1])["layers"]
    ]
    assert document["metadata"]["component"]["version"] == digest
    assert bill_of_materials(images.name("1"), "", images.home) == bill


def test_a_nuget_package_is_one_by_its_file_in_the_cache(images: Images) -> None:
    digest = images.keep("1", APP)
    images.deployed("1", digest, packages=(("app", "My.App", "1.0", "a" * 64, 5),))
    cached = images.home / "packages" / "sha256" / "aa" / f"{'a' * 64}.nupkg"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"12345")
    assert '"pkg:nuget/My.App@1.0"' in bill_of_materials(images.name("1"), "", images.home).json


def test_a_configured_image_has_the_packages_of_its_base(images: Images) -> None:
    base = images.keep("base", APP)
    images.deployed("base", base, packages=(("app", "My.App", "1.0", "a" * 64, 5),))
    images.keep("1", APP, LIVE, labels={BASE: base})
    assert "pkg:generic/My.App@1.0" in bill_of_materials(images.name("1"), "", images.home).json


def test_without_a_journal_the_command_says_that_packages_are_left_out(images: Images, tmp_path: Path) -> None:
    images.keep("1", APP)
    done = command(images, "sbom", images.name("1"), "--to", str(tmp_path / "bom.json"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "packages are left out" in done.stderr
    assert json.loads((tmp_path / "bom.json").read_text(encoding="utf-8"))["bomFormat"] == "CycloneDX"


def test_a_registry_that_does_not_answer_is_one_line(images: Images) -> None:
    with pytest.raises(RegistryError, match="nobody answers"):
        bill_of_materials("127.0.0.1:1/shop:1", "", images.home)


@pytest.mark.parametrize("asked", ["verify", "sbom", "diff"])
def test_an_image_that_only_a_host_has_is_told_to_be_pushed(asked: str, images: Images) -> None:
    images.keep("uat", APP)
    missing = images.name("not-pushed")
    done = command(images, asked, *([images.name("uat")] if asked == "diff" else []), missing)
    assert done.returncode == InputError.exit_code
    assert f"{missing} is not in the registry" in done.stderr
    assert "an image that only a container host has is not looked into: push it" in done.stderr


def test_a_name_without_a_registry_is_told_where_it_was_looked_for(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(RegistryError, match=r"shop:1 names no registry, so that docker\.io was asked; .* push it"):
        bill_of_materials("shop:1", "", images.home)
