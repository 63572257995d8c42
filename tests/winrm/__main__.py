"""`python -m tests.winrm`: a WinRM server of its own process, until its standard input ends.

Prints its port. The password is the first line of standard input.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.winrm.server import prepared, serving
from tests.winrm.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.winrm")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--user", default="deployer")
    parser.add_argument("--envelope-kb", type=int, default=500)
    parser.add_argument("--round-trip", type=float, default=0)
    options = parser.parse_args()
    settings = Settings(
        root=prepared(options.root),
        user=options.user,
        password=sys.stdin.readline().strip(),
        programs={name: path for name in ("docker", "cat", "sha256sum") if (path := shutil.which(name))},
        max_envelope_kb=options.envelope_kb,
        round_trip=options.round_trip,
    )
    with serving(settings) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
