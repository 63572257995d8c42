"""XDT from file to file."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import TransformError
from agent.transform.xdt import XdtFatal, xdt_files

_RULES = '<r xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform"><a b="1" xdt:Transform="{}"/></r>'


def _files(tmp_path: Path, source: str, transform: str) -> tuple[Path, Path]:
    paths = tmp_path / "web.config", tmp_path / "web.Release.config"
    for path, text in zip(paths, (source, transform), strict=True):
        path.write_text(text, encoding="utf-8", newline="")
    return paths


def test_the_result_goes_to_its_own_file(tmp_path: Path) -> None:
    source, transform = _files(tmp_path, "<r><a/></r>", _RULES.format("SetAttributes"))
    result = xdt_files(source, transform, tmp_path / "out.config")
    assert not result.errors
    assert (tmp_path / "out.config").read_bytes() == b'<r><a b="1"/></r>'
    assert source.read_bytes() == b"<r><a/></r>"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.config", "web.Release.config", "web.config"]


def test_a_file_transformed_in_place_keeps_its_mode(tmp_path: Path) -> None:
    source, transform = _files(tmp_path, "<r><a/></r>", _RULES.format("SetAttributes"))
    source.chmod(0o640)
    xdt_files(source, transform, source)
    assert source.read_bytes() == b'<r><a b="1"/></r>'
    assert source.stat().st_mode & 0o777 == 0o640


def test_nothing_is_written_when_it_is_fatal(tmp_path: Path) -> None:
    source, transform = _files(tmp_path, "<r><a>", _RULES.format("SetAttributes"))
    with pytest.raises(XdtFatal, match=r"web\.config"):
        xdt_files(source, transform, tmp_path / "out.config")
    assert not (tmp_path / "out.config").exists()


def test_with_errors_the_rest_is_still_written(tmp_path: Path) -> None:
    source, transform = _files(tmp_path, "<r><a/></r>", _RULES.format("Nope"))
    result = xdt_files(source, transform, tmp_path / "out.config")
    assert [error.text for error in result.errors] == ["Could not resolve 'Nope' as a type of Transform"]
    assert (tmp_path / "out.config").read_bytes() == b"<r><a/></r>"


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    source, transform = _files(tmp_path, "<r><a/></r>", _RULES.format("Remove"))
    with pytest.raises(TransformError, match="cannot be read"):
        xdt_files(tmp_path / "none.config", transform, source)
    with pytest.raises(TransformError, match="cannot be written"):
        xdt_files(source, transform, tmp_path / "none" / "out.config")
