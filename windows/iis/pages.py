"""Which page answers at a site's root, as IIS finds it, and so which one tells whether the site works."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import quote

from windows.iis.web_config import WebConfig

_IIS_DOCUMENTS = ("default.htm", "default.asp", "index.htm", "index.html", "default.aspx", "default.html")
_ROUTED = ("global.asax", "default.cshtml", "index.cshtml", "app_code/_appstart.cshtml")
_SERVICES = (".asmx", ".svc", ".asp", ".aspx")
STATIC_DOCUMENTS = frozenset({"index.html", "index.htm", "default.htm", "default.html"})


def front_pages(files: Collection[str], web: WebConfig, root: str = "") -> list[str]:
    """The site's own default documents below `root`, spelled as they are there, in the order in which IIS looks."""
    there = {name.lower(): name for name in files if name.startswith(root) and "/" not in name[len(root) :]}
    wanted = [name.lower() for name in web.documents]
    wanted += () if web.only_these_documents else _IIS_DOCUMENTS
    return [there[root + name][len(root) :] for name in dict.fromkeys(wanted) if root + name in there]


def page_to_ask(files: Sequence[str], web: WebConfig) -> str:
    """`/`, unless nothing would answer there, as in a site of services: then one of these, percent-encoded."""
    top = [name for name in files if "/" not in name]
    if front_pages(files, web) or {name.lower() for name in files}.intersection(_ROUTED):
        return "/"
    for suffix in _SERVICES:
        if found := next((name for name in top if name.lower().endswith(suffix)), ""):
            return f"/{quote(found)}"
    return "/"
