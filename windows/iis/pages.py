"""Which page answers at a site's root, as IIS finds it, and so which one tells whether the site works."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from windows.iis.web_config import WebConfig

_IIS_DOCUMENTS = ("default.htm", "default.asp", "index.htm", "index.html", "default.aspx", "default.html")
_SERVICES = (".asmx", ".svc", ".asp", ".aspx")
STATIC_DOCUMENTS = frozenset({"index.html", "index.htm", "default.htm", "default.html"})


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Of a static site `front` and `missing`, by names below its root; of any, the address to `ask` for."""

    front: tuple[str, ...] = ()
    """What answers at the root, the first one first."""
    missing: str = ""
    """What is shown for error 404."""
    ask: str = "/"
    """Tells whether the site works."""
    certain: bool = True
    """Whether the files show that something answers there."""


def static_pages(files: Collection[str], web: WebConfig, root: str = "") -> Pages:
    """Of a site without programs: what needs one is none of its pages."""
    wanted = STATIC_DOCUMENTS | {name.lower() for name in web.documents if name.lower().endswith((".html", ".htm"))}
    front = (name for name in _front_pages(files, web, root) if name.lower() in wanted)
    return Pages(front=tuple(front), missing=web.missing_page if root + web.missing_page in files else "")


def pages_of_program(files: Sequence[str], web: WebConfig) -> Pages:
    """Where nothing would answer at `/`, as in a site of services, one of these is asked."""
    top = [name for name in files if "/" not in name]
    if _front_pages(files, web) or any(name.lower().endswith((".cshtml", ".vbhtml")) for name in files):
        return Pages()
    services = [name for suffix in _SERVICES for name in top if name.lower().endswith(suffix)]
    return Pages(ask=f"/{quote(services[0])}") if services else Pages(certain=False)


def pages_of_core(files: Collection[str]) -> Pages:
    """Of ASP.NET Core, whose pages are in its program; only what a browser loads beside them lies in files."""
    return Pages(certain=any(name.startswith("wwwroot/") for name in files))


def _front_pages(files: Collection[str], web: WebConfig, root: str = "") -> list[str]:
    """The site's own default documents below `root`, spelled as they are there, in the order in which IIS looks."""
    there = {name.lower(): name for name in files if name.startswith(root) and "/" not in name[len(root) :]}
    wanted = [name.lower() for name in web.documents]
    wanted += () if web.only_these_documents else _IIS_DOCUMENTS
    return [there[root + name][len(root) :] for name in dict.fromkeys(wanted) if root + name in there]
