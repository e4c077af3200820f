"""How often may one client ask? A token bucket for each address, in a table that cannot grow without bound."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

TABLE_LIMIT = 20_000  # addresses; the one that asked longest ago is forgotten first


class Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class Limiter:
    """per_minute 0: no limit. Time is an argument, in seconds of any steady clock."""

    def __init__(self, per_minute: int, burst: int, table_limit: int = TABLE_LIMIT) -> None:
        self.per_s = per_minute / 60
        self.burst = max(1, burst)
        self.table_limit = table_limit
        self.buckets: OrderedDict[str, Bucket] = OrderedDict()

    def bucket(self, address: str, now: float) -> Bucket:
        """The bucket of an address; a connection may keep it."""
        key = client_key(address)
        found = self.buckets.get(key)
        if found is None:
            found = self.buckets[key] = Bucket(self.burst, now)
            if len(self.buckets) > self.table_limit:
                self.buckets.popitem(last=False)
        else:
            self.buckets.move_to_end(key)
        return found

    def wait_s(self, bucket: Bucket, now: float) -> float:
        """0 and one token less, or how long to wait for the next."""
        if self.per_s <= 0:
            return 0.0
        tokens = min(float(self.burst), bucket.tokens + (now - bucket.at) * self.per_s)
        bucket.at = now
        if tokens >= 1.0:
            bucket.tokens = tokens - 1.0
            return 0.0
        bucket.tokens = tokens
        return (1.0 - tokens) / self.per_s


def client_key(address: str) -> str:
    """IPv6 clients own a /64 at least, so that is what counts as one."""
    if ":" not in address:
        return address
    try:
        network = ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False)
    except ValueError:
        return address
    mapped = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(mapped, ipaddress.IPv6Address) and mapped.ipv4_mapped is not None:
        return str(mapped.ipv4_mapped)
    return str(network)
