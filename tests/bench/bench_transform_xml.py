"""How fast XML files are changed: `python -m tests.bench.bench_transform_xml`.

Each figure stands beside what lxml alone needs to parse the same file and evaluate the same XPaths. Times are the
processor's, the best of three, so that other work on the machine does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lxml import etree

from agent.transform.structured.candidates import Candidates
from agent.transform.structured.xml import replace
from agent.transform.xdt import transform_document
from agent.variables import Variables

_BOUND = 10
_XDT = "http://schemas.microsoft.com/XML-Document-Transform"
_TRANSFORMS = ("SetAttributes", "Remove", "Replace", "Insert", "RemoveAttributes(value)")


def main() -> None:
    """Two files; a line for each figure."""
    large = _config(sections=200, settings=850)
    paths = [f"/configuration/section{index}/add[@key='name{index}']/@value" for index in range(200)]
    names = Candidates(Variables.of(dict.fromkeys(paths, "new")))
    theirs = _seconds(lambda: _parse_and_find(large, paths))
    _report("200 XPath variables, 10 MB of XML", _seconds(lambda: replace(large, names, "app.xml")), theirs)
    everywhere = [f"//add[@key='name{index}']/@value" for index in range(20)]
    names = Candidates(Variables.of(dict.fromkeys(everywhere, "new")))
    theirs = _seconds(lambda: _parse_and_find(large, everywhere), times=1)
    ours = _seconds(lambda: replace(large, names, "app.xml"), times=1)
    _report("20 variables with //, 200 places each, 10 MB of XML", ours, theirs)
    small = _config(sections=20, settings=900)
    steps = [(index % 20, index * 4, _TRANSFORMS[index % len(_TRANSFORMS)]) for index in range(200)]
    rules = _rules(steps)
    theirs = _seconds(lambda: _parse_and_find(small, [_path(section, name) for section, name, _ in steps]))
    for layout in ("kept", "reference"):
        ours = _seconds(lambda layout=layout: transform_document(small, rules, layout=layout))  # type: ignore[misc]
        _report(f"200 XDT rules, 1 MB of web.config, layout {layout}", ours, theirs)


def _config(*, sections: int, settings: int) -> bytes:
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<configuration>"]
    for section in range(sections):
        lines.append(f"  <section{section}>")
        lines += [f'    <add key="name{name}" value="some value {name} of section"/>' for name in range(settings)]
        lines.append(f"  </section{section}>")
    return "\n".join([*lines, "</configuration>"]).encode("utf-8")


def _rules(steps: list[tuple[int, int, str]]) -> bytes:
    lines = [f'<configuration xmlns:xdt="{_XDT}">']
    for section, name, transform in steps:
        add = f'<add key="name{name}" value="v" xdt:Locator="Match(key)" xdt:Transform="{transform}"/>'
        lines.append(f"<section{section}>{add}</section{section}>")
    return "\n".join([*lines, "</configuration>"]).encode("utf-8")


def _path(section: int, name: int) -> str:
    return f"/configuration/section{section}/add[@key='name{name}']"


def _parse_and_find(data: bytes, paths: list[str]) -> None:
    tree = etree.fromstring(data)
    for path in paths:
        tree.xpath(path)


def _seconds(run: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return best


def _report(name: str, ours: float, theirs: float) -> None:
    print(f"{name}: {ours:.3f} s, lxml {theirs:.3f} s, ratio {ours / theirs:.1f} (at most {_BOUND})")


if __name__ == "__main__":
    main()
