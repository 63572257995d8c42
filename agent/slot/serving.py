"""What served in a slot, one after the other, as the journal tells it: what a rollback can go back through."""

from __future__ import annotations

from collections.abc import Sequence

from agent.journal import DEPLOYED, RunRecord


def serving_order(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The deployments one could go back through, the current one last. `runs` come newest first.

    A deployment goes on top; a rollback takes off everything above the one it went back to.
    """
    order: list[RunRecord] = []
    for run in reversed(runs):
        if run.state != "succeeded" or not run.container or run.kind not in (*DEPLOYED, "rollback"):
            continue
        if run.kind in DEPLOYED:
            order = [*(kept for kept in order if kept.id != run.id), run]
            continue
        index = next((i for i, kept in enumerate(order) if str(kept.number) == run.target), None)
        if index is not None:
            order = order[: index + 1]
        else:
            order += [other for other in runs if str(other.number) == run.target]
    return order
