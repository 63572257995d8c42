"""Labels that images and containers both carry: our own, and Octopus's, which are its variables' names."""

from __future__ import annotations

from typing import Final

CONFIGURATION: Final = "dockwright.configuration"
"""Hash of everything that went into the image: packages, changed files, build settings."""

BASE: Final = "dockwright.base"
"""The digest of the image that a configured one was made from."""

CHANGES: Final = "dockwright.changes"
"""Which files were configured, and how many changes there are in each; never what they were."""

PACKAGE: Final = "dockwright.package"
"""Of an image without any environment's configuration: hash of its packages and build settings. Those that are
made of it inherit it, and have a base besides."""

TEMPORARY: Final = "dockwright.temporary"
"""Of a container that is only looked into: its name. What is left of one after a crash may be removed."""

LABELLED: Final = (
    "Octopus.Space.Id",
    "Octopus.Project.Id",
    "Octopus.Project.Name",
    "Octopus.Environment.Id",
    "Octopus.Environment.Name",
    "Octopus.Deployment.Id",
    "Octopus.RunbookRun.Id",
    "Octopus.Release.Number",
    "Octopus.Step.Id",
    "Octopus.Step.Name",
    "Octopus.Action.Id",
)
