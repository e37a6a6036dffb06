"""Whom a request comes from, as far as it can be known."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_ADDRESS = 100  # with brackets, zone and port
NOWHERE = "0.0.0.0"  # noqa: S104 - a name for peers without an address (a local socket), nothing binds to it


def find_client_address(peer: str | None, forwarded_for: Sequence[str], proxies: Sequence[IPNetwork]) -> str:
    """The address of the client, for limits and logs.

    ``peer`` is the other end of the connection, ``forwarded_for`` the lines of ``X-Forwarded-For``. The header counts
    only when the peer is a proxy of ours, and is read from its end: each proxy of ours is skipped, the first other
    address is the client. What stands before it was written by the client and means nothing (CVE-2023-49952).
    """
    address = _parse(peer or "")
    if address is None:
        return NOWHERE
    if _is_proxy(address, proxies):
        hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
        for hop in reversed(hops):
            found = _parse(hop)
            if found is None:
                break
            address = found
            if not _is_proxy(address, proxies):
                break
    return str(address)


@lru_cache(maxsize=1024)
def limit_key(address: str) -> str:
    """What is counted: an IPv4 address, or the /64 that one IPv6 customer has at the least."""
    found = _parse(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return address


def _parse(text: str) -> IPAddress | None:
    return _parse_short(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)  # a connection asks many times, and a proxy for everybody
def _parse_short(text: str) -> IPAddress | None:
    bare = text.partition("%")[0].strip("[]") if not text.startswith("[") else text[1:].partition("]")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        host, colon, port = bare.rpartition(":")  # some proxies add the port: 203.0.113.9:4711
        if not colon or not port.isdigit() or ":" in host:
            return None
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_proxy(address: IPAddress, proxies: Sequence[IPNetwork]) -> bool:
    return any(address in network for network in proxies)
