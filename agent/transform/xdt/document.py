"""A transform applied to a document, from bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from agent.transform.changes import Change
from agent.transform.text import Document, bom_of, known_encoding
from agent.transform.xdt.engine import run_transforms
from agent.transform.xdt.indentation import indent
from agent.transform.xdt.reference import forget_layout, write_as_reference
from agent.transform.xdt.reformat import reformat
from agent.transform.xdt.report import XdtFatal, XdtMessage
from agent.transform.xdt.run import Run
from agent.transform.xml.document import XmlDocument, parse
from agent.transform.xml.errors import XmlError
from agent.transform.xml.files import declared_encoding, encode_xml, read_xml
from agent.transform.xml.nodes import fill_all
from agent.transform.xml.write import write

Layout = Literal["reference", "kept", "reformatted"]
"""How the result is written: as the reference engine saves it; with every untouched byte as it was; or anew."""


@dataclass(frozen=True, kw_only=True)
class XdtResult:
    """A transformed document. With errors among the messages, `output` is what the other transforms made of it."""

    output: bytes = field(repr=False)
    messages: tuple[XdtMessage, ...] = ()
    changes: tuple[Change, ...] = ()
    has_root: bool = True

    @property
    def warnings(self) -> tuple[XdtMessage, ...]:
        """The warnings, in order."""
        return tuple(message for message in self.messages if message.level == "warning")

    @property
    def errors(self) -> tuple[XdtMessage, ...]:
        """The errors, in order."""
        return tuple(message for message in self.messages if message.level == "error")


def transform_document(
    source: bytes,
    transform: bytes,
    *,
    source_name: str = "source.config",
    transform_name: str = "transform.config",
    layout: Layout = "reference",
) -> XdtResult:
    """Apply an XDT transform. The names are for messages. XdtFatal if either file cannot be used at all."""
    document = read_xml(source)
    target = _parsed(source, document, source_name)
    rules = _parsed(transform, read_xml(transform), transform_name)
    run = Run(target=target, transform=rules, source_name=source_name, transform_name=transform_name)
    fill_all(target.root)
    run_transforms(run)
    text = _written(run, layout)
    return XdtResult(
        output=_encoded(document, text, layout),
        messages=tuple(run.report.messages),
        changes=tuple(run.changes),
        has_root=run.target.top is not None,
    )


def _parsed(data: bytes, document: Document, name: str) -> XmlDocument:
    if len(data) < 3:
        raise XdtFatal(f"{name} is too short to be an XML document; check that it is the right file")
    try:
        return parse(document.text)
    except XmlError as error:
        raise XdtFatal(f"{name} is not a usable XML document: {error}") from error


def _written(run: Run, layout: Layout) -> str:
    root = run.target.root
    if layout == "reformatted":
        return reformat(root)
    if layout == "reference":
        forget_layout(run.target)
    wraps = indent(root, has_preserved_space="xml:space" in run.target.text)
    return write_as_reference(root, wraps) if layout == "reference" else write(root, wraps)


def _encoded(document: Document, text: str, layout: Layout) -> bytes:
    """Without a byte order mark in the source, the reference follows the declaration, and adds its mark."""
    document = replace(document, text=text)
    declared = known_encoding(declared_encoding(text) or "")
    if layout != "kept" and not document.bom and declared is not None:
        document = replace(document, encoding=declared, bom=bool(bom_of(declared)))
    return encode_xml(document)
