"""What a source package may ask for, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import InputError
from agent.source import GoldenPackage, check_source, read_source

TRANSFORM = "transform: {structured: [app/x.json]}\n"


def source(folder: Path, sdi: str, *files: str) -> Path:
    (folder / "sdi.yaml").write_text(sdi, encoding="utf-8")
    for name in files:
        (folder / name).write_text("FROM x\n", encoding="utf-8")
    return folder


def test_a_golden_image_is_named_by_a_reference_or_by_a_package(tmp_path: Path) -> None:
    assert read_source(source(tmp_path, f"golden: shop:1.0\n{TRANSFORM}")).golden == "shop:1.0"
    assert read_source(source(tmp_path, "golden: {package: Shop}\n")).golden == GoldenPackage(package="Shop")
    check_source(tmp_path)


@pytest.mark.parametrize(
    ("sdi", "files", "told"),
    [
        ("golden: shop:1.0\n", ("Dockerfile",), "has a Dockerfile too"),
        ("golden: shop:1.0\n", ("Dockerfile.j2",), "has a Dockerfile too"),
        ("golden: shop:1.0\npackages: [{id: X, version: 1.0}]\n", (), "remove packages"),
        ("golden: shop:1.0\nbuild: {target: x}\n", (), "the platform only"),
        ("golden: {package: X, tag: y}\n", (), "tag"),
        ("golden: [shop]\n", (), "golden"),
    ],
)
def test_two_things_at_once_are_refused(tmp_path: Path, sdi: str, files: tuple[str, ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_source(source(tmp_path, sdi, *files))


def test_a_golden_image_may_be_for_a_platform(tmp_path: Path) -> None:
    settings = read_source(source(tmp_path, "golden: shop:1.0\nbuild: {platform: windows/amd64}\n")).build
    assert settings is not None
    assert settings.platform == "windows/amd64"
