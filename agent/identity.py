"""Which deployment this is: read once from Octopus's variables, and nowhere else."""

from __future__ import annotations

from agent.inputs import Missing
from agent.labels import LABELLED
from agent.step import Deployment, DeploymentKind
from agent.variables import Variables


def identify(variables: Variables, fallback_step: str, missing: Missing) -> Deployment:
    """The deployment (or runbook run) that the variables speak of; what is absent goes to `missing`.

    Project and environment are known by id, else by name. A runbook run needs no release.
    """
    run, deployment = variables.get("Octopus.RunbookRun.Id"), variables.get("Octopus.Deployment.Id")
    kind: DeploymentKind = "runbook-run" if run and not deployment else "deployment"
    if not run and not deployment:
        missing.add("Octopus.Deployment.Id (or Octopus.RunbookRun.Id)")
    release = variables.get("Octopus.Release.Number") or ""
    if not release and kind == "deployment":
        missing.add("Octopus.Release.Number")
    return Deployment(
        id=deployment or run or "",
        kind=kind,
        release=release,
        project=_id_or_name(variables, "Octopus.Project", missing),
        environment=_id_or_name(variables, "Octopus.Environment", missing),
        tenant=variables.get("Octopus.Deployment.Tenant.Id") or "",
        step=variables.get("Octopus.Action.Name") or variables.get("Octopus.Step.Name") or fallback_step,
        names=_labels(variables),
    )


def _id_or_name(variables: Variables, prefix: str, missing: Missing) -> str:
    value = variables.get(f"{prefix}.Id") or variables.get(f"{prefix}.Name") or ""
    if not value:
        missing.add(f"{prefix}.Id (or {prefix}.Name)")
    return value


def _labels(variables: Variables) -> dict[str, str]:
    """Octopus's own labels; a value computed from a secret is left out, since labels are there for all to read."""
    found = {name: value for name in LABELLED if not variables.is_sensitive(name) and (value := variables.get(name))}
    return {**found, "Octopus.Deployment.Tenant.Id": variables.get("Octopus.Deployment.Tenant.Id") or "untenanted"}
