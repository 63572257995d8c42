"""What URLs mean, and which mean nothing."""

from __future__ import annotations

import pytest

from agent.errors import DockwrightError, HostError, InputError
from agent.host import HostAddress
from windows.winrm.target import Target, read


def target(url: str, password: str = "secret") -> Target:
    return read(HostAddress(url=url, password=password))


@pytest.mark.parametrize(
    ("url", "endpoint", "seals"),
    [
        ("winrm://u@web1", "http://web1:5985/wsman", True),
        ("winrm://u@web1:5986", "https://web1:5986/wsman", False),
        ("winrm://u@web1?scheme=https", "https://web1:5986/wsman", False),
        ("winrm://u@web1?scheme=https&message-encryption=always", "https://web1:5986/wsman", True),
        ("winrm://u@web1?transport=basic", "https://web1:5986/wsman", False),
        ("winrm://u@web1:8080/wsman?transport=credssp", "http://web1:8080/wsman", True),
        ("winrm://u@[::1]", "http://[::1]:5985/wsman", True),
    ],
)
def test_endpoint_and_sealing_follow_from_the_url(url: str, endpoint: str, seals: bool) -> None:
    assert (target(url).endpoint, target(url).seals) == (endpoint, seals)


@pytest.mark.parametrize(
    ("written", "user"),
    [("CORP%5Canna", "CORP\\anna"), ("anna%40corp.example", "anna@corp.example"), ("anna", "anna")],
)
def test_user_may_have_a_domain(written: str, user: str) -> None:
    assert target(f"winrm://{written}@web1").user == user


def test_published_ports_answer_at_the_machine_or_where_the_url_says() -> None:
    assert target("winrm://u@web1").address == "web1"
    assert target("winrm://u@web1?address=10.0.0.5").address == "10.0.0.5"


def test_kerberos_needs_no_password_and_no_user() -> None:
    assert target("winrm://u@web1?transport=kerberos", "").login == "kerberos"
    assert target("winrm://web1?transport=kerberos", "").user == ""


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("winrm://u:secret@web1", InputError, "^a winrm:// URL holds no password; give it by --host-password-file"),
        ("winrm://web1", InputError, "who logs in there"),
        ("winrm://u@", InputError, "is given as winrm://user@host"),
        ("winrm://u@web1/other", InputError, "is given as winrm://user@host"),
        ("winrm://u@web1:port", InputError, "Port could not be cast"),
        ("winrm://u@web1?transprot=ntlm", InputError, "no option 'transprot'.*transport"),
        ("winrm://u@web1?transport=digest", InputError, "transport is ntlm, .* or certificate, not 'digest'"),
        ("winrm://u@web1?transport=basic&scheme=http", InputError, "basic over http would show the password"),
        ("winrm://u@web1?transport=basic&message-encryption=always", InputError, "not with basic"),
        ("winrm://u@web1?transport=certificate", InputError, "needs certificate=FILE and key=FILE"),
        ("winrm://web1?transport=certificate&scheme=http", InputError, "needs scheme=https"),
        ("winrm://web1?transport=kerberos", InputError, "who logs in there"),
        ("winrm://CORP%5Cu@web1?transport=kerberos", InputError, "takes a user as u or u%40REALM, not as CORP%5Cu"),
        ("winrm://u@web1:5986?thumbprint=ab12", InputError, "SHA-256 in 64 hexadecimal digits"),
        (f"winrm://u@web1?thumbprint={'ab' * 32}", InputError, "thumbprint is for https"),
        (f"winrm://u@web1:5986?ca=/ca.pem&thumbprint={'ab' * 32}", InputError, "takes the place of ca"),
        ("winrm://u@web1?ca=/nowhere/ca.pem", InputError, "there is no file /nowhere/ca.pem"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, kind: type[DockwrightError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        target(url)
    assert "secret" not in str(caught.value)


def test_missing_password_is_told() -> None:
    with pytest.raises(HostError, match="no password for u; give it by --host-password-file"):
        target("winrm://u@web1", "")


@pytest.mark.parametrize("password", ["two\nlines", "zero\0", "return\r"])
def test_password_with_a_line_break_is_refused_unshown(password: str) -> None:
    with pytest.raises(InputError, match="the password has a line break or a NUL in it") as caught:
        target("winrm://u@web1", password)
    assert password[:3] not in str(caught.value)


def test_password_shows_in_no_representation() -> None:
    assert "secret" not in repr(target("winrm://u@web1"))
