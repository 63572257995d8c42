"""What monitoring asks of a listener, in Prometheus' text form."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from agent.service.deployments import Deployments

RATE = 200.0
"""Requests a second that one peer may make for long."""

BURST = 1000.0


@dataclass(kw_only=True)
class Counts:
    """Counts since the listener began, and how much each peer may still ask now."""

    requests: int = 0
    refused: int = 0
    accepted: int = 0
    _allowance: dict[str, tuple[float, float]] = field(default_factory=dict)

    def within_rate(self, peer: str, moment: float) -> bool:
        """Whether the peer may make one more request at this moment (a bucket that fills again)."""
        left, since = self._allowance.get(peer, (BURST, moment))
        left = min(BURST, left + (moment - since) * RATE)
        self._allowance[peer] = (max(0.0, left - 1), moment)
        return left >= 1


def render(counts: Counts, deployments: Deployments, running: int) -> str:
    """All of it as text."""
    states = Counter(each.state for each in deployments.all())
    lines = [
        "# TYPE dockwright_requests_total counter",
        f"dockwright_requests_total {counts.requests}",
        "# TYPE dockwright_requests_refused_total counter",
        f"dockwright_requests_refused_total {counts.refused}",
        "# TYPE dockwright_deployments_accepted_total counter",
        f"dockwright_deployments_accepted_total {counts.accepted}",
        "# TYPE dockwright_deployments_running gauge",
        f"dockwright_deployments_running {running}",
        "# TYPE dockwright_deployments gauge",
        *(f'dockwright_deployments{{state="{state}"}} {count}' for state, count in sorted(states.items())),
    ]
    return "\n".join(lines) + "\n"
