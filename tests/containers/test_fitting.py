import dataclasses
from contextlib import nullcontext
from pathlib import Path

import pytest

from agent.containers import SLOT, HealthSettings, Replacement, RunSettings, replace, require_fitting, serving
from agent.containers.credential_spec import check_credential_spec
from agent.containers.once import OneOff, run_once
from agent.errors import ContainerError, InputError
from agent.host import ContainerSpec, ImageInfo, Platform
from agent.journal import Journal, NewRun
from agent.testing import MemoryHost
from tests.objections import objection

IMAGE = "registry/shop:1"
WINDOWS = Platform(os="windows", architecture="amd64", os_version="10.0.17763.6054")
LINUX = Platform(os="linux", architecture="amd64")


class HostWithImage(MemoryHost):
    """Has one image, made for whatever a test says."""

    def __init__(self, platform: Platform, system: str, os_version: str = "") -> None:
        super().__init__(platform=platform)
        self.add_image(IMAGE)
        self.made_for = {"os": system, "os_version": os_version}

    def image(self, reference: str) -> ImageInfo | None:
        found = super().image(reference)
        return found and dataclasses.replace(found, **self.made_for)  # type: ignore[arg-type]


def said(host: MemoryHost, **settings: object) -> list[str]:
    spec = ContainerSpec(name="web", image=IMAGE, **settings)  # type: ignore[arg-type]
    lines: list[str] = []
    require_fitting(spec, host, lines.append)
    return lines


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (HostWithImage(WINDOWS, "linux"), "is an image for Linux, and the engine runs Windows containers"),
        (HostWithImage(LINUX, "windows", "10.0.20348.1"), "is an image for Windows, and the engine runs Linux"),
        (HostWithImage(WINDOWS, "windows", "10.0.20348.2340"), "the host is ltsc2019 (build 17763)"),
    ],
    ids=["linux on windows", "windows on linux", "too new"],
)
def test_an_image_that_cannot_run_there_is_refused_with_what_to_do(host: MemoryHost, reason: str) -> None:
    with pytest.raises(ContainerError) as refused:
        said(host)
    assert reason in str(refused.value)


def test_image_that_is_yet_to_be_pulled_is_known_by_its_name() -> None:
    spec = ContainerSpec(name="web", image="mcr.microsoft.com/windows/servercore:ltsc2022")
    with pytest.raises(ContainerError, match="is an image for Windows, and the engine runs Linux containers"):
        require_fitting(spec, MemoryHost(), print)
    with pytest.raises(ContainerError, match=r"made for Windows ltsc2022 .* and the host is ltsc2019"):
        require_fitting(spec, MemoryHost(platform=WINDOWS), print)


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        (HostWithImage(LINUX, "linux"), {}),
        (HostWithImage(WINDOWS, "windows", "10.0.17763.1"), {"isolation": "process", "credential_spec": "web.json"}),
        (HostWithImage(WINDOWS, "windows", "10.0.14393.1"), {"isolation": "hyperv"}),
    ],
    ids=["linux", "same build", "older build by hyperv"],
)
def test_what_fits_passes_in_silence(host: MemoryHost, settings: dict[str, object]) -> None:
    assert said(host, **settings) == []


@pytest.mark.parametrize("settings", [{"isolation": "hyperv"}, {"credential_spec": "web.json"}])
def test_settings_for_windows_are_refused_elsewhere(settings: dict[str, object]) -> None:
    with pytest.raises(ContainerError, match=r"is for Windows containers, and this engine runs linux/amd64"):
        said(HostWithImage(LINUX, "linux"), **settings)


def test_a_time_to_end_that_windows_will_not_heed_is_told() -> None:
    windows = HostWithImage(WINDOWS, "windows", "10.0.17763.1")
    assert "Windows gives web 5 s to end, and not the 60 s" in said(windows, stop_timeout=60)[0]
    assert (
        said(windows, stop_timeout=5) == said(windows) == said(HostWithImage(LINUX, "linux"), stop_timeout=60) == []
    )


def test_what_serves_is_not_touched_for_an_image_that_cannot_run(tmp_path: Path) -> None:
    host = HostWithImage(WINDOWS, "windows", "10.0.17763.1")
    journal = Journal(tmp_path / "journal.db")
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
    entry = journal.begin(NewRun(id="Deployments-1", kind="deployment", slot="a/b/c/d", **values))

    def deploy(suffix: str) -> None:
        health = HealthSettings(timeout=0.2, interval=0.01, settle=0)
        spec = RunSettings(name="web", health=health).specification(IMAGE, suffix, {SLOT: "a/b/c/d"})
        wanted = Replacement(slot="a/b/c/d", spec=spec, health=health, keep=3)
        replace(wanted, host, entry, nullcontext, lambda _: None)

    deploy("1")
    host.made_for = {"os": "windows", "os_version": "10.0.26100.1"}
    host.calls.clear()
    with pytest.raises(ContainerError, match="ltsc2025"):
        deploy("2")
    assert [one.name for one in serving(host, "a/b/c/d")] == ["web-1"]
    assert not {"stop", "create", "start", "remove"} & {call.split()[0] for call in host.calls}
    journal.close()


def test_a_one_off_is_refused_before_it_is_made(tmp_path: Path) -> None:
    host = HostWithImage(LINUX, "windows")
    journal = Journal(tmp_path / "journal.db")
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
    entry = journal.begin(NewRun(id="RunbookRuns-1", kind="runbook-run", slot="s", **values))
    one_off = OneOff(spec=ContainerSpec(name="once", image=IMAGE), time_limit=5)
    with pytest.raises(ContainerError, match="is an image for Windows"):
        run_once(one_off, host, entry, lambda _: None, lambda _: None)
    assert host.find({}) == []
    journal.close()


@pytest.mark.parametrize(
    "text", ["", "web.json", "file://web.json", "registry://web", '{"CmsPlugins": []}', 'raw://{"CmsPlugins": []}']
)
def test_credential_specs_are_names_or_documents(text: str) -> None:
    assert objection(lambda: check_credential_spec(text)) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C:\\specs\\web.json", "must be the name alone"),
        ("file://../web.json", "must be the name alone"),
        ("..", "must be the name alone"),
        ("https://server/web.json", "write the name of a file"),
        ("file://", "write the name of a file"),
        ("{broken", "it is no JSON"),
        ("{}", "it has no CmsPlugins"),
        ('raw://["CmsPlugins"]', "it has no CmsPlugins"),
        ("raw://" + "[" * 100_000, "it is no JSON"),
    ],
)
def test_other_credential_specs_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_credential_spec(text)
