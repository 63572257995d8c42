"""What people are told whom Kerberos gives no ticket. Where a real one is asked, see test_kerberos."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import HostError
from agent.host import HostAddress
from windows.winrm.target import read
from windows.winrm.tickets import ticket, unobtainable


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("Ticket expired", "the Kerberos ticket of anna has expired; run kinit anna"),
        (
            "No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)",
            "there is no Kerberos ticket for anna",
        ),
        ("Can't find client principal anna@CORP.EXAMPLE in cache collection", "there is no Kerberos ticket for anna"),
        ("kinit: Client's credentials have been revoked while getting", "the account of anna is locked or disabled"),
        (
            "Server not found in Kerberos database",
            "Kerberos knows no service HTTP/web1; give the machine's full name",
        ),
        ("kinit: Client 'anna@CORP' not found in Kerberos database", "Kerberos knows no user anna"),
        ("Cannot contact any KDC for realm 'CORP.EXAMPLE'", "no Kerberos server for the realm of anna answers"),
        ("Configuration file does not specify default realm", "no Kerberos server for the realm of anna answers"),
        ("Something\nnew", "the login by Kerberos failed: Something new"),
    ],
)
def test_reason_says_what_to_do(text: str, advice: str) -> None:
    target = read(HostAddress(url="winrm://anna@web1?transport=kerberos"))
    told = str(unobtainable(target, text))
    assert told.startswith(f"winrm://anna@web1?transport=kerberos: {advice}")
    assert "\n" not in told


def test_password_without_kinit_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    target = read(HostAddress(url="winrm://anna@web1?transport=kerberos", password="secret"))
    with (
        pytest.raises(HostError, match=r"needs kinit, which is not installed; .*krb5-user") as caught,
        ticket(target),
    ):
        pass
    assert "secret" not in str(caught.value)
