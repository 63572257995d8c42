from pathlib import Path

from agent.commands.doctor import examine
from agent.host import HostAddress
from linux.sandbox import Sandbox


def test_whoever_lacks_an_image_for_the_relay_is_told_how_to_come_to_one(sandbox: Sandbox, tmp_path: Path) -> None:
    (relay,) = (
        finding for finding in examine(HostAddress(url=sandbox.host), tmp_path, "") if finding.what == "relay"
    )
    assert relay.good
    assert relay.found.endswith("is there") or "docker build -f linux/agent.Dockerfile" in relay.found
