"""Scripts beside a deployment: run with its variables, and heard when they set some or leave files."""

from agent.scripts.artifacts import keep_artifact, make_room
from agent.scripts.hooks import STAGES, HookPlaces, Hooks, HookSettings, HookStage
from agent.scripts.kit import kit, readable_variables
from agent.scripts.listening import Artifact, Listener
from agent.scripts.running import ScriptRun, run_script
from agent.scripts.script import Language, Script
from agent.scripts.settings import ScriptSettings, read_script

__all__ = [
    "STAGES",
    "Artifact",
    "HookPlaces",
    "HookSettings",
    "HookStage",
    "Hooks",
    "Language",
    "Listener",
    "Script",
    "ScriptRun",
    "ScriptSettings",
    "keep_artifact",
    "kit",
    "make_room",
    "read_script",
    "readable_variables",
    "run_script",
]
