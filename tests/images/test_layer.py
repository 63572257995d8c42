"""The configuration's layer: the same bytes for the same content, and what engines need to find in it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputError
from agent.host import OperatingSystem
from agent.images.layer import Attributes, LayerContent, LayerFile, make_layer

OWNED = Attributes(mode=0o640, uid=33, gid=34, records={"SCHILY.xattr.user.x": "y"})


def file(path: str, content: bytes = b"x", attributes: Attributes = OWNED) -> LayerFile:
    return LayerFile(path=path, content=content, attributes=attributes)


def members(content: LayerContent, os: OperatingSystem = "linux") -> dict[str, tarfile.TarInfo]:
    layer = make_layer(content, os)
    with tarfile.open(fileobj=io.BytesIO(layer.data), mode="r:gz") as archive:
        return {member.name: member for member in archive}


def test_a_layer_is_what_its_digests_say() -> None:
    layer = make_layer(LayerContent(files=(file("app/a"),)), "linux")
    assert layer.digest == f"sha256:{hashlib.sha256(layer.data).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(layer.data)).hexdigest()}"


@given(st.permutations([file("b"), file("a/z"), file("a-b"), file("a/b/c")]))
def test_the_order_of_files_does_not_matter(files: list[LayerFile]) -> None:
    expected = make_layer(LayerContent(files=(file("a/z"), file("b"), file("a/b/c"), file("a-b"))), "linux")
    assert make_layer(LayerContent(files=tuple(files)), "linux") == expected


def test_a_layer_knows_no_time_no_user_and_no_machine() -> None:
    layer = make_layer(LayerContent(files=(file("app/a"),)), "linux")
    assert layer.data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    member = members(LayerContent(files=(file("app/a"),)))["app/a"]
    assert (member.mtime, member.uname, member.gname) == (0, "", "")


def test_modes_owners_and_attributes_are_kept() -> None:
    member = members(LayerContent(files=(file("app/a"),)))["app/a"]
    assert (member.mode, member.uid, member.gid) == (0o640, 33, 34)
    assert member.pax_headers == {"SCHILY.xattr.user.x": "y"}


def test_only_folders_that_are_described_are_written() -> None:
    assert list(members(LayerContent(files=(file("srv/app/a"),)))) == ["srv/app/a"]
    described = LayerContent(files=(file("srv/app/a"),), folders={"srv/app": Attributes(mode=0o1770, uid=5)})
    folder = members(described)["srv/app"]
    assert (folder.isdir(), folder.mode, folder.uid) == (True, 0o1770, 5)


def test_deleted_files_are_whited_out() -> None:
    found = members(LayerContent(deleted=("app/old.json", "top")))
    assert set(found) == {"app/.wh.old.json", ".wh.top"}
    assert all(member.size == 0 and member.isreg() for member in found.values())


def test_windows_layers_have_files_hives_and_security_descriptors() -> None:
    own = Attributes(mode=0o644, records={"MSWINDOWS.rawsd": "b3du", "MSWINDOWS.fileattr": "32"})
    content = LayerContent(files=(file("inetpub/a.config"), file("inetpub/b.config", attributes=own)), deleted=("c",))
    found = members(content, "windows")
    assert list(found) == ["Files", "Files/.wh.c", "Files/inetpub/a.config", "Files/inetpub/b.config", "Hives"]
    assert found["Hives"].isdir()
    assert found["Hives"].mode == 0o555
    assert all("MSWINDOWS.rawsd" in member.pax_headers for member in found.values())
    assert found["Files/inetpub/a.config"].pax_headers["MSWINDOWS.rawsd"].startswith("AQAAgBQAAAAk")
    assert found["Files/inetpub/b.config"].pax_headers == own.records


def test_windows_paths_are_not_prefixed_twice() -> None:
    folders = {"Files/inetpub": Attributes(mode=0o755)}
    content = LayerContent(files=(file("Files/inetpub/a.config"),), deleted=("Files/b",), folders=folders)
    expected = ["Files", "Files/.wh.b", "Files/inetpub", "Files/inetpub/a.config", "Hives"]
    assert list(members(content, "windows")) == expected


@pytest.mark.parametrize(
    "path", ["", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a\0", "app/.wh.x", ".wh..wh..opq"]
)
def test_paths_that_lead_out_or_delete_are_refused(path: str) -> None:
    for content in (LayerContent(files=(file(path),)), LayerContent(deleted=(path,))):
        with pytest.raises(InputError):
            make_layer(content, "linux")
