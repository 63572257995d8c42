"""Variables files are encrypted exactly as Calamari encrypts them."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import VariablesError
from agent.variables.encryption import decrypt, encrypt


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A file's bytes in base64; its IV is 00 01 … 0f."""

    password: str
    plain: str
    bits: Literal[128, 256]
    key: str
    encrypted: str


_NEW_SHAPE = '[{"k":"firstVariableName","v":"firstVariableValue","s":false}]'
VECTORS = (
    Vector(
        password="HumptyDumpty!",
        plain=_NEW_SHAPE,
        bits=256,
        key="4414d5e168e041aae4ca18a43cb8ac874d1409de676e36b383f03010f7baac74",
        encrypted=(
            "SVZfXwABAgMEBQYHCAkKCwwNDg9cssOzky7f6JnIr0cZTHgxGGbnpUZoJ0l38QyMERFx80oOjU5faFECNxexZtkP3NUp"
            "MiTKaZ9xNSkXijrc2v94"
        ),
    ),
    Vector(
        password="HumptyDumpty!",
        plain=_NEW_SHAPE,
        bits=128,
        key="4414d5e168e041aae4ca18a43cb8ac87",
        encrypted=(
            "SVZfXwABAgMEBQYHCAkKCwwNDg+tYrhfk3GIcH1ohB0udNIAgk1PRjaK6X2QEe5Ad/ZbzIHmtn7RZPX3ll5xZAlGuLet"
            "PCK+DgVUK8fVRjKgWCuj"
        ),
    ),
    Vector(
        password="SatOnTheWall!",
        plain='{"thirdVariableName":"thirdVariableValue"}',
        bits=256,
        key="b27d558c599fda9ecc2e3d46c104e7a516574735428d1c50e20178284687d9f6",
        encrypted=("SVZfXwABAgMEBQYHCAkKCwwNDg/ftTLIHQj5XWYuO0KyuEakogKFj98sAL8uAobEnGNZUKX5k8hQglJ+RpjKQApFo1s="),
    ),
    Vector(
        password="PurpleMonkeyDishwasher",
        plain="Put It In H!",
        bits=256,
        key="583b5f69cf8231cfc91065b06b1f65c15955d6107dd4fb755d4b2dbe086a8a98",
        encrypted="SVZfXwABAgMEBQYHCAkKCwwNDg8/kD6N/a0TrCkqly9l5XUn",
    ),
)
_IV = bytes(range(16))

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda each: f"{each.password} {each.bits}")


@every_vector
def test_encrypting_gives_calamaris_bytes(vector: Vector) -> None:
    made = encrypt(vector.plain.encode(), vector.password, iv=_IV, bits=vector.bits)
    assert base64.b64encode(made).decode() == vector.encrypted


@every_vector
def test_decrypting_reads_calamaris_bytes(vector: Vector) -> None:
    assert decrypt(base64.b64decode(vector.encrypted), vector.password).decode() == vector.plain


@every_vector
def test_openssl_reads_what_we_write(vector: Vector, tool: Callable[[str], str]) -> None:
    made = encrypt(vector.plain.encode(), vector.password, bits=vector.bits)
    assert openssl(tool("openssl"), "-d", made[20:], vector, made[4:20]).decode() == vector.plain


@every_vector
def test_we_read_what_openssl_writes(vector: Vector, tool: Callable[[str], str]) -> None:
    made = openssl(tool("openssl"), "-e", vector.plain.encode(), vector, _IV)
    assert decrypt(b"IV__" + _IV + made, vector.password).decode() == vector.plain


def openssl(program: str, direction: str, data: bytes, vector: Vector, iv: bytes) -> bytes:
    command = [program, "enc", direction, f"-aes-{vector.bits}-cbc", "-K", vector.key, "-iv", iv.hex()]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("bits", [128, 256])
@given(plain=st.binary(max_size=200), password=st.text(min_size=1))
@settings(max_examples=40)
def test_what_was_encrypted_can_be_decrypted(plain: bytes, password: str, bits: Literal[128, 256]) -> None:
    text = base64.b64encode(plain)
    assert decrypt(encrypt(text, password, bits=bits), password) == text


def test_two_files_of_the_same_content_differ() -> None:
    assert encrypt(b"[]", "password") != encrypt(b"[]", "password")


def test_a_file_with_the_smaller_key_is_read_even_where_the_larger_one_unpads_by_chance() -> None:
    """Once in 256 times; among 1500 files a few, and each of them must be read."""
    for number in range(1500):
        iv = hashlib.md5(str(number).encode()).digest()
        assert decrypt(encrypt(b'[{"k":"a"}]', "password", iv=iv, bits=128), "password") == b'[{"k":"a"}]'


def test_the_first_four_bytes_are_not_looked_at() -> None:
    made = encrypt(b"[]", "password")
    assert decrypt(b"abcd" + made[4:], "password") == b"[]"


@pytest.mark.parametrize("length", [0, 4, 19, 20, 35, 37, 51])
def test_a_file_that_is_cut_off_is_told_from_a_wrong_password(length: int) -> None:
    made = encrypt(b"x" * 40, "password")
    with pytest.raises(VariablesError, match="cut off"):
        decrypt(made[:length], "password")


def test_a_wrong_password_is_told() -> None:
    made = encrypt(b"[]", "password", iv=_IV)
    with pytest.raises(VariablesError, match="password is wrong, or the file is damaged"):
        decrypt(made, "Password")
