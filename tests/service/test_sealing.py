"""Sealed variables can be read by the agent they are for, for the deployment they are for, and by nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputError
from agent.service.sealing import open_sealed, public_key, seal

DATA = b'{"Password": "s3cret-value"}'


def test_what_is_sealed_comes_out_again_and_is_not_seen_on_the_way(tmp_path: Path) -> None:
    sealed = seal(DATA, public_key(tmp_path), "Deployments-75")
    assert b"s3cret" not in sealed
    assert open_sealed(sealed, tmp_path, "Deployments-75") == DATA
    assert stat.S_IMODE((tmp_path / "sealing.key").stat().st_mode) == 0o600


def test_same_data_is_sealed_differently_each_time(tmp_path: Path) -> None:
    key = public_key(tmp_path)
    assert seal(DATA, key, "d") != seal(DATA, key, "d")


def test_another_agent_cannot_open_it(tmp_path: Path) -> None:
    sealed = seal(DATA, public_key(tmp_path / "a"), "d")
    public_key(tmp_path / "b")
    with pytest.raises(InputError, match="not sealed for this agent"):
        open_sealed(sealed, tmp_path / "b", "d")


def test_it_cannot_be_given_to_another_deployment(tmp_path: Path) -> None:
    sealed = seal(DATA, public_key(tmp_path), "Deployments-75")
    with pytest.raises(InputError, match="not sealed for this agent and Deployments-76"):
        open_sealed(sealed, tmp_path, "Deployments-76")


@given(position=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_flipped_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "sealing"
    sealed = bytearray(seal(DATA, public_key(folder), "d"))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(InputError):
        open_sealed(bytes(sealed), folder, "d")


@pytest.mark.parametrize("length", [0, 1, 59])
def test_short_ones_are_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(InputError, match="cut short"):
        open_sealed(bytes(length), tmp_path, "d")


def test_text_that_is_no_key_is_refused() -> None:
    with pytest.raises(InputError, match="no X25519 key"):
        seal(DATA, "AAAA", "d")
