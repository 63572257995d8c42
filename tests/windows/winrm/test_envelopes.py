"""Answers of machines, good and bad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.winrm import soap
from windows.winrm import envelopes

ASKED = soap.Asked(action="Receive", resource="", message_id="uuid:1", shell_id="S", seconds=1, body=None)


@given(st.binary(max_size=9000), st.booleans())
def test_input_is_read_as_it_was_written(data: bytes, end: bool) -> None:
    asked = soap.read(envelopes.send('S"<1>', "C&1", data, end=end))
    stream = asked.find("Stream")
    assert stream is not None
    assert (asked.shell_id, stream.get("CommandId"), stream.get("End")) == ('S"<1>', "C&1", str(end).lower())
    assert asked.data == data


def test_output_of_several_pieces_is_put_together() -> None:
    pieces = [("stdout", b"a"), ("stderr", b"!"), ("stdout", b"b")]
    received = envelopes.read_received(soap.answer(ASKED, "ReceiveResponse", soap.received("C", pieces, None)))
    assert received == envelopes.Received(output=b"ab", error=b"!", exit_code=None)


@pytest.mark.parametrize("code", [0, 1, 3221225786, -1073741510])
def test_exit_code_comes_with_the_end(code: int) -> None:
    answer = soap.answer(ASKED, "ReceiveResponse", soap.received("C", [], code))
    assert envelopes.read_received(answer).exit_code == code


def test_fault_has_a_code_and_a_reason() -> None:
    assert envelopes.read_fault(soap.fault(ASKED, soap.SoapFault(170, "in\n  use"))) == (170, "in use")


@pytest.mark.parametrize("answer", [b"", b"<html>", b"<html/>", b"\xff\xfe", b"<a>" * 100])
def test_what_is_no_fault_is_none(answer: bytes) -> None:
    assert envelopes.read_fault(answer) is None


@pytest.mark.parametrize(
    "answer",
    [b"", b"<x/>", b"nonsense", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'],
)
def test_answers_that_are_none_are_refused(answer: bytes) -> None:
    for read in (envelopes.read_shell_id, envelopes.read_command_id, envelopes.read_envelope_kb):
        with pytest.raises(ValueError, match=r"."):
            read(answer)
