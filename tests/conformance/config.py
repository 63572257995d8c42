"""The cases of the configuration features: each area has a module of its own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.conformance.result import AreaResult

_MODULES = {
    "json": "config_replace",
    "yaml": "config_replace",
    "properties": "config_replace",
    "structured-service": "config_service",
    "substitute": "config_substitute",
    "glob": "config_glob",
    "xml": "config_xml",
    "configvars": "config_configvars",
    "transforms": "config_transforms",
}


def run(folder: Path) -> list[AreaResult]:
    """A result for each area that the folder holds; an area that nobody knows fails with all its cases."""
    return [_run(area) for area in sorted(folder.iterdir()) if area.is_dir()]


def _run(area: Path) -> AreaResult:
    if area.name not in _MODULES:
        cases = sorted(case.parent.name for case in area.glob("*/case.json"))
        failed = tuple((case, f"the area '{area.name}' is unknown") for case in cases)
        return AreaResult(area=f"config/{area.name}", passed=0, failed=failed)
    result: AreaResult = import_module(f"tests.conformance.{_MODULES[area.name]}").run(area)
    return result
