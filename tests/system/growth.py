"""How much a registry grows while one release is deployed again and again: `python -m tests.system.growth`.

A hundred deployments to five environments, each with other values in its configuration files, may add a megabyte
to the release's image at most.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from agent.host import HostAddress
from agent.registry import RegistryClient
from linux.local import connect
from linux.sandbox import down, up
from tests.conftest import remove_leftovers
from tests.system.shop import STEP, Site, free_port

ENVIRONMENTS = 5
MOST = 1_000_000
PER_RELEASE = STEP.replace("step: source-image", "step: image-per-release")
WITHOUT_CONTAINER = PER_RELEASE[: PER_RELEASE.index("  run:")] + PER_RELEASE[PER_RELEASE.index("packages:") :]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """In bytes: what the registry keeps after the release was made, and how much more at the end."""

    release: int
    more: int
    deployments: int
    images: int

    def __str__(self) -> str:
        return (
            f"registry growth: {self.more:,} bytes for {self.deployments} deployments ({self.images} images) "
            f"beyond the release's {self.release:,}"
        )


def grow(site: Site, storage: Path, deployments: int) -> Growth:
    """Make the release, then deploy it to the environments in turn."""
    site.step = WITHOUT_CONTAINER
    before = kept(storage)
    assert site.run(1).code == 0
    release = kept(storage)
    site.step = PER_RELEASE
    ports = [free_port() for _ in range(ENVIRONMENTS)]
    for number in range(2, deployments + 2):
        environment = number % ENVIRONMENTS
        done = site.run(
            number,
            **{
                "Octopus.Environment.Id": f"Environments-{environment}",
                "Octopus.Environment.Name": f"Environment {environment}",
                "Shop:Title": f"Deployment {number}",
                "Site.Port": str(ports[environment]),
            },
        )
        assert done.code == 0, done.stderr
    with RegistryClient(site.sandbox.registry) as client:
        images = {client.manifest_digest(site.name, tag) for tag in client.tags(site.name)}
    return Growth(release=release - before, more=kept(storage) - release, deployments=deployments, images=len(images))


def kept(storage: Path) -> int:
    return sum(path.stat().st_size for path in storage.rglob("*") if path.is_file())


def remove_containers(site: Site) -> None:
    """Of all its environments."""
    for container in site.host.find({"Octopus.Project.Id": f"Projects-{site.name}"}):
        site.host.remove(container.id)


def main(deployments: int) -> int:
    prefix = f"growth-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        state.mkdir()
        sandbox = up(state, base_image=f"{prefix}/base:1", say=lambda _line: None)
        host = connect(HostAddress(url=sandbox.host))
        work = Path(folder) / "site"
        work.mkdir()
        site = Site(name=f"{prefix}-shop", folder=work, port=free_port(), sandbox=sandbox, host=host)
        try:
            growth = grow(site, state / "registry", deployments)
        finally:
            remove_containers(site)
            host.close()
            from linux.sandbox.engine_call import EngineSocket

            remove_leftovers(EngineSocket(sandbox.host.removeprefix("unix://")), prefix, sandbox.base_image)
            down(state, say=lambda _line: None)
    sys.stdout.write(f"{growth}\n")
    return 0 if growth.more < MOST else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
