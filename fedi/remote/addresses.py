"""Which addresses may be connected to: the public internet, and nothing behind or beside this server.

Pure decisions over addresses that are already final; the client asks at the moment of connecting, so that a name
which changes its address between look-up and connect gains nothing.
"""

import ipaddress

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What `is_global` of Python lets through although no public server lives there.
_DENIED_V4 = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relay anycast
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_DENIED_V6 = (
    ipaddress.IPv6Network("2001::/23"),  # Teredo, ORCHID and other protocol assignments
    ipaddress.IPv6Network("2001:db8::/32"),  # documentation
    ipaddress.IPv6Network("2002::/16"),  # 6to4: carries any IPv4 address
    ipaddress.IPv6Network("3fff::/20"),  # documentation
)


def may_connect(address: str | IpAddress, *, allow_loopback: bool = False) -> bool:
    """Whether a connection to this address may be opened. Text that is no address may not.

    IPv4-mapped and NAT64 addresses are judged by the IPv4 address inside (RFC 4291, RFC 6052).
    """
    try:
        parsed = ipaddress.ip_address(address) if isinstance(address, str) else address
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return _may_connect_v4(parsed, allow_loopback=allow_loopback)
    if parsed.ipv4_mapped is not None:
        return _may_connect_v4(parsed.ipv4_mapped, allow_loopback=allow_loopback)
    if parsed in _NAT64:
        return _may_connect_v4(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF), allow_loopback=False)
    if parsed.is_loopback:
        return allow_loopback
    return (
        parsed in _GLOBAL_UNICAST
        and parsed.is_global
        and parsed.scope_id is None
        and not any(parsed in network for network in _DENIED_V6)
    )


def _may_connect_v4(address: ipaddress.IPv4Address, *, allow_loopback: bool) -> bool:
    if address.is_loopback:
        return allow_loopback
    return address.is_global and not address.is_multicast and not any(address in network for network in _DENIED_V4)
