"""Who is trusted: only by a thumbprint that a person gave, until it is revoked."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli.main import commands
from agent.errors import InputError, StorageError
from agent.service.certificate import own_certificate, parse_thumbprint, thumbprint
from agent.service.peers import Peers

NOW = "2026-01-01T00:00:00+00:00"


def test_certificate_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "service", "agent-1")
    again = own_certificate(tmp_path / "service", "another name")
    assert made == again
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert len(made.thumbprint) == 64


def test_certificate_lasts_ten_years(tmp_path: Path) -> None:
    from cryptography import x509

    made = x509.load_pem_x509_certificate(own_certificate(tmp_path, "a").pem.encode())
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days > 3650


def test_thumbprints_are_taken_as_people_write_them(tmp_path: Path) -> None:
    own = own_certificate(tmp_path, "a").thumbprint
    spaced = " ".join(own[i : i + 2].upper() for i in range(0, 64, 2))
    assert parse_thumbprint(spaced) == own
    assert parse_thumbprint("SHA256:" + spaced.replace(" ", ":")) == own


@pytest.mark.parametrize(
    ("text", "reason"),
    [("ab" * 20, "SHA-1 thumbprint, which is too weak"), ("", "no thumbprint"), ("zz" * 32, "no thumbprint")],
)
def test_other_thumbprints_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_thumbprint(text)


def test_peer_is_trusted_only_under_the_thumbprint_that_was_expected(tmp_path: Path) -> None:
    server, rogue = own_certificate(tmp_path / "a", "server"), own_certificate(tmp_path / "b", "server")
    peers = Peers(tmp_path / "peers.json")
    with pytest.raises(InputError, match="trust nothing until both agree"):
        peers.add("server", rogue.pem, server.thumbprint, ("deploy",), NOW)
    assert peers.all() == ()
    peers.add("server", server.pem, server.thumbprint.upper(), ("deploy",), NOW)
    found = peers.find(server.thumbprint)
    assert found is not None
    assert (found.name, found.scopes) == ("server", ("deploy",))
    assert peers.find(rogue.thumbprint) is None


def test_revoked_peer_is_gone_for_others_who_read_the_table(tmp_path: Path) -> None:
    old, new = own_certificate(tmp_path / "a", "server"), own_certificate(tmp_path / "b", "server")
    writer, reader = Peers(tmp_path / "peers.json"), Peers(tmp_path / "peers.json")
    for certificate in (old, new):
        writer.add("server", certificate.pem, certificate.thumbprint, ("read",), NOW)
    assert len(reader.all()) == 2
    writer.revoke(old.thumbprint)
    assert reader.find(old.thumbprint) is None
    assert reader.find(new.thumbprint) is not None
    writer.revoke("server")
    assert reader.all() == ()


def test_damaged_table_trusts_nobody_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text("[{")
    with pytest.raises(StorageError, match="trust table"):
        Peers(tmp_path / "peers.json").find("a" * 64)


def test_text_that_is_no_certificate_is_refused() -> None:
    with pytest.raises(InputError, match="no certificate in PEM form"):
        thumbprint("hello")


def test_commands_show_add_list_and_revoke(tmp_path: Path) -> None:
    def trust(*words: str) -> str:
        result = CliRunner().invoke(commands, ["trust", *words, "--home", str(tmp_path / "home")])
        assert result.exit_code == 0, result.output
        return result.output

    other = own_certificate(tmp_path / "other", "server")
    assert "thumbprint   " in trust("show")
    assert "nobody is trusted yet" in trust("list")
    pem = str(other.certificate)
    trust("add", "server", "--certificate", pem, "--thumbprint", other.thumbprint, "--scope", "read,deploy")
    assert f"server  {other.thumbprint}  deploy,read" in trust("list")
    assert "trusted no longer" in trust("revoke", "server")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["revoke", "nobody"], "no peer is called 'nobody'"),
        (["add", "x", "--certificate", "/nowhere.pem", "--thumbprint", "ab"], "cannot be read: No such file"),
    ],
)
def test_wrong_uses_end_in_one_line(tmp_path: Path, words: list[str], reason: str) -> None:
    result = CliRunner().invoke(commands, ["trust", *words, "--home", str(tmp_path)])
    assert result.exit_code == 3
    assert reason in result.output
    assert result.output.count("\n") == 1
