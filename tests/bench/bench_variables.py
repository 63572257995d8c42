"""How fast templates are filled in, beside jinja2: `python -m tests.bench.bench_variables`.

Exits 0 if every figure is within its bound. All are medians of rounds in which ours and theirs take turns, in
seconds of processor time, so that a busy machine does not count.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from jinja2 import Environment

from agent.variables import Variables

TOKENS = 20_000
NAMES = 10_000
SIZE = 1_000_000
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Seconds of both sides, and how many times theirs ours may take."""

    name: str
    ours: float
    theirs: float
    at_most: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.ours:.4f} s, {self.theirs:.4f} s, "
            f"ratio {self.ratio:.2f}x (at most {self.at_most:g}x)"
        )


def main() -> int:
    measurements = [from_scratch(), twice_the_size(), cached()]
    for measurement in measurements:
        sys.stdout.write(f"{measurement}\n")
    return 0 if all(each.ratio <= each.at_most for each in measurements) else 1


def from_scratch() -> Measurement:
    """Parse, bind the variables, render: a template and variables that were never seen before."""
    given = values(NAMES)
    pairs = [
        (
            seconds(rendering(template("#{", "}", TOKENS, NAMES, salt), given)),
            seconds(jinja_rendering(template("{{ ", " }}", TOKENS, NAMES, salt), given)),
        )
        for salt in range(ROUNDS)
    ]
    return measured("1 MB, 20,000 tokens, 10,000 variables, parse included, to jinja2", pairs, 3)


def twice_the_size() -> Measurement:
    """Twice the template and twice the variables."""
    pairs = [
        (
            seconds(rendering(template("#{", "}", 2 * TOKENS, 2 * NAMES, salt), values(2 * NAMES))),
            seconds(rendering(template("#{", "}", TOKENS, NAMES, salt), values(NAMES))),
        )
        for salt in range(100, 100 + 3 * ROUNDS)
    ]
    return measured("twice the template and variables, to once", pairs, 2.2)


def cached() -> Measurement:
    """A template that both have parsed before, with the variables at hand."""
    variables = Variables.of(values(NAMES))
    source = template("#{", "}", TOKENS, NAMES, 0)
    compiled = Environment(autoescape=False, keep_trailing_newline=True).from_string(
        template("{{ ", " }}", TOKENS, NAMES, 0)
    )
    given = values(NAMES)
    if variables.evaluate(source).value != compiled.render(given):
        raise SystemExit("both should render the same")
    pairs = [
        (
            seconds(lambda: finished(variables.evaluate(source).value)),
            seconds(lambda: finished(compiled.render(given))),
        )
        for _ in range(3 * ROUNDS)
    ]
    return measured("the same again, cached, to jinja2 compiled", pairs, 4)


def rendering(source: str, given: dict[str, str | None]) -> Callable[[], None]:
    return lambda: finished(Variables.of(given).evaluate(source).value)


def jinja_rendering(source: str, given: dict[str, str | None]) -> Callable[[], None]:
    environment = Environment(autoescape=False, keep_trailing_newline=True)
    return lambda: finished(environment.from_string(source).render(given))


def measured(name: str, pairs: list[tuple[float, float]], at_most: float) -> Measurement:
    return Measurement(
        name=name,
        ours=statistics.median(ours for ours, _ in pairs),
        theirs=statistics.median(theirs for _, theirs in pairs),
        at_most=at_most,
    )


def seconds(work: Callable[[], None]) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def template(start: str, end: str, tokens: int, names: int, salt: int) -> str:
    """Text of about 50 characters for each token; `salt` makes it differ from all others."""
    filler = "x" * (SIZE // TOKENS - 16)
    lines = (f"{filler}{start}Name{place % names:05d}{end}\n" for place in range(tokens))
    return f"{salt}\n" + "".join(lines)


def values(names: int) -> dict[str, str | None]:
    return {f"Name{place:05d}": f"value {place}" for place in range(names)}


def finished(text: str | None) -> None:
    if not text:
        raise SystemExit("nothing was rendered")


if __name__ == "__main__":
    sys.exit(main())
