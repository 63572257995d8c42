"""What `web.config` asked of IIS for a site of files, said to nginx."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windows.iis.site import Site

_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
_VALUE = re.compile(r"(?:[^\"\\$#\x00-\x1f\x7f]|#(?!\{)){1,4000}")
"""Neither nginx's variables nor the deployment's."""
_FILE = re.compile(r"[\w./-]{1,200}", re.ASCII)


def nginx_conf(site: Site) -> str:
    """The server's configuration; nothing where nginx's own does the same."""
    asked = [*_lines(site)]
    if not asked:
        return ""
    lines = ["# What web.config had asked of IIS.", "server {", "    listen 80;", "    root /usr/share/nginx/html;"]
    return "\n".join([*lines, *(f"    {line}" for line in asked), "}"]) + "\n"


def untold_headers(site: Site) -> list[str]:
    """The response headers of web.config that the configuration does not set."""
    return [name for name, value in site.web.headers if not _can_be_set(name, value)]


def _lines(site: Site) -> Iterator[str]:
    pages = [page for page in site.pages.front if _FILE.fullmatch(page)]
    if pages and pages[0] != "index.html":
        yield f"index {' '.join(pages)};"
    yield from (
        f'add_header {name} "{value}" always;' for name, value in site.web.headers if _can_be_set(name, value)
    )
    if site.pages.missing and _FILE.fullmatch(site.pages.missing):
        yield f"error_page 404 /{site.pages.missing};"
    if site.web.falls_back:
        front = pages[0] if pages else "index.html"
        yield from ("location / {", f"    try_files $uri $uri/ /{front};", "}")


def _can_be_set(name: str, value: str) -> bool:
    return bool(_HEADER.fullmatch(name) and _VALUE.fullmatch(value))
