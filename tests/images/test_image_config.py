"""An image's config: what is taken over, what is added, and whose word is not taken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.errors import InputError, RegistryError
from agent.images.image_config import Addition, read_config, with_layer

ADDITION = Addition(
    diff_id="sha256:" + "a" * 64,
    comment="configuration of app",
    labels={"dockwright.configuration": "c", "team": "new"},
    created=datetime(2026, 11, 23, 8, 0, 0, 5, tzinfo=UTC),
)


def config(**more: Any) -> bytes:
    parts = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ["sha256:b"]}}
    return json.dumps({**parts, **more}).encode()


def test_one_layer_is_added_and_all_else_is_kept() -> None:
    known = {
        "os.version": "10.0.20348.1",
        "config": {"Labels": {"team": "old", "x": "y"}, "Healthcheck": {"Test": ["NONE"]}, "Env": ["A=1"]},
        "history": [{"created_by": "one"}, {"created_by": "two", "empty_layer": True}],
        "moby.buildkit.buildinfo.v1": "e30=",
    }
    made = json.loads(with_layer(config(**known), ADDITION, "app"))
    assert made["rootfs"] == {"type": "layers", "diff_ids": ["sha256:b", ADDITION.diff_id]}
    assert made["config"]["Labels"] == {"team": "new", "x": "y", "dockwright.configuration": "c"}
    assert made["config"]["Healthcheck"] == {"Test": ["NONE"]}
    assert made["history"][:2] == known["history"]
    assert made["history"][2] == {
        "created": "2026-11-23T08:00:00.000005Z",
        "created_by": "dockwright configure",
        "comment": "configuration of app",
    }
    assert made["created"] == "2026-11-23T08:00:00.000005Z"
    assert (made["os.version"], made["moby.buildkit.buildinfo.v1"]) == ("10.0.20348.1", "e30=")


@pytest.mark.parametrize("more", [{}, {"config": None, "history": None}, {"config": {"Labels": None}, "history": []}])
def test_what_builders_leave_out_is_no_hindrance(more: dict[str, Any]) -> None:
    assert read_config(config(**more), 1, "app").labels == {}
    made = json.loads(with_layer(config(**more), ADDITION, "app"))
    assert made["config"]["Labels"] == ADDITION.labels
    assert len(made["history"]) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        config(rootfs=None),
        config(rootfs={"diff_ids": [1]}),
        config(config=[]),
        config(config={"Labels": {"a": 1}}),
        config(history={}),
        config(history=["x"]),
    ],
)
def test_what_is_no_config_is_refused(data: bytes) -> None:
    with pytest.raises(RegistryError, match="not understood"):
        read_config(data, 1, "app")


def test_config_and_manifest_must_agree() -> None:
    with pytest.raises(RegistryError, match="speaks of 1 layers, its manifest of 2"):
        read_config(config(), 2, "app")


def test_no_more_layers_than_engines_take() -> None:
    full = config(rootfs={"type": "layers", "diff_ids": ["sha256:b"] * 125})
    with pytest.raises(InputError, match="125 layers"):
        with_layer(full, ADDITION, "app")


def test_only_linux_and_windows_images_are_configured() -> None:
    assert read_config(config(os="windows"), 1, "app").system("app") == "windows"
    with pytest.raises(InputError, match="only Linux and Windows"):
        read_config(config(os="plan9"), 1, "app").system("app")
