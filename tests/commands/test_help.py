"""What `--help` says, to somebody who knows none of it."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from agent.cli.main import commands
from agent.cli.sections import SECTIONS


def every_command(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*before, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))


def help_of(*words: str) -> str:
    result = CliRunner().invoke(commands, [*words, "--help"], terminal_width=100)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_command_is_listed_once_under_a_heading() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(commands.commands)
    assert "Others" not in help_of()


def test_no_sentence_in_the_list_is_cut() -> None:
    told = help_of()
    assert "..." not in told.partition("Deploy:")[2]
    assert "dockwright doctor" in told


@pytest.mark.parametrize("words", list(every_command(commands)), ids=" ".join)
def test_each_command_explains_itself_and_all_its_options(words: tuple[str, ...]) -> None:
    command: click.Command = commands
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert help_of(*words).startswith("Usage: ")
    assert command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


@pytest.mark.parametrize("words", [("run",), ("plan",), ("rollback",)], ids=" ".join)
def test_examples_are_command_lines_that_are_taken(words: tuple[str, ...]) -> None:
    lines = [line for line in help_of(*words).splitlines() if line.startswith("    dockwright ")]
    assert lines
    for line in lines:
        arguments = line.split("    ")[1].split()[2:]
        commands.commands[words[0]].make_context(words[0], arguments)
