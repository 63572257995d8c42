"""The last stage: an image becomes a running container, in the place of the one before."""

from agent.containers.health import HealthSettings, await_healthy
from agent.containers.labels import (
    CONFIGURATION,
    DEPLOYMENT,
    RUN,
    SLOT,
    SPECIFICATION,
)
from agent.containers.octopus import run_settings
from agent.containers.replace import Replaced, Replacement, replace, restore, serving
from agent.containers.settings import RunSettings

__all__ = [
    "CONFIGURATION",
    "DEPLOYMENT",
    "RUN",
    "SLOT",
    "SPECIFICATION",
    "HealthSettings",
    "Replaced",
    "Replacement",
    "RunSettings",
    "await_healthy",
    "replace",
    "restore",
    "run_settings",
    "serving",
]
