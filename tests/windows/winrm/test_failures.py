"""Errors of the libraries below, in words that say what to do."""

from __future__ import annotations

import pytest

from agent.errors import HostError
from agent.host import HostAddress
from tests.objections import objection
from windows.winrm import failures
from windows.winrm.login import open_session
from windows.winrm.target import read

KERBEROS = read(HostAddress(url="winrm://anna@web1?transport=kerberos"))


def test_other_losses_are_not_hopeless() -> None:
    lost = ConnectionResetError("Connection reset by peer")
    assert objection(lambda: failures.raise_hopeless(KERBEROS, lost)) == ""


def test_reason_is_the_innermost_and_on_one_line() -> None:
    inner = OSError(113, "No route\nto host")
    assert failures.reason(RuntimeError("outer", inner)) == "No route to host"


@pytest.mark.parametrize(("login", "extra"), [("kerberos", "kerberos"), ("credssp", "credssp")])
def test_login_whose_library_is_missing_says_how_to_install_it(
    login: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"winrm.transport.HAVE_{login.upper()}", False)
    target = read(HostAddress(url=f"winrm://anna@web1?transport={login}", password="secret"))
    with pytest.raises(HostError, match=rf"need one more library: pip install 'pywinrm\[{extra}\]'"):
        open_session(target)
