"""The last stage: an image becomes a running container, in the place of the one before."""

from agent.containers.cutover import (
    RELAY_IMAGE,
    Cutover,
    Hold,
    Proxy,
    Recreate,
    Scene,
    Strategy,
    expected_outage,
    label_health,
    lead,
    relay_advice,
    relay_warning,
    shape_of,
    strategy_for,
)
from agent.containers.fitting import require_fitting
from agent.containers.health import HealthSettings, await_healthy
from agent.containers.labels import (
    CONFIGURATION,
    CUTOVER,
    DEPLOYMENT,
    RELAY,
    ROLE,
    RUN,
    SLOT,
    SPECIFICATION,
)
from agent.containers.octopus import run_settings
from agent.containers.replace import Replaced, Replacement, replace, restore, serving
from agent.containers.scale import Scaling, require_number, scale
from agent.containers.settings import RunSettings

__all__ = [
    "CONFIGURATION",
    "CUTOVER",
    "DEPLOYMENT",
    "RELAY",
    "RELAY_IMAGE",
    "ROLE",
    "RUN",
    "SLOT",
    "SPECIFICATION",
    "Cutover",
    "HealthSettings",
    "Hold",
    "Proxy",
    "Recreate",
    "Replaced",
    "Replacement",
    "RunSettings",
    "Scaling",
    "Scene",
    "Strategy",
    "await_healthy",
    "expected_outage",
    "label_health",
    "lead",
    "relay_advice",
    "relay_warning",
    "replace",
    "require_fitting",
    "require_number",
    "restore",
    "run_settings",
    "scale",
    "serving",
    "shape_of",
    "strategy_for",
]
