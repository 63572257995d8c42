"""The hand-run harnesses in which each message of a deployment fails, one in each run: which runs, and their record.

`python -m tests.system.winrm_faults ENGINE [RUNS|all] [--way layer|built|held] [--kinds a,b] [--part 1/2]
[--record FILE]`, and `ssh_faults` likewise. What is in the record is not done again, so that `all` of them can be
done in several sittings; a number is so many of them, spread evenly.
"""

from __future__ import annotations

import argparse
import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec

from tests.system.far import FarSite, Way, say

_BETWEEN_TIDYINGS = 20


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`kind` happens at `place`, such as the third Send, once `order` has been called."""

    kind: str
    place: str
    order: Callable[[], None]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the record. `wrong` is what was not as it should be, `happened` whether there was such a message."""

    transport: str
    engine: str
    way: str
    kind: str
    place: str
    happened: bool = False
    code: int = -1
    seconds: float = 0
    told: str = ""
    wrong: str = ""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for. No `runs` are all."""

    transport: str
    engine: str
    way: Way
    runs: int
    kinds: tuple[str, ...]
    part: tuple[int, int]
    record: Path


def read_wish(transport: str) -> Wish:
    parser = argparse.ArgumentParser(prog=f"tests.system.{transport}_faults")
    parser.add_argument("engine", choices=("api", "cli"))
    parser.add_argument("runs", nargs="?", default="24", type=lambda text: 0 if text == "all" else int(text))
    parser.add_argument("--way", choices=get_args(Way), default="layer")
    parser.add_argument("--kinds", default="", type=str)
    parser.add_argument("--part", default="1/1", type=str)
    parser.add_argument("--record", default=f"{transport}-faults.jsonl", type=Path)
    given = parser.parse_args()
    number, _, of = given.part.partition("/")
    return Wish(
        transport=transport,
        engine=given.engine,
        way=given.way,
        runs=int(given.runs),
        kinds=tuple(kind for kind in given.kinds.split(",") if kind),
        part=(int(number), int(of)),
        record=given.record,
    )


def go_through(wish: Wish, far: FarSite, faults: Sequence[Fault], happened: Callable[[], bool]) -> int:
    """Do all that was wished for and is not in the record yet; the exit code."""
    done = {(run.kind, run.place) for run in _recorded(wish)}
    chosen = [fault for fault in faults if not wish.kinds or fault.kind.split()[0] in wish.kinds]
    chosen = chosen[wish.part[0] - 1 :: wish.part[1]]
    if wish.runs:
        chosen = [chosen[index * len(chosen) // wish.runs] for index in range(min(wish.runs, len(chosen)))]
    left = [fault for fault in chosen if (fault.kind, fault.place) not in done]
    say(f"{len(faults)} faults, {len(chosen)} of them wished for, {len(left)} not in the record yet")
    for number, fault in enumerate(left, start=1):
        run = _run(wish, far, fault, happened)
        with wish.record.open("ab") as file:
            file.write(msgspec.json.encode(run) + b"\n")
        say(f"{number}/{len(left)} {'WRONG: ' if run.wrong else ''}{run.wrong or run.told}")
        if run.wrong:
            far.start_afresh()
        if number % _BETWEEN_TIDYINGS == 0:
            far.tidy()
    runs = _recorded(wish)
    _tell(runs)
    return 1 if any(run.wrong for run in runs) else 0


def _run(wish: Wish, far: FarSite, fault: Fault, happened: Callable[[], bool]) -> Run:
    run = Run(transport=wish.transport, engine=wish.engine, way=wish.way, kind=fault.kind, place=fault.place)
    fault.order()
    try:
        became = far.disturbed(f"{fault.kind} at {fault.place}")
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return msgspec.structs.replace(run, wrong=str(error), happened=happened())
    return msgspec.structs.replace(
        run, code=became.code, seconds=became.seconds, told=became.told, happened=happened()
    )


def _recorded(wish: Wish) -> list[Run]:
    if not wish.record.exists():
        return []
    runs = [msgspec.json.decode(line, type=Run) for line in wish.record.read_bytes().splitlines()]
    same = (wish.transport, wish.engine, wish.way)
    return [run for run in runs if (run.transport, run.engine, run.way) == same]


def _tell(runs: Sequence[Run]) -> None:
    """By kind: how many runs, how they ended, and the longest. Those whose message never came count apart."""
    kinds: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        kinds[run.kind if run.happened else "(did not come about)"].append(run)
    for kind, some in sorted(kinds.items()):
        codes = sorted({run.code for run in some if not run.wrong})
        counts = ", ".join(f"exit {code}: {sum(run.code == code for run in some)}" for code in codes)
        wrong = sum(bool(run.wrong) for run in some)
        say(f"{kind}: {len(some)} runs; {counts}; longest {max(run.seconds for run in some):.1f} s; {wrong} wrong")
    say(f"{len(runs)} runs, {sum(bool(run.wrong) for run in runs)} wrong")
