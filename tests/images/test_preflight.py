"""Base images are judged before anything is built."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.host import BuildRequest, ImageInfo, Platform
from agent.images.preflight import require_fitting_bases
from agent.testing import MemoryHost
from tests.objections import objection


def windows(build: int) -> Platform:
    return Platform(os="windows", architecture="amd64", os_version=f"10.0.{build}.1")


class HostWithBase(MemoryHost):
    """A Windows host that has an image of another build."""

    def __init__(self, build: int, image: int) -> None:
        super().__init__(platform=windows(build))
        self._image_build = image

    def image(self, reference: str) -> ImageInfo | None:
        self.asked = reference
        return ImageInfo(id="sha256:1", os="windows", os_version=f"10.0.{self._image_build}.1")


@pytest.fixture
def request_with_base(tmp_path: Path) -> BuildRequest:
    (tmp_path / "Dockerfile").write_text("# escape=`\nFROM base:1\nCOPY . C:/app/\n")
    return BuildRequest(context=tmp_path, tags=())


def test_build_on_a_base_that_does_not_fit_is_refused_before_it_begins(request_with_base: BuildRequest) -> None:
    host = HostWithBase(build=17763, image=20348)
    with pytest.raises(BuildError, match=r"Dockerfile: \S*base:1 cannot run on this host: .*-ltsc2019"):
        require_fitting_bases(request_with_base, host, lambda _text: None)
    assert host.builds == []


def test_build_on_a_base_that_fits_goes_on(request_with_base: BuildRequest) -> None:
    told: list[str] = []
    host = HostWithBase(build=26100, image=20348)
    assert objection(lambda: require_fitting_bases(request_with_base, host, told.append)) == ""
    assert (host.asked, told) == ("docker.io/library/base:1", [])


def test_registry_that_cannot_be_asked_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM 127.0.0.1:1/base:1\n")
    told: list[str] = []
    host = MemoryHost(platform=windows(20348))
    require_fitting_bases(BuildRequest(context=tmp_path, tags=()), host, told.append)
    assert "is not known" in told[0]


FRAMEWORK = "mcr.microsoft.com/dotnet/framework/aspnet:4.8-windowsservercore-ltsc2022"


def test_windows_base_is_known_by_its_name_on_a_linux_engine(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"ARG BASE={FRAMEWORK}\nFROM ${{BASE}}\n")
    request = BuildRequest(context=tmp_path, tags=())
    with pytest.raises(
        BuildError, match=r"Dockerfile: \S*ltsc2022 is an image for Windows.*--host winrm://USER@HOST"
    ):
        require_fitting_bases(request, MemoryHost(), lambda _text: None)
    other = dataclasses.replace(request, arguments={"BASE": "mcr.microsoft.com/dotnet/aspnet:8.0"})
    assert objection(lambda: require_fitting_bases(other, MemoryHost(), lambda _text: None)) == ""


def test_version_in_the_name_counts_where_no_registry_tells(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM 127.0.0.1:1/base:8.0-nanoserver-ltsc2025\n")
    request = BuildRequest(context=tmp_path, tags=())
    with pytest.raises(BuildError, match=r"made for Windows ltsc2025 .* and the host is ltsc2022"):
        require_fitting_bases(request, MemoryHost(platform=windows(20348)), lambda _text: None)


def test_isolation_is_refused_where_there_is_none(request_with_base: BuildRequest) -> None:
    isolated = dataclasses.replace(request_with_base, isolation="hyperv")
    with pytest.raises(BuildError, match=r"build\.isolation is for Windows containers, and this engine runs linux"):
        require_fitting_bases(isolated, MemoryHost(), lambda _text: None)
