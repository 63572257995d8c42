"""Which Windows images run on which Windows hosts, as Microsoft's table has it."""

from __future__ import annotations

import pytest

from agent.engine.compatibility import build_number, fitting_tags, isolation_lines, judge, objection, told_by_name
from agent.host import Platform

BUILDS = {"2016": 14393, "2019": 17763, "2022": 20348, "2025": 26100}
# (host, image): P runs as it is, H under Hyper-V only, - not at all.
TABLE = {
    ("2016", "2016"): "P", ("2016", "2019"): "-", ("2016", "2022"): "-", ("2016", "2025"): "-",
    ("2019", "2016"): "H", ("2019", "2019"): "P", ("2019", "2022"): "-", ("2019", "2025"): "-",
    ("2022", "2016"): "H", ("2022", "2019"): "H", ("2022", "2022"): "P", ("2022", "2025"): "-",
    ("2025", "2016"): "H", ("2025", "2019"): "H", ("2025", "2022"): "P", ("2025", "2025"): "P",
}  # fmt: skip


def windows(build: int) -> Platform:
    return Platform(os="windows", architecture="amd64", os_version=f"10.0.{build}.1")


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
    scheme = "ssh" if system == "linux" else "winrm"
    assert f"host (--host {scheme}://USER@HOST" in objection("base:1", system, "", there, "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mcr.microsoft.com/dotnet/framework/aspnet:4.8-windowsservercore-ltsc2022", ("windows", "10.0.20348")),
        ("mcr.microsoft.com/windows/nanoserver:ltsc2019", ("windows", "10.0.17763")),
        ("mcr.microsoft.com/dotnet/framework/aspnet:4.8", ("windows", "")),
        ("registry:5000/bases/site:8.0-nanoserver-ltsc2025", ("windows", "10.0.26100")),
        ("mcr.microsoft.com/dotnet/aspnet:8.0", ("", "")),
        ("ltsc2022/windows/shop:1.0", ("", "")),
    ],
)
def test_name_tells_of_windows_and_its_version(name: str, told: tuple[str, str]) -> None:
    assert told_by_name(name) == told


def test_doctor_tells_what_a_host_can_run() -> None:
    lines = list(isolation_lines(windows(20348)))
    assert lines == [
        "the host is Windows ltsc2022 (build 20348)",
        "base images it runs as they are: -ltsc2022",
        "with isolation: hyperv also: -ltsc2019, -ltsc2016",
        "a container gets 5 s to end, unless its image says otherwise in its registry",
    ]
