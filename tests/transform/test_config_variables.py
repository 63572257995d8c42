""".NET configuration variables over a tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from agent.errors import TransformError
from agent.transform.changes import FeatureResult
from agent.transform.config_variables import Values, apply, configure
from agent.transform.files import Workspace
from agent.transform.messages import TransformFailure
from agent.transform.settings import ConfigVariableRules
from agent.variables import Variables
from tests.transform.xml.documents import documents, patient

_CONFIG = """<?xml version='1.0' encoding="iso-8859-1"?>\r
<configuration>\r
  <appSettings file = 'x'>\r
    <add key='Color'\tvalue = 'red' />   <!-- é -->\r
    <add key="Empty"/>\r
    <remove key="Color" />\r
  </appSettings>\r
  <connectionStrings><add name="Db" connectionString="old &amp; gold"/></connectionStrings>\r
  <applicationSettings><My.Settings>\r
    <setting name="Mode"><value>a</value></setting>\r
    <setting name="None" />\r
  </My.Settings></applicationSettings>\r
  <userSettings><My.Settings><setting name="Mode"><value>a</value></setting></My.Settings></userSettings>\r
</configuration>\r
""".encode("iso-8859-1")


def _configured(variables: dict[str, str | None]) -> bytes:
    return configure(_CONFIG, Values(Variables.of(variables)), "app.config").data


@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("color", "it's <b>", b"value = 'red'", b"value = 'it&apos;s &lt;b&gt;'"),
        ("Empty", "x", b'<add key="Empty"/>', b'<add key="Empty" value="x"/>'),
        ("DB", "a&b\n", b'"old &amp; gold"', b'"a&amp;b&#xA;"'),
        ("Color", None, b"value = 'red'", b"value = ''"),
        ("None", "<y>", b'<setting name="None" />', b'<setting name="None"><value>&lt;y&gt;</value></setting>'),
        ("Color", "€", b"value = 'red'", b"value = '&#x20AC;'"),
    ],
)
def test_a_setting_takes_its_value_and_nothing_else_changes(
    name: str, value: str | None, old: bytes, new: bytes
) -> None:
    assert old in _CONFIG
    assert _configured({name: value}) == _CONFIG.replace(old, new)


def test_application_settings_count_user_settings_do_not() -> None:
    assert _configured({"Mode": "b"}) == _CONFIG.replace(b"<value>a</value>", b"<value>b</value>", 1)


def test_a_file_without_a_named_setting_stays_the_same() -> None:
    assert configure(_CONFIG, Values(Variables.of({"Other": "x", "value": "y"})), "app.config").data is _CONFIG


@patient
@given(documents())
def test_a_document_that_no_variable_names_stays_byte_for_byte(text: str) -> None:
    data = text.encode("utf-8")
    assert configure(data, Values(Variables.of({"a": "x"})), "app.config").data is data


def test_setting_twice_is_setting_once() -> None:
    values = Values(Variables.of({"Color": "b&w", "Mode": "x\ny", "None": "z", "Empty": ""}))
    once = configure(_CONFIG, values, "app.config").data
    assert configure(once, values, "app.config").data == once


def test_changes_name_their_places_and_hide_secrets() -> None:
    variables = Variables.of({"Color": "hush", "Mode": "b"}, sensitive=["Color"])
    done = configure(_CONFIG, Values(variables), "app.config")
    assert [change.shown() for change in done.changes] == [
        "app.config: /configuration/appSettings/add[1]/@value: ******** -> ******** (Color)",
        "app.config: /configuration/applicationSettings/My.Settings/setting[1]/value: 'a' -> 'b' (Mode)",
    ]
    assert not any("hush" in message.text for message in done.messages)


def _apply(tree: Path, variables: Variables, rules: ConfigVariableRules | None = None) -> FeatureResult:
    workspace = Workspace(tree)
    result = apply(workspace, rules or ConfigVariableRules(), variables)
    workspace.commit()
    return result


def test_every_config_file_below_the_tree_is_set_but_those_that_were_transforms(tmp_path: Path) -> None:
    for name in ("a.config", "b/c.config", "b/d.Release.config", "e.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(_CONFIG)
    skip = (tmp_path.resolve() / "b/d.Release.config",)
    result = _apply(tmp_path, Variables.of({"Color": "x"}), ConfigVariableRules(skip=skip))
    assert [change.file for change in result.changes] == ["a.config", "b/c.config"]
    assert (tmp_path / "b/d.Release.config").read_bytes() == _CONFIG
    assert (tmp_path / "e.xml").read_bytes() == _CONFIG
    assert any("'b/d.Release.config' was interpreted as" in message.text for message in result.messages)


def test_a_file_that_is_not_xml_fails_the_run_and_no_file_changes(tmp_path: Path) -> None:
    (tmp_path / "a.config").write_bytes(_CONFIG)
    (tmp_path / "b.config").write_text("<a>\n<b></a>", encoding="utf-8")
    with pytest.raises(TransformFailure, match=r"b\.config: .*line 2, column 8") as raised:
        _apply(tmp_path, Variables.of({"Color": "x"}))
    assert (tmp_path / "a.config").read_bytes() == _CONFIG
    assert [message.text for message in raised.value.messages if message.level == "error"] == [
        "Exception while replacing configuration-variables in: b.config"
    ]


def test_ignored_errors_leave_only_the_broken_file_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.config").write_bytes(_CONFIG)
    (tmp_path / "b.config").write_text("<a>&nbsp;</a>", encoding="utf-8")
    result = _apply(tmp_path, Variables.of({"Color": "x"}), ConfigVariableRules(ignore_errors=True))
    assert [change.file for change in result.changes] == ["a.config"]
    assert (tmp_path / "b.config").read_text(encoding="utf-8") == "<a>&nbsp;</a>"
    assert any(
        message.text.startswith("Ignoring variable replacement error: b.config") for message in result.messages
    )


def test_a_value_that_xml_cannot_hold_fails_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "a.config").write_bytes(_CONFIG)
    with pytest.raises(TransformError, match=r"'Color' holds U\+0000") as raised:
        _apply(tmp_path, Variables.of({"Color": "hush\0"}))
    assert "hush" not in str(raised.value)
    assert (tmp_path / "a.config").read_bytes() == _CONFIG


def test_finding_nothing_can_be_made_to_fail(tmp_path: Path) -> None:
    (tmp_path / "a.config").write_bytes(_CONFIG)
    assert not _apply(tmp_path, Variables.of({"Other": "x"})).unmatched
    with pytest.raises(TransformError, match="No variable names a setting"):
        _apply(tmp_path, Variables.of({"Other": "x"}), ConfigVariableRules(no_match="fail"))
