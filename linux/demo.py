"""`make demo`: deploy the example to two environments, look at what each serves, and roll the first one back.

Everything is done with the same commands that a user would type; they are shown as they run.
"""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from agent.containers import SLOT
from agent.errors import DockwrightError, HostError
from agent.host import HostAddress
from agent.journal import Journal
from linux.local import connect
from linux.sandbox import Sandbox, down, up

EXAMPLE = Path("linux/examples/shop")
DOCKWRIGHT = Path(sys.executable).with_name("dockwright")
ENVIRONMENTS = ("Test", "Production")
FIRST_PORT = 8081
SHOWN_PAGES = ("/", "/cgi-bin/settings")


def start(state: Path) -> None:
    """Deploy, show, roll back, show."""
    sandbox = up(state, say=_say)
    ports = _ports(state)
    bundle = _bundle(state)
    _deploy(state, bundle, sandbox, ports, "Test", "Deployments-1")
    _deploy(state, bundle, sandbox, ports, "Production", "Deployments-2")
    _title("Each environment serves its own configuration, from an image of its own")
    _show(ports, ENVIRONMENTS)
    _title("A second deployment to Test, with another configuration")
    _deploy(
        state, bundle, sandbox, ports, "Test", "Deployments-3", "ConnectionStrings:Shop=Server=oops;Database=Typo"
    )
    _show(ports, ["Test"])
    _title("That was a mistake: Test goes back, code and configuration together")
    _dockwright(state, "rollback", "--slot", _slot(), "--host", sandbox.host)
    _show(ports, ["Test"])
    _dockwright(state, "history")
    _title("Done")
    for environment in ENVIRONMENTS:
        _say(f"{environment:<11} http://127.0.0.1:{ports[environment]}/")
    _say("make demo-stop ends and removes all of it")


def stop(state: Path) -> None:
    """Remove what the demo deployed, then what it started. Nothing else is touched."""
    if (state / "home" / "journal.db").exists():
        _remove_deployed(state)
    down(state, say=_say)
    shutil.rmtree(state, ignore_errors=True)


def _bundle(state: Path) -> Path:
    """The example's folders as packages, in a bundle, as a build server would leave them."""
    _title("Packages, as a build server would make them")
    bundle = state / "bundle"
    packages = bundle / "packages"
    shutil.rmtree(bundle, ignore_errors=True)
    packages.mkdir(parents=True)
    shutil.copy(EXAMPLE / "step.yaml", bundle)
    for folder in sorted((EXAMPLE / "packages").iterdir()):
        _run(str(DOCKWRIGHT), "pack", str(folder), "--into", str(packages))
    return bundle


def _deploy(
    state: Path, bundle: Path, sandbox: Sandbox, ports: dict[str, int], environment: str, deployment: str, *more: str
) -> None:
    _title(f"{deployment}: {environment}")
    settings = (
        f"Octopus.Deployment.Id={deployment}",
        "Octopus.Release.Number=1.2.0",
        f"Registry={sandbox.registry}",
        f"Site.Port={ports[environment]}",
        *more,
    )
    arguments = [
        str(bundle),
        "--host",
        sandbox.host,
        *_each("--variables", (str(EXAMPLE / "variables" / f"{name}.json") for name in ("common", environment))),
        *_each("--set", settings),
    ]
    if environment == "Test" and not more:
        _dockwright(state, "plan", *arguments)
    _dockwright(state, "run", *arguments)


def _show(ports: dict[str, int], environments: Iterable[str]) -> None:
    for environment in environments:
        for page in SHOWN_PAGES:
            url = f"http://127.0.0.1:{ports[environment]}{page}"
            _say(f"\n{environment}: GET {url}")
            with urllib.request.urlopen(url, timeout=10) as answer:
                text = answer.read().decode()
            for line in text.splitlines():
                if page != "/" or "<h1>" in line or "banner" in line:
                    _say(f"  {line.strip()}")


def _ports(state: Path) -> dict[str, int]:
    """A free port for each environment, the same ones when the demo is repeated."""
    path = state / "ports.json"
    if path.exists():
        known: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
        return known
    free = (port for port in range(FIRST_PORT, 65535) if _is_free(port))
    ports = dict(zip(ENVIRONMENTS, free, strict=False))
    path.write_text(json.dumps(ports), encoding="utf-8")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  as the engine will bind it
        except OSError:
            return False
    return True


def _slot() -> str:
    return "projects-shop/environments-1/untenanted/deploy the shop"


def _remove_deployed(state: Path) -> None:
    """Containers and images of the slots in the demo's own journal, the release's own images among them."""
    journal = Journal(state / "home" / "journal.db")
    with closing(journal):
        runs, built = journal.runs(), journal.built()
    if not runs:
        return
    with closing(connect(HostAddress(url=runs[0].host))) as host:
        for container in {c.id: c for run in runs for c in host.find({SLOT: run.slot})}.values():
            host.remove(container.id)
            _say(f"removed the container {container.name}")
        for image in sorted(built | {run.image for run in runs if run.image}):
            if host.image(image) is not None:
                host.remove_image(image)
                _say(f"removed the image {image}")


def _dockwright(state: Path, command: str, *arguments: str) -> None:
    _run(str(DOCKWRIGHT), command, *arguments, "--home", str(state / "home"))


def _run(*command: str) -> None:
    shown = ["dockwright", *command[1:]] if command[0] == str(DOCKWRIGHT) else list(command)
    _say(f"\n$ {shlex.join(shown)}")
    status = subprocess.run(command, check=False).returncode
    if status:
        raise HostError(f"{shlex.join(shown[:2])} ended with exit code {status}; its message is above")


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [argument for value in values for argument in (option, value)]


def _title(text: str) -> None:
    _say(f"\n── {text} {'─' * max(3, 96 - len(text))}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m linux.demo", description="Deploy the example, and take it away again.")
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where everything of the demo is")
    options = parser.parse_args(arguments)
    try:
        (start if options.action == "start" else stop)(options.state.absolute())
    except DockwrightError as error:
        _say(f"make demo: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
