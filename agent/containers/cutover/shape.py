"""What a strategy makes of a container's specification, and what its labels say of that afterwards.

A recovery or a rollback has no `step.yaml`: it reads the labels of the container that is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from agent.containers.cutover.settings import Cutover, Hold, OnFailure, Proxy, Recreate
from agent.containers.labels import CUTOVER
from agent.errors import InputError
from agent.host import ContainerSpec, Port


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How the containers of a deployment are run: in which way, how many, and behind which ports."""

    cutover: Cutover = field(default_factory=Recreate)
    replicas: int = 1
    on_failure: OnFailure = "rollback"
    ports: tuple[Port, ...] = ()
    """Those that the relay publishes for the container."""
    networks: tuple[str, ...] = ()
    """Those that the relay shares with the container."""
    port: int = 0
    """The container's port for requests and for health checks; 0 where it publishes its own."""


def shaped(spec: ContainerSpec, cutover: Cutover, replicas: int, on_failure: OnFailure) -> ContainerSpec:
    """The specification with its ports as the strategy needs them, and with the label that says so."""
    if not 1 <= replicas <= 100:
        raise InputError(f"run.replicas: it is {replicas}; write 1 to 100")
    if replicas > 1 and not isinstance(cutover, Proxy):
        raise InputError(
            "run.replicas: several containers need a proxy before them; add cutover: {strategy: proxy, …}"
        )
    shape = Shape(cutover=cutover, replicas=replicas, on_failure=on_failure)
    if isinstance(cutover, Proxy):
        shape = replace(shape, port=_proxied_port(cutover, spec.ports))
        spec = replace(spec, ports=_loopback(shape.port) if cutover.via == "published" else ())
    elif isinstance(cutover, Hold):
        networks = tuple(network.name for network in spec.networks)
        shape = replace(shape, port=_relayed(spec.ports)[0].container, ports=spec.ports, networks=networks)
        spec = replace(spec, ports=())
    if shape == Shape():
        return spec
    return replace(spec, labels={**spec.labels, CUTOVER: msgspec.json.encode(shape).decode()})


def shape_of(labels: Mapping[str, str]) -> Shape:
    """What the labels of a container say; a container without is recreated."""
    try:
        return msgspec.json.decode(labels.get(CUTOVER, "{}"), type=Shape)
    except msgspec.DecodeError as error:
        raise InputError(
            f"the label {CUTOVER} of a container cannot be read: {error}; remove the container"
        ) from error


def _proxied_port(cutover: Proxy, ports: tuple[Port, ...]) -> int:
    fixed = next((port for port in ports if port.host), None)
    if fixed is not None:
        raise InputError(
            f"run.ports: '{fixed}' publishes a port that is the proxy's to own; write '{fixed.container}'"
        )
    chosen = cutover.port or next((port.container for port in ports if port.protocol == "tcp"), 0)
    if not chosen:
        raise InputError("run.ports: say which port of the container the proxy leads to, for example ports: ['80']")
    return chosen


def _loopback(port: int) -> tuple[Port, ...]:
    return (Port(container=port, address="127.0.0.1"),)


def _relayed(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    if not ports:
        raise InputError("run.ports: the relay of cutover: hold needs a port to own, for example ports: ['8080:80']")
    for port in ports:
        if port.protocol != "tcp":
            raise InputError(f"run.ports: '{port}' is not TCP, and the relay of cutover: hold knows only TCP")
    if len({port.container for port in ports}) < len(ports):
        raise InputError("run.ports: the relay of cutover: hold leads one port to each port of the container")
    return ports
