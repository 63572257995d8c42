"""`dockwright listen`: the settings of a listener from what the command line gave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.commands.trust import service_files
from agent.errors import InputError, StorageError
from agent.service.certificate import parse_thumbprint
from agent.service.listener import Listening


def listening(home: Path, options: Mapping[str, Any]) -> Listening:
    """InputError for an address that is none."""
    address, port = _address(options["address"])
    _make_keys(home)
    if options["require_signature"]:
        os.environ["DOCKWRIGHT_REQUIRE_SIGNATURE"] = "1"  # the children are told so
    return Listening(
        home=home,
        address=address,
        port=port,
        host=options["host"],
        workers=max(1, options["workers"]),
        queue=max(1, options["queue"]),
        certificate=service_files(home).certificate(),
        requires_signature=options["require_signature"],
        poll_url=options["poll"],
        poll_thumbprint=_broker(options),
    )


def _broker(options: Mapping[str, Any]) -> str:
    if options["poll"] and not options["poll_thumbprint"]:
        raise InputError("--poll needs --poll-thumbprint: nobody is trusted by their address")
    return options["poll_thumbprint"] and parse_thumbprint(options["poll_thumbprint"])


def _make_keys(home: Path) -> None:
    """Make certificate and keys in another process, where the listener's own memory does not pay for it."""
    made = subprocess.run(
        [sys.executable, "-P", "-m", "agent.cli", "trust", "show", "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StorageError(made.stderr.strip().removeprefix("dockwright: ") or "the certificate cannot be made")


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or not host:
        raise InputError(f"--address {text}: write ADDRESS:PORT, for example 0.0.0.0:10943")
    return host.strip("[]"), int(port)
