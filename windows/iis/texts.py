"""What stands in a site's own texts: templates that a deployment fills, and passwords in the code of old pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from windows.iis.values import has_password

LARGEST_TEXT = 1_000_000
_PAGES = frozenset({".asp", ".asa", ".inc"})
_TEXTS = _PAGES | {".config", ".json", ".xml", ".html", ".htm", ".js", ".css", ".txt", ".ini", ".yaml", ".yml"}
_TEXTS |= {".aspx", ".ascx", ".cshtml", ".vbhtml", ".master"}
_TOKEN = re.compile(rb"#\{\s*(?:if|unless|each)\s|#\{/|#\{\s*[A-Za-z_][\w.:\[\] -]*(?:\|[^{}]*)?\}")
_REMOVAL = re.compile(rb"""xdt:Transform\s*=\s*["'](Remove(?:All|Attributes)?(?:\([^)]*\))?)""")
_CREATED = re.compile(r"""CreateObject\s*\(\s*"([A-Za-z][\w.-]{1,80})""", re.IGNORECASE)
_OF_WINDOWS = re.compile(
    r"(adodb|adox|scripting|vbscript|msxml2?|microsoft|winhttp|wscript|shell|mswc|cdo)\.", re.IGNORECASE
)
_MADE_BY_OTHERS = re.compile(r"(\.min\.(js|css)$|(^|/)(node_modules|_framework|packages|lib|obj)/)", re.IGNORECASE)


def templates(folder: Path, files: Collection[str]) -> Iterator[str]:
    """The texts of the site's own with `#{...}` in them."""
    return (name for name in files if _TOKEN.search(_text(folder, name, _TEXTS)))


def removed_twice(folder: Path, transforms: Collection[str]) -> bool:
    """Whether the Release transform takes away what another one does too, as Visual Studio's templates have it.

    Both are applied, one after the other, and the second finds nothing then: a warning, which fails a deployment.
    """
    release = [name for name in transforms if name.lower().endswith(".release.config")]
    others = [name for name in transforms if not name.lower().endswith((".release.config", ".debug.config"))]
    found = {frozenset(_REMOVAL.findall(_text(folder, name, _TEXTS))) for name in release}
    return any(each & set(_REMOVAL.findall(_text(folder, name, _TEXTS))) for each in found for name in others)


def with_passwords(folder: Path, files: Collection[str]) -> Iterator[str]:
    """The pages of classic ASP with a connection string, and its password, in their code."""
    return (name for name in files if has_password(_text(folder, name, _PAGES).decode("latin-1")))


def components(folder: Path, files: Collection[str]) -> list[str]:
    """The COM components that pages of classic ASP create and Windows does not have, by their names."""
    texts = (_text(folder, name, _PAGES).decode("latin-1") for name in files)
    found = {name.lower(): name for text in texts for name in _CREATED.findall(text)}
    return sorted(name for name in found.values() if not _OF_WINDOWS.match(name))


def _text(folder: Path, name: str, kinds: Collection[str]) -> bytes:
    """Nothing for files of other kinds, for what nobody wrote by hand, and for what another holds open."""
    path = folder / name
    if path.suffix.lower() in kinds and not _MADE_BY_OTHERS.search(name):
        with suppress(OSError):
            return path.read_bytes() if path.stat().st_size <= LARGEST_TEXT else b""
    return b""
