"""No spelling of a secret leaves the masker, however the text is cut.

The oracle shares nothing with the masker: it decodes what came out in every way it knows and looks for the
secret, where the masker encodes the secret and looks for the spellings.
"""

from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
import string
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report import Masker
from tests.bench.bench_masking import _line

ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "json": json.dumps,
    "json, not ascii": lambda secret: json.dumps(secret, ensure_ascii=False),
    "json in json": lambda secret: json.dumps(json.dumps({"key": secret})),
    "xml text": escape,
    "xml attribute": quoteattr,
    "html": html.escape,
    "shell": shlex.quote,
    "percent": lambda secret: urllib.parse.quote(secret, safe=""),
    "percent, lower": lambda secret: re.sub(
        "%..", lambda match: match[0].lower(), urllib.parse.quote(secret, safe="")
    ),
    "form": urllib.parse.quote_plus,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 after 1": lambda secret: base64.b64encode(b":" + secret.encode() + b"@host").decode(),
    "base64 after 2": lambda secret: base64.urlsafe_b64encode(b"u:" + secret.encode() + b"\n").decode(),
    "base64 wrapped": lambda secret: base64.encodebytes(b"user@example:" + secret.encode() * 3).decode(),
    "hex": lambda secret: secret.encode().hex(),
    "hex, upper": lambda secret: secret.encode().hex().upper(),
    "python": repr,
    "windows lines": lambda secret: secret.replace("\n", "\r\n"),
}


def secrets() -> list[str]:
    chance = random.Random(11)
    alphabet = string.ascii_letters + string.digits + "!\"#$%&'()+,-./:;<=>?@[\\]^_`{|}~ äß€😀\n"
    drawn = ["".join(chance.choices(alphabet, k=chance.randint(6, 40))).strip() for _ in range(44)]
    return [
        *drawn,
        "pa'ss\"wo$rd`!",
        "C:\\temp\\new\\x",
        "<a href=\"x&y\">'z'</a>",
        "100% sure",
        "first line\nsecond line\nthird line",
        "tiny4",
    ]


def readings(text: str) -> Iterator[str]:
    """What a reader who wants the secret would make of a text."""
    flat = text.replace("\r", "").replace("\n", "")
    for seen in (text, flat):
        yield seen
        yield html.unescape(seen)
        yield urllib.parse.unquote(seen)
        yield urllib.parse.unquote_plus(seen)
        yield unescaped(seen)
        yield unescaped(unescaped(seen))
        yield seen.replace("'\"'\"'", "'").replace("'\\''", "'")
    for run in re.findall(r"[0-9a-fA-F]{8,}", flat):
        for start in (0, 1):
            digits = run[start:]
            yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode(errors="replace")
    for run in re.findall(r"[A-Za-z0-9+/_-]{6,}", flat):
        for start in range(4):
            body = run[start:].replace("-", "+").replace("_", "/")
            body = body[:-1] if len(body) % 4 == 1 else body
            yield base64.b64decode(body + "=" * (-len(body) % 4)).decode(errors="replace")


