from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.transform.settings import (
    ConfigTransformRules,
    ConfigVariableRules,
    ResolvedTransforms,
    StructuredRules,
    SubstituteRules,
    Target,
    TransformSettings,
    settings_from,
)
from agent.variables import Variables


def resolved(written: object, **variables: str) -> ResolvedTransforms:
    settings = None if written is None else msgspec.convert(written, TransformSettings, strict=False)
    return settings_from(
        settings, Variables.of({name.replace("__", "."): value for name, value in variables.items()})
    )


def test_nothing_asked_for_turns_nothing_on() -> None:
    assert resolved(None) == ResolvedTransforms()
    assert resolved({}) == ResolvedTransforms()


def test_the_section_decides_where_it_speaks() -> None:
    written = {
        "substitute": ["app/**/*.conf", {"target": "*.ini", "no-match": "fail"}],
        "config-transforms": {"automatic": "true", "additional": ["Foo.config => web.config"]},
        "config-variables": "true",
        "structured": ["app/appsettings.json"],
        "no-match": "ignore",
    }
    rules = resolved(written, Octopus__Environment__Name="Production")
    assert rules.substitute == SubstituteRules(
        targets=(
            Target(pattern="app/**/*.conf", no_match="ignore"),
            Target(pattern="*.ini", no_match="fail"),
        )
    )
    assert rules.config_transforms == ConfigTransformRules(
        automatic=True,
        definitions=(Target(pattern="Foo.config => web.config", no_match="ignore"),),
        environment="Production",
        no_match="ignore",
    )
    assert rules.config_variables == ConfigVariableRules(no_match="ignore")
    assert rules.structured == StructuredRules(targets=(Target(pattern="app/appsettings.json", no_match="ignore"),))


def test_octopus_variables_decide_where_the_section_is_silent() -> None:
    package = "Octopus__Action__Package__"
    features = (
        "Octopus.Features.SubstituteInFiles, Octopus.Features.ConfigurationTransforms,"
        "Octopus.Features.ConfigurationVariables,Octopus.Features.JsonConfigurationVariables"
    )
    rules = resolved(
        None,
        Octopus__Action__EnabledFeatures=features,
        Octopus__Action__SubstituteInFiles__TargetFiles="a,b.txt\r\n c.txt \n",
        Octopus__Action__SubstituteInFiles__OutputEncoding="utf-16",
        Octopus__Action__SubstituteInFiles__EnableNoMatchWarning="False",
        OctopusShouldFailDeploymentOnSubstitutionFails="True",
        Octopus__Action__AdditionalPaths="/more, /other",
        Octopus__Action__StructuredConfigurationFallbackFlag="True",
        Octopus__Environment__Name="Test",
        Octopus__Deployment__Tenant__Name="Acme",
        **{
            package + "AutomaticallyRunConfigurationTransformationFiles": "true",
            package + "AdditionalXmlConfigurationTransforms": "A => b.config,C.config\nD",
            package + "TreatConfigTransformationWarningsAsErrors": "false",
            package + "SuppressConfigTransformationLogging": "True",
            package + "EnableDiagnosticsConfigTransformationLogging": "True",
            package + "AutomaticallyUpdateAppSettingsAndConnectionStrings": "True",
            package + "IgnoreVariableReplacementErrors": "True",
            package + "JsonConfigurationVariablesTargets": "x.json\ny.yaml",
        },
    )
    assert rules == ResolvedTransforms(
        substitute=SubstituteRules(
            targets=(Target(pattern="a,b.txt", no_match="ignore"), Target(pattern="c.txt", no_match="ignore")),
            output_encoding="utf-16",
            fail_on_unresolved=True,
        ),
        config_transforms=ConfigTransformRules(
            automatic=True,
            definitions=(Target(pattern="A => b.config"), Target(pattern="C.config"), Target(pattern="D")),
            environment="Test",
            tenant="Acme",
            warnings_as_errors=False,
            suppress_logging=True,
            diagnostics=True,
        ),
        config_variables=ConfigVariableRules(ignore_errors=True),
        structured=StructuredRules(targets=(Target(pattern="x.json"), Target(pattern="y.yaml")), json_only=True),
        additional_paths=(Path("/more"), Path("/other")),
    )


def test_config_variables_need_the_feature_and_the_flag() -> None:
    flag = "Octopus__Action__Package__AutomaticallyUpdateAppSettingsAndConnectionStrings"
    feature = "Octopus.Features.ConfigurationVariables"
    assert resolved(None, **{flag: "True"}).config_variables is None
    assert resolved(None, Octopus__Action__EnabledFeatures=feature).config_variables is None
    assert resolved(None, Octopus__Action__EnabledFeatures=feature, **{flag: "True"}).config_variables is not None


def test_feature_names_mind_their_case() -> None:
    assert resolved(None, Octopus__Action__EnabledFeatures="octopus.features.substituteinfiles").substitute is None


def test_a_section_can_turn_off_what_the_variables_turn_on() -> None:
    on = {
        "Octopus__Action__EnabledFeatures": "Octopus.Features.ConfigurationVariables",
        "Octopus__Action__Package__AutomaticallyUpdateAppSettingsAndConnectionStrings": "True",
    }
    assert resolved({"config-variables": "false"}, **on).config_variables is None


def test_ignoring_transform_errors_clears_warnings_as_errors() -> None:
    rules = resolved({"config-transforms": {"ignore-errors": "true"}}).config_transforms
    assert rules is not None
    assert (rules.ignore_errors, rules.warnings_as_errors) == (True, False)


@pytest.mark.parametrize("written", [{"substitutes": []}, {"no-match": "maybe"}, {"structured": [{"glob": "x"}]}])
def test_what_is_unknown_is_refused(written: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        resolved(written)
