"""Reading `step.yaml`, `sdi.yaml` and requests: YAML in, frozen typed values out, unknown keys refused.

Scalars are read as text and given their type by the field that takes them, so that `version: 1.10` stays
`1.10` and `on` stays a word. Anchors, aliases and tags are refused: no manifest needs them, and they are how
small files become large ones.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from agent.errors import InputError

T = TypeVar("T")

MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 50


def read_document(path: Path, type_: type[T]) -> T:
    """Decode a YAML (or JSON) file into `type_`. InputError names the file, the key and what is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}; check the file {path}") from error
    return decode_document(data, type_, path.name)


def decode_document(data: bytes, type_: type[T], name: str) -> T:
    """The same for a document that was read already; `name` is for messages only."""
    if len(data) > MAXIMUM_BYTES:
        raise InputError(f"{name} is {len(data):,} bytes; a manifest has at most {MAXIMUM_BYTES:,}")
    return convert(parse_yaml(data, name), type_, where=name)


def convert(value: object, type_: type[T], *, where: str) -> T:
    """Give plain data (text, lists, mappings) the type `type_`; InputError begins with `where`."""
    try:
        return msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {_explain(str(error), type_)}") from error


def parse_yaml(data: bytes, name: str) -> object:
    """The document as text, lists and mappings; `name` is for messages only."""
    import yaml

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    try:
        _refuse_dangers(text, name)
        loader = yaml.BaseLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise InputError(f"{name} is empty; see the README for what stands in it")
        _refuse_duplicates(node, name)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise InputError(f"{name}{place}: {problem}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{name}: {' '.join(str(error).split())}") from error


def closest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """`; did you mean 'x'?`, or the known words where none is close, or nothing where there are none."""
    from difflib import get_close_matches

    matches = get_close_matches(word, known, n=1, cutoff=0.6)
    if not matches:
        matches = [name for name in known if name.lower() == word.lower()]
    if matches:
        return f"; did you mean '{matches[0]}'?"
    return f"; known are {', '.join(known)}" if known else ""


def _refuse_dangers(text: str, name: str) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InputError(f"{name}, line {line}: anchors and aliases are not taken here; write it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAXIMUM_DEPTH:
                raise InputError(f"{name}, line {line}: nested deeper than {MAXIMUM_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_duplicates(node: Any, name: str) -> None:
    if isinstance(node.value, str):
        return
    if node.id == "sequence":
        for item in node.value:
            _refuse_duplicates(item, name)
        return
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key.value, str):
            if key.value in seen:
                raise InputError(f"{name}, line {key.start_mark.line + 1}: the key '{key.value}' is given twice")
            seen.add(key.value)
        _refuse_duplicates(value, name)


_AT = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$")
_NO_CHOICE = re.compile(r"^Invalid enum value '(?P<value>.*)'$")
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$")


def _explain(message: str, type_: Any) -> str:
    at = _AT.search(message)
    path = at["path"].removeprefix("$").removeprefix(".") if at else ""
    problem = message[: at.start()] if at else message
    place = f"{path}: " if path else ""
    if unknown := _UNKNOWN.match(problem):
        fields = _fields_at(type_, path)
        return f"{place}unknown key '{unknown['field']}'{closest(unknown['field'], fields)}"
    if missing := _MISSING.match(problem):
        return f"{place}the key '{missing['field']}' is required"
    if wrong := _NO_CHOICE.match(problem):
        return f"{place}'{wrong['value']}' is none of its values{closest(wrong['value'], _choices_at(type_, path))}"
    return place + _in_words(problem)


_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def _in_words(problem: str) -> str:
    """msgspec's `Expected `float`, got `str`` as a person would say it."""
    words = re.sub(r"`([^`]*)`", lambda match: _named(match[1]), problem)
    return words.replace("Expected", "expected", 1)


def _named(types: str) -> str:
    names = types.split(" | ")
    return " or ".join(_TYPES[name] for name in names) if all(name in _TYPES for name in names) else f"'{types}'"


def _choices_at(type_: Any, path: str) -> tuple[str, ...]:
    return tuple(choice for choice in get_args(_type_at(type_, path)) if isinstance(choice, str) and choice)


def _fields_at(type_: Any, path: str) -> tuple[str, ...]:
    type_ = _type_at(type_, path)
    struct = next((t for t in (type_, *get_args(type_)) if _is_struct(t)), None)
    return struct.__struct_encode_fields__ if struct else ()


def _type_at(type_: Any, path: str) -> Any:
    for part in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        type_ = _inside(type_, part)
    return type_


def _inside(type_: Any, part: str) -> Any:
    for candidate in (type_, *get_args(type_)):
        if _is_struct(candidate):
            fields = {f.encode_name: f.type for f in msgspec.structs.fields(candidate)}
            if part in fields:
                return fields[part]
        elif get_origin(candidate) is not None and get_args(candidate) and part.startswith("["):
            arguments = [a for a in get_args(candidate) if a is not Ellipsis]
            return arguments[-1]
    return type_


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
