import re
from pathlib import Path

import pytest

from agent.commands.doctor import examine
from agent.host import HostAddress
from linux.sandbox import Sandbox


def test_whoever_lacks_an_image_for_the_relay_is_told_how_to_come_to_one(sandbox: Sandbox, tmp_path: Path) -> None:
    (relay,) = (
        finding for finding in examine(HostAddress(url=sandbox.host), tmp_path, "") if finding.what == "relay"
    )
    assert relay.good
    assert relay.found.endswith("is there") or "docker build -f linux/agent.Dockerfile" in relay.found


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "winmr://web01",
            r"is known for 'winmr://web01' \(did you mean 'winrm'\); hosts begin with npipe://, ssh://",
        ),
        ("tcp://web01:2375", "is known for 'tcp://web01:2375'; hosts begin with"),
        ("unix:///nowhere.sock", "start Docker, or name another host with --host$"),
        ("ssh://web01:text", r"ssh://web01:text is no URL of a host \(.*\); write it as ssh://USER@HOST:22"),
    ],
)
def test_host_that_cannot_be_is_told_once_with_what_to_do(url: str, said: str, tmp_path: Path) -> None:
    engine = examine(HostAddress(url=url), tmp_path, "")[0]
    assert (engine.what, engine.good, engine.advice) == ("engine", False, "")
    assert re.search(said, engine.found)
