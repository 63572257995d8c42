"""Passwords in files, as people and programs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import VariablesError
from agent.given import read_password


@pytest.mark.parametrize(
    "content",
    ["pass word ", "pass word \n", "pass word \r\n", "\ufeffpass word \r\n", "pass word \nsecond line\n"],
    ids=["bare", "newline", "windows", "bom", "more lines"],
)
def test_first_line_is_the_password(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content.encode())
    assert read_password(file) == "pass word "


@pytest.mark.parametrize("password", ["a\x0bb", "a\x85b", "a\u2028b", "Pässwörd 7§"])
def test_only_a_newline_ends_a_line(tmp_path: Path, password: str) -> None:
    file = tmp_path / "password"
    file.write_text(f"{password}\n", encoding="utf-8", newline="")
    assert read_password(file) == password


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; its first line is the password"),
        (b"\nsecret-in-line-two", "is empty; its first line is the password"),
        ("secret".encode("utf-16"), "cannot be read: it is not UTF-8"),
        (b"secret" * 100_000, "its first line is too long for a password"),
    ],
)
def test_file_without_a_password_is_told_and_not_shown(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(VariablesError, match=told) as caught:
        read_password(file)
    assert "secret" not in str(caught.value)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(VariablesError, match="cannot be read: No such file or directory"):
        read_password(tmp_path / "missing")
    with pytest.raises(VariablesError, match="cannot be read: Is a directory"):
        read_password(tmp_path)
