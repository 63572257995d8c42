"""What to transform: the `transform:` section of `sdi.yaml`, and the Octopus variables where it is silent.

Features after this module see frozen rules only; no one else spells a variable's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from agent.transform.changes import Policy
from agent.variables import Variables

_PACKAGE: Final = "Octopus.Action.Package."


class TargetRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A target with its own answer to finding nothing: `{target: "*.conf", no-match: fail}`."""

    target: str
    no_match: Policy | None = None


class ConfigTransformSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """XML transforms: by naming convention, and as listed (`Foo.config => web.config`)."""

    automatic: bool | None = None
    additional: tuple[str | TargetRule, ...] | None = None
    warnings_as_errors: bool | None = None
    ignore_errors: bool | None = None
    suppress_logging: bool | None = None
    diagnostics: bool | None = None


class TransformSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The `transform:` section. What it leaves out, Octopus's variables decide."""

    substitute: tuple[str | TargetRule, ...] | None = None
    config_transforms: ConfigTransformSettings | None = None
    config_variables: bool | None = None
    structured: tuple[str | TargetRule, ...] | None = None
    no_match: Policy | None = None
    output_encoding: str | None = None
    fail_on_unresolved: bool | None = None
    ignore_config_variable_errors: bool | None = None
    json_only: bool | None = None
    additional_paths: tuple[str, ...] | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A glob (or a transform definition) and what to do when it finds nothing; None is Calamari's answer."""

    pattern: str
    no_match: Policy | None = None


class SubstituteRules(msgspec.Struct, frozen=True, kw_only=True):
    """Substitute variables in templates. `output_encoding` is a .NET name."""

    targets: tuple[Target, ...]
    output_encoding: str | None = None
    fail_on_unresolved: bool = False


class ConfigTransformRules(msgspec.Struct, frozen=True, kw_only=True):
    """XML transforms. `definitions` are as written: `Foo.config => web.config`, or a suffix."""

    automatic: bool = False
    definitions: tuple[Target, ...] = ()
    environment: str | None = None
    tenant: str | None = None
    warnings_as_errors: bool = True
    ignore_errors: bool = False
    suppress_logging: bool = False
    diagnostics: bool = False
    no_match: Policy | None = None


class ConfigVariableRules(msgspec.Struct, frozen=True, kw_only=True):
    """appSettings, connectionStrings and applicationSettings. `skip` are files that served as transforms."""

    ignore_errors: bool = False
    skip: tuple[Path, ...] = ()
    no_match: Policy | None = None


class StructuredRules(msgspec.Struct, frozen=True, kw_only=True):
    """Structured variables. `json_only` is Calamari's fallback flag."""

    targets: tuple[Target, ...]
    json_only: bool = False


class ResolvedTransforms(msgspec.Struct, frozen=True, kw_only=True):
    """Each feature's rules, None where it is off; and the extra folders that all of them search."""

    substitute: SubstituteRules | None = None
    config_transforms: ConfigTransformRules | None = None
    config_variables: ConfigVariableRules | None = None
    structured: StructuredRules | None = None
    additional_paths: tuple[Path, ...] = ()


def settings_from(settings: TransformSettings | None, variables: Variables) -> ResolvedTransforms:
    """The rules of each feature. An input that is there decides; else the variable that Calamari would read."""
    given = settings or TransformSettings()
    enabled = frozenset(variables.strings("Octopus.Action.EnabledFeatures"))
    paths = given.additional_paths
    if paths is None:
        paths = variables.strings("Octopus.Action.AdditionalPaths")
    return ResolvedTransforms(
        substitute=_substitute(given, variables, enabled),
        config_transforms=_config_transforms(given, variables, enabled),
        config_variables=_config_variables(given, variables, enabled),
        structured=_structured(given, variables, enabled),
        additional_paths=tuple(map(Path, paths)),
    )


def _substitute(given: TransformSettings, variables: Variables, enabled: frozenset[str]) -> SubstituteRules | None:
    targets = _targets(given.substitute, given.no_match)
    if targets is None:
        if "Octopus.Features.SubstituteInFiles" not in enabled:
            return None
        quiet = not variables.flag("Octopus.Action.SubstituteInFiles.EnableNoMatchWarning", default=True)
        listed = variables.paths("Octopus.Action.SubstituteInFiles.TargetFiles")
        targets = _listed(listed, given.no_match or ("ignore" if quiet else None))
    return SubstituteRules(
        targets=targets,
        output_encoding=given.output_encoding or variables.get("Octopus.Action.SubstituteInFiles.OutputEncoding"),
        fail_on_unresolved=_flag(
            given.fail_on_unresolved, variables, "OctopusShouldFailDeploymentOnSubstitutionFails"
        ),
    )


