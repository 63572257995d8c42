"""The tags of a repository, page by page, as registries list them."""

from __future__ import annotations

import re

import msgspec

from agent.errors import RegistryError
from agent.registry.session import Session, pull_scope
from agent.registry.transport import Answer, Request

_PAGE = 1000
_MOST = 100_000


class _Page(msgspec.Struct):
    tags: list[str] | None = None


def list_tags(session: Session, repository: str) -> tuple[str, ...]:
    """All of them, each a tag that can be asked for; none if the registry has no such repository.

    RegistryError for a list without end, or of more than a hundred thousand.
    """
    path = f"/v2/{session.reference(repository).repository}/tags/list?n={_PAGE}"
    found: dict[str, None] = {}
    while path:
        answer = session.ask(Request(method="GET", path=path), pull_scope(repository))
        if answer.status == 404:
            return tuple(found)
        if answer.status != 200:
            raise session.refusal(answer, f"list the tags of {session.registry}/{repository}")
        page = _tags(answer, session, repository)
        known = len(found)
        found.update(dict.fromkeys(page))
        path = _next(answer, session, repository)
        if len(found) > _MOST or (path and len(found) == known):
            raise RegistryError(f"{session.registry}/{repository}: the registry's list of tags does not end")
    return tuple(found)


def _tags(answer: Answer, session: Session, repository: str) -> list[str]:
    try:
        tags = msgspec.json.decode(answer.body, type=_Page).tags or []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryError(f"{session.registry}/{repository}: what it gives as a list of tags is none") from error
    return [tag for tag in tags if re.fullmatch(r"[A-Za-z0-9_][\w.-]{0,127}", tag, re.ASCII)]


def _next(answer: Answer, session: Session, repository: str) -> str:
    """Where the next page is, if there is one, and it is at this registry and of this repository."""
    found = re.match(r'\s*<([^>]{1,2000})>\s*;\s*rel="?next"?', answer.headers.get("link", ""))
    path = session.own_path(found[1]) if found else None
    if found and (path is None or not path.startswith(f"/v2/{repository}/tags/list?")):
        raise RegistryError(f"{session.registry}/{repository}: its list of tags goes on elsewhere, which is not read")
    return path or ""
