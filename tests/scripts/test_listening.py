from hypothesis import given
from hypothesis import strategies as st

from agent.report.service_messages import message
from agent.scripts import Listener
from tests.scripts.hearing import Heard, heard


def listened(*lines: str) -> Heard:
    said = heard()
    said.listener = Listener(said.report)
    for line in lines:
        said.listener.line(line)
    said.listener.close()
    return said


def test_a_message_may_follow_text_without_a_line_break_and_be_followed_by_some() -> None:
    said = listened(f"progress 99%{message('setVariable', name='A', value='1')}done")
    assert said.listener.outputs == {"A": "1"}
    assert said.output == ["progress 99%", "done"]


def test_several_messages_may_share_a_line() -> None:
    both = message("setVariable", name="A", value="1") + message("setVariable", name="B", value="2")
    assert listened(both).listener.outputs == {"A": "1", "B": "2"}


def test_a_message_may_go_over_several_lines() -> None:
    text = message("setVariable", name="A", value="x" * 300)
    said = listened(text[:40], text[40:90], text[90:])
    assert said.listener.outputs == {"A": "x" * 300}
    assert said.output == []


def test_a_message_without_an_end_is_text() -> None:
    said = listened("##octopus[setVariable name='", "and nothing more")
    assert said.listener.outputs == {}
    assert "and nothing more" in "".join(said.output)


def test_a_message_that_cannot_be_read_is_told_of_and_passed_over() -> None:
    said = listened("##octopus[setVariable name='not base64!']")
    assert said.listener.outputs == {}
    assert "could not be read" in said.warnings[0]


def test_a_sensitive_value_is_masked_from_then_on() -> None:
    said = listened(message("setVariable", name="A", value="topsecret", sensitive="True"), "it is topsecret")
    assert said.listener.outputs == {}
    assert said.listener.sensitive == {"A": "topsecret"}
    assert said.output == ["it is ********"]


def test_lines_take_the_level_that_was_switched_to() -> None:
    said = listened("##octopus[stdout-warning]", "careful", "now", "##octopus[stdout-default]", "plain")
    assert said.warnings == ["careful\nnow"]
    assert said.output == ["plain"]
    assert listened("##octopus[stdout-ignore]", "hidden").text.count("hidden") == 0


def test_a_secret_over_two_lines_of_a_level_is_masked() -> None:
    said = heard()
    said.report.masker.add("Key", "first-half\nsecond-half")
    listener = Listener(said.report)
    for line in ("##octopus[stdout-highlight]", "first-half", "second-half", "##octopus[stdout-default]"):
        listener.line(line)
    listener.close()
    assert "half" not in said.text


def test_what_a_server_would_obey_and_we_do_not_goes_no_further() -> None:
    said = listened(message("create-tokenaccount", name="x"), "##octopus[delete-target machine='eA==']")
    assert said.output == []
    assert said.messages == [
        "the service message create-tokenaccount is not taken here",
        "the service message delete-target is not taken here",
    ]


def test_there_is_an_end_to_what_may_be_set() -> None:
    lines = [message("setVariable", name=f"N{number}", value="v") for number in range(1100)]
    said = listened(*lines, *[message("createArtifact", path=f"/{number}", name="n") for number in range(1100)])
    assert len(said.listener.outputs) == len(said.listener.artifacts) == 1000


@given(st.lists(st.text(alphabet="#octopus[]= '\"setVariable\n\rQUE=", max_size=60), max_size=8))
def test_no_text_is_too_strange(lines: list[str]) -> None:
    said = listened(*lines)
    assert said.listener.result == ""
