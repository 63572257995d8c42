"""Service messages: written as Calamari writes them, read as a server reads them, never forged."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.service_messages import ServiceMessage, break_up, message, parse


def test_values_are_base64_and_names_are_plain() -> None:
    assert message("setVariable", name="Paul", value="my-parameter-value") == (
        '##octopus[setVariable name="UGF1bA==" value="bXktcGFyYW1ldGVyLXZhbHVl"]'
    )


def test_an_absent_value_is_left_out_and_a_name_alone_is_a_message() -> None:
    assert message("stdout-verbose") == "##octopus[stdout-verbose]"
    assert message("progress", percentage="1", message=None) == '##octopus[progress percentage="MQ=="]'


@given(st.text(), st.text())
def test_what_is_written_can_be_read(name: str, value: str) -> None:
    written = message("setVariable", name=name, value=value)
    as_sent = {key: text.encode("utf-8", "replace").decode() for key, text in (("name", name), ("value", value))}
    assert list(parse(written)) == [ServiceMessage(name="setVariable", properties=as_sent)]


@pytest.mark.parametrize(
    "text",
    [
        "##octopus[setVariable name='UGF1bA==' value='MQ==']",
        "noise ##octopus[setVariable NAME=\"UGF1bA==\" value='MQ=='] noise",
        '##octopus[setVariable name="UGF1\r\nbA==" val\nue="MQ=="]',
        '##octopus[setVariable  name="UGF1bA=="  value = "MQ==" ]',
    ],
)
def test_a_message_is_read_wherever_and_however_it_stands(text: str) -> None:
    assert list(parse(text)) == [ServiceMessage(name="setVariable", properties={"name": "Paul", "value": "1"})]


@pytest.mark.parametrize(
    "text",
    [
        "###octopus[setVariable name='UGF1bA==']",
        "##octopus[setVariable name='Paul!']",
        "##octopus[setVariable name='UGF1bA==' Name='UGF1bA==']",
        "##octopus[setVariable name=UGF1bA==]",
        "##octopus[set<Variable]",
        "##octopus[setVariable name='UGF1bA=='",
        "##octopus[]",
    ],
)
def test_a_broken_message_is_passed_over(text: str) -> None:
    assert list(parse(text)) == []


def test_several_messages_on_a_line_are_all_read() -> None:
    assert [each.name for each in parse("##octopus[a]x##octopus[b] ##octopus[c d]##octopus[e]")] == ["a", "b", "e"]


_FORGED = "##octopus[setVariable name='UGF1bA==' value='MQ==']"


def test_a_broken_up_message_is_no_message() -> None:
    assert list(parse(break_up(f"x {_FORGED} {_FORGED}\n#{_FORGED}"))) == []


def test_text_without_a_label_stays_as_it_is() -> None:
    text = "## heading\nissue #12, # octopus\n"
    assert break_up(text) == text


@given(st.lists(st.integers(0, len(_FORGED)), max_size=5), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_lines_that_are_broken_up_one_by_one_make_no_message_together(cuts: list[int], joint: str) -> None:
    bounds = [0, *sorted(cuts), len(_FORGED)]
    lines = [_FORGED[start:end] for start, end in pairwise(bounds)]
    together = "".join(break_up(line) + joint for line in lines)
    assert "##octopus" not in re.sub(r"[\r\n]", "", together)
    assert "##octopus" not in re.sub(r"[\r\n]", "", break_up(joint.join(lines)))


def test_a_label_in_other_letters_is_broken_up_too() -> None:
    assert "##OCTOPUS" not in break_up("##OCTOPUS[setVariable]")
