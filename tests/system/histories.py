"""Many deployments to one slot, some of which fail in one way or another, and rollbacks between them.

    python -m tests.system.histories [N] [SEED]

After each of them the container that runs, its image's digest, the page it serves and the journal must agree on
which deployment is the current one; and that must be the one that a few lines of arithmetic expect.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from agent.containers import DEPLOYMENT, serving
from agent.journal import read_runs
from agent.slot.serving import serving_order
from tests.system.kills import sandboxed
from tests.system.shop import DOCKERFILE, STEP, Finished, Site, free_port

Move = Literal["deploy", "unhealthy", "exits", "broken build", "registry down", "rollback", "rollback far"]

QUICK = STEP.replace("timeout: 5", "timeout: 2")
EXITS = DOCKERFILE.replace('["httpd"', '["false"')
BROKEN = DOCKERFILE.replace("EXPOSE", "RUN exit 3\nEXPOSE")
NOBODY_LISTENS = "127.0.0.1:1"


def moves(count: int, chance: random.Random) -> list[Move]:
    """The first is a deployment; then each kind of move, and every second one a good deployment, in random order."""
    chosen: list[Move] = []
    while len(chosen) < count:
        deck: list[Move] = [*get_args(Move), "rollback", "deploy", "deploy", "deploy"]
        chance.shuffle(deck)
        chosen += deck
    return ["deploy", *chosen][:count]


@dataclass
class History:
    """What has become of a site. `order` is what can be gone back through, the current deployment last."""

    site: Site
    deployment: int = 0
    order: list[int] = field(default_factory=list)

    def faults(self, move: Move) -> list[str]:
        """Make the move; what is not as it should be then."""
        expected, code = self._expected(move)
        done = self._done(move)
        self.order = expected if code else self.order
        ended = [] if (done.code == 0) == code else [f"it ended with {done.code}: {done.error}"]
        return [*ended, *self._disagreements()]

    def _expected(self, move: Move) -> tuple[list[int], bool]:
        """The order after the move if it succeeds, and whether it should."""
        match move:
            case "deploy":
                return [*self.order, self.deployment + 1], True
            case "rollback":
                return self.order[:-1], len(self.order) > 1
            case "rollback far":
                return self.order[:1], len(self.order) > 1
            case _:
                return self.order, False

    def _done(self, move: Move) -> Finished:
        if move == "rollback":
            return self.site.rollback()
        if move == "rollback far":
            return self.site.rollback("--to", f"Deployments-{self.order[0]}")
        self.deployment += 1
        settings = {"HealthPath": "/nothing"} if move == "unhealthy" else {}
        settings |= {"Registry": NOBODY_LISTENS} if move == "registry down" else {}
        files: dict[Move, str] = {"exits": EXITS, "broken build": BROKEN}
        self.site.dockerfile = files.get(move, DOCKERFILE)
        return self.site.run(self.deployment, **settings)

    def _disagreements(self) -> Iterator[str]:
        site, expected = self.site, f"Deployments-{self.order[-1]}"
        runs = read_runs(site.home / "journal.db", site.slot)
        current = serving_order(runs)[-1]
        if current.id != expected:
            yield f"the journal has {current.id} for current, not {expected}"
        if open_ends := [run.id for run in runs if run.state in {"running", "half-done"}]:
            yield f"the journal has open ends: {open_ends}"
        running = serving(site.host, site.slot)
        if [(one.labels[DEPLOYMENT], one.name) for one in running] != [(expected, current.container)]:
            yield f"{[one.name for one in running]} run, and the journal has {current.container}"
        for one in running:
            image = site.host.image(one.image_id)
            digests = {digest.rpartition("@")[2] for digest in image.digests} if image else set()
            if current.digest not in digests:
                yield f"{one.name} has the digests {digests}, and the journal {current.digest}"
        if expected not in (page := site.page()):
            yield f"the page is {page!r}, not {expected}'s"


def live(site: Site, count: int, seed: int) -> list[str]:
    """So many moves; every fault that was found."""
    site.step = QUICK
    history = History(site)
    found: list[str] = []
    for number, move in enumerate(moves(count, random.Random(seed)), start=1):
        here = history.faults(move)
        found += [f"{number}. {move}: {fault}" for fault in here]
        print(f"{number}. {move}: {'; '.join(here) or f'ok, {history.order} stand'}", flush=True)
    return found


def main() -> None:
    """Live, tell, and end with 1 if anything was wrong."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with sandboxed("histories") as (sandbox, host, folder):
        found = live(Site("dockwright-histories-site", folder, free_port(), sandbox, host), count, seed)
    print(f"{count} deployments and rollbacks, {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
