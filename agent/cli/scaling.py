"""`scale`: more or fewer of what serves."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.deploying import WAIT
from agent.cli.options import home_from, host_from, place_options, reporting


@click.command()
@click.argument("slot")
@click.argument("replicas", type=int)
@WAIT
@place_options
def scale(slot: str, replicas: int, wait: float, **options: Any) -> None:
    """Let REPLICAS containers serve in SLOT, all of the image that serves there now."""
    with reporting(options) as report:
        from agent.slot import scaling

        request = scaling.ScaleRequest(
            home=home_from(options), host=host_from(options), replicas=replicas, slot=slot, wait=wait
        )
        report.success(scaling.scale_slot(request, report).outputs)


COMMANDS = (scale,)
