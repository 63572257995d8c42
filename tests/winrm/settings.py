"""How a WinRM server of the tests is set up, and what shall go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal[
    "drop",  # the connection ends before anything is done
    "lose",  # done, but the connection ends in place of the answer
    "truncate",  # done, and half of the answer arrives
    "reset",  # as drop, but with a TCP reset
    "hang",  # done, and no answer for `seconds`, then the connection ends
    "error",  # HTTP 500 without SOAP
    "stale",  # HTTP 400, as to a message that was sealed under another login
    "unauthorized",  # HTTP 401
    "too-large",  # HTTP 413
    "fault",  # a SOAP fault with `code`
    "slow",  # done, but told as not done in time
    "gone",  # its shell ends, and that is said with `code`
    "closed",  # the program's input ends, and that is said
    "delay",  # done after `seconds`
    "reboot",  # all shells are gone, and nobody answers for `seconds`
]


@dataclass(frozen=True, kw_only=True)
class Mishap:
    """What happens to the `nth` request (from 1) with this action (`Send`, `Receive`, ...; "" is any)."""

    kind: Kind
    action: str = ""
    nth: int = 1
    code: int = 0
    seconds: float = 0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Windows' own defaults, as far as they are enforced. `root` holds the machine's drives: `root/C/Users`."""

    root: Path
    user: str = "deployer"
    password: str = field(default="", repr=False)
    programs: dict[str, str] = field(default_factory=dict)
    """What a program's name stands for: `{"docker": "/usr/bin/docker"}`. Others are not on the machine's PATH."""
    environment: dict[str, str] = field(default_factory=dict)
    authentication: tuple[str, ...] = ("Negotiate",)
    """Of Negotiate (NTLM), Kerberos, CredSSP, Basic, Certificate."""
    allow_unencrypted: bool = False
    max_envelope_kb: int = 500
    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25
    idle_seconds: float = 180
    operation_seconds: float = 60
    answers_configuration: bool = True
    honours_ids: bool = True
    """Newer servers take the ids of shells and commands that a client proposes."""
    round_trip: float = 0
    """Seconds added to each request."""
    certificate: Path | None = None
    key: Path | None = None
    clients: Path | None = None
    """The authority of the certificates that clients may log in with."""
    mapped_certificates: tuple[str, ...] = ("deployer",)
    """Names in certificates that stand for the user, as the machine's certificate mapping says."""
    bound_to: Path | None = None
    """NTLM and Kerberos must have come through TLS with this certificate (the machine's, if nobody listens in)."""
    keytab: Path | None = None
