"""Finding the places in a JSON text that variables name, without taking the text apart.

As lenient as Newtonsoft's reader: comments, single quotes, bare keys, trailing commas, hexadecimal numbers, NaN.
Runs of members and items are matched by one regular expression each; only what it does not cover goes token by
token. Nothing recurses, so depth costs nothing.
"""

from __future__ import annotations

import re

import msgspec

from agent.repeats import any_number_of, at_most_one
from agent.transform.structured.formats import ParseFailure, failure_at
from agent.transform.structured.paths import PathNode

_ESCAPE = r"\\(?:[\"'\\/bfnrt]|u[0-9A-Fa-f]{4})"
_CHARACTERS = any_number_of(rf'[^"\\]++|{_ESCAPE}')
_STRING = f'"{_CHARACTERS}"'
_IN_SINGLE_QUOTES = any_number_of(rf"[^'\\]++|{_ESCAPE}")
_END = r"(?![^\s,\]}/])"
_FRACTION = at_most_one(r"\.[0-9]*+")
_EXPONENT = at_most_one(r"[eE][-+]?+[0-9]++")
_NUMBER = rf"-?+(?:0[xX][0-9A-Fa-f]++|(?:[0-9]++{_FRACTION}|\.[0-9]++){_EXPONENT}){_END}"
_WORD = rf"(?:true|false|null|undefined|NaN|-?Infinity){_END}"
_PLAIN = rf"{_STRING}|{_NUMBER}|{_WORD}"
_MEMBERS = re.compile(rf'\s*+"([^"\\]*+)"\s*+:\s*+(?:({_PLAIN})\s*+(?:,|(?=\}}))|([{{\[]))|')
_ITEMS = re.compile(rf"\s*+(?:({_PLAIN})\s*+(?:,|(?=\]))|([{{\[]))|")
_FLAT_MEMBERS = any_number_of(rf"\s*+{_STRING}\s*+:\s*+(?:{_PLAIN})\s*+(?:,|(?=\}}))")
_FLAT_ITEMS = any_number_of(rf"\s*+(?:{_PLAIN})\s*+(?:,|(?=\]))")
_LEAF = rf"(?:{_PLAIN}|\{{{_FLAT_MEMBERS}\s*+\}}|\[{_FLAT_ITEMS}\s*+\])"
_LEAF_AND_AFTER = re.compile(rf"{_LEAF}\s*+(?:,|(?=[\]}}]))")
_DEAD_MEMBERS = re.compile(any_number_of(rf"\s*+{_STRING}\s*+:\s*+{_LEAF}\s*+,"))
_DEAD_ITEMS = re.compile(any_number_of(rf"\s*+{_LEAF}\s*+,"))
_SIXTY_FOUR_ITEMS = re.compile(rf"(?:\s*+(?:{_PLAIN})\s*+,){{64}}")
_AFTER = re.compile(r"\s*+(?:,|(?=[\]}]))")
_IN_BLOCK_COMMENT = any_number_of(r"[^*]++|\*(?!/)")
_GAP = re.compile(any_number_of(rf"\s++|//[^\r\n]*+|/\*{_IN_BLOCK_COMMENT}\*/"))
_SCALAR = re.compile(rf"{_PLAIN}|'{_IN_SINGLE_QUOTES}'")
_KEY = re.compile(rf"{_STRING}|'{_IN_SINGLE_QUOTES}'|[\w$]++")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Place(msgspec.Struct):
    """A value that a variable names: `text[start:end]`, reached by `path` in the document's own spelling."""

    name: str
    path: str
    start: int
    end: int = -1


class _Frame(msgspec.Struct):
    """An open object or array. `node` is None where no variable leads any deeper."""

    is_object: bool
    node: PathNode | None
    key: str
    place: Place | None
    index: int = 0


def find_places(text: str, paths: PathNode) -> list[Place]:
    """Every value that a variable names, in the order they begin. ParseFailure if the text is not JSON."""
    return _Scan(text).run(paths)


def unquoted(text: str) -> str:
    """What a quoted string, of either kind of quotes, says."""
    body = text[1:-1]
    if "\\" not in body:
        return body
    plain = _ESCAPED.sub(_unescaped, body)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "\\u" in body else plain


