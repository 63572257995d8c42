"""What becomes of a replacement behind nginx when the reload is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agent.containers import lead
from agent.containers.cutover import Scene
from agent.errors import ContainerError, DockwrightError, HostError, InputError
from tests.system.place import Place, Way, page
from tests.system.prober import ask, probing
from tests.system.proxies import RunningProxy, nginx


@pytest.fixture
def behind_nginx(proxy_folder: Path, tool: Callable[[str], str]) -> Iterator[RunningProxy]:
    """Where the site is served from, headers are added that hide those from outside."""
    with nginx(proxy_folder, tool, location="add_header X-Own 1;") as running:
        yield running


def reloading(proxy: RunningProxy, *command: str) -> Way:
    return Way(msgspec.structs.replace(proxy.settings, reload=command), ["80"], proxy.port)


def include(proxy: RunningProxy) -> Path:
    return Path(proxy.settings.nginx)


@pytest.mark.parametrize(
    ("command", "error", "expected"),
    [
        ("true", ContainerError, "'true' ended well, but .* has not loaded .*upstream.conf as it is now"),
        ("false", HostError, "cannot be reloaded .'false' ends with 1"),
        ("/nowhere/nginx", HostError, "'/nowhere/nginx' cannot be run"),
    ],
)
def test_a_reload_that_does_nothing_leaves_the_old_one_serving_and_the_file_as_it_was(
    command: str, error: type[DockwrightError], expected: str, place: Place, behind_nginx: RunningProxy
) -> None:
    place.deploy(1, behind_nginx.way)
    before = include(behind_nginx).read_bytes()
    with probing(behind_nginx.port, rate=50) as probe, pytest.raises(error, match=expected):
        place.deploy(2, reloading(behind_nginx, command))
    assert probe.lost == []
    assert probe.versions == ["1"]
    assert place.serving() == ["1"]
    assert len(place.containers()) == 1
    assert include(behind_nginx).read_bytes() == before
    place.deploy(3, behind_nginx.way)
    assert page(behind_nginx.port) == "3"


def test_after_a_first_deployment_that_failed_the_file_is_as_it_was_written_by_hand(
    place: Place, behind_nginx: RunningProxy
) -> None:
    by_hand = include(behind_nginx).read_bytes()
    with pytest.raises(HostError, match="cannot be reloaded"):
        place.deploy(1, reloading(behind_nginx, "false"))
    assert place.containers() == []
    assert include(behind_nginx).read_bytes() == by_hand


def test_a_server_with_headers_of_its_own_is_told_what_to_add(
    place: Place, proxy_folder: Path, tool: Callable[[str], str]
) -> None:
    with nginx(proxy_folder, tool, server="add_header X-Own 1;") as running:
        place.deploy(1, running.way)
        (warning,) = {line for line in place.said if line.startswith("warning:")}
        line = warning.partition("one more: ")[2]
        configuration = proxy_folder / "nginx.conf"
        changed = configuration.read_text(encoding="utf-8").replace(
            "add_header X-Own 1;", f"add_header X-Own 1; {line}"
        )
        configuration.write_text(changed, encoding="utf-8")
        place.said.clear()
        place.deploy(2, running.way)
        assert page(running.port) == "2"
        assert [line for line in place.said if line.startswith("warning:")] == []


def test_a_file_that_was_written_but_never_loaded_is_loaded(place: Place, behind_nginx: RunningProxy) -> None:
    place.deploy(1, behind_nginx.way)
    written = include(behind_nginx).read_bytes()
    behind_nginx.stop()
    include(behind_nginx).write_bytes(b"upstream shop { server 127.0.0.1:1 down; }")
    behind_nginx.start()
    include(behind_nginx).write_bytes(written)
    assert ask(behind_nginx.port).problem
    lead(Scene(slot=place.name, host=place.host, journal=place.begin(1), log=place.said.append))
    assert page(behind_nginx.port) == "1"


def test_a_file_that_holds_a_whole_site_is_not_replaced(place: Place, behind_nginx: RunningProxy) -> None:
    whole = "upstream shop { server 127.0.0.1:1; }\nserver { listen 127.0.0.1:1; }\n"
    include(behind_nginx).write_text(whole, encoding="utf-8")
    with pytest.raises(InputError, match="holds more than an upstream"):
        place.deploy(1, behind_nginx.way)
    assert include(behind_nginx).read_text(encoding="utf-8") == whole
    assert place.containers() == []
