"""Silent addresses to which the resolver leads names of different owners."""

import msgspec
import pytest

from monitor.analysis.judge.common_addresses import common_addresses
from monitor.analysis.seen import EndpointMeasurements
from monitor.analysis.verdict import Evidence, State
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Measurement
from tests.worlds.build import (
    V4,
    V4_OTHER,
    case,
    control,
    dns,
    follow_up,
    http,
    look,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judged import judge

SILENT = "generic_timeout_error"
OWNERS = {"x": "X Corp.", "facebook": "Meta", "instagram": "Meta"}
OVER_HTTPS = msgspec.structs.replace(dns(name="facebook.com"), transport="doh")


def measured(platform: str, *seen: AnyObservation, host: str = "") -> EndpointMeasurements:
    """One attempt at the start page of a platform."""
    endpoint = f"https://{host or platform + '.com'}/"
    return EndpointMeasurements(
        platform=platform,
        function="web",
        endpoint=endpoint,
        attempts=(look(*seen, endpoint=endpoint, platform=platform, reached=len(seen) > 3),),
    )


X_SILENT = measured("x", dns(), tcp(SILENT))


@pytest.mark.parametrize(
    ("other", "common"),
    [
        (measured("facebook", dns(name="facebook.com"), tcp(SILENT)), True),
        (measured("facebook", dns(name="facebook.com"), tcp(), tls(SILENT)), True),
        (measured("x", dns(name="t.co"), tcp(SILENT), host="t.co"), False),
        (measured("facebook", dns(name="facebook.com"), tcp("connection_refused")), False),
        (measured("facebook", dns(name="facebook.com"), tcp(), tls(), http()), False),
        (measured("facebook", OVER_HTTPS, tcp(SILENT)), False),
        (measured("facebook", tcp(SILENT), host=V4), False),
    ],
    ids=["silent", "in TLS", "one owner", "refused", "answers", "other resolver", "by address"],
)
def test_one_silent_address_for_two_owners_is_common(
    other: EndpointMeasurements, common: bool
) -> None:
    """What answers anything is somebody's server, and says for itself whose."""
    assert common_addresses((X_SILENT, other), OWNERS) == ({V4} if common else frozenset())


def test_two_platforms_of_one_owner_may_share_a_cache() -> None:
    """Meta's caches at providers serve all its platforms."""
    two = [
        measured(name, dns(name=f"{name}.com"), tcp(SILENT)) for name in ("facebook", "instagram")
    ]
    assert common_addresses(two, OWNERS) == frozenset()


HONEST = follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls(address=V4_OTHER))
ELSEWHERE = control(
    *(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER)),
    http(address=V4_OTHER),
)
BEFORE = follow_up(Reason.VERIFIED_BEFORE, dns(), at=60)


@pytest.mark.parametrize(
    ("follow_ups", "common", "explained", "rule"),
    [
        ((HONEST,), {V4}, (), "dns.hijack"),
        ((HONEST,), (), (), "dns.dead_address"),
        ((HONEST,), {V4_OTHER}, (), "dns.dead_address"),
        ((HONEST, BEFORE), {V4}, (), "dns.dead_address"),
        ((), {V4}, ("dns.hijack",), "dns.hijack"),
        ((), {V4}, (), "tcp.timeout"),
        ((), (), ("dns.hijack",), "tcp.timeout"),
    ],
)
def test_a_resolver_that_leads_two_owners_to_one_silent_address_lies(
    follow_ups: tuple[Measurement, ...], common: set[str], explained: tuple[str, ...], rule: str
) -> None:
    """A dead cache of one platform explains it no longer. Never more than weak."""
    made = case(
        *repeated(dns(), tcp(SILENT), times=4),
        follow_ups=follow_ups,
        controls=(ELSEWHERE,),
        explained=frozenset(explained),
    )
    verdict = judge(msgspec.structs.replace(made, common_addresses=frozenset(common)))
    assert verdict.rule_id == rule
    if rule == "dns.hijack":
        assert (verdict.state, verdict.evidence) == (State.BLOCKED, Evidence.WEAK)
