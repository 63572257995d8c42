"""Renders one page to standard output. What it needs to know comes as JSON on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from agent.service.page import facts
from agent.service.page.wanted import NOT_FOUND, Wanted


def main() -> int:
    """0, or NOT_FOUND for a deployment that nobody knows."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)
    text = page(wanted)
    if text is None:
        return NOT_FOUND
    sys.stdout.buffer.write(text.encode())
    return 0


def page(wanted: Wanted) -> str | None:
    """The page's HTML; None for a deployment that nobody knows."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    templates.filters["when"] = _when
    if not wanted.deployment:
        return templates.get_template("overview.html.j2").render(
            overview=facts.overview(Path(wanted.home)), wanted=wanted
        )
    found = facts.detail(Path(wanted.home), wanted.deployment)
    if found is None:
        return None
    return templates.get_template("deployment.html.j2").render(found=found, wanted=wanted)


def _when(text: str) -> str:
    """`2026-11-23 11:50:00` in UTC, from ISO 8601."""
    return text[:19].replace("T", " ")


if __name__ == "__main__":
    sys.exit(main())
