from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import pytest

from agent.errors import TransformError
from agent.transform import ChangedFile, TransformFailure, TransformSettings, transform, unified_diff
from agent.transform.settings import ConfigTransformSettings
from agent.variables import Variables

WEB = '<configuration>\n  <appSettings>\n    <add key="Url" value="#{Url}" />\n  </appSettings>\n</configuration>\n'
RELEASE = (
    '<configuration xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform">\n  <appSettings>\n'
    '    <add key="Mode" value="x" xdt:Transform="Insert" />\n  </appSettings>\n</configuration>\n'
)


def test_the_features_run_in_order_on_what_the_ones_before_left(tmp_path: Path) -> None:
    (tmp_path / "web.config").write_text(WEB, encoding="utf-8")
    (tmp_path / "web.Release.config").write_text(RELEASE, encoding="utf-8")
    settings = TransformSettings(
        substitute=("web.config",),
        config_transforms=ConfigTransformSettings(automatic=True),
        config_variables=True,
        structured=("web.config",),
    )
    variables = Variables.of(
        {"Url": "http://here", "Mode": "live", "/configuration/appSettings/add[@key='Url']/@value": "last"}
    )
    done = transform(tmp_path, settings, variables)
    text = (tmp_path / "web.config").read_text(encoding="utf-8-sig")
    assert 'key="Url" value="last"' in text
    assert 'key="Mode" value="live"' in text
    assert [file.path for file in done.files] == ["web.config"]
    assert [feature for feature, _ in dict.fromkeys((change.feature, 0) for change in done.changes)] == [
        "substitute",
        "config-transforms",
        "config-variables",
        "structured",
    ]


def test_a_failure_in_the_last_feature_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("#{a}", encoding="utf-8")
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    with pytest.raises(TransformFailure) as failure:
        transform(
            tmp_path, TransformSettings(substitute=("*.txt",), structured=("*.json",)), Variables.of({"a": "1"})
        )
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "#{a}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.json"]
    assert any("a.txt" in message.text for message in failure.value.messages)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": {"b": 1}, "c": "#{a:b}"}', encoding="utf-8")
    (tmp_path / "a.yaml").write_text("a:\n  b: 1 # x\nc: #{a:b}\n", encoding="utf-8")
    settings = TransformSettings(substitute=("a.*",), structured=("a.*",))
    assert len(transform(tmp_path, settings, Variables.of({"a:b": "2"})).files) == 2
    assert transform(tmp_path, settings, Variables.of({"a:b": "2"})).files == ()


def test_a_tree_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="not a folder"):
        transform(tmp_path / "missing", None, Variables.of({}))


def test_files_that_no_target_names_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        (tmp_path / f"{number}.json").write_text('{"k": 1}', encoding="utf-8")
    opened: list[tuple[str, str]] = []
    real = io.open

    def noting(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        opened.append((str(file), mode))
        return real(file, mode, *arguments, **named)

    monkeypatch.setattr(io, "open", noting)
    done = transform(tmp_path, TransformSettings(structured=("7.json", "1?.json")), Variables.of({"k": "2"}))
    assert len(done.files) == 11
    assert {Path(file).name for file, mode in opened if mode == "rb"} == {
        "7.json",
        *(f"1{i}.json" for i in range(10)),
    }


def test_a_read_only_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("#{a}", encoding="utf-8")
    path.chmod(stat.S_IRUSR)
    with pytest.raises(TransformError, match=r"a\.txt is read-only"):
        transform(tmp_path, TransformSettings(substitute=("a.txt",)), Variables.of({"a": "1"}))


def test_a_diff_shows_both_sides_masked_and_decoded() -> None:
    file = ChangedFile(
        path="app/a.txt", before="one\r\nsecret é\r\n".encode("utf-16"), after="one\r\nother é\r\n".encode()
    )
    assert unified_diff(file, lambda text: text.replace("secret", "***")) == (
        "--- a/app/a.txt\n+++ b/app/a.txt\n@@ -1,2 +1,2 @@\n one\n-*** é\n+other é\n"
    )


def test_a_diff_of_a_huge_file_is_summed_up() -> None:
    file = ChangedFile(path="a", before=b"x\n" * 30_000, after=b"y\n" * 30_000)
    assert unified_diff(file, str).splitlines()[-1] == "(30,000 lines before, 30,000 after)"
