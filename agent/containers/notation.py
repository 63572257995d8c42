"""How people write ports, volumes, networks and sizes, and what they mean to a container."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from agent.errors import InputError
from agent.host import Network, Port, Volume

_PORT = re.compile(
    r"^(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>\d{1,5})?:)?(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp))?$"
)
_RANGES = re.compile(
    r"^(?P<address>(?:\[[0-9a-fA-F:]+\]|[0-9]+(?:\.[0-9]+){3}):)?(?:(?P<host>\d{1,5})-(?P<last_host>\d{1,5}):|(?P<free>:))?"
    r"(?P<container>\d{1,5})-(?P<last_container>\d{1,5})(?P<protocol>/(?:tcp|udp))?$"
)
_LONGEST_RANGE = 100
_SIZE = re.compile(r"^(?P<number>\d{1,15}(?:\.\d{1,9})?)\s*(?:(?P<unit>[kmgt]?)(?:i?b)?)$", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LARGEST = 2**60


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A network to join, and the names to be known by in it."""

    name: str
    aliases: list[str] = []


def parse_port(text: str) -> Port:
    """`80`, `8080:80`, `127.0.0.1:8080:80`, `53:53/udp`."""
    match = _PORT.match(text.strip())
    if match is None:
        raise InputError(f"run.ports: '{text}' is not a port; write HOST:CONTAINER, for example 8080:80")
    host, container = int(match["host"] or 0), int(match["container"])
    if host > 65535 or not 0 < container <= 65535:
        raise InputError(f"run.ports: '{text}' is out of range; ports are 1 to 65535")
    protocol: Literal["tcp", "udp"] = "udp" if match["protocol"] == "udp" else "tcp"
    return Port(container=container, host=host, address=(match["address"] or "").strip("[]"), protocol=protocol)


def parse_ports(texts: list[str]) -> tuple[Port, ...]:
    """All of them; one host port leads to one place only."""
    ports = tuple(parse_port(one) for text in texts for one in _each(text))
    taken: set[tuple[str, int, str]] = set()
    for port in ports:
        place = (port.address, port.host, port.protocol)
        if port.host and place in taken:
            raise InputError(f"run.ports: the host's port {port.host} is published twice; remove one of the two")
        taken.add(place)
    return ports


def _each(text: str) -> list[str]:
    """`8000-8002:80-82/tcp` is three ports, `80-82` too; the two ranges must be of one length."""
    match = _RANGES.match(text.strip())
    if match is None:
        return [text]
    first, last = int(match["container"]), int(match["last_container"])
    begin = int(match["host"] or 0)
    count = last - first + 1
    if not 0 < count <= _LONGEST_RANGE or (match["host"] and int(match["last_host"]) - begin != last - first):
        raise InputError(
            f"run.ports: '{text}' is not a range of ports; write two ranges of the same length, at most "
            f"{_LONGEST_RANGE} ports, for example 8000-8002:80-82"
        )
    hosts = [f"{begin + number}:" if match["host"] else match["free"] or "" for number in range(count)]
    return [
        f"{match['address'] or ''}{host}{first + number}{match['protocol'] or ''}"
        for number, host in enumerate(hosts)
    ]


def parse_volume(text: str) -> Volume:
    r"""`name:/target`, `/host/folder:/target:ro`, `C:\data:C:\app\data`."""
    body, read_only = (text[:-3], True) if text.endswith(":ro") else (text.removesuffix(":rw"), False)
    match = re.match(r"^(?P<source>[A-Za-z]:[\\/][^:]*|[^:]+):(?P<target>[A-Za-z]:[\\/][^:]*|/[^:]*)$", body)
    if match is None:
        raise InputError(f"run.volumes: '{text}' is not a volume; write SOURCE:/TARGET or SOURCE:/TARGET:ro")
    return Volume(source=match["source"], target=match["target"], read_only=read_only)


def parse_networks(short: str, aliases: list[str], more: list[str | NetworkSettings]) -> tuple[Network, ...]:
    """`network` with its `aliases` first, then `networks`: names, or names with aliases."""
    if aliases and not short:
        raise InputError("run.aliases: they are names in run.network; name that, or list them under run.networks")
    found = [Network(name=short, aliases=tuple(aliases))] if short else []
    for each in more:
        name, names = (each, ()) if isinstance(each, str) else (each.name, tuple(each.aliases))
        if not name:
            raise InputError("run.networks: a network has no name; give each one a name")
        if any(network.name == name for network in found):
            raise InputError(f"run.networks: '{name}' is given twice; keep one of the two")
        found.append(Network(name=name, aliases=names))
    return tuple(found)


def parse_size(text: str, field: str) -> int:
    """Bytes of `512MB`, `1.5g`, `1048576`; units are powers of 1024, as Docker reads them. Empty is 0, no limit."""
    if not text:
        return 0
    match = _SIZE.match(text.strip())
    if match is None:
        raise InputError(f"run.{field}: '{text}' is not a size; write a number and a unit, as 512MB or 1.5GB")
    size = int(float(match["number"]) * 1024 ** _POWERS[match["unit"].lower()])
    if size > _LARGEST:
        raise InputError(f"run.{field}: '{text}' is more than any machine has; write it as 512MB or 1.5GB")
    return size
