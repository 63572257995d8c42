from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.transform.text import Document, Lines, clean, decode, dominant_newline, encode, known_encoding, with_text


@given(st.binary(max_size=200))
def test_any_bytes_come_back_as_they_were(data: bytes) -> None:
    assert encode(decode(data)).data == data


@given(
    st.sampled_from([codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]),
    st.binary(max_size=60),
)
def test_any_bytes_behind_a_byte_order_mark_come_back_as_they_were(bom: bytes, data: bytes) -> None:
    assert encode(decode(bom + data)).data == bom + data


@pytest.mark.parametrize(
    ("data", "encoding", "bom", "text"),
    [
        (b"plain", "utf-8", False, "plain"),
        ("π".encode(), "utf-8", False, "π"),
        (codecs.BOM_UTF8 + "π".encode(), "utf-8", True, "π"),
        (codecs.BOM_UTF16_LE + "π".encode("utf-16-le"), "utf-16", True, "π"),
        (codecs.BOM_UTF16_BE + "π".encode("utf-16-be"), "utf-16BE", True, "π"),
        (codecs.BOM_UTF32_LE + "π".encode("utf-32-le"), "utf-32", True, "π"),
        (b"caf\xe9 \x80 \x81", "windows-1252", False, "café € \x81"),
    ],
)
def test_the_encoding_is_found(data: bytes, encoding: str, bom: bool, text: str) -> None:
    assert decode(data) == Document(text=text, encoding=encoding, bom=bom)


def test_a_declared_encoding_is_tried_first_but_not_before_a_byte_order_mark() -> None:
    assert decode("é".encode("latin-1"), "ISO-8859-1").encoding == "iso-8859-1"
    assert decode(codecs.BOM_UTF8 + b"a", "iso-8859-1").encoding == "utf-8"


def test_a_declared_encoding_that_does_not_fit_gives_way() -> None:
    assert decode(b"\xff", "utf-8").encoding == "windows-1252"
    assert decode(b"a", "no-such-encoding").encoding == "utf-8"


def test_text_that_the_encoding_cannot_hold_is_written_as_utf8_without_a_mark_and_said_so() -> None:
    encoded = encode(with_text(decode(b"\xe9"), "é ő"))
    assert (encoded.data, encoded.encoding, encoded.bom) == ("é ő".encode(), "utf-8", False)
    assert [message.level for message in encoded.messages] == ["warn"]
    assert "windows-1252" in encoded.messages[0].text


def test_a_chosen_encoding_writes_question_marks_and_says_so() -> None:
    encoded = encode(Document(text="aő", encoding="us-ascii"), lenient=True)
    assert encoded.data == b"a?"
    assert [message.level for message in encoded.messages] == ["warn"]


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("a\nb\nc\r\n", "\n"),
        ("a\r\nb\r\nc\n", "\r\n"),
        ("a\nb\r\n", "\n"),
        ("a\r\nb\n", "\r\n"),
        ("one line", "\r\n"),
        ("", "\r\n"),
        ("\n", "\n"),
        ("a\rb", "\r\n"),
    ],
)
def test_the_newline_used_most_is_dominant(text: str, newline: str) -> None:
    assert dominant_newline(text) == newline


@pytest.mark.parametrize("name", ["utf-666", "idna", "base64", "unicode_escape", "", "utf-7"])
def test_what_is_no_text_encoding_is_not_known(name: str) -> None:
    assert known_encoding(name) is None


def test_encodings_are_known_by_their_dotnet_names() -> None:
    names = ["UTF-8", "unicode", "utf-16BE", "latin1", "Windows-1252", "ascii"]
    assert [known_encoding(name) for name in names] == [
        "utf-8",
        "utf-16",
        "utf-16BE",
        "iso-8859-1",
        "windows-1252",
        "us-ascii",
    ]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert clean("a\ud800b\udc80") == "a\ufffdb\ufffd"


@given(st.text(alphabet="ab\n", max_size=30), st.integers(0, 29))
def test_lines_count_as_counting_by_hand(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    lines = Lines(text)
    assert lines.number(offset) == text.count("\n", 0, offset) + 1
    assert lines.start(offset) == text.rfind("\n", 0, offset) + 1
