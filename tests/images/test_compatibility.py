"""Which Windows images run on which Windows hosts, as Microsoft's table has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.host import BuildRequest, ImageInfo, Platform
from agent.images.compatibility import build_number, fitting_tags, isolation_lines, judge, objection
from agent.images.preflight import require_fitting_bases
from agent.testing import MemoryHost

BUILDS = {"2016": 14393, "2019": 17763, "2022": 20348, "2025": 26100}
# (host, image): P runs as it is, H under Hyper-V only, - not at all.
TABLE = {
    ("2016", "2016"): "P", ("2016", "2019"): "-", ("2016", "2022"): "-", ("2016", "2025"): "-",
    ("2019", "2016"): "H", ("2019", "2019"): "P", ("2019", "2022"): "-", ("2019", "2025"): "-",
    ("2022", "2016"): "H", ("2022", "2019"): "H", ("2022", "2022"): "P", ("2022", "2025"): "-",
    ("2025", "2016"): "H", ("2025", "2019"): "H", ("2025", "2022"): "P", ("2025", "2025"): "P",
}  # fmt: skip


@pytest.mark.parametrize(("pair", "expected"), TABLE.items())
def test_table_of_servers(pair: tuple[str, str], expected: str) -> None:
    verdict = judge(BUILDS[pair[0]], BUILDS[pair[1]])
    assert verdict.process is (expected == "P")
    assert verdict.hyperv is (expected in "PH")
    assert bool(verdict.advice) is (expected != "P")


def test_interim_image_runs_between_the_long_term_versions() -> None:
    assert judge(26100, 25398).process
    assert not judge(25398, 26100).process
    assert judge(25398, 20348).process


@pytest.mark.parametrize(("text", "build"), [("10.0.20348.2340", 20348), ("10.0.17763", 17763), ("", 0), ("x", 0)])
def test_build_is_the_third_number(text: str, build: int) -> None:
    assert build_number(text) == build


def test_what_is_not_known_is_not_judged() -> None:
    assert judge(0, 20348).process
    assert judge(20348, 0).advice == ""


def test_fitting_tags_are_told_newest_first() -> None:
    assert fitting_tags(26100) == ("ltsc2025", "ltsc2022")
    assert fitting_tags(17763) == ("ltsc2019",)
    assert fitting_tags(20348, "hyperv") == ("ltsc2022", "ltsc2019", "ltsc2016")


def test_advice_names_both_versions_and_what_would_do() -> None:
    told = objection("base:1", "windows", "10.0.17763.1", windows(20348), "")
    assert "ltsc2019 (build 17763)" in told
    assert "ltsc2022 (build 20348)" in told
    assert "isolation: hyperv" in told
    assert "-ltsc2022" in told
    assert objection("base:1", "windows", "10.0.17763.1", windows(20348), "hyperv") == ""


@pytest.mark.parametrize(
    ("system", "platform"),
    [("linux", "windows"), ("windows", "linux")],
)
def test_image_for_the_other_system_is_refused(system: str, platform: str) -> None:
    there = windows(20348) if platform == "windows" else Platform(os="linux", architecture="amd64")
    assert "containers; choose another image or --host" in objection("base:1", system, "", there, "")


def test_doctor_tells_what_a_host_can_run() -> None:
    lines = list(isolation_lines(windows(20348)))
    assert lines == [
        "the host is Windows ltsc2022 (build 20348)",
        "base images it runs as they are: -ltsc2022",
        "with isolation: hyperv also: -ltsc2019, -ltsc2016",
    ]


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
    require_fitting_bases(request_with_base, HostWithBase(build=26100, image=20348), lambda _text: None)


def test_registry_that_cannot_be_asked_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM 127.0.0.1:1/base:1\n")
    told: list[str] = []
    host = MemoryHost(platform=windows(20348))
    require_fitting_bases(BuildRequest(context=tmp_path, tags=()), host, told.append)
    assert "is not known" in told[0]
