"""A 50 MB build context to a Windows machine over WinRM, against the unix socket and against echoed base64.

The WinRM server is that of the tests, in a process of its own, with NTLM, sealed messages and Windows' own limit of
500 kB for one; it runs the local docker. Where there is nothing better, files are sent by commands that each echo
a piece in base64 into a file: some are run, and the rest reckoned. Interleaved; `python -m tests.bench.bench_winrm`.
"""

from __future__ import annotations

import base64
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

from winrm.protocol import Protocol

from agent.host import BuildRequest, ContainerHost, HostAddress
from linux.local import connect as connect_locally
from linux.local import usual_socket
from windows.winrm import connect

MEGABYTES = 50
ROUNDS = 3
ECHOED = 60
ECHOED_BYTES = 6000
LEAST_OF_SOCKET = 0.25
LEAST_OVER_ECHO = 20
TAG = "dockwright-bench-winrm:1"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dockwright-bench") as folder, serving(Path(folder)) as address:
        context = Path(folder) / "context"
        context.mkdir()
        (context / "Dockerfile").write_text("FROM scratch\nCOPY blob /\n", encoding="utf-8")
        with (
            closing(connect_locally(HostAddress(url="unix://"))) as local,
            closing(connect(HostAddress(url=f"{address.url}&engine=cli", password=address.password))) as cli,
            closing(connect(HostAddress(url=f"{address.url}&engine=api", password=address.password))) as api,
        ):
            hosts = {"unix socket": local, "WinRM, docker": cli, "WinRM, dial-stdio": api}
            build(local, context)
            rates = measure(hosts, context)
        echoed = echo_rate(address)
        report(rates, echoed)


def measure(hosts: dict[str, ContainerHost], context: Path) -> dict[str, list[float]]:
    """Megabytes per second of each, round by round."""
    rates: dict[str, list[float]] = {name: [] for name in hosts}
    for _ in range(ROUNDS):
        for name, host in hosts.items():
            rates[name].append(MEGABYTES / build(host, context))
    return rates


def build(host: ContainerHost, context: Path) -> float:
    """Seconds. The content is new each time, and does not compress."""
    (context / "blob").write_bytes(os.urandom(MEGABYTES * 1024 * 1024))
    try:
        return timed(partial(host.build, BuildRequest(context=context, tags=(TAG,)), lambda _line: None))
    finally:
        host.remove_image(TAG)


def echo_rate(address: HostAddress) -> float:
    """Megabytes per second by `echo ...>>file`, three requests each, as many tools do it."""
    piece = base64.b64encode(os.urandom(ECHOED_BYTES)).decode()
    endpoint = address.url.replace("winrm://deployer@", "http://").partition("?")[0] + "/wsman"
    protocol = Protocol(endpoint, "ntlm", "deployer", address.password, proxy=None, ca_trust_path=None)  # type: ignore[arg-type]
    shell = protocol.open_shell()

    def echo_all() -> None:
        for _ in range(ECHOED):
            command = protocol.run_command(shell, "echo", [f"{piece}>C:\\echoed"])
            protocol.get_command_output(shell, command)
            protocol.cleanup_command(shell, command)

    seconds = timed(echo_all)
    protocol.close_shell(shell)
    return ECHOED * ECHOED_BYTES / seconds / 1024 / 1024


def report(rates: dict[str, list[float]], echoed: float) -> None:
    socket_rates = rates.pop("unix socket")
    print(f"unix socket             {statistics.median(socket_rates):6.1f} MB/s")
    for name, values in rates.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(values, socket_rates, strict=True))
        over_echo = statistics.median(values) / echoed
        print(
            f"{name:<23} {statistics.median(values):6.1f} MB/s  {ratio:.2f} of the socket (at least "
            f"{LEAST_OF_SOCKET}), "
            f"{over_echo:.0f} times echo (at least {LEAST_OVER_ECHO})"
        )
    print(f"echoed base64           {echoed:6.2f} MB/s")


def timed(action: Callable[[], object]) -> float:
    started = perf_counter()
    action()
    return perf_counter() - started


@contextmanager
def serving(folder: Path) -> Iterator[HostAddress]:
    password = secrets.token_urlsafe()
    environment = {**os.environ, "DOCKER_HOST": f"unix://{usual_socket()}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.winrm", "--root", str(folder / "machine")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{password}\n")
    process.stdin.flush()
    try:
        port = int(process.stdout.readline())
        yield HostAddress(url=f"winrm://deployer@127.0.0.1:{port}?scheme=http", password=password)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


if __name__ == "__main__":
    main()
