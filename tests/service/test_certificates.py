"""Certificates that were good once, will be, or were never meant: refused on both sides, with the reason."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.commands import trust as trusting
from agent.errors import HostError, InputError
from agent.service.certificate import Certificate, not_valid_now, own_certificate, read_certificate
from agent.service.client import AgentClient, RefusedError
from agent.service.peers import Peer
from tests.patience import eventually
from tests.service.conftest import Agent
from tests.service.test_push import Pusher, bundle

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
EXPIRED = (NOW - 10 * DAY, NOW - DAY)
TOMORROW = (NOW + DAY, NOW + 10 * DAY)


def dated(folder: Path, when: tuple[datetime, datetime]) -> Certificate:
    """A certificate like ours, valid at another time."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dated")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(when[0]).not_valid_after(when[1])
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    (folder / "certificate.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return read_certificate(folder / "certificate.pem", folder / "key.pem")


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (EXPIRED, "has expired; if the clocks agree, remove it and its key for a new one"),
        (TOMORROW, "is not valid yet; its clock or ours is wrong"),
    ],
)
def test_client_whose_certificate_is_not_valid_now_is_refused_and_told(
    agent: Agent, tmp_path: Path, when: tuple[datetime, datetime], reason: str
) -> None:
    certificate = dated(tmp_path / "dated", when)
    agent.trust(certificate, name="dated")
    agent.stop()
    agent.start()
    with pytest.raises(HostError, match=reason):
        agent.client(certificate).capabilities()
    assert agent.client().capabilities().protocol == 1


@pytest.mark.parametrize(("when", "reason"), [(EXPIRED, "expired on"), (TOMORROW, "one clock is wrong")])
def test_agent_whose_certificate_is_not_valid_now_is_told_nothing(
    make_agent: Callable[[str], Agent], when: tuple[datetime, datetime], reason: str
) -> None:
    agent = make_agent("dated")
    dated(agent.home / "service", when)
    agent.start()
    with pytest.raises(HostError, match=f"{reason}.*nothing was sent"):
        agent.client().capabilities()


def test_dates_are_read_as_everybody_reads_them(tmp_path: Path) -> None:
    far = dated(tmp_path / "far", (NOW - DAY, datetime(2051, 1, 1, tzinfo=UTC)))  # a year that takes four digits
    assert not_valid_now(far.der, NOW) == ""
    assert not_valid_now(far.der, datetime(2050, 12, 31, tzinfo=UTC)) == ""
    assert "expired on 2051-01-01" in not_valid_now(far.der, datetime(2051, 1, 2, tzinfo=UTC))
    own = own_certificate(tmp_path / "own", "own")
    assert not_valid_now(own.der, NOW) == ""
    assert not_valid_now(own.der, NOW - DAY / 2) == "", "a clock that is half a day behind is no reason"
    assert "is valid from" in not_valid_now(own.der, NOW - 2 * DAY)


def test_certificate_of_another_time_is_not_trusted_and_one_that_has_expired_is_marked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number, when in enumerate((EXPIRED, TOMORROW)):
        made = dated(tmp_path / str(number), when)
        with pytest.raises(InputError, match="let the other side make a new one"):
            trusting.add(home, "late", made.certificate, made.thumbprint, "read")
        peer = Peer(name="late", thumbprint=made.thumbprint, scopes=("read",), certificate=made.pem)
        assert "here (UTC)" in trusting.peer_lines((peer,))[0]
        assert "ask again for a new one" in trusting.own_lines(made)[-1]
    assert trusting.service_files(home).peers.all() == ()


def test_bytes_that_are_no_certificate_are_refused_whatever_they_are(tmp_path: Path) -> None:
    good = own_certificate(tmp_path, "own").der
    for end in range(len(good)):
        with suppress(InputError):
            assert not_valid_now(good[:end], NOW) in {"", not_valid_now(good, NOW)}
    with pytest.raises(InputError, match="this is no certificate"):
        not_valid_now(b"\x30\x84\xff\xff\xff\xff", NOW)


