"""Which machines others may send us to: not this one, not those on our link, not a cloud's metadata service.

A name is looked up once, and the connection goes to the very address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import RegistryError

if TYPE_CHECKING:
    from agent.registry.origin import Origin

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


class DestinationError(RegistryError):
    """A place that is not asked."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """An address that may be connected to."""

    family: socket.AddressFamily
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


def look_up(origin: Origin, *, allow_local: bool) -> list[Destination]:
    """The addresses of a host that may be asked. DestinationError if it has none of these; OSError if it has none."""
    found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    allowed = [
        Destination(family=family, address=address)
        for family, _, _, _, address in found
        if not _refused(ipaddress.ip_address(str(address[0]).partition("%")[0]), allow_local=allow_local)
    ]
    if not allowed:
        raise _refusal(origin)
    return allowed


def require_allowed_name(origin: Origin, *, allow_local: bool) -> None:
    """What can be said of a host without looking it up, for a proxy may do that. DestinationError if refused."""
    if names_this_machine(origin.host) and not allow_local:
        raise _refusal(origin)
    address = _literal(origin.host)
    if address and _refused(address, allow_local=allow_local):
        raise _refusal(origin)


def names_this_machine(host: str) -> bool:
    """Whether a host, as it is written, is this machine."""
    name = host.lower().rstrip(".")
    address = _literal(host)
    return name == "localhost" or name.endswith(".localhost") or (address is not None and _plain(address).is_loopback)


def _refusal(origin: Origin) -> DestinationError:
    return DestinationError(
        f"{origin} is this machine, its link, or a metadata service; it is not asked unless the feed says allow-local"
    )


def _refused(address: IpAddress, *, allow_local: bool) -> bool:
    plain = _plain(address)
    if plain in _METADATA or address in _METADATA or plain.is_multicast:
        return True
    if allow_local:
        return False
    in_this_network = isinstance(plain, ipaddress.IPv4Address) and plain in _THIS_NETWORK
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified or in_this_network


def _plain(address: IpAddress) -> IpAddress:
    """The IPv4 address that some IPv6 addresses lead to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and (address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1)):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def _literal(host: str) -> IpAddress | None:
    """The address if the host is written as one, in any of the ways that systems take (2130706433, 0x7f.1)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
