""".NET configuration variables: appSettings, connectionStrings and applicationSettings of every `*.config` file.

As Calamari, but that a file keeps its encoding, and every byte that no variable has set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from agent.errors import TransformError
from agent.transform.changes import MASK, Change, FeatureResult, NoMatch, settle
from agent.transform.files import Workspace
from agent.transform.messages import Message, error, info, kept_on_failure, verbose
from agent.transform.settings import ConfigVariableRules
from agent.transform.text import clean, dominant_newline
from agent.transform.xml.characters import illegal_character, with_newline
from agent.transform.xml.document import XmlDocument, parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.files import encode_xml, read_xml
from agent.transform.xml.nodes import Element
from agent.transform.xml.places import Places
from agent.transform.xml.write import write
from agent.variables import Variables

_SUPPRESSED = (
    "Variable replacement errors are suppressed because the variable "
    "Octopus.Action.Package.IgnoreVariableReplacementErrors has been set."
)


def apply(workspace: Workspace, rules: ConfigVariableRules, variables: Variables) -> FeatureResult:
    """Set what variables name in the `*.config` files of the tree, those aside that served as transforms.

    A file that is not XML fails the run; where errors are ignored, it is left as it is.
    """
    run = _Run(workspace=workspace, rules=rules, values=Values(variables))
    run.messages.append(
        verbose("Looking for appSettings, applicationSettings, and connectionStrings in any .config files")
    )
    if rules.ignore_errors:
        run.messages.append(info(_SUPPRESSED))
    with kept_on_failure(run.messages):
        for path in workspace.find("**/*.config"):
            _apply_file(run, path)
        unmatched = _unmatched(run)
    return FeatureResult(changes=tuple(run.changes), unmatched=unmatched, messages=tuple(run.messages))


class Values:
    """The variables by the lower-case names that settings are compared by; evaluated when a setting asks."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._names: Mapping[str, str] = {name.lower(): name for name in variables}

    def name(self, key: str) -> str | None:
        """The variable for a setting's key, as it is spelled."""
        return self._names.get(key.lower())

    def value(self, name: str) -> str:
        """The evaluated value; a null is an empty text, as Calamari. TransformError for one that XML cannot hold."""
        value = clean(self._variables.get(name) or "")
        illegal = illegal_character(value)
        if illegal is not None:
            raise TransformError(f"the value of the variable '{name}' holds {illegal}, which XML cannot; take it out")
        return value

    def is_sensitive(self, name: str) -> bool:
        """Whether the value must not be shown."""
        return self._variables.is_sensitive(name)


@dataclass(frozen=True, kw_only=True)
class Configured:
    """A file after replacement: the same bytes where no variable names a setting."""

    data: bytes = field(repr=False)
    changes: tuple[Change, ...] = ()
    messages: tuple[Message, ...] = ()


def configure(data: bytes, values: Values, file: str) -> Configured:
    """Set the values in one file. XmlError if it is not XML, TransformError if a value cannot stand in it."""
    source = read_xml(data)
    document = parse(source.text)
    editor = _Editor(document=document, values=values, file=file, newline=dominant_newline(source.text))
    for setting in _settings(document):
        editor.set(setting)
    if not editor.changes:
        said = f"No matching appSetting, applicationSetting, nor connectionString names were found in: {file}"
        return Configured(data=data, messages=(info(said),))
    said = f"Updating appSettings, applicationSettings, and connectionStrings in: {file}"
    text = write(document.root)
    return Configured(
        data=data if text == source.text else encode_xml(replace(source, text=text)),
        changes=tuple(editor.changes),
        messages=(info(said), *editor.messages),
    )


class _Run(msgspec.Struct, kw_only=True):
    """What has been said and done so far."""

    workspace: Workspace
    rules: ConfigVariableRules
    values: Values
    changes: list[Change] = []
    messages: list[Message] = []


