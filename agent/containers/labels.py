"""The labels by which the agent finds again what it made. The engine is asked, never a list of our own."""

SLOT = "dockwright.slot"
"""Project / environment / tenant / step: what a newer deployment replaces."""

DEPLOYMENT = "dockwright.deployment"
"""The deployment or runbook run that made the image or container."""

CONFIGURATION = "dockwright.configuration"
"""Hash of everything that went into the image: packages, changed files, build settings."""

SPECIFICATION = "dockwright.specification"
"""Hash of everything the container was created with, so that the same one is not made twice."""

RUN = "dockwright.run"
"""How the container is judged healthy, as JSON, so that a recovery can judge it as the run would have."""
