"""Renders one jinja2 template, in a process of its own, which is run by its path and imports nothing of ours.

A template comes with a package, so it is hostile until proven otherwise. The sandbox keeps it from Python's
internals; that it neither fills the memory nor runs for ever is what only a process can promise.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any, Final

import jinja2
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

_MEMORY: Final = 512 * 1024 * 1024
_SECONDS: Final = 10
_MOST_OUTPUT: Final = 1_000_000


def main() -> None:
    """Read `{name, template, values, sensitive}` from stdin, write `{text}` or `{problem, line}` to stdout."""
    _limit()
    asked = json.load(sys.stdin)
    names = Names(asked["values"], asked["sensitive"])
    try:
        answer: dict[str, object] = {"text": _rendered(asked["template"], asked["name"], names)}
    except MemoryError:
        answer = {"problem": "needs too much memory", "line": 0}
    except Exception as error:
        answer = {"problem": _problem(error), "line": _line(error, asked["name"])}
    json.dump(answer, sys.stdout)


class Names:
    """The variables, in any letter case, as `Variables["Octopus.Release.Number"]`; also the plain names."""

    def __init__(self, values: dict[str, str], sensitive: list[str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}
        self._sensitive = {name.lower() for name in sensitive}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name.lower() in self._values or name.lower() in self._sensitive)

    def __getitem__(self, name: str) -> str:
        if name.lower() in self._sensitive:
            raise jinja2.TemplateRuntimeError(
                f"'{name}' is sensitive, and a Dockerfile's text stays in the image; use build.secrets"
            )
        return self._values[name.lower()]

    def get(self, name: str, default: str = "") -> str:
        if name not in self:
            return default
        return self[name]


class _Context(Context):
    def resolve_or_missing(self, key: str) -> Any:
        found = super().resolve_or_missing(key)
        names = self.parent.get("Variables")
        if found is not missing or not isinstance(names, Names) or key not in names:
            return found
        try:
            return names[key]
        except jinja2.TemplateRuntimeError as error:  # names are looked up before the first line; use is what counts
            return self.environment.undefined(hint=str(error))


class _Environment(ImmutableSandboxedEnvironment):
    context_class = _Context

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Names) and argument not in obj:
            return self.undefined(name=str(argument))
        return super().getitem(obj, argument)


def _rendered(template: str, name: str, names: Names) -> str:
    environment = _Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    code = environment.compile(template, name=name, filename=name)
    compiled = jinja2.Template.from_code(environment, code, environment.make_globals({"Variables": names}))
    pieces: list[str] = []
    length = 0
    for piece in compiled.generate():
        length += len(piece)
        if length > _MOST_OUTPUT:
            raise jinja2.TemplateRuntimeError(f"makes more than {_MOST_OUTPUT:,} characters")
        pieces.append(piece)
    return "".join(pieces)


def _problem(error: Exception) -> str:
    if "no loader for this environment" in str(error):
        return "include, import and extends have nothing to load from; write it into one template"
    return " ".join((str(error) or type(error).__name__).split())[:500]


def _line(error: Exception, name: str) -> int:
    """Where in the template, as jinja2 writes it into the traceback; 0 if nowhere."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.lineno
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _limit() -> None:
    """Where the machine knows limits; elsewhere the time that the parent waits is the only one."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))  # type: ignore[attr-defined, unused-ignore]
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))  # type: ignore[attr-defined, unused-ignore]
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # type: ignore[attr-defined, unused-ignore]


if __name__ == "__main__":
    main()
