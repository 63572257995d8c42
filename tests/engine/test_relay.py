from pathlib import Path
from socket import socket, socketpair

import pytest

from agent.engine import private
from agent.engine.relay import relayed
from agent.errors import HostError


def nowhere(_seconds: float) -> socket:
    return socketpair()[0]


def test_a_folder_whose_path_is_too_long_for_a_socket_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_down = tmp_path / ("deep" * 25)
    far_down.mkdir()
    monkeypatch.setattr(private, "IN_MEMORY", far_down)
    with pytest.raises(HostError, match="set TMPDIR to a folder with a short path"), relayed(nowhere, "engine"):
        pass
    assert list(far_down.iterdir()) == []
