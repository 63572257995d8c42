"""Certificates over HTTPS: whose the machine's must be, and which of a client's are a login."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from agent.errors import HostError
from tests.windows.winrm.conftest import Machine, OpenMachine
from tests.winrm.certificates import Certificates, make
from tests.winrm.settings import Mishap

PASSPHRASE = "Schlüssel & 7"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


def machine_of(certificates: Certificates, open_machine: OpenMachine, options: str, **settings: object) -> Machine:
    return open_machine(
        options=options,
        certificate=certificates.certificate,
        key=certificates.key,
        clients=certificates.authority,
        authentication=("Certificate", "Negotiate"),
        **settings,
    )


def showing(mine: Certificates, certificates: Certificates, open_machine: OpenMachine, **settings: object) -> Machine:
    """A machine to which a client logs in with the certificate `mine`."""
    options = f"&ca={certificates.authority}&transport=certificate&certificate={mine.client}&key={mine.client_key}"
    return machine_of(certificates, open_machine, options, **{"password": "", **settings})


def thumbprint(certificate: Path) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
    return hashlib.sha256(der).hexdigest()


def test_certificate_that_is_mapped_to_a_user_logs_in(certificates: Certificates, open_machine: OpenMachine) -> None:
    machine = showing(certificates, certificates, open_machine)
    assert machine.run("sh", "-c", "echo in").output == b"in\n"


def test_key_with_a_passphrase_takes_the_hosts_password(tmp_path: Path, open_machine: OpenMachine) -> None:
    mine = make(tmp_path, passphrase=PASSPHRASE)
    machine = showing(mine, mine, open_machine, password=PASSPHRASE)
    machine.server.records = True
    assert machine.run("sh", "-c", "env; echo in").output.endswith(b"in\n")
    assert all(PASSPHRASE.encode() not in text for text in (*machine.server.heard, *machine.pieces))


@pytest.mark.parametrize("given", ["", "wrong"])
def test_passphrase_that_is_missing_or_wrong_is_told(tmp_path: Path, open_machine: OpenMachine, given: str) -> None:
    mine = make(tmp_path, passphrase=PASSPHRASE)
    machine = showing(mine, mine, open_machine, password=given)
    with pytest.raises(HostError, match=r"client\.key is encrypted, and its passphrase is missing or wrong; give it"):
        machine.run("true")


def test_certificate_that_is_mapped_to_nobody_is_told(certificates: Certificates, open_machine: OpenMachine) -> None:
    machine = showing(certificates, certificates, open_machine, mapped_certificates=("other",))
    with pytest.raises(HostError, match=r"client\.pem is not accepted there: .*mapped to no user"):
        machine.run("true")
    assert machine.server.asked == []


def test_certificate_that_has_expired_is_told(tmp_path: Path, open_machine: OpenMachine) -> None:
    mine = make(tmp_path, client_days=-1)
    machine = showing(mine, mine, open_machine)
    with pytest.raises(HostError, match=r"client\.pem is refused there .*; see that it has not expired"):
        machine.run("true")


def test_certificate_of_another_authority_is_told(
    certificates: Certificates, tmp_path: Path, open_machine: OpenMachine
) -> None:
    machine = showing(make(tmp_path), certificates, open_machine)
    with pytest.raises(HostError, match=r"client\.pem is refused there .*that the machine trusts its authority"):
        machine.run("true")


@pytest.mark.parametrize("content", ["another key", "", "-----BEGIN PRIVATE KEY-----\nnonsense\n"])
def test_key_that_does_not_fit_is_told(tmp_path: Path, open_machine: OpenMachine, content: str) -> None:
    mine = make(tmp_path)
    key = mine.key.read_text(encoding="ascii") if content == "another key" else content
    mine.client_key.write_text(key, encoding="ascii")
    machine = showing(mine, mine, open_machine)
    with pytest.raises(
        HostError, match=r"client\.pem and .*client\.key are not a certificate and its own key in PEM"
    ):
        machine.run("true")


def test_refused_certificate_is_shown_for_comparison(certificates: Certificates, open_machine: OpenMachine) -> None:
    machine = machine_of(certificates, open_machine, "")
    with pytest.raises(HostError, match=r"is not trusted: .*ca=FILE, or .*thumbprint=SHA256") as caught:
        machine.run("true")
    assert str(caught.value).endswith(f"now it shows {thumbprint(certificates.certificate)}")
    assert machine.server.asked == []


def test_thumbprint_vouches_for_a_certificate_of_any_name(tmp_path: Path, open_machine: OpenMachine) -> None:
    other = make(tmp_path, name="127.0.0.2")
    machine = machine_of(other, open_machine, f"&thumbprint={thumbprint(other.certificate)}")
    assert machine.run("sh", "-c", "echo in").output == b"in\n"


def test_thumbprint_may_be_written_as_windows_does(certificates: Certificates, open_machine: OpenMachine) -> None:
    known = thumbprint(certificates.certificate).upper()
    colons = ":".join(known[at : at + 2] for at in range(0, 64, 2))
    machine = machine_of(certificates, open_machine, f"&thumbprint={colons}")
    assert machine.run("true").code == 0


def test_other_certificate_than_the_thumbprints_is_refused(
    certificates: Certificates, open_machine: OpenMachine
) -> None:
    machine = machine_of(certificates, open_machine, f"&thumbprint={thumbprint(certificates.client)}")
    machine.server.records = True
    with pytest.raises(HostError, match="another certificate than the one with the given thumbprint; now it shows"):
        machine.run("true")
    assert machine.server.heard == []


def test_ntlm_is_bound_to_the_certificate(certificates: Certificates, open_machine: OpenMachine) -> None:
    options = f"&ca={certificates.authority}"
    machine = machine_of(certificates, open_machine, options, bound_to=certificates.certificate)
    assert machine.run("sh", "-c", "echo in").output == b"in\n"


def test_ntlm_through_somebody_elses_certificate_is_refused(
    certificates: Certificates, open_machine: OpenMachine
) -> None:
    options = f"&ca={certificates.authority}"
    machine = machine_of(certificates, open_machine, options, bound_to=certificates.client)
    with pytest.raises(HostError, match="or something on the way shows another certificate than the machine's"):
        machine.run("true")
    assert machine.server.asked == []


def test_connection_that_ends_where_the_certificate_was_shown_is_told(
    certificates: Certificates, open_machine: OpenMachine
) -> None:
    machine = showing(certificates, certificates, open_machine)
    machine.server.order(Mishap(kind="reset", nth=1))
    with pytest.raises(HostError, match=r"client\.pem is refused there \(it seems: .*\); see that"):
        machine.run("true")
