"""`dockwright configure` against a real registry, and what the real engine and skopeo make of its images."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.containers import CONFIGURATION
from agent.errors import InputError
from agent.host import ContainerHost
from agent.images import ConfigureRequest, LayerCache, configure
from agent.labels import BASE
from agent.registry import ImageReference, RegistryClient
from agent.transform.globs import compile_glob
from tests.system.images import GZIP, Release, build, digest, keep_windows_image
from tests.system.shop import SECRET, dockwright

STRUCTURED = ("--structured", "srv/app/appsettings.json")
BOTH = (*STRUCTURED, "--substitute", "/srv/app/conf/*.conf")


@pytest.fixture
def release(
    engine_host: ContainerHost, registry: str, base_image: str, unique_name: Callable[[str], str], tmp_path: Path
) -> Release:
    name = unique_name("golden")
    release = Release(host=engine_host, registry=registry, repository=name, folder=tmp_path, unique_name=unique_name)
    build(release, base_image)
    return release


def files_of(storage: Path) -> set[Path]:
    return {path for path in storage.rglob("*") if path.is_file()}


def test_the_engine_runs_the_image_with_its_new_configuration(release: Release) -> None:
    done = release.configure("prod", *BOTH, Shop_Title="Live", Greeting="hello")
    assert done.code == 0, done.stderr
    result = done.answer
    assert result["image"] == f"{release.registry}/{release.repository}:prod"
    assert (result["outcome"], result["changed"]) == (
        "configured",
        ["srv/app/appsettings.json", "srv/app/conf/site.conf"],
    )
    script = "cd /app; cat appsettings.json conf/site.conf other.txt; stat -c '%n %a %u:%g' . * conf/*; id -u"
    said = release.in_container(str(result["image"]), script)
    assert said.startswith('{\n  // kept\n  "Shop": {"Title": "Live"}\n}\ngreeting=hello\nother\n')
    for line in (". 750 33:34", "appsettings.json 640 33:34", "conf 1770 33:34", "conf/site.conf 644 33:34"):
        assert line in said.splitlines()
    assert said.splitlines()[-1] == "33"


def test_folders_above_keep_their_modes_even_where_the_top_layer_does_not_tell_them(release: Release) -> None:
    release.configure("one", *STRUCTURED, Shop_Title="One")
    image = f"{release.registry}/{release.repository}:one"
    release.configure("two", "--substitute", "srv/app/conf/site.conf", image=image, Greeting="two")
    said = release.in_container(f"{release.registry}/{release.repository}:two", "stat -c '%n %a %u' /srv /srv/app")
    assert said.splitlines() == ["/srv 755 0", "/srv/app 750 33"]


def test_the_releases_layers_are_the_same_and_the_history_tells(release: Release) -> None:
    done = release.configure("prod", *BOTH, Shop_Title="Live", Greeting="hello")
    before, after = release.manifest("1.0"), release.manifest("prod")
    assert after["layers"][:-1] == before["layers"]
    assert after["mediaType"] == before["mediaType"]
    assert after["layers"][-1] == {
        "mediaType": GZIP,
        "digest": done.answer["layer"],
        "size": done.answer["layerBytes"],
    }
    old, new = release.config("1.0"), release.config("prod")
    assert new["history"][:-1] == old["history"]
    assert str(done.answer["base"]) in new["history"][-1]["comment"]
    assert new["created"] > old["created"]
    assert new["config"]["Labels"][BASE] == done.answer["base"]
    assert len(new["config"]["Labels"][CONFIGURATION]) == 64
    changed = ("created", "config", "history", "rootfs")
    assert {key: new[key] for key in new if key not in changed} == {
        key: old[key] for key in old if key not in changed
    }


def test_the_same_configuration_is_the_same_layer(release: Release, tmp_path: Path) -> None:
    first = release.configure("one", *STRUCTURED, Shop_Title="Same")
    other = dockwright(
        "configure",
        release.image,
        "--tag",
        "two",
        "--home",
        str(tmp_path / "elsewhere"),
        "--output",
        "json",
        *STRUCTURED,
        "--set",
        "Shop:Title=Same",
    )
    third = release.configure("three", *STRUCTURED, Shop_Title="Other")
    assert first.answer["layer"] == other.answer["layer"] != third.answer["layer"]
    labels = [release.config(tag)["config"]["Labels"][CONFIGURATION] for tag in ("one", "two", "three")]
    assert labels[0] == labels[1] != labels[2]


def test_a_second_run_pushes_nothing(release: Release, sandbox_state: Path) -> None:
    first = release.configure("prod", *STRUCTURED, Shop_Title="Live")
    before = files_of(sandbox_state / "registry")
    again = release.configure("prod", *STRUCTURED, Shop_Title="Live")
    assert again.answer["outcome"] == "present"
    assert again.answer["digest"] == first.answer["digest"]
    assert files_of(sandbox_state / "registry") == before


def test_a_deployment_that_changes_nothing_only_gets_its_tag(release: Release, sandbox_state: Path) -> None:
    first = release.configure("75", *STRUCTURED, Shop_Title="Live")
    before = files_of(sandbox_state / "registry")
    again = release.configure("76", *STRUCTURED, "--previous", "74", "--previous", "75", Shop_Title="Live")
    assert (again.answer["outcome"], again.answer["digest"]) == ("retagged", first.answer["digest"])
    new = files_of(sandbox_state / "registry") - before
    assert {path.name for path in new} == {"link"}
    assert all("/_manifests/tags/76/" in str(path) for path in new)


def test_a_previous_image_with_another_configuration_is_not_taken(release: Release) -> None:
    first = release.configure("75", *STRUCTURED, Shop_Title="Live")
    second = release.configure("76", *STRUCTURED, "--previous", "75", Shop_Title="Other")
    assert second.answer["outcome"] == "configured"
    assert first.answer["digest"] != second.answer["digest"]


def test_where_no_file_changes_the_tag_leads_to_the_release(release: Release) -> None:
    done = release.configure("prod", *STRUCTURED, Other="x")
    assert (done.answer["outcome"], done.answer["layer"]) == ("retagged", "")
    assert done.answer["digest"] == done.answer["base"]
    assert release.manifest("prod") == release.manifest("1.0")
    assert release.configure("prod", *STRUCTURED, Other="x").answer["outcome"] == "present"


def test_another_repository_gets_the_layers_without_an_upload(release: Release) -> None:
    target = f"{release.repository}/live"
    done = release.configure("prod", *STRUCTURED, "--repository", target, Shop_Title="Live")
    assert done.answer["image"] == f"{release.registry}/{target}:prod"
    said = release.in_container(str(done.answer["image"]), "cat /app/appsettings.json")
    assert '"Title": "Live"' in said
    untouched = release.configure("same", *STRUCTURED, "--repository", target)
    assert untouched.answer["outcome"] == "retagged"
    assert release.manifest("same", target) == release.manifest("1.0")


def test_xml_is_transformed_as_in_a_package(release: Release) -> None:
    done = release.configure(
        "prod", "--config-transforms", "--config-variables", "--file", "srv/app/*.config",
        "--set", "Octopus.Environment.Name=Production", Mode="live",
    )  # fmt: skip
    assert done.code == 0, done.error
    said = release.in_container(str(done.answer["image"]), "cat /app/web.config; ls -l /app/web.config")
    assert 'debug="false"' in said
    assert 'value="live"' in said


def test_octopus_variables_ask_for_the_features(release: Release) -> None:
    asked = {
        "Octopus.Action.EnabledFeatures": "Octopus.Features.SubstituteInFiles",
        "Octopus.Action.SubstituteInFiles.TargetFiles": "app\\conf\\site.conf",
        "Octopus.Environment.Id": "Environments-1",
        "Octopus.Action.AdditionalPaths": "/",
    }
    arguments = [each for name, value in asked.items() for each in ("--set", f"{name}={value}")]
    done = release.configure("prod", *arguments, Greeting="octopus")
    assert done.answer["changed"] == ["srv/app/conf/site.conf"]
    assert release.config("prod")["config"]["Labels"]["Octopus.Environment.Id"] == "Environments-1"


def test_a_secret_is_in_the_file_and_nowhere_else(release: Release) -> None:
    secrets = release.folder / "secrets.json"
    secrets.write_text(json.dumps([{"k": "Shop:Title", "v": SECRET, "s": True}]), encoding="utf-8")
    done = release.configure("prod", *STRUCTURED, "--verbose", "--variables", str(secrets))
    assert done.code == 0
    assert "1 sensitive value is now in files of the image" in str(done.document["warnings"])
    assert SECRET not in json.dumps(release.config("prod"))
    (content,) = [data for member, data in release.top_layer("prod") if member.isreg()]
    assert SECRET in content.decode()
    kept = [path for path in release.home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert kept == []


@pytest.mark.parametrize("format_", ["oci", "v2s2"])
def test_skopeo_takes_the_images_and_their_kind_is_kept(
    release: Release, tool: Callable[[str], str], tmp_path: Path, format_: str
) -> None:
    tag = f"{release.registry}/{release.repository}"
    skopeo = [tool("skopeo"), "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    copy = [*skopeo, "--format", format_, f"docker://{release.image}", f"docker://{tag}:{format_}"]
    subprocess.run(copy, check=True, capture_output=True)
    done = release.configure("prod", *STRUCTURED, image=f"{tag}:{format_}", Shop_Title="Live")
    assert done.code == 0, done.error
    kinds = {"oci": "application/vnd.oci.image.", "v2s2": "application/vnd.docker."}
    manifest = release.manifest("prod")
    parts = [manifest, manifest["config"], *manifest["layers"]]
    assert all(part["mediaType"].startswith(kinds[format_]) for part in parts)
    taken = [*skopeo, f"docker://{tag}:prod", f"dir:{tmp_path / 'taken'}"]
    subprocess.run(taken, check=True, capture_output=True)
    assert digest((tmp_path / "taken" / "manifest.json").read_bytes()) == done.answer["digest"]
    assert '"Title": "Live"' in release.in_container(f"{tag}:prod", "cat /app/appsettings.json")


def test_of_an_index_the_platform_is_chosen(release: Release) -> None:
    keep_windows_image(release, "windows")
    kind = "application/vnd.oci.image.index.v1+json"
    with RegistryClient(release.registry) as client:
        entries = []
        for tag, platform in (("1.0", {"os": "linux"}), ("windows", {"os": "windows", "os.version": "10.0.20348.2"})):
            image = client.image(release.repository, tag)
            assert image is not None
            known = {"mediaType": image.manifest.media_type, "digest": image.digest, "size": len(image.body)}
            entries.append({**known, "platform": {"architecture": "amd64", **platform}})
        index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
        client.put_manifest(release.repository, "all", index, kind)
    image_name = f"{release.registry}/{release.repository}:all"
    unsaid = release.configure("prod", *STRUCTURED, image=image_name, Shop_Title="Live")
    assert (unsaid.code, "--platform" in unsaid.error) == (3, True)
    done = release.configure("prod", *STRUCTURED, "--platform", "linux/amd64", image=image_name, Shop_Title="Live")
    assert done.answer["base"] == entries[0]["digest"]


def test_windows_images_are_configured_without_windows(release: Release, tool: Callable[[str], str]) -> None:
    keep_windows_image(release, "windows")
    image = f"{release.registry}/{release.repository}:windows"
    done = release.configure(
        "prod", "--config-variables", "--file", "C:\\inetpub\\wwwroot\\web.config", image=image, Mode="live"
    )
    assert done.code == 0, done.error
    assert done.answer["changed"] == ["inetpub/wwwroot/Web.config"]
    entries = release.top_layer("prod")
    names = ["Files", "Files/inetpub", "Files/inetpub/wwwroot", "Files/inetpub/wwwroot/Web.config", "Hives"]
    assert [member.name for member, _ in entries] == names
    described = {member.name: member.pax_headers["MSWINDOWS.rawsd"] for member, _ in entries}
    assert described["Files/inetpub/wwwroot"] == "d3d3cm9vdA=="
    assert described["Files/inetpub/wwwroot/Web.config"] == "d2ViY29uZmln"
    assert b'value="live"' in entries[3][1]
    config = release.config("prod")
    assert (config["os"], config["os.version"], len(config["rootfs"]["diff_ids"])) == (
        "windows",
        "10.0.20348.2340",
        2,
    )
    inspect = [tool("skopeo"), "inspect", "--tls-verify=false", "--override-os=windows"]
    target = f"docker://{release.registry}/{release.repository}:prod"
    found = json.loads(subprocess.run([*inspect, target], capture_output=True, check=True).stdout)
    assert (found["Os"], found["Digest"]) == ("windows", done.answer["digest"])


def test_a_file_that_the_transformation_deletes_is_gone(release: Release) -> None:
    base = ImageReference.parse(release.image)
    request = ConfigureRequest(
        base=base,
        target=base.with_tag("less"),
        files=("app/other.txt", "app/*.json"),
        compile_glob=compile_glob,
        transform=lambda tree: (tree / "app" / "other.txt").unlink(),
        work=release.folder,
        cache=LayerCache(release.home),
    )
    with RegistryClient(release.registry) as client:
        made = configure(request, client, lambda _line: None)
    said = release.in_container(str(made.reference), "ls -a /srv/app")
    assert "other.txt" not in said
    assert "appsettings.json" in said


def test_a_file_that_the_image_has_not_is_not_added(release: Release) -> None:
    base = ImageReference.parse(release.image)
    request = ConfigureRequest(
        base=base,
        target=base.with_tag("more"),
        files=("app/*.json",),
        compile_glob=compile_glob,
        transform=lambda tree: (tree / "app" / "new.json").write_text("{}", encoding="utf-8"),
        work=release.folder,
        cache=LayerCache(release.home),
    )
    with RegistryClient(release.registry) as client, pytest.raises(InputError, match="is new"):
        configure(request, client, lambda _line: None)


def test_what_cannot_be_done_is_said_in_one_line(release: Release) -> None:
    missing = release.configure("x", *STRUCTURED, image=f"{release.registry}/{release.repository}:9.9")
    assert (missing.code, "is not in the registry" in missing.error) == (3, True)
    nothing = release.configure("x", "--structured", "nowhere/*.json")
    assert (nothing.code, "has no file that matches nowhere/*.json" in nothing.error) == (3, True)
    outside = release.configure("x", "--structured", "../etc/passwd")
    assert (outside.code, "names no files of an image" in outside.error) == (3, True)
    assert release.configure("not a tag", *STRUCTURED).code == 3
    assert release.configure("x", *STRUCTURED, "--repository", "../x").code == 3
    gone = release.configure("x", *STRUCTURED, image="127.0.0.1:9/app:1")
    assert (gone.code, "nobody answers" in gone.error) == (8, True)
    broken = release.configure("x", "--structured", "srv/app/web.config", "--substitute", "srv/app/none", A="1")
    assert "has no file that matches srv/app/none" in str(broken.document["warnings"])


def test_an_answer_for_people_ends_in_reference_and_digest(release: Release) -> None:
    done = dockwright(
        "configure", release.image, "--tag", "prod", "--home", str(release.home), "--output", "plain",
        *STRUCTURED, "--set", "Shop:Title=Live",
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-3].startswith("1 file changed, in a layer of ")
    assert lines[-2] == f"{release.registry}/{release.repository}:prod"
    with RegistryClient(release.registry) as client:
        assert lines[-1] == client.manifest_digest(release.repository, "prod")
