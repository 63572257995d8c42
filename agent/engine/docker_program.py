"""The docker command line on this machine: one that has BuildKit, and the surroundings that it runs in.

docker-py speaks the classic builder only, so what needs BuildKit goes through the program. It gets a private
configuration folder, in memory where there is such a place: no login of the user's comes in, and the given ones
are gone afterwards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.engine.private import private_folder
from agent.engine.translate import login_server
from agent.errors import HostError
from agent.host import Credentials
from agent.user import user_home

_KEPT = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
_BUILT_IN_BELOW = 23
"""The first version of the command line that leaves BuildKit to the plugin buildx."""
_PROBE_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """`folder` is private and empty but for the configuration; `environment` is the whole of it."""

    folder: Path
    environment: Mapping[str, str]


@contextmanager
def private_surroundings(
    engine: str, credentials: Mapping[str, Credentials], place: Path | None = None
) -> Iterator[Surroundings]:
    """For commands to the engine at `engine` (as DOCKER_HOST has it). Removed at the end, whatever happened."""
    with private_folder(place) as folder:
        (folder / "config.json").write_text(_configuration(credentials), encoding="utf-8")
        kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
        own = {
            "DOCKER_HOST": engine,
            "DOCKER_CONFIG": str(folder),
            "DOCKER_BUILDKIT": "1",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }
        yield Surroundings(folder=folder, environment=kept | own)


def find_docker(environment: Mapping[str, str]) -> str:
    """The path of the first docker on PATH that can build with BuildKit. HostError says which cannot and why."""
    refused: list[str] = []
    for path in _candidates(environment.get("PATH", os.defpath)):
        if _succeeds([path, "buildx", "version"], environment)[0]:
            return path
        _, text = _succeeds([path, "--version"], environment)
        version = re.search(r"version (\d+)\.", text)
        if version and int(version[1]) < _BUILT_IN_BELOW:
            return path
        refused.append(path)
    found = f"{' and '.join(refused)} lack{'s' if len(refused) == 1 else ''} it" if refused else "there is none"
    raise HostError(
        f"a build with secrets needs a docker command line with BuildKit on this machine; {found}: "
        "install docker-buildx-plugin (or docker-buildx)"
    )


def auths(credentials: Mapping[str, Credentials]) -> dict[str, dict[str, str]]:
    """As `config.json` of docker has them: by the server's name."""
    return {login_server(registry): _login(login) for registry, login in credentials.items()}


def _candidates(path: str) -> Iterator[str]:
    seen: set[str] = set()
    for folder in path.split(os.pathsep):
        found = shutil.which("docker", path=folder) if folder else None
        if found and (real := os.path.realpath(found)) not in seen:
            seen.add(real)
            yield found


def _succeeds(command: list[str], environment: Mapping[str, str]) -> tuple[bool, str]:
    try:
        ended = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False, ""
    return ended.returncode == 0, ended.stdout[:1000].decode("utf-8", "replace")


def _configuration(credentials: Mapping[str, Credentials]) -> str:
    """`config.json`; plugins that the user installed for himself are still found.

    With a table that is empty docker would ask whatever credential helper it finds, and wait for it.
    """
    home = user_home()
    plugins = [str(home / ".docker" / "cli-plugins")] if home else []
    found = [folder for folder in plugins if Path(folder).is_dir()]
    return json.dumps({"auths": auths(credentials) or {"": {}}, "cliPluginsExtraDirs": found})


def _login(login: Credentials) -> dict[str, str]:
    if login.username == "<token>":  # what credential helpers say of an identity token
        return {"auth": b64encode(b"<token>:").decode(), "identitytoken": login.password}
    return {"auth": b64encode(f"{login.username}:{login.password}".encode()).decode()}
