"""Reading the URLs that `--host` takes: each kind of host refuses what cannot be meant in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

from agent.documents import closest
from agent.errors import InputError

Engine = Literal["auto", "api", "cli"]
"""What speaks to a far engine: whatever works best, its API, or the docker command line there."""


def split_url(url: str) -> SplitResult:
    """InputError for what is no URL, or has no port where one should be."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputError(f"{url} is no URL of a host ({error}); write it as ssh://USER@HOST:22") from error
    return parts


def read_options(url: str, query: str, known: tuple[str, ...]) -> dict[str, str]:
    """What comes after the question mark, by name; the last of several counts. InputError for what is not `known`."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in known:
            raise InputError(f"{url}: there is no option '{name}'{closest(name, known)}")
    return options


def one_of(url: str, options: Mapping[str, str], name: str, values: tuple[str, ...], usual: str) -> str:
    """The value of an option that takes only these. InputError for another."""
    value = options.get(name, usual)
    if value not in values:
        raise InputError(f"{url}: {name} is {', '.join(values[:-1])} or {values[-1]}, not '{value}'")
    return value


def engine_of(url: str, options: Mapping[str, str]) -> Engine:
    """The option `engine`."""
    engine: Engine = one_of(url, options, "engine", get_args(Engine), "auto")  # type: ignore[assignment]
    return engine
