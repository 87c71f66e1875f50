"""Which members of a pool are tested."""

import random

from monitor.measuring.pool_members import elsewhere_first, further_members
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


def test_every_port_is_tried_before_a_pool_is_silent() -> None:
    """Two of three ports may be dropped: three members suffice to meet the one that is left."""
    for tried in POOL:
        rest = [one for one in POOL if one is not tried]
        random.Random(1).shuffle(rest)
        more = further_members(rest, [tried])
        assert len(more) == 2
        assert {one.port for one in (tried, *more)} == {443, 80, 5222}
    same = [at(f"192.0.2.{number}", 443) for number in range(1, 9)]
    assert len(further_members(same[2:], same[:2])) == 2


def test_a_family_that_does_not_work_stands_for_no_port() -> None:
    """IPv6 addresses without IPv6 are silent on every port."""
    (tried, *rest) = [one for one in POOL if ":" not in one.host]
    only = at("2001:db8::1", 8443)
    more = further_members([only, *rest], [tried], lambda one: ":" not in one.host)
    assert only not in more
    assert {one.port for one in (tried, *more)} == {443, 80, 5222}
    assert further_members([only], [tried], lambda one: ":" not in one.host) == [only]
