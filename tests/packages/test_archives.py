"""The readers against what the standard library writes, and against archives that contradict themselves."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.packages import extract
from agent.packages.archives import Refused, read_archive
from tests.packages.archive_making import Member, tar_bytes, zip_bytes

NAME = st.from_regex(r"[a-zé日]{1,12}(/[a-z0-9_ -]{0,10}[a-z]){0,3}", fullmatch=True)
MEMBERS = st.dictionaries(NAME, st.binary(max_size=3000), max_size=6).map(
    lambda files: [Member(name=name, data=data) for name, data in files.items()]
)


@settings(deadline=None)
@given(MEMBERS, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]))
def test_zip_reads_what_was_written(members: list[Member], compression: int) -> None:
    assert _read(zip_bytes(members, compression), ".zip") == {member.name: member.data for member in members}


@settings(deadline=None)
@given(
    MEMBERS,
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.sampled_from(["", "gz", "bz2", "xz", "zst"]),
)
def test_tar_reads_what_was_written(members: list[Member], format_: int, compression: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.ZstdCompressor().compress,
    }
    data = packers[compression](tar_bytes(members, format_))
    extension = f".tar.{compression}" if compression else ".tar"
    assert _read(data, extension) == {member.name: member.data for member in members}


@pytest.mark.parametrize(
    ("pack", "extension"), [(gzip.compress, ".tgz"), (bz2.compress, ".tbz"), (lzma.compress, ".txz")]
)
def test_streams_in_several_parts_are_one(pack: Callable[[bytes], bytes], extension: str) -> None:
    data = tar_bytes([Member(name="a", data=b"x" * 5000)])
    parts = pack(data[:700]) + pack(data[700:6000]) + pack(data[6000:]) + b"\0" * 100
    assert _read(parts, extension) == {"a": b"x" * 5000}
    with pytest.raises(Refused, match="damaged"):
        _read(parts + b"junk", extension)


def test_a_start_script_before_a_zip_is_passed_over() -> None:
    assert _read(b"#!/bin/sh\nexec java -jar $0\n" + zip_bytes([Member(name="a", data=b"x")]), ".jar") == {"a": b"x"}


def test_a_comment_may_hold_an_end_mark() -> None:
    buffer = io.BytesIO(zip_bytes([Member(name="a", data=b"x")]))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"PK\5\6 is the mark" + b"." * 30
    assert _read(buffer.getvalue(), ".zip") == {"a": b"x"}


def test_zip64_records_are_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        with archive.open("large", "w", force_zip64=True) as file:
            file.write(b"content")
        for number in range(66_000):
            archive.writestr(f"{number}", b"")
    content = _read(buffer.getvalue(), ".zip")
    assert content["large"] == b"content"
    assert len(content) == 66_001


def test_names_without_the_utf8_flag_are_code_page_437_unless_a_unicode_field_corrects_them() -> None:
    data = zip_bytes([Member(name="aaaa", data=b"x")]).replace(b"aaaa", b"sp\x84t")
    assert set(_read(data, ".zip")) == {"spät"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("zz")
        unicode_name = "日本.txt".encode()
        info.extra = struct.pack("<HHBL", 0x7075, 5 + len(unicode_name), 1, zlib.crc32(b"zz")) + unicode_name
        archive.writestr(info, b"y")
    assert set(_read(buffer.getvalue(), ".zip")) == {"日本.txt"}


def test_the_time_in_utc_goes_before_the_local_one() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("a", (2001, 1, 1, 1, 1, 1))
        info.extra = struct.pack("<HHBl", 0x5455, 5, 1, 1_600_000_000)
        archive.writestr(info, b"")
    (entry,) = read_archive(io.BytesIO(buffer.getvalue()), ".zip", 10)
    assert entry.modified == 1_600_000_000


GOOD_ZIP = zip_bytes([Member(name="first", data=b"content" * 50), Member(name="second", data=b"other" * 50)])
DIRECTORY = GOOD_ZIP.index(b"PK\1\2")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data.replace(b"first", b"other", 1), "another name or method in its header"),
        (lambda data: _put(data, DIRECTORY + 8, b"\1"), "is encrypted"),
        (lambda data: _put(data, DIRECTORY + 10, b"\x09"), "another name or method"),
        (lambda data: _put(_put(data, DIRECTORY + 10, b"\x09"), 8, b"\x09"), "packed by Deflate64"),
        (lambda data: _put(data, DIRECTORY + 16, b"\0\0\0\0"), "not what the directory says"),
        (lambda data: _put(data, DIRECTORY + 24, struct.pack("<L", 349)), "not what the directory says"),
        (lambda data: _put(data, DIRECTORY + 24, struct.pack("<L", 351)), "not what the directory says"),
        (lambda data: _put(data, DIRECTORY + 20, struct.pack("<L", 5)), "cut off"),
        (lambda data: _put(data, DIRECTORY + 20, struct.pack("<L", 1000)), "overlaps another entry"),
        (lambda data: _put(data, DIRECTORY + 42, struct.pack("<L", 7)), "not where the directory says"),
        (lambda data: _put(data, DIRECTORY, b"XX"), "damaged directory"),
        (lambda data: _put(data, DIRECTORY + 28, b"\xff\xff"), "damaged directory"),
        (lambda data: _put(data, len(data) - 12, b"\1\0"), "another number of entries"),
        (lambda data: _put(data, len(data) - 6, b"\xf0\xff\xff\x7f"), "does not fit"),
        (lambda data: _put(data, len(data) - 18, b"\1\0"), "split archive"),
        (lambda data: data[: DIRECTORY + 20], "no directory at its end"),
        (lambda data: data + b"junk", "no directory at its end"),
    ],
)
def test_a_zip_that_contradicts_itself_is_refused(change: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        _read(change(GOOD_ZIP), ".zip")


GOOD_TAR = tar_bytes([Member(name="first", data=b"content"), Member(name="second", data=b"other")])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (GOOD_TAR[:1536], "is cut off"),
        (GOOD_TAR[:700], "is cut off"),
        (GOOD_TAR[:5] + b"X" + GOOD_TAR[6:], "bad checksum"),
        (GOOD_TAR + GOOD_TAR, "goes on after its end"),
        (GOOD_TAR + b"\0" * (2 << 20), "goes on after its end"),
        (tar_bytes([Member(name="x" * 200)]).replace(b"path=", b"path:"), "damaged extended header"),
    ],
)
def test_a_tar_that_is_cut_spoilt_or_doubled_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        _read(data, ".tar")


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ({"GNU.sparse.major": "1"}, "sparse"),
        ({"size": "-5"}, "negative size"),
        ({"size": "9" * 30}, "negative size"),
        ({"mtime": "yesterday"}, "damaged extended header"),
        ({"path": "x" * (2 << 20)}, "extended header of more than 1,048,576 bytes"),
    ],
)
def test_extended_headers_are_held_to_bounds(records: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        _read(_pax(records, tarfile.XHDTYPE), ".tar")


@pytest.mark.parametrize("records", [{"path": "evil"}, {"size": "5"}, {"linkpath": "/etc"}, {"mtime": "5"}])
def test_a_global_header_may_not_change_what_follows(records: dict[str, str]) -> None:
    with pytest.raises(Refused, match="changes every entry"):
        _read(_pax(records, tarfile.XGLTYPE), ".tar")
    assert _read(_pax({"comment": "a commit"}, tarfile.XGLTYPE), ".tar") == {"first": b"content", "second": b"other"}


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-1"])
def test_times_out_of_this_world_are_not_taken(tmp_path: Path, value: str) -> None:
    """What is no number leaves the time in the entry's own header; what no clock shows, that of the extraction."""
    (tmp_path / "App.tar").write_bytes(_pax({"mtime": value}, tarfile.XHDTYPE))
    began = tmp_path.stat().st_mtime
    extract(tmp_path / "App.tar", tmp_path / "tree")
    written = tmp_path / "tree" / "first"
    assert written.read_bytes() == b"content"
    modified = written.stat().st_mtime
    assert modified == 1_700_000_000 if value in {"inf", "nan"} else began - 2 <= modified < began + 60


def _pax(records: dict[str, str], kind: bytes) -> bytes:
    info = tarfile.TarInfo("pax")
    info.type = kind
    lines = b"".join(_record(key, value) for key, value in records.items())
    info.size = len(lines)
    return info.tobuf(tarfile.USTAR_FORMAT) + lines + b"\0" * (-len(lines) % 512) + GOOD_TAR


def _record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def _read(data: bytes, extension: str) -> dict[str, bytes]:
    return {
        entry.name: b"".join(entry.chunks())
        for entry in read_archive(io.BytesIO(data), extension, 100_000)
        if entry.kind == "file"
    }