def _config_transforms(
    given: TransformSettings, variables: Variables, enabled: frozenset[str]
) -> ConfigTransformRules | None:
    section = given.config_transforms
    if section is None:
        if "Octopus.Features.ConfigurationTransforms" not in enabled:
            return None
        section = ConfigTransformSettings()
    definitions = _targets(section.additional, given.no_match)
    if definitions is None:
        definitions = _listed(_additional_transforms(variables), given.no_match)
    rules = ConfigTransformRules(
        automatic=_flag(section.automatic, variables, _PACKAGE + "AutomaticallyRunConfigurationTransformationFiles"),
        definitions=definitions,
        environment=variables.get("Octopus.Environment.Name"),
        tenant=variables.get("Octopus.Deployment.Tenant.Name"),
        no_match=given.no_match,
    )
    return _with_tunables(rules, section, variables)


def _with_tunables(
    rules: ConfigTransformRules, section: ConfigTransformSettings, variables: Variables
) -> ConfigTransformRules:
    ignore = _flag(section.ignore_errors, variables, _PACKAGE + "IgnoreConfigTransformationErrors")
    strict = _flag(
        section.warnings_as_errors, variables, _PACKAGE + "TreatConfigTransformationWarningsAsErrors", default=True
    )
    return msgspec.structs.replace(
        rules,
        ignore_errors=ignore,
        warnings_as_errors=strict and not ignore,
        suppress_logging=_flag(section.suppress_logging, variables, _PACKAGE + "SuppressConfigTransformationLogging"),
        diagnostics=_flag(section.diagnostics, variables, _PACKAGE + "EnableDiagnosticsConfigTransformationLogging"),
    )


def _config_variables(
    given: TransformSettings, variables: Variables, enabled: frozenset[str]
) -> ConfigVariableRules | None:
    wanted = given.config_variables
    if wanted is None:
        flag = _PACKAGE + "AutomaticallyUpdateAppSettingsAndConnectionStrings"
        wanted = "Octopus.Features.ConfigurationVariables" in enabled and variables.flag(flag)
    if not wanted:
        return None
    ignore = _flag(given.ignore_config_variable_errors, variables, _PACKAGE + "IgnoreVariableReplacementErrors")
    return ConfigVariableRules(ignore_errors=ignore, no_match=given.no_match)


def _structured(given: TransformSettings, variables: Variables, enabled: frozenset[str]) -> StructuredRules | None:
    targets = _targets(given.structured, given.no_match)
    if targets is None:
        if "Octopus.Features.JsonConfigurationVariables" not in enabled:
            return None
        targets = _listed(variables.paths(_PACKAGE + "JsonConfigurationVariablesTargets"), given.no_match)
    json_only = _flag(given.json_only, variables, "Octopus.Action.StructuredConfigurationFallbackFlag")
    return StructuredRules(targets=targets, json_only=json_only)


def _targets(rules: tuple[str | TargetRule, ...] | None, policy: Policy | None) -> tuple[Target, ...] | None:
    if rules is None:
        return None
    written = (TargetRule(target=rule) if isinstance(rule, str) else rule for rule in rules)
    return tuple(Target(pattern=rule.target, no_match=rule.no_match or policy) for rule in written)


def _listed(patterns: tuple[str, ...], policy: Policy | None) -> tuple[Target, ...]:
    return tuple(Target(pattern=pattern, no_match=policy) for pattern in patterns)


def _additional_transforms(variables: Variables) -> tuple[str, ...]:
    written = variables.get(_PACKAGE + "AdditionalXmlConfigurationTransforms") or ""
    separated = written.replace("\r", ",").replace("\n", ",").split(",")
    return tuple(part.strip() for part in separated if part.strip())


def _flag(given: bool | None, variables: Variables, name: str, *, default: bool = False) -> bool:
    return variables.flag(name, default=default) if given is None else given
