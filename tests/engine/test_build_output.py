"""What is made of the lines that the classic builder prints."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from agent.engine.build_output import Source, decode_events, follow_build
from agent.engine.dockerfile import instructions
from agent.errors import DockwrightError, StorageError

DOCKERFILE = "# syntax\nFROM base\n\nCOPY a /\nRUN make \\\n  all\n"
SOURCE = Source(dockerfile="Dockerfile", instructions=tuple(instructions(DOCKERFILE)))


def events(*messages: object) -> list[bytes]:
    return [json.dumps(message).encode() + b"\r\n" for message in messages]


def step(number: int, text: str) -> dict[str, str]:
    return {"stream": f"Step {number}/3 : {text}\n"}


def follow(*messages: object) -> tuple[str, list[str]]:
    lines: list[str] = []
    return follow_build(decode_events(events(*messages)), SOURCE, lines.append), lines


def failure(*messages: object) -> DockwrightError:
    with pytest.raises(DockwrightError) as failed:
        follow(*messages)
    return failed.value


def test_image_is_the_one_that_the_engine_names() -> None:
    aux = {"aux": {"ID": "sha256:abc"}}
    image, lines = follow(
        step(1, "FROM base"), {"stream": " ---> 123\n"}, aux, {"stream": "Successfully built 123\n"}
    )
    assert image == "sha256:abc"
    assert lines == ["Step 1/3 : FROM base", " ---> 123", "Successfully built 123"]


def test_older_engines_name_it_in_their_last_line_only() -> None:
    assert follow({"stream": "Successfully built 0123456789ab\n"})[0] == "0123456789ab"


def test_failing_command_is_named_with_its_line_and_exit_code() -> None:
    detail = {"code": 2, "message": "The command '/bin/sh -c make all' returned a non-zero code: 2"}
    error = failure(step(1, "FROM base"), step(3, "RUN make all"), {"stream": "no rule\n"}, {"errorDetail": detail})
    assert str(error) == "Dockerfile:5: RUN make all: exited with 2"
    assert error.output == ("Step 1/3 : FROM base", "Step 3/3 : RUN make all", "no rule")


def test_other_failures_keep_the_engines_words() -> None:
    error = failure(step(2, "COPY a /"), {"error": "COPY failed: stat a:\n  file does not exist"})
    assert str(error) == "Dockerfile:4: COPY a /: COPY failed: stat a: file does not exist"


@pytest.mark.parametrize("prefix", ["dockerfile parse error line 7: ", "dockerfile parse error on line 7: "])
def test_syntax_errors_have_the_line_that_the_engine_says(prefix: str) -> None:
    assert str(failure({"error": f"{prefix}unknown instruction: FOO"})) == "Dockerfile:7: unknown instruction: FOO"


def test_full_disk_is_not_the_dockerfiles_fault() -> None:
    error = failure(step(3, "RUN make"), {"error": "write /var/lib/docker/x: no space left on device"})
    assert isinstance(error, StorageError)


@pytest.mark.parametrize("reason", ["dial tcp: lookup r.io: no such host", "dial tcp 10.0.0.1:443: i/o timeout"])
def test_base_image_out_of_reach_is_told_with_what_to_do(reason: str) -> None:
    said = str(failure(step(1, "FROM base"), {"error": f'Get "https://r.io/v2/": {reason}'}))
    assert "let the engine's machine reach that registry" in said
    assert "let the engine's machine" not in str(failure(step(3, "RUN make"), {"error": reason}))


def test_step_beyond_the_dockerfile_is_no_crash() -> None:
    assert str(failure(step(9, "RUN x"), {"error": "boom"})) == "Dockerfile: boom"


def test_end_without_an_image_is_an_error() -> None:
    assert "without an image" in str(failure(step(1, "FROM base")))


def test_error_quotes_long_output_in_part() -> None:
    error = failure(step(3, "RUN make"), *({"stream": f"{n}\n"} for n in range(500)), {"error": "x" * 100_000})
    assert len(str(error)) < 1_000
    assert "\n" not in str(error)
    assert error.output[-1] == "499"
    assert len(error.output) == 40


def test_lines_are_whole_however_they_come() -> None:
    _, lines = follow(
        {"stream": "one\ntw"}, {"stream": "o\r\n"}, {"stream": "10%\r20%\r"}, {"stream": "30%\n"}, BUILT
    )
    assert lines == ["one", "two", "30%", "Successfully built 0123456789ab"]


def test_line_without_end_is_cut() -> None:
    _, lines = follow({"stream": "x" * 100_000}, {"stream": "\n"}, BUILT)
    assert max(map(len, lines)) <= 16 * 1024
    assert sum(map(len, lines[:-1])) == 100_000


def test_pull_of_a_base_image_shows_without_its_progress_bars() -> None:
    progress = {"status": "Downloading", "id": "abc", "progressDetail": {"current": 1, "total": 2}}
    _, lines = follow({"status": "Pulling from x", "id": "1"}, progress, {"status": "Digest: sha256:1"}, BUILT)
    assert lines == ["1: Pulling from x", "Digest: sha256:1", "Successfully built 0123456789ab"]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_messages_are_found_however_the_bytes_are_cut(size: int) -> None:
    whole = b"".join(events({"stream": "é\n"}, {"aux": {"ID": "x"}}, {"status": "s"}))
    cut = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert [event.stream for event in decode_events(cut)] == ["é\n", None, None]


@pytest.mark.parametrize("junk", [b"<html>\n", b"[1]\n", b'{"stream": 5}\n', b'{"error', b"\xff\xfe\n"])
def test_what_is_no_message_is_said_to_be_none(junk: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        list(decode_events([junk]))


def test_message_without_end_is_refused_in_bounded_memory() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    with pytest.raises(msgspec.ValidationError, match="without end"):
        list(decode_events(endless()))


BUILT = {"stream": "Successfully built 0123456789ab\n"}
