"""Which engine is meant where nobody names a host."""

from __future__ import annotations

import sys

import pytest

from agent.cli.options import host_from, hosts_from
from agent.plugins import local_host


@pytest.mark.parametrize(("system", "url"), [("linux", "unix://"), ("darwin", "unix://"), ("win32", "npipe://")])
def test_it_is_the_one_of_this_machine(system: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert local_host() == url
    assert host_from({"host": None, "host_password_file": None}).url == url
    assert [each.url for each in hosts_from({"host": (), "host_password_file": ()})] == [url]


def test_a_host_that_is_named_is_taken() -> None:
    assert host_from({"host": "ssh://web", "host_password_file": None}).url == "ssh://web"
