"""`python -m linux.sandbox up --state DIR` and `… down --state DIR`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from agent.errors import DockwrightError
from linux.sandbox.lifecycle import BASE_IMAGE, down, up


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m linux.sandbox", description="An engine, a registry and a base image.")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where to remember what was started")
    parser.add_argument("--base-image", default=BASE_IMAGE, metavar="NAME", help="what to call the base image")
    options = parser.parse_args(arguments)
    try:
        if options.action == "up":
            up(options.state, base_image=options.base_image, say=_say)
        else:
            down(options.state, say=_say)
    except DockwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
