"""Files out of an image's layers: what covers what, and which layers have to be read for it."""

from __future__ import annotations

import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from agent.errors import InputError, RegistryError
from agent.images.layer_cache import LayerCache
from agent.images.listing import Listing
from tests.images.tars import Image, entry, packed

APP = (entry("app", None), entry("app/a.json", "1"), entry("app/b.json", "2"))


def test_the_highest_layer_that_has_a_file_gives_it(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP), packed(entry("app", None), entry("app/a.json", "new")))
    assert image.contents("app/*.json") == {"app/a.json": "new", "app/b.json": "2"}


def test_only_the_layers_needed_are_read(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(entry("etc/x", "x")), packed(*APP), packed(entry("var", None)))
    assert image.contents("app/a.json") == {"app/a.json": "1"}
    assert image.read == [2, 1]


def test_what_was_read_once_is_not_read_again(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP))
    image.find("app/*.json")
    image.read.clear()
    assert image.contents("app/*.json") == {"app/a.json": "1", "app/b.json": "2"}
    assert image.read == []


def test_other_files_of_a_layer_that_is_known_are_read_when_asked_for(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP))
    image.find("app/a.json")
    assert image.contents("app/b.json") == {"app/b.json": "2"}
    image.read.clear()
    assert image.contents("app/*.json") == {"app/a.json": "1", "app/b.json": "2"}
    assert image.read == []


@pytest.mark.parametrize("spoilt", [b"", b"other"])
def test_a_spoilt_cache_is_seen_and_read_anew(tmp_path: Path, spoilt: bytes) -> None:
    image = Image(tmp_path, packed(*APP))
    image.find("app/a.json")
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(spoilt)
    assert image.contents("app/a.json") == {"app/a.json": "1"}


def test_folders_whose_attributes_are_not_known_yet_are_looked_for(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(entry("app", None, mode=0o750, uid=33)), packed(entry("app/a.json", "1")))
    found = image.find("app/a.json")
    assert (found.folders["app"].mode, found.folders["app"].uid) == (0o750, 33)


def test_a_whiteout_hides_what_is_below(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP), packed(entry("app/.wh.a.json")))
    assert image.contents("app/*.json") == {"app/b.json": "2"}
    assert image.contents("app/b.json") == {"app/b.json": "2"}


def test_a_whited_out_path_is_known_to_be_gone_without_lower_layers(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP), packed(entry(".wh.app"), entry("x", "x")))
    assert image.find("app/a.json").unmatched == ("app/a.json",)
    assert image.read == [1]


def test_a_whiteout_spares_its_own_layer(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP), packed(entry("app", None), entry("app/a.json", "3"), entry(".wh.app")))
    assert image.contents("app/*.json") == {"app/a.json": "3"}


def test_an_opaque_folder_hides_all_that_is_below_it(tmp_path: Path) -> None:
    upper = packed(entry("app", None), entry("app/.wh..wh..opq"), entry("app/c.json", "3"))
    assert Image(tmp_path, packed(*APP), upper).contents("app/*.json") == {"app/c.json": "3"}


def test_an_opaque_root_hides_everything(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP), packed(entry(".wh..wh..opq"), entry("x.json", "x")))
    assert image.contents("**/*.json") == {"x.json": "x"}


def test_a_file_in_the_place_of_a_folder_hides_what_was_in_it(tmp_path: Path) -> None:
    again = packed(entry("app/c.json", "3"))
    image = Image(tmp_path, packed(*APP), packed(entry("app", "a file")), again)
    assert image.contents("app/*.json") == {"app/c.json": "3"}


def test_a_folder_in_the_place_of_a_link_is_no_link(tmp_path: Path) -> None:
    lower = packed(entry("srv", None), entry("srv/a.json", "srv"), entry("app", link="srv"))
    image = Image(tmp_path, lower, packed(entry("app", None), entry("app/b.json", "b")))
    assert image.contents("app/*.json") == {"app/b.json": "b"}


def test_the_storage_drivers_own_marks_are_no_files(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP, entry("app/.wh..wh.plnk", "x"), entry(".wh..wh.aufs/x.json", "x")))
    assert set(image.contents("app/*")) == {"app/a.json", "app/b.json"}


@pytest.mark.parametrize("target", ["srv/app", "/srv/app", "../srv/./app", "../../../srv/app/", "x/../srv/app"])
def test_links_on_the_way_are_followed_inside_the_image(tmp_path: Path, target: str) -> None:
    lower = packed(entry("srv/app", None), entry("srv", None), entry("srv/app/a.json", "1"), entry("x", None))
    image = Image(tmp_path, lower, packed(entry("app", link=target)))
    for glob in ("app/a.json", "app/*.json"):
        (file,) = image.find(glob).files
        assert (file.path, file.names, file.content) == ("srv/app/a.json", ("app/a.json",), b"1")


def test_a_link_that_is_itself_asked_for_leads_to_its_file(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP, entry("app/current.json", link="b.json")))
    (b,) = [file for file in image.find("app/*.json").files if file.path == "app/b.json"]
    assert sorted(b.names) == ["app/b.json", "app/current.json"]


@pytest.mark.parametrize("target", ["loop.json", "nowhere", "../../etc/passwd", "/app", "a.json/x", "\x01" * 3000])
def test_links_to_no_file_match_nothing(tmp_path: Path, target: str) -> None:
    image = Image(tmp_path, packed(*APP, entry("app/loop.json", link=target)))
    assert "app/loop.json" not in {name for file in image.find("app/*.json").files for name in file.names}


