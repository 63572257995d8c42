"""Who is let in, and what is said to who is not."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.engine.shell import Command
from agent.errors import HostError
from agent.host import HostAddress
from linux.ssh import open_shell
from tests.linux.ssh.password_server import PASSWORD, PasswordServer, letting_in
from tests.ssh.server import SSHServer, serving


@pytest.fixture(autouse=True)
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No keys and no agent of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def said_by(url: str, password: str = "", *program: str) -> str:
    out = bytearray()
    with closing(open_shell(HostAddress(url=url, password=password))) as shell:
        shell.run(Command(arguments=program or ("echo", "in"), timeout=20), out.extend, lambda _data: None)
    return out.decode().strip()


def password_url(server: PasswordServer, folder: Path) -> str:
    known = folder / "known_hosts"
    line = f"[127.0.0.1]:{server.port} {server.host_key.get_name()} {server.host_key.get_base64()}\n"
    known.write_text(line, encoding="utf-8")
    return f"ssh://jane@127.0.0.1:{server.port}?known-hosts={known}"


def test_key_of_a_file_lets_in(server: SSHServer) -> None:
    assert said_by(server.url()) == "in"


def test_usual_key_lets_in_without_being_named(server: SSHServer, bare_home: Path) -> None:
    (bare_home / ".ssh").mkdir()
    (bare_home / ".ssh" / "id_ed25519").write_bytes(server.key.read_bytes())
    (bare_home / ".ssh" / "known_hosts").write_bytes(server.known_hosts.read_bytes())
    assert said_by(server.url(key="", known_hosts="")) == "in"


def test_key_of_the_agent_lets_in(server: SSHServer, bare_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = str(bare_home / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not Path(socket).exists():
            assert agent.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        server.key.chmod(0o600)
        subprocess.run(["ssh-add", "-q", str(server.key)], check=True, capture_output=True)
        assert said_by(server.url(key="")) == "in"
    finally:
        agent.terminate()
        agent.wait()


def test_encrypted_key_wants_its_passphrase(server: SSHServer, bare_home: Path) -> None:
    key = bare_home / "key"
    key.write_bytes(server.key.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", str(key), "-N", "p4ssphrase"], check=True, capture_output=True)
    assert said_by(server.url(key=str(key)), "p4ssphrase") == "in"
    for wrong in ("", "wr0ng"):
        with pytest.raises(HostError, match="is encrypted; give its passphrase") as refused:
            said_by(server.url(key=str(key)), wrong)
        assert "wr0ng" not in str(refused.value)


def test_passphrase_opens_the_key_for_jump_hosts_too(server: SSHServer, bare_home: Path) -> None:
    key = bare_home / "key"
    key.write_bytes(server.key.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", str(key), "-N", "p4ssphrase"], check=True, capture_output=True)
    url = server.url(key=str(key), jump=f"root@127.0.0.1:{server.port}")
    assert said_by(url, "p4ssphrase") == "in"


def test_password_is_not_shown_to_a_jump_host(bare_home: Path) -> None:
    with letting_in("password") as jump, letting_in("password") as far:
        password_url(jump, bare_home)
        url = f"{password_url(far, bare_home)}&jump=jane@127.0.0.1:{jump.port}"
        with (bare_home / "known_hosts").open("a", encoding="utf-8") as known:
            known.write(f"[127.0.0.1]:{jump.port} {jump.host_key.get_name()} {jump.host_key.get_base64()}\n")
        with pytest.raises(HostError, match=rf"may not log in to \[127\.0\.0\.1\]:{jump.port}"):
            said_by(url, PASSWORD)
        assert jump.seen == far.seen == []


@pytest.mark.parametrize("answer", [b"", b"\0\0\0\x01\x05"], ids=["hangs up", "is locked"])
def test_agent_that_gives_no_keys_is_passed_over(
    bare_home: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as listener, letting_in("password") as server:
        listener.bind(str(bare_home / "agent"))
        listener.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(bare_home / "agent"))
        agent = threading.Thread(target=answer_once, args=(listener, answer))
        agent.start()
        assert said_by(password_url(server, bare_home), PASSWORD) == "in"
        agent.join()


def answer_once(listener: socket.socket, answer: bytes) -> None:
    with listener.accept()[0] as stream:
        stream.recv(100)
        stream.sendall(answer)


def test_key_that_is_not_taken_is_named(server: SSHServer, bare_home: Path) -> None:
    key = bare_home / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(key)], check=True)
    with pytest.raises(HostError, match=rf"may not log in to \[127\.0\.0\.1\]:\d+ \(tried the key {key}\)"):
        said_by(server.url(key=str(key)))
    with pytest.raises(HostError, match="tried nothing, for there is no key, no agent and no password"):
        said_by(server.url(key=""))


def test_file_that_is_no_key_is_named(server: SSHServer, bare_home: Path) -> None:
    (bare_home / "text").write_text("hello", encoding="utf-8")
    with pytest.raises(HostError, match=r"the key \S+text cannot be used"):
        said_by(server.url(key=str(bare_home / "text")))
    with pytest.raises(HostError, match=r"user_key\.pub is the public half of a key; give the private one"):
        said_by(server.url(key=f"{server.key}.pub"))


@pytest.mark.parametrize("takes", ["password", "keyboard-interactive"])
def test_password_lets_in(bare_home: Path, takes: str) -> None:
    with letting_in(takes) as server:
        assert said_by(password_url(server, bare_home), PASSWORD) == "in"


def test_machine_that_wants_key_and_password_gets_both(bare_home: Path, server: SSHServer) -> None:
    with letting_in("publickey,password") as strict:
        assert said_by(f"{password_url(strict, bare_home)}&key={server.key}", PASSWORD) == "in"


def test_wrong_password_is_refused_and_never_shown(bare_home: Path) -> None:
    with letting_in("password") as server, pytest.raises(HostError, match=r"tried the password") as refused:
        said_by(password_url(server, bare_home), "wr0ng-one")
    assert "wr0ng-one" not in str(refused.value)


def test_password_where_only_keys_are_taken_says_so(server: SSHServer) -> None:
    with pytest.raises(HostError, match="the machine takes publickey"):
        said_by(server.url(key=""), PASSWORD)


def test_jump_hosts_are_passed_and_checked(server: SSHServer, tmp_path: Path) -> None:
    far = replace(server)
    jump = f"root@127.0.0.1:{server.port}"
    assert said_by(far.url(jump=jump)) == "in"
    assert said_by(far.url(jump=f"{jump},{jump}")) == "in"
    with pytest.raises(HostError, match="the host key of"):
        said_by(far.url(jump=jump, known_hosts=str(tmp_path / "none")))


def test_jump_host_that_leads_nowhere_is_said(server: SSHServer) -> None:
    url = server.url(jump=f"root@127.0.0.1:{server.port}").replace(f"@127.0.0.1:{server.port}?", "@127.0.0.1:1?")
    with pytest.raises(HostError, match=r"jump host does not lead to 127\.0\.0\.1 port 1"):
        said_by(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ssh://jane@127.0.0.1:1", "no SSH server can be reached"),
        ("ssh://jane@no-such-host.invalid", "is not known"),
        (f"ssh://jane@{'a' * 64}.invalid", "is not known"),
    ],
)
def test_machine_that_cannot_be_reached_is_said(url: str, said: str) -> None:
    with pytest.raises(HostError, match=said):
        said_by(url)


def test_what_is_no_ssh_server_is_said(registry: str) -> None:
    with pytest.raises(HostError, match="does not speak SSH as it should"):
        said_by(f"ssh://jane@{registry}")
