from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages import (
    AcquiredPackage,
    Feed,
    FeedSettings,
    PackageCache,
    PackageReference,
    acquire,
    extract,
    open_feeds,
    package_variables,
)
from agent.packages.feeds import FolderFeed
from tests.packages.archive_making import Member, write_archive

NAMES = ("MyWebApp.1.0.0", "MyWebApp.1.2.0", "MyWebApp.1.2.5-beta", "MyWebApp.2.0.0", "Tools.3.1")


@pytest.fixture
def feeds(tmp_path: Path) -> dict[str, Feed]:
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in NAMES:
        write_archive(folder / name, [Member(name="name.txt", data=name.encode())])
    return open_feeds({"built-in": FeedSettings(type="folder", uri="./packages")}, tmp_path)


def test_packages_come_in_the_order_of_their_references(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    web, tools = _acquire(tmp_path, feeds, _reference("mywebapp", "[1.0,2.0)"), _reference("Tools", "latest"))
    assert (web.id, str(web.version), web.extension) == ("MyWebApp", "1.2.0", ".zip")
    assert (tools.id, str(tools.version)) == ("Tools", "3.1")
    assert web.size == web.path.stat().st_size
    assert web.path.suffix == ".zip"


def test_nothing_asked_for_is_nothing_acquired(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    assert _acquire(tmp_path, feeds) == ()
    assert not (tmp_path / "cache").exists()


def test_progress_is_told_by_package(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    told: dict[str, tuple[int, int]] = {}

    def report(label: str) -> ByteProgress:
        return lambda done, total: told.update({label: (done, total)})

    package, _ = acquire(
        [_reference("MyWebApp", "1.2.0"), _reference("Tools", "*")], feeds, PackageCache(tmp_path / "cache"), report
    )
    assert set(told) == {"MyWebApp 1.2.0", "Tools 3.1"}
    assert told["MyWebApp 1.2.0"] == (package.size, package.size)


def test_a_missing_version_is_told_with_those_that_exist(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    with pytest.raises(PackageError) as caught:
        _acquire(tmp_path, feeds, _reference("MyWebApp", "3.*"))
    assert str(caught.value) == (
        f"MyWebApp 3.* is not in feed 'built-in' ({tmp_path / 'packages'}); it has 2.0.0, 1.2.5-beta, 1.2.0, 1.0.0"
    )


def test_a_mistyped_id_is_told_with_the_close_one(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    with pytest.raises(PackageError, match=r"nor is any other version; did you mean MyWebApp\?"):
        _acquire(tmp_path, feeds, _reference("MyWepApp", "1.0.0"))


def test_all_problems_are_told_together_and_nothing_is_fetched(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    with pytest.raises(PackageError) as caught:
        _acquire(
            tmp_path,
            feeds,
            _reference("MyWebApp", "1.0.0"),
            _reference("MyWebApp", "9.9.9"),
            _reference("Nothing", "1.0"),
            _reference("../../etc", "1.0"),
            _reference("Tools", "[1"),
            PackageReference(id="Tools", version="*", feed="nuget"),
        )
    message = str(caught.value)
    assert message.startswith("5 packages cannot be had: ")
    for part in (
        "9.9.9",
        "Nothing 1.0",
        "'../../etc' is not a package id",
        "'[1' is not a version range",
        "no feed 'nuget'",
    ):
        assert part in message
    assert "\n" not in message
    assert not (tmp_path / "cache").exists()


def test_one_version_in_two_files_is_refused(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    write_archive(tmp_path / "packages" / "Tools.3.1", [Member(name="a")], ".tar.gz")
    with pytest.raises(PackageError, match=r"more than once \(Tools\.3\.1\.tar\.gz, Tools\.3\.1\.zip\); keep one"):
        _acquire(tmp_path, feeds, _reference("Tools", "3.1"))


@pytest.mark.parametrize("folder", ["../app", "/app", "app/../..", "C:app", "a\\b", "a\0", "..", "n\n"])
def test_a_folder_outside_the_tree_is_refused(tmp_path: Path, feeds: dict[str, Feed], folder: str) -> None:
    with pytest.raises(PackageError, match="is not a folder within the tree"):
        _acquire(tmp_path, feeds, PackageReference(id="Tools", version="3.1", extract_to=folder))
    with pytest.raises(PackageError, match="is not a folder within the tree"):
        _acquire(tmp_path, feeds, PackageReference(id="Tools", version="3.1", name=folder))


def test_references_are_read_from_manifests() -> None:
    reference = msgspec.convert({"id": "MyWebApp", "version": "[1.2,2.0)", "extract-to": "app"}, PackageReference)
    assert reference == PackageReference(
        id="MyWebApp", version="[1.2,2.0)", name="MyWebApp", feed="built-in", extract_to="app"
    )
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"id": "A", "version": "1", "extract_to": "app"}, PackageReference)


def test_variables_are_named_as_calamari_names_them(tmp_path: Path, feeds: dict[str, Feed]) -> None:
    web, tools = _acquire(
        tmp_path,
        feeds,
        PackageReference(id="MyWebApp", version="1.2.0", name="web"),
        PackageReference(id="Tools", version="3.1", name="tools"),
    )
    found = package_variables([web, tools], {"web": Path("/work/web")})
    values = {variable.name: variable.value for variable in found}
    assert values["Octopus.Action.Package[].PackageId"] == "MyWebApp"
    assert values["Octopus.Action.Package.PackageVersion"] == "1.2.0"
    assert values["Octopus.Action.Package[web].FeedId"] == "built-in"
    assert values["Octopus.Action.Package[web].ExtractedPath"] == "/work/web"
    assert values["Octopus.Action.Package[web].Extract"] == "True"
    assert values["Octopus.Action.Package[tools].Extract"] == "False"
    assert values["Octopus.Action.Package[tools].PackageFilePath"] == str(tools.path)
    assert values["Octopus.Action.Package[tools].OriginalPath"] == str(tools.path)
    assert "Octopus.Action.Package[tools].ExtractedPath" not in values
    assert package_variables([], {}) == ()


def test_a_reference_may_ask_for_the_tree_that_calamari_makes(tmp_path: Path) -> None:
    members = [Member(name="run.sh", data=b"x", mode=0o755), Member(name="link", kind="symlink", target="run.sh")]
    (tmp_path / "feed").mkdir()
    write_archive(tmp_path / "feed/App.1.0.0", members)
    feeds: dict[str, Feed] = {"built-in": FolderFeed(name="built-in", root=tmp_path / "feed")}
    (package,) = _acquire(tmp_path, feeds, PackageReference(id="App", version="1.0.0", as_calamari=True))
    extract(package, tmp_path / "tree")
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["run.sh"]
    assert (tmp_path / "tree/run.sh").stat().st_mode & 0o777 == 0o644


def _reference(id: str, version: str) -> PackageReference:  # noqa: A002
    return PackageReference(id=id, version=version)


def _acquire(tmp_path: Path, feeds: dict[str, Feed], *references: PackageReference) -> tuple[AcquiredPackage, ...]:
    return acquire(references, feeds, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)
