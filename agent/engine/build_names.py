"""What may stand in the fields of a build: nothing that a command line or a URL could take for something else."""

from __future__ import annotations

import re

from agent.engine.translate import checked_image
from agent.errors import HostError, InputError
from agent.host import BuildRequest

LARGEST_SECRET = 100 * 1024
"""Bytes of one secret's value; an environment variable of a process holds hardly more."""

_STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_PLATFORM = re.compile(r"[a-z][a-z0-9]*(?:/[a-z0-9][a-z0-9_.]*){0,2}\Z")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}\Z")
_SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DOCKERFILE = re.compile(r"(?![-/\\])(?!(?:.*[/\\])?\.\.(?:[/\\]|\Z))[^\x00-\x1f:]{1,1000}\Z")


def check_names(request: BuildRequest) -> None:
    """InputError names the field, as the `build:` section has it, and what may stand there."""
    _check(_STAGE, request.target, "target", "the name or number of a stage")
    _check(_PLATFORM, request.platform, "platform", "a platform like linux/amd64")
    _check(_DOCKERFILE, request.dockerfile, "dockerfile", "a path inside the source package")
    for name, value in request.arguments.items():
        _check(_ARGUMENT, name, "args", "the name of a build argument", empty=False)
        _refuse_nul(value, f"args.{name}")
    for name, value in request.secrets.items():
        _check(_SECRET, name, "secrets", "the id of a secret: letters, digits, '_', '.' and '-'", empty=False)
        _refuse_nul(value, f"secrets.{name}")
        if len(value.encode("utf-8", "replace")) > LARGEST_SECRET:
            raise InputError(f"build.secrets.{name}: has more than {LARGEST_SECRET:,} bytes; give a smaller one")
    for reference in request.cache_from:
        try:
            checked_image(reference)
        except HostError as error:
            raise InputError(f"build.cache-from: {error}") from error


def _check(pattern: re.Pattern[str], text: str, field: str, wanted: str, *, empty: bool = True) -> None:
    if not (pattern.match(text) or (empty and not text)):
        raise InputError(f"build.{field}: {text[:100]!r} is not {wanted}; change it")


def _refuse_nul(value: str, field: str) -> None:
    if "\0" in value:
        raise InputError(f"build.{field}: its value holds the character NUL, which nothing can pass on; remove it")
