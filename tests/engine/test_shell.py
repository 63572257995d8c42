"""How a command on another machine is called in messages."""

from __future__ import annotations

import pytest

from agent.engine.shell import Command


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["docker", "--config=.login-1", "login", "--password-stdin", "registry:5000"], "docker login"),
        (["docker", "system", "dial-stdio"], "docker system"),
        (["sh", "-c", 'umask 077 && mkdir -p -- "$1"', "sh", "folder"], "sh"),
        (["cmd", "/c", "rmdir", "/s", "folder"], "cmd"),
        (["true"], "true"),
    ],
)
def test_command_is_called_by_what_it_does(arguments: list[str], title: str) -> None:
    assert Command(arguments=arguments).title == title
