"""The tar that an engine gets of a build context."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from agent.engine.build_context import stream_context
from agent.errors import BuildError


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "app" / "bin").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (folder / "app" / "bin" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "app" / "bin" / "run.sh").chmod(0o755)
    (folder / "app" / "big").write_bytes(os.urandom(1_000_003))
    (folder / "app" / "empty").write_bytes(b"")
    (folder / "app" / "link").symlink_to("bin/run.sh")
    (folder / "app" / "outside").symlink_to("/etc/passwd")
    return folder


def read(chunks: list[bytes]) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        return {member.name: member for member in tar}


def test_everything_arrives_with_its_mode_and_content(context: Path) -> None:
    chunks = list(stream_context(context, "Dockerfile"))
    members = read(chunks)
    assert members["app/bin/run.sh"].mode == 0o755
    assert members["app/empty"].size == 0
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        content = tar.extractfile("app/big")
        assert content is not None
        assert content.read() == (context / "app" / "big").read_bytes()


def test_links_are_sent_as_links(context: Path) -> None:
    members = read(list(stream_context(context, "Dockerfile")))
    assert members["app/link"].linkname == "bin/run.sh"
    assert members["app/outside"].issym()
    assert members["app/outside"].size == 0


def test_same_tree_gives_the_same_bytes_whoever_owns_it(context: Path, tmp_path: Path) -> None:
    first = b"".join(stream_context(context, "Dockerfile"))
    members = read([first])
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members.values()} == {(0, 0, "", "")}
    moved = context.rename(tmp_path / "moved")
    assert b"".join(stream_context(moved, "Dockerfile")) == first


def test_times_are_kept_to_the_second(context: Path) -> None:
    os.utime(context / "app" / "empty", (1_600_000_000.9, 1_600_000_000.9))
    os.utime(context / "Dockerfile", (-5, -5))
    members = read(list(stream_context(context, "Dockerfile")))
    assert members["app/empty"].mtime == 1_600_000_000
    assert members["Dockerfile"].mtime == 0


def test_chunks_are_few_and_of_bounded_size(context: Path) -> None:
    for number in range(500):
        (context / "app" / f"small-{number:03}").write_bytes(b"x")
    sizes = [len(chunk) for chunk in stream_context(context, "Dockerfile")]
    assert max(sizes) < 1024 * 1024
    assert len(sizes) < 15


def test_long_and_odd_names_survive(context: Path) -> None:
    names = ["n" * 200, "ünïcode", "sp ace", "-dash", "new\nline", os.fsdecode(b"not-utf8-\xff")]
    for name in names:
        (context / name).write_bytes(b"x")
    assert set(names) <= set(read(list(stream_context(context, "Dockerfile"))))


def test_what_is_neither_file_nor_folder_nor_link_is_left_out(context: Path) -> None:
    os.mkfifo(context / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(context / "socket"))
        members = read(list(stream_context(context, "Dockerfile")))
    assert not {"pipe", "socket"} & set(members)


def test_ignored_files_are_not_even_read(context: Path) -> None:
    (context / ".dockerignore").write_text("app/**\n!app/bin\n", encoding="utf-8")
    (context / "app" / "big").unlink()
    (context / "app" / "big").symlink_to("/proc/kmsg")
    members = read(list(stream_context(context, "Dockerfile")))
    assert set(members) == {".dockerignore", "Dockerfile", "app", "app/bin", "app/bin/run.sh"}


def test_file_that_shrinks_while_it_is_sent_is_named(context: Path) -> None:
    chunks = stream_context(context, "Dockerfile")
    (context / "app" / "big").write_bytes(os.urandom(2_000_000))
    next(chunks)
    os.truncate(context / "app" / "big", 700_000)
    with pytest.raises(BuildError, match="app/big: became shorter"):
        list(chunks)


def test_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="nowhere: the build context cannot be read"):
        list(stream_context(tmp_path / "nowhere", "Dockerfile"))