def test_right_certificate_with_a_wrong_key_does_not_pass(agent: Agent, tmp_path: Path) -> None:
    """Whoever has a trusted certificate, which is no secret, has not its key."""
    other = own_certificate(tmp_path / "other", "other")
    (tmp_path / "stolen.pem").write_text(agent.own.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        context.load_cert_chain(tmp_path / "stolen.pem", other.key)


def test_one_that_a_trusted_peer_vouches_for_is_not_trusted_itself(agent: Agent, tmp_path: Path) -> None:
    """Each peer is an anchor to OpenSSL; the thumbprint is what counts."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    issuer_key = load_pem_private_key(agent.own.key.read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(agent.own.pem.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issued")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer.subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    (tmp_path / "c.pem").write_bytes(builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    issued = read_certificate(tmp_path / "c.pem", tmp_path / "k.pem")
    with pytest.raises((RefusedError, HostError), match="trust"):
        agent.client(issued, patience=0).capabilities()


def test_push_to_an_agent_that_does_not_trust_us_says_what_to_do_there(agent: Agent, tmp_path: Path) -> None:
    pusher = Pusher(tmp_path)
    pushed = pusher.push(bundle([agent], "pass"), agent)
    assert pushed.returncode == 10
    told = " ".join((pushed.stdout + pushed.stderr).split())
    assert f"copy {pusher.own.certificate} to it" in told
    assert f"dockwright trust add NAME --certificate FILE --thumbprint {pusher.own.thumbprint}" in told


def test_push_to_an_agent_with_another_thumbprint_says_which_it_has(agent: Agent, tmp_path: Path) -> None:
    pusher = Pusher(tmp_path)
    command = pusher.command(bundle([agent], "pass"), agent)
    command[command.index("--agent-thumbprint") + 1] = "ab" * 32
    import subprocess

    pushed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert pushed.returncode == 10
    assert f"shows a certificate with the thumbprint {agent.thumbprint}" in " ".join(
        (pushed.stdout + pushed.stderr).split()
    )


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """A port at which something else than an agent answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    connection.recv(1000)
                    connection.sendall(data)
                    connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_something_else_that_answers_is_no_agent(tmp_path: Path) -> None:
    own = own_certificate(tmp_path, "own")
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        client = AgentClient(f"https://127.0.0.1:{port}", "ab" * 32, own, patience=60)
        with pytest.raises(HostError, match="does not speak TLS; see its port"):
            client.capabilities()


def test_whoever_waits_is_told_once_why(tmp_path: Path) -> None:
    own = own_certificate(tmp_path, "own")
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = AgentClient(f"https://127.0.0.1:{port}", "ab" * 32, own, patience=1.5, waiting=told.append)
    with pytest.raises(HostError, match="cannot be reached"):
        client.capabilities()
    assert len(told) == 1
    assert "Connection refused; see its address, and that it listens; it is tried again for 1.5 s" in told[0]


def test_log_by_events_ends_for_one_who_is_revoked_meanwhile(agent: Agent) -> None:
    client = agent.client()
    client.deploy(
        "D-1",
        agent.request(client, agent.bundle("import time\nwhile True:\n    report.info('tick')\n    time.sleep(0.2)")),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    reader = own_certificate(agent.folder / "reader", "reader")
    agent.trust(reader, "read", name="reader")
    context.load_cert_chain(reader.certificate, reader.key)
    eventually(lambda: agent.client(reader, patience=20).status("D-1").state == "running")
    connection = http.client.HTTPSConnection("127.0.0.1", agent.port, context=context, timeout=60)
    connection.request("GET", "/v1/deployments/D-1/events")
    response = connection.getresponse()
    eventually(lambda: b"tick" in response.readline())
    agent.peers.revoke("reader")
    rest = response.read()  # comes to an end, though the deployment does not
    connection.close()
    assert b"event: end" not in rest
    assert client.status("D-1").state == "running"
    client.cancel("D-1")
