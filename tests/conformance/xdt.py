"""Runs the XDT cases: a source, a transform, and what the reference engine made of them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.transform.xdt import XdtFatal, XdtResult, xdt_files
from agent.transform.xml.errors import XmlError
from tests.conformance.result import AreaResult
from tests.conformance.xml_documents import same_document, text_of

_XML: Final = "http://www.w3.org/XML/1998/namespace"


def run(folder: Path) -> AreaResult:
    """Every case of the folder."""
    passed = exact = 0
    failed: list[tuple[str, str]] = []
    quirks: list[tuple[str, str]] = []
    for case in sorted(path.parent for path in folder.glob("*/case.json")):
        verdict = _verdict(case)
        passed += verdict.reason is None
        exact += verdict.exact
        if verdict.reason is not None:
            failed.append((case.name, verdict.reason))
        if verdict.quirk is not None:
            quirks.append((case.name, verdict.quirk))
    return AreaResult(area="xdt", passed=passed, failed=tuple(failed), exact=exact, quirks=tuple(quirks))


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    reason: str | None = None
    exact: bool = False
    quirk: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What a run left: its result, None if it was fatal, and the bytes of the file it would have written over."""

    result: XdtResult | None
    left: bytes
    source: bytes
    transform: bytes
    expected: bytes | None


def _verdict(folder: Path) -> _Verdict:
    try:
        case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        outcome = _outcome(folder, case)
        reason = _reason(case, outcome)
    except Exception as error:
        return _Verdict(reason=f"{type(error).__name__}: {error}")
    if reason is None:
        return _Verdict(exact=bool(case["fatal"]) or outcome.left == outcome.expected)
    for name, is_better in _QUIRKS.items():
        if is_better(outcome):
            return _Verdict(quirk=name)
    return _Verdict(reason=reason)


def _outcome(folder: Path, case: Mapping[str, Any]) -> _Outcome:
    source, transform = ((folder / f"{name}.config").read_bytes() for name in ("source", "transform"))
    expected = folder / "expected.config"
    with tempfile.TemporaryDirectory() as work:
        target = Path(work) / "source.config"
        target.write_bytes(source)
        try:
            result = xdt_files(
                target,
                folder / "transform.config",
                target,
                layout="reference" if case.get("preserve_whitespace", True) else "reformatted",
            )
        except XdtFatal:
            result = None
        left = target.read_bytes()
    return _Outcome(
        result=result,
        left=left,
        source=source,
        transform=transform,
        expected=expected.read_bytes() if expected.exists() else None,
    )


def _reason(case: Mapping[str, Any], outcome: _Outcome) -> str | None:
    if case["fatal"] != (outcome.result is None):
        return "should be fatal" if case["fatal"] else "should not be fatal"
    if outcome.result is None:
        return None if outcome.left == outcome.source else "the source was touched by a fatal run"
    for kind, found in (("warnings", outcome.result.warnings), ("errors", outcome.result.errors)):
        if len(found) != len(case[f"expect_{kind}"]):
            return f"{len(found)} {kind}, not {len(case[f'expect_{kind}'])}: {'; '.join(map(str, found))}"
    if outcome.expected is None or outcome.left == outcome.expected:
        return None
    try:
        return None if same_document(outcome.left, outcome.expected) else "another document"
    except (XmlError, ValueError, SyntaxError) as error:
        return f"cannot be compared: {error}"


def _keeps_declared_encoding(outcome: _Outcome) -> bool:
    """The reference reads a file without a byte order mark as UTF-8 and writes `?` for what is lost."""
    if outcome.result is None or outcome.expected is None:
        return False
    declares = any(
        re.match(rb"<\?xml[^>]*iso-8859", data, re.IGNORECASE) for data in (outcome.source, outcome.transform)
    )
    if not declares:
        return False
    parts = [re.escape(part) for part in re.split("[?\ufffd]", text_of(outcome.expected))]
    pattern = r"(?:\?|[^\x00-\x7f]|&#x[0-9A-F]+;)".join(parts)
    left = text_of(outcome.left)
    return re.fullmatch(pattern, left) is not None and "\ufffd" not in left


def _keeps_xml_prefix(outcome: _Outcome) -> bool:
    """The reference binds `d3p1` to the namespace of `xml:`, which no parser takes."""
    if outcome.result is None or outcome.expected is None:
        return False
    repaired = re.sub(rf'\bd\d+p\d+:(\w+)=("[^"]*")(\s+xmlns:d\d+p\d+="{re.escape(_XML)}")', r"xml:\1=\2",
                      text_of(outcome.expected))  # fmt: skip
    return _XML in text_of(outcome.expected) and same_document(outcome.left, repaired.encode("utf-8"))


def _loads_greater_than(outcome: _Outcome) -> bool:
    """The reference cannot load `>` between single quotes, though XML allows it."""
    if outcome.result is None or outcome.expected is not None:
        return False
    quoted = re.search(rb"=\s*'[^'<]*>[^'<]*'", outcome.source)
    return quoted is not None and not outcome.result.errors and same_document(outcome.left, outcome.source)


_QUIRKS: Final[Mapping[str, Callable[[_Outcome], bool]]] = {
    "the declared encoding is followed, and no character is lost": _keeps_declared_encoding,
    "xml:lang and xml:space keep their prefix in what is put in": _keeps_xml_prefix,
    "a '>' between single quotes is read": _loads_greater_than,
}
