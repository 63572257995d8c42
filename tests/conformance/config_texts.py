"""Comparing what came out of a structured file with what the reference leaves: the same data, and no more moved.

Nothing here uses the code under test: the files are read by other parsers.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import yaml

from tests.conformance.text_cases import CaseFailed, require

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_JSON_NOISE = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\r\n]*|/\*.*?\*/|,(?=\s*[\]}])|\t', re.DOTALL)
_PROPERTY_KEY = re.compile(r"((?:[^=: \t\f\\]|\\.)*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A file as text, with the encoding that it was found to have."""

    text: str
    encoding: str
    bom: bool


def read(data: bytes) -> Text:
    """As the reference reads: a BOM, else UTF-8, else Windows-1252."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return Text(text=data[len(bom) :].decode(encoding), encoding=encoding, bom=True)
    try:
        return Text(text=data.decode("utf-8"), encoding="utf-8", bom=False)
    except UnicodeDecodeError:
        return Text(text=data.decode("cp1252"), encoding="cp1252", bom=False)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What one file was, became, and should have become; `names` are the variables; `compare` is the case's."""

    before: bytes
    after: bytes
    expected: bytes
    names: tuple[str, ...]
    compare: str


def check_same(files: Comparison) -> None:
    """CaseFailed unless the data, the encoding, the newlines and the untouched lines are as they should be."""
    before, after, expected = read(files.before), read(files.after), read(files.expected)
    load = _loader(expected.text)
    got, wanted = load(after.text), load(expected.text)
    require(got == wanted, f"the data differ: {got!r}, not {wanted!r}")
    like = expected if files.compare == "bytes" else before
    require((after.encoding, after.bom) == (like.encoding, like.bom), f"encoding {after.encoding}, BOM {after.bom}")
    if "\n" in before.text:
        require(_newline(after.text) == _newline(before.text), "the newlines changed")
    if load is not load_xml:
        _check_untouched(before.text, after.text, set(_named_lines(before.text, load, files.names)))


def is_exact(after: bytes, expected: bytes, compare: str) -> bool:
    """Whether a result is what `compare` asks for: the same bytes, or the same text but for CRLF and BOM."""
    if compare == "bytes":
        return after == expected
    left, right = (read(side).text.replace("\r\n", "\n") for side in (after, expected))
    if compare == "text-no-whitespace":
        return "".join(left.split()) == "".join(right.split())
    return left == right


def load_json(text: str) -> Any:
    """JSON with comments and trailing commas; integers beyond 64 bits as the doubles that the reference makes."""
    plain = _JSON_NOISE.sub(lambda match: match[1] or " ", text)
    return json.loads(plain or "{}", parse_int=lambda digits: int(digits) if len(digits) < 19 else float(digits))


def load_yaml(text: str) -> Any:
    """Every document as nested (tag, value) pairs, scalars by what they mean."""
    return [_meaning(node) for node in yaml.compose_all(text, Loader=yaml.SafeLoader)]


def load_properties(text: str) -> Any:
    """(key, value) pairs in order."""
    return [(key, value) for key, value, _, _ in _properties(text)]


def load_xml(text: str) -> Any:
    """Expanded names, attributes and text, without text of whitespace only."""
    body = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    builder = ElementTree.TreeBuilder(insert_comments=True, insert_pis=True)
    return _element(ElementTree.fromstring(body, ElementTree.XMLParser(target=builder)))


Load = Callable[[str], Any]


def _loader(expected: str) -> Load:
    """The format that a file turned out to be of: XML and JSON say so; a properties file is no YAML mapping."""
    for load in (load_json, load_xml):
        try:
            load(expected)
        except (ValueError, ElementTree.ParseError):
            continue
        return load
    try:
        documents = list(yaml.compose_all(expected, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return load_properties
    return load_properties if documents and isinstance(documents[0], yaml.ScalarNode) else load_yaml


def _meaning(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return (node.tag, [(_meaning(key), _meaning(value)) for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return (node.tag, [_meaning(item) for item in node.value])
    if node.tag.endswith((":null", ":bool", ":int", ":float")):
        return (node.tag, yaml.SafeLoader("").construct_object(node))
    return (node.tag, node.value)


def _element(element: ElementTree.Element) -> Any:
    text, tail = (part if part and part.strip() else "" for part in (element.text, element.tail))
    tag = element.tag if isinstance(element.tag, str) else getattr(element.tag, "__name__", "")
    return (tag, sorted(element.attrib.items()), text, [_element(child) for child in element], tail)


def _newline(text: str) -> str:
    windows = text.count("\r\n")
    return "\r\n" if windows > text.count("\n") - windows else "\n"


def _check_untouched(before: str, after: str, named: set[int]) -> None:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, first, last, _, _ in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "insert" and not {first, first - 1} & named:
            raise CaseFailed(f"lines were added before line {first + 1}, where no variable leads")
        if tag in {"replace", "delete"}:
            for line in range(first, last):
                require(line in named, f"line {line + 1} changed, where no variable leads: {old[line]!r}")


def _named_lines(text: str, load: Load, names: tuple[str, ...]) -> list[int]:
    """The lines, from 0, of the values that variables name; with a value on its own lines, also its key's."""
    wanted = {name.upper() for name in names}
    if load is load_properties:
        entries = ((key, first, last) for key, _, first, last in _properties(text))
        return [line for key, first, last in entries if key.upper() in wanted for line in range(first, last + 1)]
    if load is load_json:
        text = _JSON_NOISE.sub(lambda match: match[1] or re.sub(r"[^\r\n]", " ", match[0]), text)
    lines: list[int] = []
    waiting = [("", node, node.start_mark.line) for node in yaml.compose_all(text, Loader=yaml.SafeLoader)]
    while waiting:
        path, node, first = waiting.pop()
        if path and path.upper() in wanted:
            lines += range(first, node.end_mark.line + 1)
        prefix = f"{path}:" if path else ""
        if isinstance(node, yaml.MappingNode):
            waiting += [(prefix + str(key.value), value, key.start_mark.line) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(f"{prefix}{i}", item, item.start_mark.line) for i, item in enumerate(node.value)]
    return lines


def _properties(text: str) -> list[tuple[str, str, int, int]]:
    """(key, value, first line, last line) of each entry."""
    entries = []
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        first = index
        line = lines[index].lstrip(" \t\f")
        index += 1
        if not line or line[0] in "#!":
            continue
        while re.search(r"(?<!\\)(?:\\\\)*\\$", line) and index < len(lines):
            line = line[:-1] + lines[index].lstrip(" \t\f")
            index += 1
        match = _PROPERTY_KEY.match(line)
        assert match is not None
        entries.append((_unescaped(match[1]), _unescaped(match[2]), first, index - 1))
    return entries


def _unescaped(text: str) -> str:
    letters = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else letters.get(m[2], m[2]), text
    )
