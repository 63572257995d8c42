"""Archives that ask for more than they may have are stopped while they are written, in little memory."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import Limits, extract
from tests.packages.archive_making import Member, tar_bytes, zip_bytes

MEGABYTE = 1 << 20
LIMITS = Limits(bytes=8 * MEGABYTE, entries=1000, ratio=50, ratio_from=4 * MEGABYTE)


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """No bomb takes more than 32 MiB of Python's memory, its making apart."""
    yield
    if tracemalloc.is_tracing():
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 32 * MEGABYTE


def test_flat_zip(tmp_path: Path) -> None:
    assert_refused(
        tmp_path, ".zip", zip_bytes([Member(name="zeros", data=bytes(100 * MEGABYTE))]), "only a bomb does"
    )


def test_many_files_that_are_too_much_together(tmp_path: Path) -> None:
    data = zip_bytes([Member(name=f"{n}", data=bytes(MEGABYTE)) for n in range(20)], zipfile.ZIP_STORED)
    assert_refused(tmp_path, ".zip", data, "holds more than 8,388,608 bytes")


@pytest.mark.parametrize("declared", [10, 0xFFFFFFFE])
def test_zip_with_a_lying_size(tmp_path: Path, declared: int) -> None:
    data = bytearray(zip_bytes([Member(name="zeros", data=bytes(100 * MEGABYTE))]))
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, declared)
    assert_refused(tmp_path, ".zip", bytes(data), "not what the directory says|only a bomb does")


def test_zip_whose_entries_overlap(tmp_path: Path) -> None:
    """A thousand directory entries for one piece of packed data."""
    kernel = zlib.compress(bytes(MEGABYTE), 9)[2:-4]
    local = struct.pack(
        "<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 8, 0, 33, zlib.crc32(bytes(MEGABYTE)), len(kernel), MEGABYTE, 1, 0
    )
    body = local + b"a" + kernel
    entry = struct.pack(
        "<4sBBHHHHHLLLHHHHHLL",
        *(b"PK\1\2", 20, 3, 20, 0, 8, 0, 33, zlib.crc32(bytes(MEGABYTE)), len(kernel), MEGABYTE),
        *(1, 0, 0, 0, 0, 0o100644 << 16, 0),
    )
    directory = (entry + b"a") * 1000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, len(directory), len(body), 0)
    assert_refused(tmp_path, ".zip", body + directory + end, "overlaps another entry|name of another entry")


def test_a_million_empty_files_in_a_zip(tmp_path: Path) -> None:
    data = _empty_files(1_000_000, claimed=1_000_000)
    assert_refused(tmp_path, ".zip", data, "has more than 1,000 entries")


def test_a_million_empty_files_in_a_zip_that_claims_to_hold_few(tmp_path: Path) -> None:
    data = _empty_files(1_000_000, claimed=1_000_000 % 0x10000 % 1000)
    assert_refused(tmp_path, ".zip", data, "another name or method in its header")


def test_a_million_empty_files_in_a_tar(tmp_path: Path) -> None:
    block = tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as stream:
        for number in range(20_000):
            info = tarfile.TarInfo(f"{number}")
            stream.write(info.tobuf(tarfile.USTAR_FORMAT) if number < 2000 else block)
    assert_refused(tmp_path, ".tar.gz", buffer.getvalue(), "has more than 1,000 entries")


def test_tar_with_one_endless_file(tmp_path: Path) -> None:
    data = gzip.compress(tar_bytes([Member(name="zeros", data=bytes(100 * MEGABYTE))]), 9)
    assert_refused(tmp_path, ".tar.gz", data, "only a bomb does")


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_tar_with_an_endless_header(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 24 * MEGABYTE
    data = gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(24 * MEGABYTE), 9)
    assert_refused(tmp_path, ".tgz", data, "extended header of more than 1,048,576 bytes")


def test_tar_with_endless_data_after_its_end(tmp_path: Path) -> None:
    data = gzip.compress(tar_bytes([Member(name="a")]) + bytes(24 * MEGABYTE), 9)
    assert_refused(tmp_path, ".tgz", data, "goes on after its end")


def test_tar_with_an_endless_chain_of_hard_links(tmp_path: Path) -> None:
    members = [Member(name="a", data=bytes(MEGABYTE))]
    members += [Member(name=f"b{n}", kind="hardlink", target="a") for n in range(900)]
    assert_refused(tmp_path, ".tar.gz", gzip.compress(tar_bytes(members), 9), "only a bomb does")


def test_tar_with_links_that_fill_the_memory(tmp_path: Path) -> None:
    members = [Member(name=f"{n}", kind="symlink", target="x" * 1000) for n in range(900)]
    archive = tmp_path / "App.tar"
    archive.write_bytes(tar_bytes(members))
    with pytest.raises(PackageError, match="has links of more than 100,000 bytes in all"):
        extract(archive, tmp_path / "tree", limits=Limits(link_bytes=100_000))


def test_xz_that_wants_a_giant_window(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(tar_bytes([Member(name="a")]), filters=filters))
    data[12 + 4] = 40  # the dictionary's size: 4 GiB
    struct.pack_into("<L", data, 12 + 8, zlib.crc32(bytes(data[12:20])))
    assert_refused(tmp_path, ".tar.xz", bytes(data), "damaged or no xz stream .*[Mm]emory")


def test_zstandard_that_wants_a_giant_window(tmp_path: Path) -> None:
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\xa8" + b"\x01\x00\x00"  # a window of 2 GiB, one empty block
    assert_refused(tmp_path, ".tar.zst", frame, "damaged or no zstd stream")


@pytest.mark.parametrize("depth", [65, 400])
def test_folders_without_end(tmp_path: Path, depth: int) -> None:
    assert_refused(tmp_path, ".tar", tar_bytes([Member(name="a/" * depth, kind="folder")]), "deeper than 64 folders")


def test_entries_that_each_bring_many_folders(tmp_path: Path) -> None:
    members = [Member(name=f"{n}/" + "a/" * 60 + "x") for n in range(50)]
    assert_refused(tmp_path, ".zip", zip_bytes(members), "has more than 1,000 entries")


def test_an_honest_archive_of_the_same_size_passes(tmp_path: Path) -> None:
    (tmp_path / "App.zip").write_bytes(zip_bytes([Member(name=f"{n}", data=bytes(MEGABYTE)) for n in range(3)]))
    assert extract(tmp_path / "App.zip", tmp_path / "tree", limits=LIMITS).bytes == 3 * MEGABYTE


def _empty_files(count: int, *, claimed: int) -> bytes:
    """A directory of `count` entries, each with a name of its own, over one local header."""
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 7, 0) + b"0000000"
    head = struct.pack("<4sBBHHHHHLLLHHHHHLL", b"PK\1\2", 20, 3, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join([head + b"%07d" % number for number in range(count)])
    body = local * 40_000
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, claimed, claimed, len(directory), len(body))
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body + directory + end64 + locator + end


def assert_refused(tmp_path: Path, extension: str, data: bytes, reason: str) -> None:
    archive = tmp_path / f"App{extension}"
    archive.write_bytes(data)
    del data
    tracemalloc.start()
    with pytest.raises(PackageError, match=reason):
        extract(archive, tmp_path / "tree", limits=LIMITS)
    assert list(tmp_path.iterdir()) == [archive]
