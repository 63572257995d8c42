"""`.dockerignore` against what the docker command line 28 sent of the same tree (`dockerignore.json`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.engine.build_context import entries
from agent.engine.ignore import Ignore
from agent.errors import BuildError

RECORDED = json.loads(Path(__file__).with_name("dockerignore.json").read_text(encoding="utf-8"))
FILES: list[str] = RECORDED["files"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("context")
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["patterns"])
def test_same_files_stay_at_home_as_with_docker(tree: Path, case: dict[str, list[str] | None]) -> None:
    patterns, excluded = str(case["patterns"]), case["excluded"]
    if excluded is None:
        with pytest.raises(BuildError, match=r"^\.dockerignore:\d+: .* is no (valid )?pattern"):
            Ignore(patterns)
        return
    sent = {entry.name for entry in entries(tree, Ignore(patterns), "Dockerfile")}
    assert sorted(name for name in FILES if name not in sent) == excluded


def test_dockerfile_in_an_excluded_folder_is_sent(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    for name in ("build/App.Dockerfile", "build/other", ".dockerignore"):
        (tmp_path / name).write_bytes(b"x")
    sent = [entry.name for entry in entries(tmp_path, Ignore("*"), "build/App.Dockerfile")]
    assert sent == [".dockerignore", "build/App.Dockerfile"]


def test_hostile_patterns_end_in_an_error() -> None:
    path = "a" * 2_000
    ignore = Ignore("*a" * 40 + "b", budget_seconds=0.05)
    with pytest.raises(BuildError, match="took more than their time"):
        ignore.matches(path, ignore.at_root)


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(BuildError, match="more than 2000 patterns"):
        Ignore("a\n" * 2_001)
