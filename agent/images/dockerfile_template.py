"""`Dockerfile.j2`: a Dockerfile with conditions and loops, rendered by jinja2 before the build.

`#{…}` in a Dockerfile needs no template: name it under `transform: substitute`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from agent.errors import BuildError, VariablesError
from agent.images.settings import BuildSettings
from agent.variables import Variables

SUFFIX = ".j2"
_PROCESS = Path(__file__).with_name("template_process.py")
_SECONDS = 15
_LARGEST = 1_000_000


class RenderedDockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a template made. `path` is the Dockerfile's, posix and relative to the tree."""

    path: str
    text: str


class _Answer(msgspec.Struct):
    text: str | None = None
    problem: str = ""
    line: int = 0


def render_dockerfile(tree: Path, settings: BuildSettings, variables: Variables) -> RenderedDockerfile | None:
    """Write the Dockerfile if the tree has a template for it; None if it has none.

    In the template, variables are `Variables["Any.Name"]`, and plain ones are names. Sensitive ones are refused.
    BuildError names the line, and says so where there are both a Dockerfile and a template.
    """
    request = settings.request(tree)
    template = tree / f"{request.dockerfile}{SUFFIX}"
    if not template.is_file():
        return None
    if (tree / request.dockerfile).is_file():
        raise BuildError(f"the source package has both {request.dockerfile} and {template.name}; remove one of them")
    text = _render(_read(template), template.name, variables)
    try:
        (tree / request.dockerfile).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise BuildError(f"{request.dockerfile}: cannot be written from its template ({error.strerror})") from error
    return RenderedDockerfile(path=request.dockerfile, text=text)


def _read(template: Path) -> str:
    try:
        data = template.read_bytes()
        if len(data) > _LARGEST:
            raise BuildError(f"{template.name}: has {len(data):,} bytes; a template has at most {_LARGEST:,}")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BuildError(f"{template.name} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise BuildError(f"{template.name} cannot be read ({error.strerror})") from error


def _render(template: str, name: str, variables: Variables) -> str:
    asked = {"name": name, "template": template, **_known(variables)}
    try:
        ended = subprocess.run(
            [sys.executable, "-I", str(_PROCESS)],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        answer = msgspec.json.decode(ended.stdout, type=_Answer)
    except (subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        raise BuildError(f"{name}: rendering it takes too much time or memory; simplify it") from error
    except OSError as error:
        raise BuildError(
            f"{name}: cannot be rendered ({error.strerror}); see whether {sys.executable} runs"
        ) from error
    if answer.text is None:
        raise BuildError(f"{name}{f':{answer.line}' if answer.line else ''}: {answer.problem}")
    return answer.text


def _known(variables: Variables) -> dict[str, object]:
    """What the template may see, evaluated, and the names of what it may not. No secret goes to its process."""
    values: dict[str, str] = {}
    sensitive: list[str] = []
    for name in variables:
        if variables.is_sensitive(name):
            sensitive.append(name)
            continue
        try:
            values[name] = variables.get(name) or ""
        except VariablesError:
            continue  # it refers to itself; a template that asks for it hears that it is undefined
    return {"values": values, "sensitive": sensitive}
