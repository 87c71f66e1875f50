"""Which members of a pool are tested."""

import random

from monitor.measuring.endpoints import elsewhere_first
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind


def at(host: str, port: int) -> Endpoint:
    """A member that is an address."""
    return Endpoint(kind=EndpointKind.TCP, host=host, port=port)


POOL = [
    at(host, port) for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1") for port in (443, 80, 5222)
]


def test_the_next_member_differs_in_all_it_can() -> None:
    """A censor that drops one port leaves the others, as one that drops a family does."""
    for tried in POOL:
        rest = [one for one in POOL if one is not tried]
        random.Random(1).shuffle(rest)
        first = elsewhere_first(rest, [tried])[0]
        assert (":" in first.host) is not (":" in tried.host)
        assert first.port != tried.port
    ipv4 = [one for one in POOL if ":" not in one.host]
    first = elsewhere_first(ipv4[1:], ipv4[:1])[0]
    assert (first.host, first.port == 443) == ("192.0.2.2", False)
