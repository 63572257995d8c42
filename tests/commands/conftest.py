"""A registry on the loopback, in memory, with images made of a few words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.remote_images import Images
from tests.registry.fake_server import serving


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-logins"))
    with serving(None) as server:
        yield Images(server, tmp_path / "home")
