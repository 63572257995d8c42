"""The labels by which the agent finds again what it made. The engine is asked, never a list of our own."""

from agent.labels import CONFIGURATION

__all__ = ["CONFIGURATION", "CUTOVER", "DEPLOYMENT", "RELAY", "ROLE", "RUN", "SLOT", "SPECIFICATION"]

SLOT = "dockwright.slot"
"""Project / environment / tenant / step: what a newer deployment replaces."""

DEPLOYMENT = "dockwright.deployment"
"""The deployment or runbook run that made the image or container."""

SPECIFICATION = "dockwright.specification"
"""Hash of everything the container was created with, so that the same one is not made twice."""

RUN = "dockwright.run"
"""How the container is judged healthy, as JSON, so that a recovery can judge it as the run would have."""

CUTOVER = "dockwright.cutover"
"""How it takes the place of the one before, and how many there are, as JSON; absent for one that is recreated."""

ROLE = "dockwright.role"
"""What a container of the slot is, if it is not the application."""

RELAY = "relay"
"""The role of the container that owns the port under `cutover: hold`."""
