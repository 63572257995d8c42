"""Logins on the machine of the engine for one docker command: in a private folder of the login, gone afterwards."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import sleep

from agent.engine.command_line.program import CALL_SECONDS, NO_SUCH_PROGRAM, DockerProgram, Ended, is_lost, run_once
from agent.engine.docker_program import auths
from agent.engine.failures import registry_refusal
from agent.engine.shell import Command, Shell
from agent.errors import HostError
from agent.host import Credentials

_PREFIX = ".dockwright-login-"

# What a run left that was killed here goes with the next one; after a day nobody reads it any more.
_REMOVE = f'rm -rf -- "$1"; find . -maxdepth 1 -name "{_PREFIX}*" -mtime +0 -exec rm -rf -- {{}} +'
_PAUSES = (0.0, 1.0, 3.0)
"""Seconds before each attempt to remove a login."""

_WRITE = 'umask 077 && mkdir -p -- "$1" && cat > "$1/config.json"'


@contextmanager
def logged_in(shell: Shell, docker: DockerProgram, logins: Mapping[str, Credentials]) -> Iterator[str]:
    """The name of the folder, for `docker --config`; "" without logins.

    The passwords travel by standard input. Windows has no program that would write it to a file as it is, so
    docker itself does it there. Where it finds a credential helper, it gives the password to that, unasked.
    """
    if not logins:
        yield ""
        return
    folder = f"{_PREFIX}{secrets.token_hex(8)}"
    elsewhere: set[str] = set()
    try:
        if shell.operating_system == "windows":
            _log_in(docker, folder, logins, elsewhere)
        else:
            _write(shell, folder, logins)
        yield folder
    finally:
        _remove(shell, docker, folder, logins, elsewhere)


def _write(shell: Shell, folder: str, logins: Mapping[str, Credentials]) -> None:
    given = [json.dumps({"auths": auths(logins)}).encode()]
    ended = _run(shell, ["sh", "-c", _WRITE, "sh", folder], given)
    if ended.status:
        raise HostError(f"{shell.url}: no private folder can be made in the login's home ({ended.said}); make room")


def _log_in(docker: DockerProgram, folder: str, logins: Mapping[str, Credentials], elsewhere: set[str]) -> None:
    """What docker does not say to be in its file, unencrypted, counts as `elsewhere`."""
    for registry, credentials in logins.items():
        elsewhere.add(registry)
        arguments = ["login", f"--username={credentials.username}", "--password-stdin", registry]
        ended = docker.run_surely(arguments, configuration=folder, given=[credentials.password.encode()])
        if ended.status:
            raise registry_refusal("log in to", registry, ended.said)
        if b"unencrypted" in ended.output + ended.errors:
            elsewhere.discard(registry)


def _remove(
    shell: Shell, docker: DockerProgram, folder: str, logins: Mapping[str, Credentials], elsewhere: set[str]
) -> None:
    """Whatever goes wrong with it, it is tried again: a login must not stay."""
    for pause in _PAUSES:
        sleep(pause)
        try:
            _remove_once(shell, docker, folder, logins, elsewhere)
        except HostError as error:
            failure = error
        else:
            return
    raise HostError(
        f"{shell.url}: a registry's login could not be removed: remove the folder {folder} in the home of the login "
        f"there ({failure})"
    ) from failure


def _remove_once(
    shell: Shell, docker: DockerProgram, folder: str, logins: Mapping[str, Credentials], elsewhere: set[str]
) -> None:
    """Where there is no cmd.exe another system is behind WinRM; and docker itself forgets logins on any."""
    if shell.operating_system != "windows":
        _run(shell, ["sh", "-c", _REMOVE, "sh", folder])
        return
    for registry in tuple(elsewhere):
        ended = docker.run_surely(["logout", registry], configuration=folder)
        docker.require(ended, f"log out of {registry}", HostError)
        elsewhere.discard(registry)
    if _run(shell, ["cmd", "/c", "rmdir", "/s", "/q", folder]).status != NO_SUCH_PROGRAM:
        return
    if _run(shell, ["rm", "-rf", "--", folder]).status:
        for registry in logins:
            docker.run_surely(["logout", registry], configuration=folder)


def _run(shell: Shell, arguments: Sequence[str], given: Sequence[bytes] | None = None) -> Ended:
    """Once more if the connection is lost meanwhile: it does no harm when it is done twice."""
    command = Command(arguments=arguments, standard_input=given, timeout=CALL_SECONDS)
    try:
        return run_once(shell, command)
    except HostError as error:
        if not is_lost(error):
            raise
        return run_once(shell, command)
