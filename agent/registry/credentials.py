"""Whose credentials a registry gets: the ones given, else what the user's Docker configuration knows.

Only read, never written: a login belongs to the request that needs it.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.errors import RegistryError
from agent.registry.reference import DOCKER_HUB
from agent.user import user_home

if TYPE_CHECKING:
    from agent.host import Credentials

IDENTITY_TOKEN = "<token>"  # noqa: S105
"""The user name by which a credential helper says that the secret is an identity token."""

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30
_LARGEST_CONFIG = 10_000_000


def find_credentials(
    registry: str, explicit: Credentials | None = None, config_folder: Path | None = None
) -> Credentials | None:
    """Credentials for `registry`, as references name it (`docker.io`, `host:port`), or None for nobody.

    As Docker: a helper for this registry goes before the helper for all, which goes before what stands in
    config.json itself. RegistryError if a helper fails or the file cannot be read.
    """
    if explicit is not None:
        return explicit
    config = _read(config_folder or _usual_folder())
    server = _HUB_KEY if registry == DOCKER_HUB else registry
    helper = config.helpers.get(registry) or config.helpers.get(server) or config.store
    return (_ask(helper, server) if helper else None) or _stored(config, registry, server)


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = msgspec.field(default="", name="identitytoken")


class _Config(msgspec.Struct):
    auths: dict[str, _Entry] = msgspec.field(default_factory=dict)
    helpers: dict[str, str] = msgspec.field(default_factory=dict, name="credHelpers")
    store: str = msgspec.field(default="", name="credsStore")


class _Answer(msgspec.Struct, rename="pascal"):
    username: str
    secret: str


def _usual_folder() -> Path | None:
    named, home = os.environ.get("DOCKER_CONFIG"), user_home()
    return Path(named) if named else home and home / ".docker"


def _read(folder: Path | None) -> _Config:
    if folder is None:
        return _Config()
    path = folder / "config.json"
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST_CONFIG), type=_Config)
    except (FileNotFoundError, NotADirectoryError):
        return _Config()
    except OSError as error:
        raise RegistryError(
            f"{path}: cannot be read for registry logins ({error.strerror}); fix its rights, or give credentials"
        ) from error
    except msgspec.DecodeError:
        # Not chained: the decoder's message may quote what it stumbled over.
        raise RegistryError(f"{path}: is no Docker configuration; mend it or give credentials") from None


def _ask(helper: str, server: str) -> Credentials | None:
    import subprocess

    program = f"docker-credential-{helper}"
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", helper):
        raise RegistryError(f"{helper[:60]!r} is no name of a Docker credential helper; mend config.json")
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RegistryError(
            f"{program}: no answer for {server} within {_HELPER_SECONDS} s; try it by hand, or give credentials"
        ) from None
    except OSError as error:
        raise RegistryError(
            f"{program}: cannot be started ({error.strerror}); install it, give credentials, or take it out of "
            "Docker's config.json"
        ) from error
    if done.returncode != 0:
        if b"credentials not found" in done.stdout:
            return None
        reason = " ".join(done.stdout.decode("utf-8", "replace").split())[:200]
        raise RegistryError(f"{program}: cannot give credentials for {server}: {reason}")
    try:
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except msgspec.DecodeError:
        raise RegistryError(
            f"{program}: its answer for {server} is not understood; try it by hand, or give credentials"
        ) from None
    return _credentials(answer.username, answer.secret) if answer.secret else None


def _stored(config: _Config, registry: str, server: str) -> Credentials | None:
    entry = config.auths.get(server) or next(
        (entry for key, entry in config.auths.items() if _host(key) == _host(server)), None
    )
    if entry is None:
        return None
    if entry.identity_token:
        return _credentials(IDENTITY_TOKEN, entry.identity_token)
    if entry.auth:
        return _decoded(entry.auth, registry)
    return _credentials(entry.username, entry.password) if entry.username else None


def _host(key: str) -> str:
    """As Docker: keys of older versions are URLs."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _decoded(auth: str, registry: str) -> Credentials:
    try:
        username, colon, password = b64decode(auth, validate=True).decode().partition(":")
    except ValueError:
        username, colon, password = "", "", ""
    if not colon:
        raise RegistryError(f"Docker's config.json: the login for {registry} is damaged; log in again")
    return _credentials(username, password.rstrip("\0"))


def _credentials(username: str, password: str) -> Credentials:
    from agent.host import Credentials

    return Credentials(username=username, password=password)
