"""Which images a build begins with, and whose credentials it gets for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.host import BuildRequest, Credentials
from agent.images.bases import base_credentials, base_images
from agent.testing import MemoryHost

DOCKERFILE = """\
ARG TAG=1
ARG BASE=r.io/base:${TAG}
FROM --platform=linux/amd64 $BASE AS build
ARG BASE=other
FROM build AS second
COPY --from=build /a /a
COPY --from=tools.io/copy:2 /b /b
COPY --from=0 /c /c
FROM ${NOTHING:-nginx}
FROM scratch
FROM $UNKNOWN
FROM BAD//name
"""


@pytest.fixture
def request_for(tmp_path: Path) -> BuildRequest:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return BuildRequest(context=tmp_path, tags=())


def test_stages_arguments_and_copies_are_followed(request_for: BuildRequest) -> None:
    assert list(map(str, base_images(request_for))) == [
        "r.io/base:1",
        "tools.io/copy:2",
        "docker.io/library/nginx",
    ]


def test_build_arguments_win(request_for: BuildRequest) -> None:
    request = BuildRequest(context=request_for.context, tags=(), arguments={"TAG": "2"})
    assert str(base_images(request)[0]) == "r.io/base:2"


def test_credentials_are_given_or_from_dockers_configuration_and_only_for_what_is_missing(
    request_for: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"tools.io": {"auth": "dTpw"}}}), encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    jane = Credentials(username="jane", password="s3cret")
    tools = Credentials(username="u", password="p")
    host = MemoryHost()
    assert base_credentials(request_for, {"r.io": jane, "x.io": jane}, host) == {"r.io": jane, "tools.io": tools}
    host.add_image("r.io/base:1")
    assert base_credentials(request_for, {"r.io": jane}, host) == {"tools.io": tools}
