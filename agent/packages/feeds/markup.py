"""XML as feeds send it, read without anything that XML could do to us: no DOCTYPE, no entities, bounded depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MOST_ELEMENTS = 200_000
DEEPEST = 64


@dataclass(kw_only=True)
class Element:
    """`name` without its namespace; `text` is what stands directly in it."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def each(self, *path: str) -> Iterator[Element]:
        """The elements that this path of names leads to."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.each(*path[1:])

    def value(self, *path: str) -> str:
        """The trimmed text of the first such element, or nothing."""
        return next((element.text.strip() for element in self.each(*path)), "")


def parse_markup(data: bytes) -> Element:
    """The document's root. ValueError for what is no XML, or more of it than a feed needs."""
    from xml.parsers import expat

    parser = expat.ParserCreate(namespace_separator=" ")
    builder = _Builder()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True
    try:
        parser.Parse(data, True)  # noqa: FBT003  the parser's own signature
    except expat.ExpatError as error:
        raise ValueError(f"no XML: {error}") from error
    assert builder.root is not None
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            raise ValueError("more XML than a feed needs")
        plain = {_local(key): value for key, value in attributes.items()}
        element = Element(name=_local(name), attributes=plain)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].text += data


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse_doctype(*_declaration: object) -> None:
    raise ValueError("XML with a DOCTYPE")
