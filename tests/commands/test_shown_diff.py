"""What is shown of configuration files that differ, and what is not."""

from __future__ import annotations

import pytest

from agent.commands.shown_diff import shown_diff

SECRET, OTHER = "hunter2hunter", "swordfish99"


def changed(template: str, *names: str, show: bool = False) -> str:
    before, after = template.replace("SECRET", SECRET), template.replace("SECRET", OTHER)
    return shown_diff(before.encode(), after.encode(), "app/f", names, show=show)


def test_values_that_are_no_secrets_are_shown() -> None:
    shown = shown_diff(b'{\n  "Mode": "dev",\n  "A": 1\n}\n', b'{\n  "Mode": "live",\n  "A": 1\n}\n', "app/a.json")
    assert shown.splitlines()[:2] == ["--- a/app/a.json", "+++ b/app/a.json"]
    assert '-  "Mode": "dev",' in shown
    assert '+  "Mode": "live",' in shown


@pytest.mark.parametrize(
    "template",
    [
        '{\n  "Password": "SECRET"\n}\n',
        '{"a": 1, "password": "SECRET"}',
        '{\n  "ConnectionStrings": {\n    "Default": "SECRET"\n  }\n}\n',
        '{\n  "Url": "https://user:SECRET@host/"\n}\n',
        '{\n  "Db": "Server=x;Pwd=SECRET"\n}\n',
        "secrets:\n  - SECRET\n",
        "secrets:\n- SECRET\n",
        "secrets:\n- a: SECRET\n  b: SECRET\n",
        "token: |\n  SECRET\n  SECRET\n",
        "api-key=SECRET\n",
        "client.secret = SECRET\n",
        "AccountKey: SECRET\n",
        '<add key="ApiKey" value="SECRET" />\n',
        '<connectionStrings>\n  <add name="x" connectionString="SECRET" />\n</connectionStrings>\n',
        "<secret>\n  SECRET\n</secret>\n",
        "<password>SECRET</password>\n",
        "-----BEGIN PRIVATE KEY-----\nSECRET\nSECRET\n-----END PRIVATE KEY-----\n",
    ],
)
def test_what_is_named_like_a_secret_is_masked(template: str) -> None:
    shown = changed(template)
    assert SECRET not in shown
    assert OTHER not in shown
    assert "********" in shown


def test_long_tokens_are_masked_wherever_they_stand() -> None:
    one, other = b"a: ghp_0123456789abcdefghij0123\n", b"a: ghp_0123456789abcdefghij0124\n"
    assert shown_diff(one, other, "f").splitlines()[-2:] == ["-a: ********", "+a: ********"]


def test_what_only_looks_like_a_secret_is_shown_when_asked_for() -> None:
    assert f"+Password: {OTHER}" in changed("Password: SECRET\n", show=True)


def test_what_is_known_to_be_a_secret_is_never_shown() -> None:
    shown = changed("Site:\n  Title: SECRET\n", "Site:Title", show=True)
    assert SECRET not in shown
    assert "Title: ********" in shown


def test_a_very_long_line_is_summed_up() -> None:
    shown = shown_diff(b'{"a": "' + b"://:" * 100_000, b'{"a": "' + b"://:" * 100_001, "f")
    assert shown.splitlines()[-1] == "+(400,011 characters in one line)"


def test_a_file_of_very_many_lines_is_summed_up() -> None:
    assert "too many to show" in shown_diff(b"a\n" * 6_000, b"b\n" * 6_000, "f")