class _Scan:
    """One pass over a text. `position` always stands where a value, a key or a closing bracket may begin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.frames: list[_Frame] = []
        self.places: list[Place] = []

    def run(self, paths: PathNode) -> list[Place]:
        self.skip_gap()
        self.value_slowly(paths, "")
        while self.frames:
            frame = self.frames[-1]
            if frame.is_object:
                self.members(frame)
            else:
                self.items(frame)
        self.skip_gap()
        if self.position < len(self.text):
            raise self.failure("there is text after the value")
        return self.places

    def members(self, frame: _Frame) -> None:
        """Members until the object closes or another container opens."""
        node = frame.node
        if node is None:
            self.position = _behind(_DEAD_MEMBERS, self.text, self.position)
        for match in _MEMBERS.finditer(self.text, self.position):
            kind = match.lastindex
            if kind is None:
                break
            self.position = match.end()
            key = match[1]
            child = node.descend(key) if node is not None else None
            if kind == 3:
                if not self.passed(match.start(3), child):
                    self.open(match[3], match.start(3), child, key)
                return
            if child is not None and child.name is not None:
                start, end = match.span(2)
                self.places.append(Place(child.name, self.path(key), start, end))
        self.member_slowly(frame)

    def items(self, frame: _Frame) -> None:
        """Items until a variable leads to one, the array closes, or another container opens."""
        children = frame.node.children if frame.node is not None else {}
        if not children:
            self.position = _behind(_DEAD_ITEMS, self.text, self.position)
        elif frame.node is not None:
            self.skip_items(frame, frame.node)
        index = frame.index
        for match in _ITEMS.finditer(self.text, self.position):
            kind = match.lastindex
            if kind is None:
                break
            self.position = match.end()
            child = children.get(str(index))
            index += 1
            if kind == 2:
                frame.index = index
                if not self.passed(match.start(2), child):
                    self.open(match[2], match.start(2), child, str(index - 1))
                return
            if child is not None and child.name is not None:
                start, end = match.span(1)
                self.places.append(Place(child.name, self.path(str(index - 1)), start, end))
                frame.index = index
                return
        frame.index = index
        self.item_slowly(frame)

    def skip_items(self, frame: _Frame, node: PathNode) -> None:
        """Pass many plain items at once where the next one that a variable leads to is far."""
        upcoming = node.next_index(frame.index)
        while upcoming is None or upcoming - frame.index >= 64:
            match = _SIXTY_FOUR_ITEMS.match(self.text, self.position)
            if match is None:
                return
            self.position = match.end()
            frame.index += 64

    def passed(self, start: int, node: PathNode | None) -> bool:
        """Whether a container that no variable leads into, and that holds no other, is behind us at once."""
        if node is not None:
            return False
        match = _LEAF_AND_AFTER.match(self.text, start)
        if match is not None:
            self.position = match.end()
        return match is not None

    def member_slowly(self, frame: _Frame) -> None:
        """A member of any spelling, or the end of the object."""
        self.skip_gap()
        if self.text.startswith("}", self.position):
            self.close()
            return
        match = _KEY.match(self.text, self.position)
        if match is None:
            raise self.failure("a key or '}' is expected")
        self.position = match.end()
        key = unquoted(match[0]) if match[0][0] in "\"'" else match[0]
        self.skip_gap()
        if not self.text.startswith(":", self.position):
            raise self.failure("':' is expected after a key")
        self.position += 1
        self.skip_gap()
        child = frame.node.descend(key) if frame.node is not None else None
        self.value_slowly(child, key)

    def item_slowly(self, frame: _Frame) -> None:
        """An item of any spelling, or the end of the array."""
        self.skip_gap()
        if self.text.startswith("]", self.position):
            self.close()
            return
        key = str(frame.index)
        frame.index += 1
        child = frame.node.children.get(key) if frame.node is not None else None
        self.value_slowly(child, key)

    def value_slowly(self, node: PathNode | None, key: str) -> None:
        opener = self.text[self.position : self.position + 1]
        if opener in {"{", "["}:
            self.position += 1
            self.open(opener, self.position - 1, node, key)
            return
        match = _SCALAR.match(self.text, self.position)
        if match is None:
            raise self.failure("a value is expected" if opener else "the text ends where a value is expected")
        self.position = match.end()
        if self.frames:
            if node is not None and node.name is not None:
                self.places.append(Place(node.name, self.path(key), match.start(), match.end()))
            self.separator()

    def open(self, opener: str, start: int, node: PathNode | None, key: str) -> None:
        place = None
        if node is not None and node.name is not None and self.frames:
            place = Place(node.name, self.path(key), start)
            self.places.append(place)
        below = node if node is not None and node.children else None
        self.frames.append(_Frame(opener == "{", below, key, place))

    def close(self) -> None:
        self.position += 1
        place = self.frames.pop().place
        if place is not None:
            place.end = self.position
        if self.frames:
            self.separator()

    def separator(self) -> None:
        """The comma after a value, or nothing before a closing bracket."""
        match = _AFTER.match(self.text, self.position)
        if match is None:
            self.skip_gap()
            match = _AFTER.match(self.text, self.position)
        if match is None:
            raise self.failure("',' or a closing bracket is expected")
        self.position = match.end()

    def path(self, key: str) -> str:
        """The path of a value in the innermost container. Made only for places, so that depth costs nothing."""
        return ":".join([*(frame.key for frame in self.frames[1:]), key])

    def skip_gap(self) -> None:
        match = _GAP.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def failure(self, message: str) -> ParseFailure:
        return failure_at(message, self.text, self.position)


def _behind(run: re.Pattern[str], text: str, position: int) -> int:
    match = run.match(text, position)
    assert match is not None
    return match.end()


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return _LETTERS.get(match[2], match[2])
