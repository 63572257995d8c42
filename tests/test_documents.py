from pathlib import Path

import msgspec
import pytest

from agent.documents import MAXIMUM_BYTES, closest, parse_yaml, read_document
from agent.errors import InputError


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    http: str = ""
    timeout: float = 60
    stop_timeout: int = 10


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    name: str
    version: str = ""
    health: Health = Health()
    ports: list[str] = []
    enabled: bool = False
    checks: dict[str, Health] = {}
    others: list[Health] = []


def read(tmp_path: Path, text: str | bytes) -> Run:
    path = tmp_path / "step.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_document(path, Run)


def complaint(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_scalars_keep_their_spelling_where_text_is_wanted(tmp_path: Path) -> None:
    run = read(tmp_path, "name: on\nversion: 1.10\nhealth: {timeout: 2.5}\nenabled: true\n")
    assert (run.name, run.version, run.health.timeout, run.enabled) == ("on", "1.10", 2.5, True)


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfname: web\n").name == "web"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nam: x", "step.yaml: unknown key 'nam'; did you mean 'name'?"),
        ("name: x\nhealth: {htp: /}", "step.yaml: health: unknown key 'htp'; did you mean 'http'?"),
        ("name: x\nhealth: {stop_timeout: 1}", "health: unknown key 'stop_timeout'; did you mean 'stop-timeout'?"),
        ("name: x\nchecks: {a: {htp: /}}", "unknown key 'htp'; did you mean 'http'?"),
        ("name: x\nothers: [{timeot: 1}]", "others[0]: unknown key 'timeot'; did you mean 'timeout'?"),
        ("name: x\nzzz: 1", "known are name, version, health, ports, enabled, checks, others"),
        ("version: 1", "step.yaml: the key 'name' is required"),
        ("name: x\nhealth: {timeout: soon}", "step.yaml: health.timeout: expected a number, got text"),
        ("name: [x]", "step.yaml: name: expected text, got a list"),
        ("- name", "step.yaml: expected a mapping, got a list"),
        ("", "step.yaml is empty"),
        ("name: x\nname: y", "line 2: the key 'name' is given twice"),
        ("name: [x", "step.yaml, line 1, column 9: while parsing a flow sequence, expected ',' or ']'"),
        ("name: &a x\nversion: *a", "line 1: anchors and aliases are not taken here"),
        (
            "name: x\n---\nname: y",
            "line 2, column 1: expected a single document in the stream, but found another document",
        ),
        (b"name: \xff", "step.yaml is not UTF-8 (byte 6)"),
        ("name: " + "[" * 100, "nested deeper than 50 levels"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert expected in complaint(tmp_path, text)


def test_a_hundred_thousand_levels_are_refused_at_once(tmp_path: Path) -> None:
    assert "nested deeper" in complaint(tmp_path, "name: " + "[" * 100_000)


def test_a_manifest_of_megabytes_is_refused(tmp_path: Path) -> None:
    assert "at most 1,000,000" in complaint(tmp_path, "#" * (MAXIMUM_BYTES + 1))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_document(tmp_path / "step.yaml", Run)
    with pytest.raises(InputError, match="Is a directory"):
        read_document(tmp_path, Run)


def test_python_tags_stay_text() -> None:
    assert parse_yaml(b"a: !!python/object/apply:os.system ['true']", "x") == {"a": ["true"]}


def test_the_closest_known_word_is_suggested() -> None:
    assert closest("soruce-image", ("source-image", "run-image")) == "; did you mean 'source-image'?"
    assert closest("xyz", ("a", "b")) == "; known are a, b"
    assert closest("xyz", ()) == ""