def unescaped(text: str) -> str:
    simple = {"n": "\n", "r": "\r", "t": "\t"}

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1][1:], 16))
        return simple.get(match[2], match[2])

    plain = re.sub(r"\\(?:(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})|(.))", replaced, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def leaks(output: str, secret: str) -> bool:
    wanted = secret.replace("\n", "")
    return any(wanted in reading.replace("\r", "").replace("\n", "") for reading in readings(output))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_oracle_sees_a_secret_that_nobody_masked(encoding: str) -> None:
    for secret in secrets():
        assert leaks(f"before {ENCODINGS[encoding](secret)} after", secret), secret


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_secret_leaks_at_any_chunk_split(encoding: str) -> None:
    masker = Masker((f"Secret{index}", secret) for index, secret in enumerate(secrets()))
    for secret in secrets():
        text = f"before={ENCODINGS[encoding](secret)};after\n"
        seen = set()
        for cut in range(len(text) + 1):
            stream = masker.stream()
            seen.add(stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.flush())
        for output in seen:
            assert not leaks(output, secret), output
            assert output.startswith("before=")
            assert output.rstrip().endswith("after")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_secret_leaks_in_small_chunks(encoding: str) -> None:
    masker = Masker((f"Secret{index}", secret) for index, secret in enumerate(secrets()))
    chance = random.Random(5)
    text = "\n".join(f"line {index}: {ENCODINGS[encoding](secret)}" for index, secret in enumerate(secrets()))
    for _ in range(5):
        stream = masker.stream()
        pieces, at = [], 0
        while at < len(text):
            size = chance.randint(1, 7)
            pieces.append(stream.feed(text[at : at + size]))
            at += size
        output = "".join(pieces) + stream.flush()
        assert [secret for secret in secrets() if leaks(output, secret)] == []


@given(
    st.lists(st.text("ab", min_size=4, max_size=7), min_size=1, max_size=4),
    st.lists(st.text("abc", max_size=9), max_size=8),
)
def test_a_stream_masks_what_the_whole_text_would(values: list[str], pieces: list[str]) -> None:
    masker = Masker((value, value) for value in values)
    stream = masker.stream()
    streamed = "".join(map(stream.feed, pieces)) + stream.flush()
    assert re.sub(r"\*+", "*", streamed) == re.sub(r"\*+", "*", masker.mask("".join(pieces)))
    assert not any(value in streamed for value in values)


@given(
    st.text("abc\n \\\"'<é", min_size=4, max_size=30),
    st.lists(st.text("abc\n \\\"'<é", max_size=12), max_size=10),
    st.integers(0, 9),
)
def test_a_secret_among_anything_is_masked_and_the_rest_is_kept(value: str, pieces: list[str], position: int) -> None:
    masker = Masker([("Secret", value)])
    pieces.insert(position, value)
    stream = masker.stream()
    output = "".join(map(stream.feed, pieces)) + stream.flush()
    if len(value.replace("\n", "").strip()) >= 4:
        assert value.replace("\n", "") not in output.replace("\n", "")
    assert output.count("\n") == "".join(pieces).count("\n")


def test_what_cannot_begin_a_secret_is_given_out_at_once() -> None:
    stream = Masker([("Password", "hunter22")]).stream()
    assert stream.feed("log in as hunter") == "log in as "
    assert stream.feed("s\n") == "hunters\n"


def test_one_or_two_characters_do_not_hold_a_line_back_and_the_rest_is_still_masked() -> None:
    stream = Masker([("Password", "hunter22")]).stream()
    assert stream.feed("ends in hu\n") == "ends in hu\n"
    assert stream.feed("nter22 begins\n") == "******** begins\n"


def test_a_secret_over_several_lines_keeps_the_number_of_lines() -> None:
    masker = Masker([("Key", "abcdefgh\nijklmnop")])
    assert masker.mask("a: abcdefgh\nijklmnop.\n") == "a: ********\n********.\n"


def test_each_line_of_a_secret_is_masked_alone_but_not_what_every_such_secret_has() -> None:
    masker = Masker([("Key", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n}\n-----END PRIVATE KEY-----\n")])
    assert masker.mask("| MIIEvQIBADANBg") == "| ********"
    assert masker.mask("-----BEGIN PRIVATE KEY-----\nMIIother") == "-----BEGIN PRIVATE KEY-----\nMIIother"
    assert masker.mask("}") == "}"


def test_a_value_that_ends_in_a_line_break_is_masked_without_it() -> None:
    assert Masker([("Token", "s3cr3t-token\n")]).mask("x s3cr3t-token y") == "x ******** y"


def test_a_short_value_is_not_masked_and_named_once() -> None:
    warnings: list[str] = []
    masker = Masker([("Pin", "123"), ("Pin", "456"), ("Blank", "  \n ")], warnings.append)
    assert masker.mask("123 and 456") == "123 and 456"
    assert len(warnings) == 1
    assert warnings[0].startswith("Pin: ")


def test_a_secret_added_later_is_masked_from_then_on() -> None:
    masker = Masker()
    stream = masker.stream()
    assert stream.feed("late-secret\n") == "late-secret\n"
    masker.add("Late", "late-secret")
    assert stream.feed("late-secret\n") == "********\n"


def test_overlapping_secrets_are_masked_together() -> None:
    masker = Masker([("One", "xxpass"), ("Two", "password")])
    assert masker.mask("a xxpassword b") == "a ******** b"


def test_powershell_csharp_and_encoded_commands_are_masked() -> None:
    masker = Masker([("Password", "p\"a$s`s\\w'd")])
    command = base64.b64encode('Login -P x"p"a$s`s\\w\'d"'.encode("utf-16-le")).decode()
    for text in ('"p`"a`$s``s\\w\'d"', "p\\\"a$s`s\\\\w\\'d", 'p""a$s`s\\w\'d', "p\"a$s`s\\w''d"):
        assert "********" in masker.mask(text)
    assert "********" in masker.mask(command)


def test_a_secret_longer_than_the_text_held_back_is_masked() -> None:
    chance = random.Random(3)
    value = "".join(chance.choices(string.ascii_letters, k=20_000))
    stream = Masker([("Blob", value)]).stream()
    text = f"<{value}>"
    output = "".join(stream.feed(text[at : at + 1000]) for at in range(0, len(text), 1000)) + stream.flush()
    assert re.fullmatch(r"<\*+>", output)


def test_of_an_enormous_value_the_first_part_is_masked_and_its_name_told() -> None:
    warnings: list[str] = []
    masker = Masker([("Blob", "0123456789abcdef" * 80_000)], warnings.append)
    assert masker.mask("0123456789abcdef" * 256) == "********"
    assert "Blob" in warnings[0]


def test_hardly_any_clean_line_is_altered() -> None:
    chance = random.Random(2)
    masker = Masker(
        (f"Secret{index}", "".join(chance.choices(string.ascii_letters + string.digits, k=12)))
        for index in range(200)
    )
    lines = [_line(chance) for _ in range(20_000)]
    altered = sum(masker.mask(line) != line for line in lines)
    assert altered <= len(lines) // 1000
