"""Which keys of which machines are taken for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from paramiko import ECDSAKey, HostKeys, PKey

from agent.errors import HostError
from linux.ssh.known_hosts import fingerprint, read_known_hosts
from linux.ssh.target import Login
from tests.objections import objection

LOGIN = Login(user="jane", host="web1", port=2222)
NAME = "[web1]:2222"


@pytest.fixture(scope="module")
def key() -> PKey:
    return ECDSAKey.generate()


@pytest.fixture(scope="module")
def other() -> PKey:
    return ECDSAKey.generate(bits=384)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def line(name: str, key: PKey) -> str:
    return f"{name} {key.get_name()} {key.get_base64()} a comment\n"


@pytest.mark.parametrize(
    "name", [NAME, f"other,{NAME}", "[web?]:*", "*,!db1", pytest.param(HostKeys.hash_host(NAME), id="hashed")]
)
def test_known_key_is_taken(file: Path, key: PKey, name: str) -> None:
    broken = f"broken line\n{NAME} ssh-ed25519 A\n{NAME} ssh-ed25519 AAAA\n{NAME} ssh-rsa !!!!\n"
    file.write_text(f"# comment\n\n{broken}{line(name, key)}", encoding="utf-8")
    known = read_known_hosts(LOGIN, str(file))
    assert objection(lambda: known.check("ssh://web1", key)) == ""


@pytest.mark.parametrize(
    "name", ["web1", "[web1]:22", f"*,!{NAME}", "[web1", pytest.param(HostKeys.hash_host("web1"), id="hashed")]
)
def test_key_of_another_name_or_port_is_unknown(file: Path, key: PKey, name: str) -> None:
    file.write_text(line(name, key), encoding="utf-8")
    with pytest.raises(HostError, match="is not known"):
        read_known_hosts(LOGIN, str(file)).check("ssh://web1", key)


def test_unknown_key_is_refused_with_fingerprint_and_the_line_that_makes_it_known(file: Path, key: PKey) -> None:
    with pytest.raises(HostError) as refused:
        read_known_hosts(LOGIN, str(file)).check("ssh://web1", key)
    text = str(refused.value)
    assert fingerprint(key) in text
    file.write_text(text.partition(f"{file}: ")[2], encoding="utf-8")
    assert objection(lambda: read_known_hosts(LOGIN, str(file)).check("ssh://web1", key)) == ""


def test_changed_key_is_refused_loudly(file: Path, key: PKey, other: PKey) -> None:
    file.write_text(line(NAME, other), encoding="utf-8")
    with pytest.raises(HostError, match="HAS CHANGED") as refused:
        read_known_hosts(LOGIN, str(file)).check("ssh://web1", key)
    assert fingerprint(key) in str(refused.value)
    assert fingerprint(other) in str(refused.value)


def test_revoked_key_is_refused_though_it_is_known(file: Path, key: PKey) -> None:
    file.write_text(line(NAME, key) + "@revoked " + line("*", key), encoding="utf-8")
    with pytest.raises(HostError, match="revoked"):
        read_known_hosts(LOGIN, str(file)).check("ssh://web1", key)


def test_certificate_authority_is_not_taken_for_a_key(file: Path, key: PKey) -> None:
    file.write_text("@cert-authority " + line("*", key), encoding="utf-8")
    with pytest.raises(HostError, match="is not known"):
        read_known_hosts(LOGIN, str(file)).check("ssh://web1", key)


def test_algorithm_of_the_known_key_is_asked_for_first(file: Path, other: PKey) -> None:
    file.write_text(line(NAME, other), encoding="utf-8")
    offered = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384")
    known = read_known_hosts(LOGIN, str(file))
    assert known.preferred(offered) == ("ecdsa-sha2-nistp384", "ssh-ed25519", "ecdsa-sha2-nistp256")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        read_known_hosts(LOGIN, str(tmp_path))
