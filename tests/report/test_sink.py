"""Writing never fails, whatever becomes of the stream."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from agent.report.sink import Sink, printable


def a_stream(encoding: str) -> tuple[io.BytesIO, io.TextIOWrapper]:
    raw = io.BytesIO()
    return raw, io.TextIOWrapper(raw, encoding=encoding, newline="\n")


def test_letters_that_the_stream_lacks_are_escaped() -> None:
    raw, stream = a_stream("ascii")
    Sink(stream).line("grüße \ud800")
    assert raw.getvalue() == b"gr\\xfc\\xdfe \\ud800\n"


def test_half_a_character_does_not_break_utf_8() -> None:
    raw, stream = a_stream("utf-8")
    Sink(stream).line("ü \ud800")
    assert raw.getvalue() == "ü \\ud800\n".encode()


def test_a_display_keeps_its_columns() -> None:
    raw, stream = a_stream("ascii")
    Sink(stream, keep_width=True).line("✓ ok…")
    assert raw.getvalue() == b"? ok?\n"


def test_a_closed_stream_is_no_failure() -> None:
    raw, stream = a_stream("utf-8")
    stream.detach()
    sink = Sink(stream)
    sink.line("text")
    sink.line("more")
    assert raw.getvalue() == b""


def test_a_full_disk_is_no_failure(tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream, (tmp_path / "room").open("wb") as room:
        sink = Sink(stream)
        sink.line("text")
        os.dup2(room.fileno(), stream.fileno())
        sink.line("there is room again")
    assert (tmp_path / "room").read_text(encoding="utf-8").endswith("there is room again\n")


def test_a_reader_that_goes_away_ends_nothing_and_leaves_no_trace(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from agent.report.sink import Sink\n"
        "sink = Sink(sys.stdout)\n"
        "sys.stdin.readline()\n"
        "for _ in range(9): sink.line('x' * 99999)\n"
        "Sink(sys.stderr).line('still here')\n",
        encoding="utf-8",
    )
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.stderr.read() == b"still here\n"
        assert process.wait() == 0


def test_a_line_cannot_carry_a_message() -> None:
    stream = io.StringIO()
    sink = Sink(stream)
    sink.line("##octopus[setVariable]")
    sink.message("setVariable", name="a", value=None)
    assert stream.getvalue() == '# #octopus[setVariable]\n##octopus[setVariable name="YQ=="]\n'


def test_terminal_codes_are_removed() -> None:
    hostile = "a\x1b[31mb\x1b[0m\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1b(Be\rf\x08g\x9b2Jh\ti\n"
    assert printable(hostile) == "abcdefg2Jh\ti\n"
