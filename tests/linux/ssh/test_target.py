"""What an ssh:// URL means."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.host import HostAddress
from linux.ssh.target import Login, read


def target_of(url: str, password: str = "") -> object:
    return read(HostAddress(url=url, password=password))


def test_url_names_user_machine_and_port() -> None:
    target = read(HostAddress(url="ssh://jane@web1:2222", password="pw"))
    assert target.login == Login(user="jane", host="web1", port=2222)
    assert (target.address, target.engine, target.where) == ("web1", "auto", "ssh://jane@web1:2222")
    assert "pw" not in repr(target)


def test_user_is_who_runs_it_unless_given() -> None:
    assert read(HostAddress(url="ssh://web1")).login == Login(user=getpass.getuser(), host="web1", port=22)


def test_ipv6_addresses_and_escaped_users_are_understood() -> None:
    login = read(HostAddress(url="ssh://DOMAIN%5Cjane@[fe80::1]:2222")).login
    assert login == Login(user="DOMAIN\\jane", host="fe80::1", port=2222)
    assert login.known_name == "[fe80::1]:2222"
    assert str(login) == "DOMAIN\\jane@[fe80::1]:2222"


def test_options_say_the_way_and_the_engine(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    url = f"ssh://web1?engine=cli&jump=a@one,b@two:222&key={key}&known-hosts={tmp_path}/none&address=10.0.0.1"
    target = read(HostAddress(url=f"{url}&socket=/run/user/1000/docker.sock"))
    assert target.jumps == (Login(user="a", host="one"), Login(user="b", host="two", port=222))
    assert (target.engine, target.key, target.known_hosts) == ("cli", str(key), f"{tmp_path}/none")
    assert (target.address, target.socket) == ("10.0.0.1", "/run/user/1000/docker.sock")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ssh://jane:s3cret@web1", "holds no password; give it by --host-password-file"),
        ("ssh://", "given as ssh://user@host"),
        ("ssh://web1/path", "given as ssh://user@host"),
        ("ssh://web1:none", "Port could not be cast"),
        ("ssh://web1?engin=cli", "no option 'engin'; did you mean 'engine'?"),
        ("ssh://web1?engine=podman", "engine is auto, api or cli, not 'podman'"),
        ("ssh://web1?key=/nowhere/id", "key: there is no file /nowhere/id"),
        ("ssh://web1?jump=a:pw@one", "without a password"),
    ],
)
def test_what_cannot_be_meant_is_said(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")) as refused:
        target_of(url)
    assert "s3cret" not in str(refused.value)