def _apply_file(run: _Run, path: Path) -> None:
    name = run.workspace.name(path)
    if path in run.rules.skip:
        said = f"File '{name}' was interpreted as an XML configuration transform"
        run.messages.append(verbose(f"{said}; variable substitution won't be attempted."))
        return
    try:
        done = configure(run.workspace.read(path), run.values, name)
    except TransformError as failure:
        if run.rules.ignore_errors:
            run.messages.append(info(f"Ignoring variable replacement error: {name}: {failure}"))
            return
        run.messages.append(error(f"Exception while replacing configuration-variables in: {name}"))
        hint = "; correct the file, or leave it out of the package" if isinstance(failure, XmlError) else ""
        raise TransformError(f"{name}: {failure}{hint}") from failure
    run.workspace.write(path, done.data)
    run.changes += done.changes
    run.messages += done.messages


def _unmatched(run: _Run) -> tuple[NoMatch, ...]:
    if run.changes or run.rules.no_match not in {"warn", "fail"}:
        return ()
    reason = "No variable names a setting in any .config file"
    unmatched = NoMatch(feature="config-variables", rule="config-variables", reason=reason)
    run.messages += settle(unmatched, run.rules.no_match)
    return (unmatched,)


class _Setting(msgspec.Struct, frozen=True, kw_only=True):
    """An element that a variable may set: by an attribute, or (None) by the text of its `value` element."""

    element: Element
    key: Literal["key", "name"]
    attribute: Literal["value", "connectionString"] | None


def _settings(document: XmlDocument) -> Iterator[_Setting]:
    """The settings of a document, wherever they are; names count without their namespace. As Calamari."""
    for element in document.read_elements:
        if element.local == "add" and element.parent is not None:
            section = element.parent.local
            if section == "appSettings":
                yield _Setting(element=element, key="key", attribute="value")
            elif section == "connectionStrings":
                yield _Setting(element=element, key="name", attribute="connectionString")
        elif element.local == "setting" and _is_below(element, "applicationSettings"):
            yield _Setting(element=element, key="name", attribute=None)


def _is_below(element: Element, name: str) -> bool:
    above = element.parent
    while above is not None and above.local != name:
        above = above.parent
    return above is not None


class _Editor(msgspec.Struct, kw_only=True):
    """One document, and what was set in it."""

    document: XmlDocument
    values: Values
    file: str
    newline: str
    changes: list[Change] = []
    messages: list[Message] = []
    places: Places = msgspec.field(default_factory=Places)

    def set(self, setting: _Setting) -> None:
        """Set a setting, if a variable names it."""
        key = setting.element.attribute(setting.key)
        name = None if key is None else self.values.name(self.document.value(key))
        if name is None:
            return
        value = self.values.value(name)
        if setting.attribute is not None:
            self._set_attribute(setting.element, setting.attribute, name, value)
        else:
            self._set_value_element(setting.element, name, with_newline(value, self.newline))

    def _set_attribute(self, element: Element, attribute: str, name: str, value: str) -> None:
        place = f"{self.places.of(element)}/@{attribute}"
        existing = element.attribute(attribute)
        if existing is None:
            self._changed(name, place, None, value)
            self.document.add_attribute(element, attribute, value)
        else:
            self._changed(name, place, self.document.value(existing), value)
            self.document.set_attribute(existing, value)

    def _set_value_element(self, setting: Element, name: str, value: str) -> None:
        found = next((child for child in setting.elements() if child.local == "value"), None)
        if found is None:
            self._changed(name, f"{self.places.of(setting)}/value", None, value)
            found = Element("value", "", 0, 0, self_closed=True)
            found.fresh = found.touched = True
            self.document.insert(setting, found, None)
        else:
            self._changed(name, self.places.of(found), self.document.text_of(found), value)
        self.document.set_content(found, value)

    def _changed(self, name: str, place: str, old: str | None, new: str) -> None:
        sensitive = self.values.is_sensitive(name)
        self.messages.append(verbose(f"Setting '{name}' = '{MASK if sensitive else new}'"))
        self.changes.append(
            Change(
                feature="config-variables",
                file=self.file,
                place=place,
                rule=name,
                old=old,
                new=new,
                sensitive=sensitive,
            )
        )
