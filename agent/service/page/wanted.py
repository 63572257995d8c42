"""What the listener asks of the process that renders a page. It is all that both of them load."""

from __future__ import annotations

import msgspec


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which page: the overview, or one deployment. `token` guards the page's forms."""

    home: str
    deployment: str = ""
    token: str = ""
    peer: str = ""
    may_deploy: bool = False


NOT_FOUND = 4
