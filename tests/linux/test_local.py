"""Which engine a local URL means."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import HostError, InputError
from agent.host import HostAddress
from linux.local import connect, usual_socket
from linux.sandbox import Sandbox


@pytest.fixture
def rootless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        yield path


def test_local_engine_is_reached_by_its_path(sandbox: Sandbox) -> None:
    host = connect(HostAddress(url=sandbox.host))
    assert host.url == sandbox.host
    assert host.address == "127.0.0.1"
    assert host.platform().os == "linux"
    host.close()


def test_address_of_published_ports_can_be_given(sandbox: Sandbox) -> None:
    host = connect(HostAddress(url=f"{sandbox.host}?address=10.0.0.5"))
    assert (host.url, host.address) == (sandbox.host, "10.0.0.5")
    host.close()


def test_docker_host_names_the_usual_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///somewhere/docker.sock")
    assert usual_socket() == "/somewhere/docker.sock"


def test_docker_host_elsewhere_is_not_mistaken_for_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2375")
    with pytest.raises(HostError, match="no local socket"):
        usual_socket()


def test_rootless_engine_is_found_where_there_is_no_other(rootless: Path) -> None:
    assert usual_socket(default=str(rootless.with_name("none"))) == str(rootless)
    assert usual_socket(default=str(rootless.parent)) == str(rootless.parent)


@pytest.mark.parametrize("url", ["tcp://x", "unix://host/x", "docker.sock", "ssh://unix:///x", "unix:///x#y"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="unix:///path/to/docker"):
        connect(HostAddress(url=url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("unix:///x?adress=10.0.0.5", "there is no option 'adress'; did you mean 'address'"),
        ("unix://[x", "Invalid IPv6 URL"),
    ],
)
def test_what_cannot_be_meant_is_said(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        connect(HostAddress(url=url))


def test_socket_is_refused_on_windows_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(HostError, match="the engine here is npipe://"):
        connect(HostAddress(url="unix://"))
