"""Layers that mean harm: nothing is written, nothing hangs, and the error is one line."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections import deque
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import RegistryError
from agent.images.inflate import LayerError, inflated
from agent.images.layer_tar import tar_entries
from tests.images.tars import Image, entry, packed, tar

GOOD = entry("app/a.json", "1")


@pytest.mark.parametrize(
    "name", ["../a.json", "app/../../a.json", "..", "/", ".", "", "a\0b.json", "x/" * 300 + "a.json", "y" * 5_000]
)
def test_paths_that_lead_out_or_nowhere_are_passed_over(tmp_path: Path, name: str) -> None:
    layer = tar(entry("app/evil.json", "2"), GOOD, format=tarfile.GNU_FORMAT)
    if len(name) < 90:
        at = layer.index(b"app/evil.json")
        header = bytearray(layer[at : at + 512])
        header[:100] = name.encode().ljust(100, b"\0")
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        layer = layer[:at] + bytes(header) + layer[at + 512 :]
    else:
        layer = tar(entry(name, "2"), GOOD)
    assert Image(tmp_path / "deep" / "inside", layer).contents("**/*.json")["app/a.json"] == "1"
    assert not list(tmp_path.rglob("*.json"))


def test_names_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    layer = tar(entry("app/\udcff.json", "2"), entry("app/l", link="\udcff"), GOOD)
    assert Image(tmp_path, layer).contents("**/*.json") == {"app/a.json": "1"}


@pytest.mark.parametrize("name", ["app/a:b.json", "app/a\\b.json", "app/a\nb.json", "app/" + "n" * 300 + ".json"])
def test_names_that_cannot_be_laid_out_everywhere_are_refused(tmp_path: Path, name: str) -> None:
    from agent.errors import InputError

    with pytest.raises(InputError, match="leave it out"):
        Image(tmp_path, packed(entry(name, "1"))).find("app/*")


@pytest.mark.parametrize(
    "layer",
    [
        b"no tar at all, but some text that is longer than nothing" * 20,
        packed(GOOD)[:-20],
        packed(GOOD)[:40] + b"\xff" * 40,
        tar(GOOD)[:700],
        packed(GOOD) + b"trailing",
        gzip.compress(tar(GOOD)[:1024] + b"\xff" * 512, mtime=0),
        tar(entry("x", b"", type=tarfile.GNUTYPE_SPARSE)),
    ],
    ids=["text", "cut gzip", "spoilt gzip", "cut tar", "trailing", "spoilt tar", "sparse"],
)
def test_damage_is_said_with_the_layers_digest(tmp_path: Path, layer: bytes) -> None:
    image = Image(tmp_path, layer)
    with pytest.raises(RegistryError, match=image.descriptors[0].digest) as failed:
        image.find("app/a.json")
    assert "\n" not in str(failed.value)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_an_extended_header_of_any_size_is_not_read(kind: bytes) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = kind, 8 * 1024**3
    block = header.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(LayerError, match="extended header"):
        list(tar_entries(iter([block, b"1" * 1_000_000]), lambda _path, _size: True))


@pytest.mark.parametrize(
    "record", [b"9999 path=x\n", b"x path=x\n", b"0 path=x\n", b"5 pa\n", b"-3 a=b\n", b"path=x\n"]
)
def test_damaged_records_are_refused(record: bytes) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(record)
    data = header.tobuf() + record.ljust(512, b"\0")
    with pytest.raises(LayerError, match="damaged"):
        list(tar_entries(iter([data]), lambda _path, _size: True))


def test_a_bomb_is_left_early() -> None:
    deflate = zlib.compressobj(9, wbits=31)
    zeros = bytes(1024 * 1024)
    bomb = b"".join(deflate.compress(zeros) for _ in range(300)) + deflate.flush()
    with pytest.raises(LayerError, match="far more"):
        deque(inflated([bomb], 1_000), maxlen=0)


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, zstandard.compress, bytes, lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:])],
)
def test_layers_are_unpacked_whatever_they_are_packed_with(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    assert Image(tmp_path, pack(tar(GOOD))).contents("app/a.json") == {"app/a.json": "1"}


@given(st.binary(max_size=3_000), st.integers(0, 2_999), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_damage_is_a_defect(noise: bytes, at: int, compressed: bool) -> None:
    layer = tar(GOOD, entry("l", link="x"), entry("é" * 70, "2"))
    layer = layer[:at] + noise + layer[at + len(noise) :]
    data = gzip.compress(layer, 1) if compressed else layer
    try:
        for found in tar_entries(inflated(io.BytesIO(data), len(data)), lambda _path, size: size < 100_000):
            assert ".." not in found.path.split("/")
    except RegistryError:
        pass
