"""Every moment at which a replacement can die, one after another: `python -m tests.bench.moments [WAY]...`.

The suite tries a few of them; this takes minutes. Ways are haproxy, nginx, hold and recreate.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from agent.host import HostAddress
from agent.journal import Journal
from linux.local import connect
from linux.sandbox import down, up
from linux.sandbox.engine_call import EngineSocket
from tests.bench.ways import WAYS, open_way, remove_all
from tests.system.place import Place, one_serves_after_death
from tests.system.python_image import make_python_image

NAME = "dockwright-moments"
IMAGE = f"{NAME}:1"


def main(wanted: list[str]) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=NAME)))
        sandbox = up(folder / "sandbox", base_image=f"{NAME}/base:1", say=lambda _line: None)
        stack.callback(down, folder / "sandbox", say=lambda _line: None)
        engine = EngineSocket(sandbox.host.removeprefix("unix://"))
        make_python_image(IMAGE, engine)
        stack.callback(engine.call, "DELETE", f"/images/{IMAGE}", query={"force": "1"})
        host = connect(HostAddress(url=sandbox.host))
        stack.callback(host.close)
        for name in wanted or WAYS:
            moment = 0
            while _dies(name, moment, folder, Place(f"{NAME}-{name}", IMAGE, host, Journal(folder / "journal.db"))):
                moment += 1
            print(f"{name}: {moment} moments, one version served after each")


def _dies(name: str, moment: int, folder: Path, place: Place) -> bool:
    own = folder / f"{name}-{moment}"
    own.mkdir()
    place.name = f"{place.name}-{moment}"
    with ExitStack() as stack:
        stack.callback(place.journal.close)
        stack.callback(remove_all, place)
        try:
            return one_serves_after_death(moment, place, open_way(name, own, stack, place))
        except BaseException:
            effects = place.journal.effects(place.journal.runs()[0])
            print(f"{name} {moment}:", *(f"{one.kind} {one.name} {bool(one.done)}" for one in effects), sep="\n  ")
            raise


if __name__ == "__main__":
    main(sys.argv[1:])
