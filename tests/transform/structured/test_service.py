from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import TransformError
from agent.transform import Transformed, TransformFailure, TransformSettings, transform
from agent.transform.settings import TargetRule
from agent.variables import Variables


def run(tree: Path, *targets: str | TargetRule, json_only: bool = False, **variables: str) -> Transformed:
    settings = TransformSettings(structured=targets, json_only=json_only)
    return transform(
        tree, settings, Variables.of({name.replace("__", ":"): value for name, value in variables.items()})
    )


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "format_"),
    [
        ("a.json", '{"k": "v"}', "Json"),
        ("a.JSON", '{"k": "v"}', "Json"),
        ("a.yaml", '{"k": "v"}', "Json"),
        ("a.yml", "k: v", "Yaml"),
        ("a.properties", "k=v", "Properties"),
        ("a.conf", '{"k": "v"}', "Json"),
        ("a.conf", "k: v", "Yaml"),
        ("a.conf", "k: v\n\tl: v", "Properties"),
    ],
)
def test_the_format_is_found_by_name_and_content(tmp_path: Path, name: str, text: str, format_: str) -> None:
    path = write(tmp_path / name, text)
    done = run(tmp_path, name, k="new")
    assert path.read_text(encoding="utf-8") == text.replace("v", "new", 1)
    assert f"Structured variable replacement succeeded on file {name} with format {format_}" in [
        message.text for message in done.messages
    ]


@pytest.mark.parametrize(
    ("name", "text", "format_"),
    [("a.json", "k: v", "Json"), ("a.yaml", "k: [", "Yaml"), ("a.properties", "k=\\u1", "Properties")],
)
def test_a_file_of_no_format_fails_with_its_place_and_changes_no_file(
    tmp_path: Path, name: str, text: str, format_: str
) -> None:
    good, bad = write(tmp_path / "0.json", '{"k": 1}'), write(tmp_path / name, text)
    with pytest.raises(TransformFailure) as failure:
        run(tmp_path, "0.json", name, k="2")
    assert f"failed on file {name}. The file could not be parsed as {format_}" in str(failure.value)
    assert "line 1" in str(failure.value)
    assert any("succeeded on file 0.json" in message.text for message in failure.value.messages)
    assert (good.read_text(encoding="utf-8"), bad.read_text(encoding="utf-8")) == ('{"k": 1}', text)


def test_the_fallback_flag_takes_every_file_for_json(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "k: v")
    with pytest.raises(TransformError, match="could not be parsed as Json"):
        run(tmp_path, "a.yaml", json_only=True)


def test_a_folder_and_a_pattern_without_files_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    done = run(tmp_path, "app", "*.json")
    assert [message.level for message in done.messages] == ["warn", "warn"]
    assert "Skipping structured variable replacement on 'app' because it is a directory." in done.messages[0].text
    assert "'*.json'" in done.messages[1].text
    assert [(each.feature, each.rule) for each in done.unmatched] == [("structured", "app"), ("structured", "*.json")]


def test_each_rule_says_what_finding_nothing_means(tmp_path: Path) -> None:
    assert run(tmp_path, TargetRule(target="*.json", no_match="ignore")).messages == ()
    with pytest.raises(TransformError, match=r"\*\.json"):
        run(tmp_path, TargetRule(target="*.json", no_match="fail"))


def test_files_without_a_match_fail_only_where_a_rule_says_so(tmp_path: Path) -> None:
    write(tmp_path / "a.json", '{"k": 1}')
    assert [message.level for message in run(tmp_path, "a.json").messages if message.level == "warn"] == []
    done = run(tmp_path, TargetRule(target="a.json", no_match="warn"))
    assert done.messages[-1].level == "warn"
    with pytest.raises(TransformError, match="No variable names a structure"):
        run(tmp_path, TargetRule(target="a.json", no_match="fail"))


def test_an_untouched_file_keeps_its_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '{ "k":1 }')
    before = path.stat()
    assert run(tmp_path, "a.json", other="2").files == ()
    assert path.stat() == before


def test_a_file_named_by_two_targets_is_changed_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '{"k": "1"}')
    done = run(tmp_path, "*.json", "a.json", k="2")
    assert path.read_text(encoding="utf-8") == '{"k": "2"}'
    assert len(done.changes) == 1
    assert len(done.files) == 1
