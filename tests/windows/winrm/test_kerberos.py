"""Kerberos against MIT's own key distribution centre, with the real client library."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.windows.winrm.conftest import OpenMachine
from tests.winrm import realm as realms
from tests.winrm.certificates import Certificates, make
from tests.winrm.realm import REALM, Realm
from tests.winrm.server import WinRMServer
from tests.winrm.settings import Mishap

USER, PASSWORD = "deployer", "Kerberos-password-7"
LONG = bytes(range(256)) * 6000


@dataclass(frozen=True, kw_only=True)
class Client:
    """Programs that are run on a machine by a client of the realm."""

    realm: Realm
    server: WinRMServer
    cache: Path

    def run(self, command: str, given: bytes = b"", /, **how: str) -> subprocess.CompletedProcess[bytes]:
        """`options` are the URL's, as `user` and `host`; whatever else is said is the client's environment."""
        user, host = how.pop("user", f"{USER}@"), how.pop("host", "localhost")
        scheme = "https" if self.server.settings.certificate else "http"
        options = f"transport=kerberos&scheme={scheme}{how.pop('options', '')}"
        url = f"winrm://{user}{host}:{self.server.port}?{options}"
        return subprocess.run(
            [sys.executable, "-P", "-m", "tests.winrm.client", url, *shlex.split(command)],
            input=given,
            env=self.realm.environment(self.cache, **how),
            capture_output=True,
            timeout=120,
            check=False,
        )

    def log_in(self, *options: str) -> None:
        self.realm.get_ticket(USER, PASSWORD, self.cache, *options)

    def said(self, **how: str) -> str:
        """What a client is told that does not get in, in one line; nothing may have been asked of the machine."""
        done = self.run("true", **how)
        assert (done.returncode, done.stdout, self.server.asked) == (10, b"", [])
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 1
        return lines[0]


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realms.serving(tmp_path_factory.mktemp("realm")) as made:
        made.add(USER, PASSWORD)
        made.add("stranger", PASSWORD)
        yield made


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def client(open_machine: OpenMachine, realm: Realm, tmp_path: Path) -> Client:
    return opened(open_machine, realm, tmp_path)


def opened(open_machine: OpenMachine, realm: Realm, folder: Path, **settings: object) -> Client:
    machine = open_machine(authentication=("Kerberos",), keytab=realm.keytab, **settings)
    machine.server.records = True
    return Client(realm=realm, server=machine.server, cache=folder / "tickets")


def test_ticket_logs_in_and_seals_every_message_over_http(client: Client) -> None:
    client.log_in()
    done = client.run("sh -c 'echo visible-argument'")
    assert (done.stdout, done.stderr, done.returncode) == (b"visible-argument\n", b"", 0)
    heard = b"".join(client.server.heard)
    assert b"HTTP-SPNEGO-session-encrypted" in heard
    assert b"visible-argument" not in heard


def test_long_input_and_output_pass(client: Client) -> None:
    client.log_in()
    done = client.run("cat", LONG)
    assert (done.stdout == LONG, done.stderr, done.returncode) == (True, b"", 0)


def test_password_gets_a_ticket_that_nobody_else_finds(client: Client, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = client.run("true", DOCKWRIGHT_HOST_PASSWORD=PASSWORD, TMPDIR=str(temporary))
    assert (done.stderr, done.returncode) == (b"", 0)
    assert list(temporary.iterdir()) == []
    assert not client.cache.exists()


def test_user_may_name_the_realm_or_be_whoever_the_ticket_is_for(client: Client) -> None:
    client.log_in()
    assert client.run("true", user=f"{USER}%40{REALM}@").returncode == 0
    assert client.run("true", user="").returncode == 0


@pytest.mark.parametrize("how", ["ticket", "password"])
@pytest.mark.parametrize("options", ["", "&message-encryption=always"])
def test_login_over_https_is_bound_to_the_certificate(
    open_machine: OpenMachine, realm: Realm, certificates: Certificates, tmp_path: Path, how: str, options: str
) -> None:
    shown = {"certificate": certificates.certificate, "key": certificates.key, "bound_to": certificates.certificate}
    client = opened(open_machine, realm, tmp_path, **shown)
    password = {"DOCKWRIGHT_HOST_PASSWORD": PASSWORD} if how == "password" else {}
    if how == "ticket":
        client.log_in()
    done = client.run("cat", LONG, options=f"&ca={certificates.authority}{options}", **password)
    assert (done.stdout == LONG, done.stderr, done.returncode) == (True, b"", 0)


def test_login_through_somebody_elses_certificate_is_refused(
    open_machine: OpenMachine, realm: Realm, certificates: Certificates, tmp_path: Path
) -> None:
    shown = {"certificate": certificates.certificate, "key": certificates.key, "bound_to": certificates.client}
    client = opened(open_machine, realm, tmp_path, **shown)
    client.log_in()
    assert "something on the way shows another certificate" in client.said(options=f"&ca={certificates.authority}")


@pytest.mark.parametrize("action", ["Send", "Receive"])
def test_connection_that_is_lost_is_logged_in_anew(client: Client, action: str) -> None:
    client.log_in()
    client.server.order(Mishap(kind="unauthorized", action=action, nth=1))
    done = client.run("cat", LONG)
    assert (done.stdout == LONG, done.stderr, done.returncode) == (True, b"", 0)


def test_no_ticket_is_told(client: Client) -> None:
    assert "there is no Kerberos ticket for deployer; run kinit deployer, or give the password" in client.said()


def test_ticket_of_another_user_is_told(client: Client) -> None:
    client.realm.get_ticket("stranger", PASSWORD, client.cache)
    assert "there is no Kerberos ticket for deployer; run kinit deployer" in client.said()
    assert "the machine refuses the Kerberos ticket of stranger" in client.said(user="stranger@")


def test_ticket_that_has_expired_is_told(client: Client) -> None:
    client.log_in("-l", "1h")
    assert "the Kerberos ticket of deployer has expired; run kinit deployer" in client.said(**later("2h"))


def test_clocks_that_differ_are_told(client: Client) -> None:
    client.log_in()
    assert "the clocks of this machine and of Kerberos differ by minutes; set the clock" in client.said(
        **later("20m")
    )


def test_clock_of_the_machine_that_differs_is_told(client: Client) -> None:
    client.log_in()
    assert client.run("true").returncode == 0
    client.server.asked.clear()
    assert "deployer is refused: the clocks of both machines differ by minutes" in client.said(**later("20m"))


@pytest.mark.parametrize(
    ("user", "password", "told"),
    [
        (USER, "wrong", "deployer is refused by Kerberos: the password is wrong"),
        ("nobody", PASSWORD, "Kerberos knows no user nobody"),
        (f"{USER}%40ELSEWHERE.TEST", PASSWORD, "no Kerberos server for the realm of deployer@ELSEWHERE.TEST answers"),
    ],
)
def test_password_that_gets_no_ticket_is_told(client: Client, user: str, password: str, told: str) -> None:
    assert told in client.said(user=f"{user}@", DOCKWRIGHT_HOST_PASSWORD=password)


def test_account_that_is_locked_is_told(client: Client) -> None:
    client.realm.add("locked", PASSWORD, "-allow_tix")
    assert "the account of locked is locked or disabled" in client.said(
        user="locked@", DOCKWRIGHT_HOST_PASSWORD=PASSWORD
    )


def test_password_that_has_expired_is_told(client: Client) -> None:
    client.realm.add("old", PASSWORD, "+needchange")
    assert "the password of old has expired" in client.said(user="old@", DOCKWRIGHT_HOST_PASSWORD=PASSWORD)


def test_machine_that_kerberos_does_not_know_by_that_name_is_told(client: Client) -> None:
    client.log_in()
    assert "Kerberos knows no service HTTP/127.0.0.1; give the machine's full name" in client.said(host="127.0.0.1")


def test_machine_whose_name_belongs_to_another_account_is_told(
    open_machine: OpenMachine, realm: Realm, tmp_path: Path
) -> None:
    stale = tmp_path / "stale.keytab"
    content = bytearray(realm.keytab.read_bytes())
    key_ends = 6 + int.from_bytes(content[2:6], "big") - 4
    content[key_ends - 16 : key_ends] = bytes(16)
    stale.write_bytes(content)
    machine = open_machine(authentication=("Kerberos",), keytab=stale)
    client = Client(realm=realm, server=machine.server, cache=tmp_path / "tickets")
    client.log_in()
    assert "deployer is refused: the machine cannot read the ticket, as its name belongs to another" in client.said()


def test_machine_without_kerberos_is_told(open_machine: OpenMachine, realm: Realm, tmp_path: Path) -> None:
    machine = open_machine(authentication=("Basic",), allow_unencrypted=True)
    client = Client(realm=realm, server=machine.server, cache=tmp_path / "tickets")
    client.log_in()
    assert "Kerberos is refused there; it offers Basic: choose another transport=" in client.said()


def later(offset: str) -> dict[str, str]:
    """An environment in which the clock is wrong."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{offset}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
