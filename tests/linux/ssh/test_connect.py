"""The host behind an ssh:// URL, where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.errors import HostError
from agent.host import HostAddress
from linux.ssh import connect
from tests.linux.ssh.password_server import PASSWORD, letting_in
from tests.ssh.server import CuttingProxy, SSHServer, cutting, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def proxy(server: SSHServer) -> Iterator[CuttingProxy]:
    with cutting(server.port) as proxy:
        yield proxy


@pytest.mark.parametrize("engine", ["auto", "api", "cli"])
def test_wrong_password_is_tried_once_lest_the_account_be_locked(
    engine: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with letting_in("password") as machine:
        known = f"[127.0.0.1]:{machine.port} {machine.host_key.get_name()} {machine.host_key.get_base64()}\n"
        (home / "known_hosts").write_text(known, encoding="utf-8")
        url = f"ssh://jane@127.0.0.1:{machine.port}?known-hosts={home}/known_hosts&engine={engine}"
        with pytest.raises(HostError, match="tried the password"):
            connect(HostAddress(url=url, password=f"{PASSWORD}-not"))
        assert machine.seen == [f"{PASSWORD}-not"]


def test_machine_that_lets_nobody_in_is_asked_once(server: SSHServer, proxy: CuttingProxy) -> None:
    proxy.refusing = True
    with pytest.raises(HostError, match="does not speak SSH as it should"):
        connect(HostAddress(url=server.at(proxy.port).url()))
    assert proxy.refusals == 1
