"""What stands in a site's own texts: templates that a deployment fills, and what old pages need or tell."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from windows.iis.values import has_password

LARGEST_TEXT = 1_000_000
_PAGES = (".asp", ".asa", ".inc")
_TEXTS = (
    *_PAGES,
    *(".config", ".json", ".xml", ".html", ".htm", ".js", ".css", ".txt", ".ini", ".yaml", ".yml"),
    *(".aspx", ".ascx", ".cshtml", ".vbhtml", ".master"),
)
_TOKEN = re.compile(rb"#\{\s*(?:if|unless|each)\s|#\{/|#\{\s*[A-Za-z_][\w.:\[\] -]*(?:\|[^{}]*)?\}")
_REMOVAL = re.compile(rb"""xdt:Transform\s*=\s*["'](Remove(?:All|Attributes)?(?:\([^)]*\))?)""")
_CREATED = re.compile(r"""CreateObject\s*\(\s*"([A-Za-z][\w.-]{1,80})""", re.IGNORECASE)
_OF_WINDOWS = re.compile(
    r"(adodb|adox|scripting|vbscript|msxml2?|microsoft|winhttp|wscript|shell|mswc|cdo)\.", re.IGNORECASE
)
_MADE_BY_OTHERS = re.compile(r"(\.min\.(js|css)$|(^|/)(node_modules|_framework|packages|lib|obj)/)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Names of files, sorted; `components` are names of COM components."""

    templates: tuple[str, ...] = ()
    """Texts of the site's own with `#{...}` in them."""
    with_passwords: tuple[str, ...] = ()
    """Pages of classic ASP with a connection string, and its password, in their code."""
    components: tuple[str, ...] = ()
    """What such pages create and Windows does not have."""
    removes_twice: bool = False
    """The Release transform takes away what another one does too, as Visual Studio's templates have it: the second
    finds nothing then, a warning, which fails a deployment."""


def read_texts(folder: Path, files: Collection[str], transforms: Collection[str]) -> Texts:
    """Look into all texts of a site, once; `transforms` are some of `files`, relative to the folder."""
    templates, with_passwords, created = [], [], set()
    removed: dict[str, set[bytes]] = {}
    for name in files:
        text = _text(folder, name)
        if _TOKEN.search(text):
            templates.append(name)
        if name in transforms:
            removed.setdefault(_kind(name), set()).update(_REMOVAL.findall(text))
        if name.lower().endswith(_PAGES):
            page = text.decode("latin-1")
            with_passwords += [name] if has_password(page) else []
            created |= {each for each in _CREATED.findall(page) if not _OF_WINDOWS.match(each)}
    return Texts(
        templates=tuple(templates),
        with_passwords=tuple(with_passwords),
        components=tuple(sorted(created)),
        removes_twice=bool(removed.get("release", set()) & removed.get("other", set())),
    )


def _kind(transform: str) -> str:
    name = transform.lower().rpartition("/")[2].split(".")[-2]
    return name if name in ("release", "debug") else "other"


def _text(folder: Path, name: str) -> bytes:
    """Nothing for files of other kinds, for what nobody wrote by hand, and for what another holds open."""
    path = folder / name
    if name.lower().endswith(_TEXTS) and not _MADE_BY_OTHERS.search(name):
        with suppress(OSError):
            return path.read_bytes() if path.stat().st_size <= LARGEST_TEXT else b""
    return b""
