"""Variables files of both generations, whole and broken."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import StorageError, VariablesError
from agent.variables.encryption import encrypt
from agent.variables.files import environment_variables, read_variables, write_variables
from agent.variables.variable import Variable

Write = Callable[[str | bytes], Path]
_ARRAY = '[{"k":"Name","v":"Value","s":false},{"k":"Token","v":"t0ken","s":true},{"k":"Gone","v":null}]'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(content: str | bytes) -> Path:
        path = tmp_path / "variables.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def problem(path: Path, password: str | None = None) -> str:
    with pytest.raises(VariablesError) as caught:
        read_variables(path, password)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_the_array_of_today_is_read(write: Write) -> None:
    path = write(_ARRAY)
    assert read_variables(path, None) == (
        Variable("Name", "Value", False, str(path)),
        Variable("Token", "t0ken", True, str(path)),
        Variable("Gone", None, False, str(path)),
    )


def test_the_object_of_before_is_read(write: Write) -> None:
    path = write('{"Name": "Value",\r\n "When": "2020-01-01T00:00:00Z", "Gone": null}')
    assert [(each.name, each.value, each.sensitive) for each in read_variables(path, "")] == [
        ("Name", "Value", False),
        ("When", "2020-01-01T00:00:00Z", False),
        ("Gone", None, False),
    ]


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_encrypted_file_is_read_with_either_key_and_mark(write: Write, bits: int, mark: bytes) -> None:
    path = write(encrypt(mark + _ARRAY.encode(), "password", bits=128 if bits == 128 else 256))
    assert [each.name for each in read_variables(path, "password")] == ["Name", "Token", "Gone"]


def test_every_value_of_an_encrypted_object_is_sensitive(write: Write) -> None:
    path = write(encrypt(b'{"Token": "t0ken"}', "password"))
    assert read_variables(path, "password") == (Variable("Token", "t0ken", True, str(path)),)


def test_a_plain_file_may_have_a_byte_order_mark(write: Write) -> None:
    assert read_variables(write(b"\xef\xbb\xbf \r\n" + '[{"k":"Größe","v":"ß"}]'.encode()), None)[0].value == "ß"


def test_duplicates_are_all_returned_in_order(write: Write) -> None:
    found = read_variables(write('[{"k":"a","v":"1"},{"k":"A","v":"2"},{"k":"a","v":"3"}]'), None)
    assert [each.value for each in found] == ["1", "2", "3"]


def test_fields_of_a_later_server_are_passed_over(write: Write) -> None:
    assert len(read_variables(write('[{"k":"a","v":"1","s":true,"type":{"x":[1]}}]'), None)) == 1


def test_no_variables_are_fine(write: Write) -> None:
    assert read_variables(write("[]"), None) == ()
    assert read_variables(write("{}"), None) == ()


def test_a_value_of_fifty_megabytes_is_read(write: Write) -> None:
    value = "0123456789" * 5_000_000
    assert read_variables(write(f'[{{"k":"Big","v":"{value}"}}]'), None)[0].value == value


def test_a_password_that_is_missing_is_asked_for(write: Write) -> None:
    path = write(encrypt(_ARRAY.encode(), "password"))
    assert problem(path) == "is encrypted; give its password"
    assert problem(path, "") == "is encrypted; give its password"


def test_a_password_for_a_plain_file_is_refused(write: Write) -> None:
    assert "is not encrypted" in problem(write(_ARRAY), "password")


@pytest.mark.parametrize("password", [f"wrong{number}" for number in range(40)])
def test_a_wrong_password_is_told(write: Write, password: str) -> None:
    assert "password is wrong, or the file is damaged" in problem(
        write(encrypt(_ARRAY.encode(), "password", iv=bytes(16))), password
    )


def test_a_wrong_password_that_unpads_by_chance_is_told_too(write: Write) -> None:
    garbage = bytes(range(128, 255)) * 2
    assert "password is wrong, or the file is damaged" in problem(write(encrypt(garbage, "password")), "password")


def test_a_damaged_encrypted_file_is_told(write: Write) -> None:
    made = encrypt(_ARRAY.encode(), "password")
    assert "cut off" in problem(write(made[:-3]), "password")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("[", "it ends too early near line 1, column 2"),
        ('[{"k":"a",\n  "v":nul}]', "invalid character near line 2, column 11"),
        ('[{"k":"äö","v":"b"},]', "trailing comma in array near line 1, column 21"),
        ('[{"k":"a","v":"b"}] x', "trailing characters near line 1, column 22"),
        ("k=v", "is not JSON"),
        ('"text"', "is not JSON"),
        ('[{"k":"a"},{"k":"b","v":5}]', "entry 2, `v`: Expected `str | null`, got `int`"),
        ('[{"k":"a","v":"b","s":"True"}]', "entry 1, `s`: Expected `bool`, got `str`"),
        ('[{"v":"b"}]', "entry 1: Object missing required field `k`"),
        ('["a"]', "entry 1: Expected `object`, got `str`"),
        ('[{"k":"","v":"b"}]', "entry 1 has no name"),
        ('{"a":"b","c":{"d":"e"}}', "variable 'c': Expected `str | null`, got `object`"),
        ("[" * 100_000, "entry 1: Expected `object`, got `array`"),
        ('[{"k":"a","x":' + "[" * 100_000, "is nested far too deep"),
        ('{"a":' + "[" * 100_000, "a variable: Expected `str | null`, got `array`"),
        (b'[{"k":"a",\n"v":"\xff"}]', "is not UTF-8 at byte 16 (line 2)"),
        ("[]".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_a_broken_file_is_told_with_the_place(write: Write, content: str | bytes, expected: str) -> None:
    assert expected in problem(write(content))


def test_a_value_is_never_part_of_a_message(write: Write) -> None:
    assert "s3cret" not in problem(write('[{"k":"a","v":["s3cret"]}]'))
    assert "s3cret" not in problem(write('[{"k":"a","v":"s3cret" "s3cret"}]'))
    assert "s3cret" not in repr(read_variables(write('[{"k":"a","v":"s3cret"}]'), None))


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    assert "no such file" in problem(tmp_path / "missing.json")
    assert "is a folder" in problem(tmp_path)
    assert "cannot be read" in problem(tmp_path / "nul\0l")
    (tmp_path / "file").touch()
    assert "cannot be read" in problem(tmp_path / "file" / "below")


@given(
    st.lists(st.tuples(st.text(min_size=1), st.none() | st.text(), st.booleans())),
    st.sampled_from([None, "password", "päßword\n"]),
)
def test_what_was_written_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str | None, bool]], password: str | None
) -> None:
    path = tmp_path_factory.mktemp("written") / "variables.json"
    variables = tuple(Variable(name, value, sensitive, str(path)) for name, value, sensitive in entries)
    write_variables(path, variables, password)
    assert read_variables(path, password) == variables


def test_a_written_file_is_as_calamari_writes_it_and_only_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "variables.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o666)
    write_variables(path, [Variable("Größe", "1"), Variable("Token", None, sensitive=True)], None)
    assert path.read_text(encoding="utf-8") == '[{"k":"Größe","v":"1","s":false},{"k":"Token","v":null,"s":true}]'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["variables.json"]


def test_an_encrypted_file_holds_nothing_readable(tmp_path: Path) -> None:
    path = tmp_path / "variables.json"
    write_variables(path, [Variable("Name", "Value")], "password")
    assert path.read_bytes().startswith(b"IV__")
    assert b"Name" not in path.read_bytes()


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be written"):
        write_variables(tmp_path / "folder", [], None)
    with pytest.raises(StorageError, match="cannot be written"):
        write_variables(tmp_path / "missing" / "variables.json", [], None)
    with pytest.raises(VariablesError, match="half a character"):
        write_variables(tmp_path / "variables.json", [Variable("a", "\ud800")], None)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_the_environment_comes_as_calamari_names_it() -> None:
    found = environment_variables({"PATH": "/bin", "Odd": "\udcff"})
    assert found == (
        Variable("env:PATH", "/bin", source="environment"),
        Variable("env:Odd", "\ufffd", source="environment"),
    )


def test_a_file_is_plain_json_for_any_other_reader(tmp_path: Path) -> None:
    path = tmp_path / "variables.json"
    write_variables(path, [Variable("a", 'quote " and \\ and \n')], None)
    assert json.loads(path.read_text(encoding="utf-8")) == [{"k": "a", "v": 'quote " and \\ and \n', "s": False}]
