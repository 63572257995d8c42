"""What it costs to replace values in JSON and YAML: `python -m tests.bench.bench_transform_text`.

10,000 variables over a 10 MB JSON and a 1 MB YAML file against merely parsing them with `json` and with libyaml's
composer; twice the file and the variables; and 20 targets in a tree of 5,000 files.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from agent.transform import TransformSettings, transform
from agent.transform.structured import json as json_format
from agent.transform.structured import yaml as yaml_format
from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import Replace
from agent.variables import Variables

ROUNDS = 5


def main() -> None:
    compare("10,000 variables over a 10 MB JSON file", json_format.replace, parse_json, json_case(110), 15)
    doubled("JSON and variables doubled", json_format.replace, json_case(110), json_case(220))
    compare("10,000 variables over a 1 MB YAML file", yaml_format.replace, compose_yaml, yaml_case(5_000), 3)
    doubled("YAML and variables doubled", yaml_format.replace, yaml_case(5_000), yaml_case(10_000))
    tree()


Case = tuple[bytes, dict[str, str | None]]


def compare(title: str, replace: Replace, parse: Callable[[bytes], object], case: Case, bound: float) -> None:
    data, variables = case
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(timed(lambda: parse(data)))
        ours.append(timed(lambda: replaced(replace, data, variables)))
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(
        f"{title} ({len(data):,} bytes): ours {mine:.3f} s, parsing {other:.3f} s, "
        f"ratio {mine / other:.2f}x (at most {bound:g}x)"
    )


def doubled(title: str, replace: Replace, once: Case, twice: Case) -> None:
    short, long = [], []
    for _ in range(ROUNDS):
        short.append(timed(lambda: replaced(replace, *once)))
        long.append(timed(lambda: replaced(replace, *twice)))
    one, two = statistics.median(short), statistics.median(long)
    print(f"{title}: {two:.3f} s, single {one:.3f} s, ratio {two / one:.2f}x (at most 2.2x)")


def replaced(replace: Replace, data: bytes, variables: dict[str, str | None]) -> None:
    """A run from the plain variables on: names and values are not known beforehand."""
    done = replace(data, Candidates(Variables.of(variables)), "file")
    assert len(done.changes) == len(variables)


def parse_json(data: bytes) -> object:
    parsed: object = json.loads(data)
    return parsed


def compose_yaml(data: bytes) -> object:
    return yaml.compose(data, Loader=yaml.CLoader)


def json_case(sections: int) -> Case:
    """About 91 kB a section; 91 variables for each."""
    chance = random.Random(sections)
    document = {f"Section{number}": [json_item(chance) for _ in range(330)] for number in range(sections)}
    names = [
        f"section{section}:{item}:{field}"
        for section in range(sections)
        for item in chance.sample(range(330), 31)
        for field in ("Name", "Port", "Tags:1")
    ]
    wanted = sections * 1000 // 11
    return json.dumps(document, indent=2).encode(), {name: str(number) for number, name in enumerate(names[:wanted])}


def json_item(chance: random.Random) -> dict[str, Any]:
    return {
        "Name": f"item {chance.random()}",
        "Url": f"https://example.org/{chance.randrange(10**9)}",
        "Port": 100_000 + chance.randrange(65_536),
        "On": True,
        "Tags": ["a", "b", chance.random()],
        "Text": 'with "quotes" and\nlines ' * 2,
    }


def yaml_case(sections: int) -> Case:
    """About 200 bytes a section; two variables for each."""
    text = "".join(
        f"section{number}:  # {number}\n  name: value {number}\n  url: http://example.org/{number}\n  ports:\n"
        f"    - {number}\n    - 8080\n  nested:\n    deep: 'x'\n    text: |\n      several\n      lines\n"
        f'    flow: {{a: [1, 2], b: "{number}"}}\n\n'
        for number in range(sections)
    )
    names = [f"Section{number}:{path}" for number in range(sections) for path in ("name", "nested:flow:a:1")]
    return text.encode(), {name: f"new {index}" for index, name in enumerate(names)}


def tree() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(5_000):
            path = root / f"f{number % 50}" / f"{number}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text('{"a": {"b": 1}}', encoding="utf-8")
        targets = tuple(f"**/{number}.json" for number in range(0, 5_000, 250))
        opened: list[str] = []
        sys.addaudithook(lambda event, arguments: note_writes(opened, folder, event, arguments))
        took = timed(lambda: transform(root, TransformSettings(structured=targets), Variables.of({"a:b": "2"})))
        written = len(opened)
        old = sum('"b": 1' in path.read_text(encoding="utf-8") for path in root.glob("*/*.json"))
        print(f"20 targets in a tree of 5,000 files: {took:.3f} s, {written} files written, {old} left alone (4980)")


def note_writes(opened: list[str], folder: str, event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(folder) and arguments[2] & 3:
        opened.append(arguments[0])


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
