"""Which network addresses may we connect to? Pure: no name can lead inside when its address is looked at first."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# What gives away the secrets of a machine in a cloud; no list of allowed networks opens these.
NEVER: tuple[IPNetwork, ...] = (
    ipaddress.IPv4Network("0.0.0.0/8"),
    ipaddress.IPv4Network("169.254.0.0/16"),
    ipaddress.IPv4Network("100.100.100.200/32"),
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv4Network("192.0.0.192/32"),
    ipaddress.IPv4Network("224.0.0.0/4"),
    ipaddress.IPv4Network("255.255.255.255/32"),
    ipaddress.IPv6Network("fe80::/10"),
    ipaddress.IPv6Network("fd00:ec2::/32"),
    ipaddress.IPv6Network("ff00::/8"),
)


def meant(address: str) -> IPAddress:
    """The address that a packet would go to: IPv4 inside IPv6 is taken out. Raises ValueError."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if inner is None and (any(ip in network for network in _NAT64) or (ip in _COMPATIBLE and int(ip) > 1)):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return inner or ip


def is_public(address: str) -> bool:
    ip = meant(address)
    return ip.is_global and not ip.is_multicast and not _in(ip, NEVER)


def is_listed(address: str, networks: Sequence[IPNetwork]) -> bool:
    """Is it on one of the networks that were allowed by name?"""
    ip = meant(address)
    return _in(ip, networks) and not _in(ip, NEVER)


def is_allowed(address: str, networks: Sequence[IPNetwork]) -> bool:
    return is_public(address) or is_listed(address, networks)


def _in(ip: IPAddress, networks: Sequence[IPNetwork]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)
