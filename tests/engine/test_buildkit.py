"""Builds with secrets, by the docker command line and the real engine's BuildKit."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import socket
from time import monotonic

import pytest

from agent.engine.api import EngineHost
from agent.engine.build_output import read_source
from agent.engine.buildkit import build_arguments, build_with_buildkit
from agent.engine.buildkit_output import failed_step
from agent.engine.client import open_client
from agent.engine.docker_program import find_docker, private_surroundings
from agent.engine.dockerfile import frontend, instructions
from agent.errors import BuildError, HostError, InputError
from agent.host import BuildRequest, ContainerHost, Credentials
from linux.local import open_socket
from linux.sandbox.engine_call import EngineSocket

SECRET = "t0ps3cret,with='quotes' and\nlines"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    return folder


@pytest.fixture
def dockerfile(context: Path, base_image: str) -> Callable[[str], None]:
    def write(text: str) -> None:
        (context / "Dockerfile").write_text(f"FROM {base_image}\n{text}", encoding="utf-8")

    return write


def gone(_seconds: float) -> socket:
    raise ConnectionRefusedError


def saved(host: ContainerHost, image: str) -> bytes:
    archive = subprocess.run(
        ["docker", "save", image],
        env={"DOCKER_HOST": host.url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    return archive.stdout


def test_secret_is_seen_by_its_instruction_and_lands_nowhere(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None], unique_name: Callable[[str], str]
) -> None:
    dockerfile(
        "COPY page /page\nRUN --mount=type=secret,id=token wc -c /run/secrets/token | cut -d' ' -f1 >/length\n"
    )
    (context / "page").write_text("hello", encoding="utf-8")
    tag = f"{unique_name('app')}:1"
    lines: list[str] = []
    request = BuildRequest(context=context, tags=(tag,), labels={"a": "b"}, secrets={"token": SECRET})
    image = engine_host.build(request, lines.append)
    assert image.tags == (tag,)
    assert image.labels["a"] == "b"
    assert any("wc -c" in line for line in lines)
    archive = saved(engine_host, tag)
    assert b"t0ps3cret" not in archive
    assert f"{len(SECRET)}\n".encode() in archive


def test_secret_is_no_argument_and_leaves_no_folder(tmp_path: Path) -> None:
    request = BuildRequest(context=tmp_path, tags=(), secrets={"token": SECRET}, arguments={"A": "--privileged"})
    arguments = build_arguments(request)
    assert not any("t0ps3cret" in argument for argument in arguments)
    assert "--secret=id=token,env=DOCKWRIGHT_SECRET_0" in arguments
    assert "--build-arg=A=--privileged" in arguments
    with private_surroundings("unix:///x", {"r.io": Credentials(username="u", password="p")}) as surroundings:
        assert surroundings.folder.stat().st_mode & 0o777 == 0o700
        configured = json.loads((surroundings.folder / "config.json").read_text(encoding="utf-8"))
        assert configured["auths"] == {"r.io": {"auth": "dTpw"}}
    assert not surroundings.folder.exists()


def test_failing_command_is_named_with_line_and_exit_code(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None]
) -> None:
    dockerfile("ENV A=b\n\nRUN true\nRUN --mount=type=secret,id=t \\\n  echo compiling; \\\n  exit 7\n")
    lines: list[str] = []
    with pytest.raises(
        BuildError, match=r"^Dockerfile:5: RUN --mount=type=secret,id=t echo .* exited with 7$"
    ) as failed:
        engine_host.build(BuildRequest(context=context, tags=(), secrets={"t": "x"}), lines.append)
    assert any("compiling" in line for line in failed.value.output)


def test_missing_file_and_wrong_instruction_are_named_with_their_lines(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None]
) -> None:
    request = BuildRequest(context=context, tags=(), secrets={"t": "x"})
    dockerfile("WORKDIR /a\nCOPY a \\\n  /b\n")
    with pytest.raises(BuildError, match=r"^Dockerfile:3: COPY a /b: .*not found"):
        engine_host.build(request, lambda _line: None)
    dockerfile("\nCPY a b\n")
    with pytest.raises(BuildError, match=r"^Dockerfile:3: unknown instruction: CPY"):
        engine_host.build(request, lambda _line: None)


def test_time_limit_cancels_the_build(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None]
) -> None:
    dockerfile("RUN --mount=type=secret,id=t sleep 100\n")
    begun = monotonic()
    with pytest.raises(BuildError, match=r"not ended after 1\.5 s and was cancelled"):
        engine_host.build(BuildRequest(context=context, tags=(), secrets={"t": "x"}, timeout=1.5), lambda _line: None)
    assert monotonic() - begun < 60


def test_context_that_cannot_be_sent_ends_the_build(context: Path, dockerfile: Callable[[str], None]) -> None:
    dockerfile("")
    (context / ".dockerignore").write_text("[\n", encoding="utf-8")
    request = BuildRequest(context=context, tags=(), secrets={"t": "x"})
    with pytest.raises(BuildError, match=r"^\.dockerignore:1: '\[' is no valid pattern"):
        build_with_buildkit(request, read_source(request), "unix:///var/run/docker.sock", gone, lambda _line: None)


def test_contexts_do_not_stay_in_the_build_cache(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None]
) -> None:
    engine = EngineSocket(engine_host.url.removeprefix("unix://"))

    def cached() -> set[str]:
        records = json.loads(engine.call("GET", "/system/df")[1])["BuildCache"] or ()
        return {record["ID"] for record in records if record["Size"] >= 3_000_000}

    dockerfile("COPY data /d/\nRUN --mount=type=secret,id=t true\n")
    (context / "data").write_bytes(b"x" * 3_333_333)
    (context / "more").write_bytes(b"x" * 3_333_333)
    before = cached()
    image = engine_host.build(BuildRequest(context=context, tags=(), secrets={"t": "x"}), lambda _line: None)
    left = cached() - before
    engine_host.remove_image(image.id)
    assert len(left) <= 1  # the layer, which is the image's as well


def test_dockerfile_that_needs_buildkit_gets_it_without_secrets_too(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None]
) -> None:
    dockerfile("RUN --mount=type=cache,target=/c touch /c/x\n")
    said: list[str] = []
    image = engine_host.build(BuildRequest(context=context, tags=()), said.append)
    assert engine_host.image(image.id) == image
    assert any("touch /c/x" in line for line in said)
    engine_host.remove_image(image.id)


def test_instruction_is_found_by_its_text_or_its_number() -> None:
    text = (
        "FROM a AS One\nRUN x\nWORKDIR /w\nRUN x\nFROM b\nENV A=1\nCOPY --from=one $A /\nRUN  y \\\n  z\n"
        "FROM c AS two\nRUN x\n"
    )
    found = instructions(text)

    def line(name: str) -> int:
        step = failed_step(found, name)
        return found[step - 1].line if step else 0

    assert line("[one 2/4] RUN x") == 2
    assert line("[one 4/4] RUN x") == 4
    assert line("[linux/amd64 two 2/2] RUN x") == 11
    assert line("[stage-1 2/3] COPY --from=one 1 /") == 7
    assert line("[stage-1 3/3] RUN y   z") == 8
    assert line("[one 1/4] FROM docker.io/library/a") == 1
    assert line("[internal] load metadata for docker.io/library/c:latest") == 10
    assert line("[internal] load metadata for docker.io/library/x:latest") == 0
    assert line("") == 0


@pytest.mark.parametrize(
    ("head", "arguments"),
    [
        ("# syntax=evil/frontend:1\n", {}),
        ("#!/usr/bin/x\n# Syntax = docker/dockerfile.evil\n", {}),
        ("//escape=`\n// syntax=r.io/docker/dockerfile:1\n", {}),
        ("", {"BUILDKIT_SYNTAX": "evil/frontend"}),
    ],
)
def test_foreign_readers_of_the_dockerfile_are_refused(context: Path, head: str, arguments: dict[str, str]) -> None:
    (context / "Dockerfile").write_text(f"{head}FROM a\n", encoding="utf-8")
    request = BuildRequest(context=context, tags=(), secrets={"t": "x"}, arguments=arguments)
    with pytest.raises(BuildError, match="lets a foreign program read the secrets"):
        build_with_buildkit(request, read_source(request), "unix:///nowhere", gone, lambda _line: None)


@pytest.mark.parametrize(
    ("text", "reader"),
    [
        ("# syntax=docker/dockerfile:1.7\nFROM a", "docker/dockerfile:1.7"),
        ("# a comment\n# syntax=x\nFROM a", ""),
        ("FROM a\n# syntax=x\n", ""),
        ('{"a": 1, "syntax": "x/y"}', "x/y"),
        ("", ""),
    ],
)
def test_reader_is_found_as_buildkit_finds_it(text: str, reader: str) -> None:
    assert frontend(text) == reader


def test_folders_of_killed_builds_are_removed_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / "dockwright-build-old", tmp_path / "dockwright-build-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "config.json").write_text("{}", encoding="utf-8")
    os.utime(old, (1, 1))
    with private_surroundings("unix:///x", {}, tmp_path) as surroundings:
        assert surroundings.folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == [new]


def test_engine_elsewhere_is_reached_through_our_own_stream(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None]
) -> None:
    opened: list[float] = []

    def open_stream(seconds: float) -> socket:
        opened.append(seconds)
        return open_socket(engine_host.url.removeprefix("unix://"), seconds)

    dockerfile("COPY data /data\nRUN --mount=type=secret,id=t test -s /run/secrets/t\n")
    (context / "data").write_bytes(b"x" * 1_000_000)
    request = BuildRequest(context=context, tags=(), secrets={"t": "x"})
    with closing(EngineHost(open_client(open_stream, where="ssh://h"), "ssh://h", "h")) as host:
        before = len(opened)
        image = host.build(request, lambda _line: None)
        engine_host.remove_image(image.id)
        assert len(opened) > before + 1
        dockerfile("RUN --mount=type=secret,id=t exit 3\n")
        with pytest.raises(BuildError, match=r"^Dockerfile:2: .* exited with 3$"):
            host.build(request, lambda _line: None)
    assert not list(Path("/dev/shm").glob("dockwright-build-*/engine.sock"))


def test_engine_that_is_gone_is_a_matter_of_the_host(context: Path, dockerfile: Callable[[str], None]) -> None:
    dockerfile("")
    request = BuildRequest(context=context, tags=(), secrets={"t": "x"})
    with pytest.raises(HostError, match=r"^ssh://h: cannot build: "):
        build_with_buildkit(request, read_source(request), "ssh://h", gone, lambda _line: None)


def program(folder: Path, script: str) -> Path:
    folder.mkdir()
    path = folder / "docker"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_first_docker_that_has_buildkit_is_taken(tmp_path: Path) -> None:
    new = program(tmp_path / "new", '[ "$1" = buildx ] && exit 1; echo "Docker version 28.2.2, build x"')
    old = program(tmp_path / "old", '[ "$1" = buildx ] && exit 1; echo "Docker version 20.10.24, build x"')
    with_plugin = program(tmp_path / "plugin", "exit 0")
    assert find_docker({"PATH": f"{new.parent}:{old.parent}:/bin"}) == str(old)
    assert find_docker({"PATH": f"{new.parent}:{with_plugin.parent}"}) == str(with_plugin)
    with pytest.raises(HostError, match=r"BuildKit on this machine; .*new/docker lacks it: install docker-buildx"):
        find_docker({"PATH": str(new.parent)})
    with pytest.raises(HostError, match="there is none: install"):
        find_docker({"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"target": "--privileged"}, "target"),
        ({"target": "a b"}, "target"),
        ({"platform": "--push"}, "platform"),
        ({"platform": "linux/../x"}, "platform"),
        ({"dockerfile": "--iidfile=/etc/x"}, "dockerfile"),
        ({"dockerfile": "../Dockerfile"}, "dockerfile"),
        ({"dockerfile": "a/../../Dockerfile"}, "dockerfile"),
        ({"dockerfile": "/etc/passwd"}, "dockerfile"),
        ({"dockerfile": "c:\\x"}, "dockerfile"),
        ({"arguments": {"--a": "b"}}, "args"),
        ({"arguments": {"": "b"}}, "args"),
        ({"arguments": {"a": "b\0"}}, r"args\.a"),
        ({"secrets": {"a,src=/etc/shadow": "x"}}, "secrets"),
        ({"secrets": {"a": "x\0"}}, r"secrets\.a"),
        ({"secrets": {"a": "x" * 200_000}}, r"secrets\.a"),
        ({"cache_from": ("--privileged",)}, "cache-from"),
        ({"cache_from": ("a,type=local",)}, "cache-from"),
    ],
)
def test_names_that_could_be_options_are_refused(
    engine_host: ContainerHost, context: Path, dockerfile: Callable[[str], None], wrong: dict[str, object], field: str
) -> None:
    dockerfile("")
    request = BuildRequest(context=context, tags=(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rf"^build\.{field}: "):
        engine_host.build(request, lambda _line: None)
