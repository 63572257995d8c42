""".NET configuration transforms over a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import TransformError
from agent.transform.changes import FeatureResult
from agent.transform.config_definitions import PathStyle, parse_definition
from agent.transform.config_transforms import apply
from agent.transform.files import Workspace
from agent.transform.messages import TransformFailure
from agent.transform.settings import ConfigTransformRules, Target
from agent.variables import Variables

_SOURCE = b"<?xml version='1.0'?>\r\n<configuration>\r\n  <a  b='1' />\r\n</configuration>\r\n"


def _transform(rule: str) -> bytes:
    namespace = "http://schemas.microsoft.com/XML-Document-Transform"
    return f'<configuration xmlns:xdt="{namespace}">{rule}</configuration>'.encode()


def _set(value: str) -> bytes:
    return _transform(f'<a b="{value}" xdt:Transform="SetAttributes"/>')


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "web.config": _SOURCE,
        "web.Release.config": _set("release"),
        "web.Production.config": _transform('<a c="production" xdt:Transform="SetAttributes"/>'),
        "sub/app.config": _SOURCE,
        "sub/app.Release.config": _set("sub"),
        "rules/extra.config": _transform('<a e="explicit" b="first" xdt:Transform="SetAttributes"/>'),
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def _apply(tree: Path, rules: ConfigTransformRules) -> FeatureResult:
    workspace = Workspace(tree)
    result = apply(workspace, rules, Variables.of({}))
    workspace.commit()
    return result


def _explicit(*definitions: str, suppress_logging: bool = False) -> ConfigTransformRules:
    targets = tuple(Target(pattern=each) for each in definitions)
    return ConfigTransformRules(definitions=targets, suppress_logging=suppress_logging)


def test_the_naming_convention_finds_transforms_in_order(tree: Path) -> None:
    result = _apply(tree, ConfigTransformRules(automatic=True, environment="Production"))
    changed = _SOURCE.replace(b"b='1'", b"b='release'\r\n  \tc=\"production\"")
    assert (tree / "web.config").read_bytes() == changed
    assert b"b='sub'" in (tree / "sub/app.config").read_bytes()
    assert [path.name for path in result.used_as_transforms] == [
        "app.Release.config",
        "web.Release.config",
        "web.Production.config",
    ]
    assert [(change.file, change.rule) for change in result.changes] == [
        ("sub/app.config", "sub/app.Release.config:1"),
        ("web.config", "web.Release.config:1"),
        ("web.config", "web.Production.config:1"),
    ]


def test_explicit_transforms_come_before_the_convention(tree: Path) -> None:
    rules = ConfigTransformRules(automatic=True, definitions=(Target(pattern="rules/extra.config => web.config"),))
    result = _apply(tree, rules)
    assert [change.rule for change in result.changes if change.file == "web.config"] == [
        "rules/extra.config:1",
        "rules/extra.config:1",
        "web.Release.config:1",
    ]


def test_a_plain_definition_is_a_suffix(tree: Path) -> None:
    result = _apply(tree, _explicit("Production"))
    assert [change.file for change in result.changes] == ["web.config"]


def test_a_definition_that_finds_nothing_is_a_detail_unless_a_rule_says_more(tree: Path) -> None:
    result = _apply(tree, _explicit("none.config => web.config", "=> web.config"))
    assert [unmatched.rule for unmatched in result.unmatched] == ["none.config => web.config", "=> web.config"]
    assert {message.level for message in result.messages} == {"verbose"}
    strict = ConfigTransformRules(definitions=(Target(pattern="none.config => web.config", no_match="fail"),))
    with pytest.raises(TransformError, match="no matching files could be found"):
        _apply(tree, strict)


def test_the_same_transform_is_applied_once(tree: Path) -> None:
    twice = "rules/extra.config => web.config"
    result = _apply(tree, _explicit(twice, twice))
    assert len(result.changes) == 2
    assert any("overlapped with another transform" in message.text for message in result.messages)


def test_a_warning_fails_the_run_and_leaves_the_file(tree: Path) -> None:
    (tree / "web.Release.config").write_bytes(_transform('<none xdt:Transform="Remove"/>'))
    with pytest.raises(TransformFailure, match=r"web\.config failed with transformation file") as raised:
        _apply(tree, ConfigTransformRules(automatic=True))
    assert (tree / "web.config").read_bytes() == _SOURCE
    assert (tree / "sub/app.config").read_bytes() == _SOURCE
    errors = [message.text for message in raised.value.messages if message.level == "error"]
    assert errors[0].startswith("web.Release.config (1, 81) warning: No element in the source document matches")


def test_warnings_can_be_let_pass(tree: Path) -> None:
    (tree / "web.Release.config").write_bytes(_transform('<none xdt:Transform="Remove"/>'))
    result = _apply(tree, ConfigTransformRules(automatic=True, warnings_as_errors=False))
    assert [message.level for message in result.messages if "No element" in message.text] == ["warn"]


@pytest.mark.parametrize("broken", [b"<a>", _transform('<a xdt:Transform="Nope"/>')])
def test_errors_can_be_ignored_and_the_file_is_left(tree: Path, broken: bytes) -> None:
    (tree / "web.Release.config").write_bytes(broken)
    with pytest.raises(TransformError):
        _apply(tree, ConfigTransformRules(automatic=True))
    result = _apply(tree, ConfigTransformRules(automatic=True, ignore_errors=True))
    assert (tree / "web.config").read_bytes() == _SOURCE
    assert [change.file for change in result.changes] == ["sub/app.config"]
    assert any(message.level == "warn" for message in result.messages)
    assert not any(message.level == "error" for message in result.messages)


def test_the_engines_own_log_can_be_suppressed(tree: Path) -> None:
    loud = _apply(tree, _explicit("Production"))
    (tree / "web.config").write_bytes(_SOURCE)
    quiet = _apply(tree, _explicit("Production", suppress_logging=True))
    assert any(message.text.startswith("Executing SetAttributes") for message in loud.messages)
    assert not any(message.text.startswith("Executing") for message in quiet.messages)


def test_a_transform_outside_of_the_package_is_unknown(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "evil.config"
    outside.write_bytes(_set("evil"))
    for definition in (f"{outside} => ./web.config", f"../{outside.parent.name}/evil.config => web.config"):
        result = _apply(tree, _explicit(definition))
        assert result.unmatched
    assert (tree / "web.config").read_bytes() == _SOURCE


def test_a_source_or_transform_that_links_out_of_the_package_is_refused(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "app.config"
    outside.write_bytes(_SOURCE)
    (tree / "link.config").symlink_to(outside)
    (tree / "link.Release.config").write_bytes(_set("evil"))
    with pytest.raises(TransformError, match="leads out of the package"):
        _apply(tree, ConfigTransformRules(automatic=True))
    assert outside.read_bytes() == _SOURCE


@pytest.mark.parametrize(
    ("text", "transform", "source"),
    [
        ("Release", "Release", None),
        ("a.config=>b.config", "a.config", "b.config"),
        ("*.bar.config => *.config", "bar.config", ".config"),
        ("x/*.config => y/*.z.config", "x/.config", "y/z.config"),
    ],
)
def test_definitions_are_read_as_calamari_reads_them(text: str, transform: str, source: str | None) -> None:
    definition = parse_definition(text, PathStyle(system="posix"))
    assert definition is not None
    assert (definition.transform, definition.source) == (transform, source)