def test_links_to_links_end(tmp_path: Path) -> None:
    links = [entry(f"l{number}", link=f"l{number + 1}/l{number + 1}") for number in range(100)]
    assert Image(tmp_path, packed(*links, *APP)).find("l0", "app/a.json").unmatched == ("l0",)


def test_a_hard_link_has_the_content_of_its_file(tmp_path: Path) -> None:
    links = (entry("app/c.json", hard="./app/a.json"), entry("app/d.json", hard="app/c.json"))
    image = Image(tmp_path, packed(*APP, *links))
    assert image.contents("app/c.json", "app/d.json") == {"app/c.json": "1", "app/d.json": "1"}


@pytest.mark.parametrize("target", ["/etc/shadow", "../../etc/shadow", "app/none", "app/c.json", "app"])
def test_a_hard_link_to_nothing_is_refused(tmp_path: Path, target: str) -> None:
    image = Image(tmp_path, packed(*APP, entry("app/c.json", hard=target)))
    with pytest.raises(RegistryError, match="hard link to nothing"):
        image.find("app/c.json")


def test_modes_owners_and_extended_attributes_are_known(tmp_path: Path) -> None:
    records = {"SCHILY.xattr.user.x": "1", "comment": "no"}
    file = entry("app/a.json", "1", mode=0o4640, uid=3_000_000, gid=7, pax_headers=records)
    (found,) = Image(tmp_path, packed(entry("app", None), file)).find("app/a.json").files
    attributes = found.attributes
    assert (attributes.mode, attributes.uid, attributes.gid) == (0o4640, 3_000_000, 7)
    assert attributes.records == {"SCHILY.xattr.user.x": "1"}


def test_windows_images_are_read_without_regard_to_case(tmp_path: Path) -> None:
    lower = packed(
        entry("Files", None),
        entry("Files/Inetpub", None),
        entry("Files/Inetpub/Web.config", "1"),
        entry("Hives", None),
        entry("Hives/System_Delta", "x"),
    )
    upper = packed(entry("Files", None), entry("Files/inetpub", None), entry("Files/inetpub/WEB.CONFIG", "2"))
    image = Image(tmp_path, lower, upper, os="windows")
    (file,) = image.find("inetpub/web.config").files
    assert (file.path, file.names, file.content) == ("inetpub/WEB.CONFIG", ("inetpub/web.config",), b"2")
    assert image.contents("**/*.config") == {"inetpub/WEB.CONFIG": "2"}
    assert image.find("**/*delta*", "inetpub/*").unmatched == ("**/*delta*",)


def test_links_of_windows_are_followed(tmp_path: Path) -> None:
    layer = packed(
        entry("Files/srv/a.json", "1"), entry("Files/app", link="C:\\srv"), entry("Files/b", link="\\??\\C:\\srv")
    )
    image = Image(tmp_path, layer, os="windows")
    assert image.contents("app/a.json") == {"srv/a.json": "1"}
    assert image.contents("b/a.json") == {"srv/a.json": "1"}


def test_names_with_letters_of_all_kinds_are_found(tmp_path: Path) -> None:
    long = "x" * 120 + "/" + "ü" * 60 + ".json"
    assert Image(tmp_path, packed(entry(long, "1"))).contents("**/*.json") == {long: "1"}


def test_a_file_that_is_in_a_layer_twice_is_the_later_one(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(*APP, entry("./app//a.json", "later")))
    assert image.contents("app/a.json") == {"app/a.json": "later"}


def test_devices_are_no_files(tmp_path: Path) -> None:
    image = Image(
        tmp_path, packed(entry("app/dev.json", type=tarfile.CHRTYPE), entry("app/p", type=tarfile.FIFOTYPE))
    )
    assert image.find("app/*").unmatched == ("app/*",)


def test_vendors_layers_are_passed_over(tmp_path: Path) -> None:
    image = Image(tmp_path, b"not here", packed(*APP))
    vendor = msgspec.structs.replace(image.descriptors[0], urls=("https://vendor.test/layer",))
    image.descriptors = (vendor, image.descriptors[1])
    assert image.contents("**/a.json") == {"app/a.json": "1"}


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    image = Image(tmp_path, packed(entry("app/big.json", b"0" * (65 * 1024 * 1024))))
    with pytest.raises(InputError, match="too much to configure"):
        image.find("app/*.json")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    many = [entry(f"app/{number}.json", "1") for number in range(10_001)]
    with pytest.raises(InputError, match="name fewer"):
        Image(tmp_path, packed(*many)).find("app/*.json")


def test_several_processes_may_keep_the_same_at_once(tmp_path: Path) -> None:
    images = [Image(tmp_path, packed(*APP)) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda image: image.contents("app/*.json"), images))
    assert found == [{"app/a.json": "1", "app/b.json": "2"}] * 8
    kept = [path.name for path in (tmp_path / "cache" / "files").iterdir()]
    assert len(kept) == 2


def test_the_cache_has_a_bound(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path, largest=10_000)
    for number in range(40):
        cache.keep(f"sha256:{number}", Listing(records=[{}]), {"a": bytes([number]) * 1_000})
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 10_000
    assert cache.listing("sha256:39") is not None
    assert cache.listing("sha256:0") is None
