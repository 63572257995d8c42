"""What the value of a setting says about where it works: a path, a share, an address, or a secret.

Only names leave this module; no value of a setting is ever kept or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PASSWORD = re.compile(r"\b(password|pwd|accountkey|sharedaccesskey|secret)\s*=\s*[^;\s]", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"(password|pwd|secret|token|api[-_.]?key|access[-_.]?key|private[-_.]?key)$", re.IGNORECASE
)
_PATH = re.compile(r"[A-Za-z]:[\\/](?!/)")
_SHARE = re.compile(r"\\\\[^\\\s]+\\")
_LOCAL_ADDRESS = re.compile(r"(?:^|[/@=\s])(localhost|127\.0\.0\.1|\[?::1\]?)(?=$|[:/;,\s\\])", re.IGNORECASE)
_LOCAL_SERVER = re.compile(
    r"\b(data source|server|address|addr|network address)\s*=\s*(tcp:)?(\.|\(local\)|\(localdb\))(?=[\\,;\s]|$)",
    re.IGNORECASE,
)
_AS_SELF = re.compile(
    r"\b(integrated security\s*=\s*(true|sspi|yes)|trusted_connection\s*=\s*(true|yes))", re.IGNORECASE
)
_ATTACHED = re.compile(r"\battachdbfilename\s*=|\|datadirectory\|", re.IGNORECASE)


def concerns_of(settings: Iterable[tuple[str, str]], *, on_windows: bool = True) -> Iterator[str]:
    """What to think of, for settings by their names, by kind, in a Windows container or not."""
    kinds: dict[str, list[str]] = {}
    for name, value in settings:
        for kind in _kinds(name, value):
            kinds.setdefault(kind, []).append(name)
    for kind, told in (_TOLD if on_windows else _TOLD | _TOLD_ON_LINUX).items():
        if names := kinds.get(kind):
            yield f"{_shown(names)}: {told}"


def has_password(value: str) -> bool:
    """Whether a connection string has a password in it."""
    return bool(_PASSWORD.search(value))


_TOLD = {
    "secret": "a secret in the file; take it out there, and give it as a sensitive variable of that name",
    "as itself": "logs in as the account of the process; a container has one in the domain only by a group managed "
    "service account: run.credential-spec",
    "local": "names the machine that it runs on, which now is the container; give the real one as a variable",
    "share": "a file share, which the container's own account cannot read; use a group managed service account "
    "(run.credential-spec), or mount the share on the host and give it by run.volumes",
    "path": "a path on the old machine; mount it with run.volumes",
    "attached": "a database file within the site, which ends with each container; use a database server",
}

_TOLD_ON_LINUX = {
    "as itself": "logs in as the account of the process, and a Linux container has none in the domain; give a login "
    "of the server's own, with its password as a sensitive variable",
    "share": "a file share; mount it on the host, and give it by run.volumes",
}


def _kinds(name: str, value: str) -> Iterator[str]:
    if "#{" in value or not value:
        return
    if has_password(value) or _SECRET_NAME.search(name):
        yield "secret"
    if _AS_SELF.search(value):
        yield "as itself"
    if _LOCAL_ADDRESS.search(value) or _LOCAL_SERVER.search(value):
        yield "local"
    if _SHARE.match(value):
        yield "share"
    if _PATH.match(value):
        yield "path"
    if _ATTACHED.search(value):
        yield "attached"


def _shown(names: list[str], most: int = 8) -> str:
    shown = ", ".join(dict.fromkeys(names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
