"""Whether secrets land where others can read them: in argument lists, in logs, in files that stay."""

from __future__ import annotations

import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOGIN = "dockwright"
"""The user that the secrets of these tests are the password of, where a user is needed."""

_BETWEEN_LOOKS = 0.2


@contextmanager
def nothing_shown(secrets: Sequence[str], places: Callable[[], Iterable[Path]]) -> Iterator[list[str]]:
    """Look at the argument lists of all processes while the block runs, and through files and folders after it.

    AssertionError that says where a secret was. More texts to be searched can be put into the list.
    """
    forms = [form for secret in secrets for form in _forms(secret)]
    seen: set[str] = set()
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(forms, seen, over), daemon=True)
    watcher.start()
    texts: list[str] = []
    try:
        yield texts
    finally:
        over.set()
        watcher.join()
    assert not seen, f"a secret was an argument: {seen}"
    assert not [text[:200] for text in texts if _holds(text.encode(), forms)]
    left = [Path(folder) for pattern in ("dockwright*", ".dockwright*") for folder in _temporary(pattern)]
    holding = [path for path in _files([*places(), *left]) if _holds(_content(path), forms)]
    assert not holding, f"a secret is in {holding}"


def _forms(secret: str) -> tuple[bytes, ...]:
    """As it is, as Windows writes it, and as logins are encoded."""
    return secret.encode(), secret.encode("utf-16-le"), b64encode(f"{LOGIN}:{secret}".encode())


def _watch(forms: list[bytes], seen: set[str], over: threading.Event) -> None:
    while not over.wait(_BETWEEN_LOOKS):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            content = _content(path)
            if _holds(content, forms):
                seen.add(content.replace(b"\0", b" ").decode(errors="replace"))


def _holds(content: bytes, forms: list[bytes]) -> bool:
    return any(form in content for form in forms)


def _temporary(pattern: str) -> Iterator[Path]:
    for folder in {tempfile.gettempdir(), "/dev/shm", "/tmp"}:
        yield from Path(folder).glob(pattern)


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from (path for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
