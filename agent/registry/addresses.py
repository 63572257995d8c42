"""Which addresses a place that somebody else has named may have: not ours, and not our link's."""

from __future__ import annotations

import ipaddress

from agent.errors import RegistryError


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine. Names are not looked up."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def require_public(peer: str, host: str) -> None:
    """RegistryError if `peer` is this machine, or on its link, where clouds keep their metadata.

    `peer` is the address that an open connection to `host` has, so no later look-up can give another answer.
    """
    address = _address(peer.partition("%")[0])
    if address is None or _is_private_to_us(address):
        raise RegistryError(f"the registry sends us to {host}, which is an address of this machine; it is not asked")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_private_to_us(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
