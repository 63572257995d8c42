"""What README.md tells a reader to type and write is what the code takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from agent import errors
from agent.bundle import StepManifest
from agent.cli.main import commands
from agent.containers.settings import RunSettings
from agent.documents import convert
from agent.source import SourceManifest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
INPUTS = {
    "source-image": "steps.source_image.manifest",
    "image-per-release": "steps.source_image.manifest",
    "image-per-deployment": "steps.image_per_deployment.manifest",
    "run-image": "steps.run_image.manifest",
    "package": "steps.package.manifest",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def documents() -> Iterator[dict[str, Any]]:
    for block in blocks("yaml"):
        yield from yaml.safe_load_all(block)


def of_kind(*keys: str) -> list[dict[str, Any]]:
    return [document for document in documents() if any(key in document for key in keys)]


@pytest.mark.parametrize("document", of_kind("step"), ids=lambda each: str(each["step"]))
def test_steps_in_the_readme_are_taken(document: dict[str, Any]) -> None:
    manifest = convert(document, StepManifest, where="README.md")
    if manifest.step in INPUTS:
        inputs = convert(manifest.inputs, import_module(INPUTS[manifest.step]).Inputs, where="README.md")
        if isinstance(getattr(inputs, "run", None), dict):
            name = {"name": "its-own"} if manifest.step == "run-image" else {}
            assert convert({**inputs.run, **name}, RunSettings, where="README.md").name
    else:
        assert manifest.step == "greeting"


@pytest.mark.parametrize("document", of_kind("transform", "golden"), ids=lambda each: next(iter(each)))
def test_source_packages_in_the_readme_are_taken(document: dict[str, Any]) -> None:
    document.pop("run", None)
    assert convert(document, SourceManifest, where="README.md").transform is not None


def test_cut_over_in_the_readme_is_taken() -> None:
    (document,) = [each for each in documents() if list(each) == ["run"]]
    (written,) = [block for block in blocks("yaml") if block.startswith("run:")]
    others = [line.strip("# ") for line in written.splitlines() if line.strip().startswith("# {")]
    for cutover in (document["run"]["cutover"], *map(yaml.safe_load, others)):
        convert(
            {**document["run"], "name": "shop", "ports": ["80"], "cutover": cutover}, RunSettings, where="README.md"
        )
    assert len(others) == 2


def every_command(
    group: click.Group, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))


def test_every_option_in_the_readme_is_one() -> None:
    known = {option for _, command in every_command(commands) for each in command.params for option in each.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - {"--mount", "--no-deps"}  # Docker's and pip's
    assert named - known == set()


def test_every_command_in_the_readme_is_one_and_every_one_is_there() -> None:
    known = {" ".join(words) for words, command in every_command(commands) if not isinstance(command, click.Group)}
    named = re.findall(r"`(?:dockwright )?([a-z]+(?: [a-z]+)?)[^`]*`", README)
    assert set(re.findall(r"`dockwright ([a-z]+)", README)) <= {name.partition(" ")[0] for name in known}
    assert {name.partition(" ")[0] for name in known} <= {name.partition(" ")[0] for name in named}


def test_command_lines_in_the_readme_are_taken_as_they_are_written() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("dockwright ")]
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line.replace("\\", "\\\\"), comments=True)[1:]
        group: click.Command = commands
        while isinstance(group, click.Group):
            group = group.commands[words.pop(0)]
        group.make_context("dockwright", words)


def test_exit_codes_in_the_readme_are_those_of_the_errors() -> None:
    table = README.partition("## Exit codes")[2].partition("\n## ")[0]
    told = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")}
    raised = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.DockwrightError)
    }
    assert raised <= told
    assert {errors.EXIT_DEFECT, errors.EXIT_INTERRUPTED, errors.EXIT_TERMINATED} <= told


def test_every_file_in_the_readme_is_there() -> None:
    named = re.findall(r"`((?:agent|steps|linux|windows|tests)/[\w./-]*)`", README)
    linked = re.findall(r"\]\(([\w./-]+)\)", README)
    assert [name for name in (*named, *linked) if not (ROOT / name).exists()] == []
    assert named
