"""A vantage whose follow-ups are asked of a scripted network, and what they are about."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec

from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.http import HttpClient
from probes.measure.follow_up import follow_up
from probes.measure.follow_up_plan import FollowUpPlan, plan_follow_up
from probes.measure.follow_up_reasons import Reason
from probes.measure.prober import Prober
from probes.measurement import Measurement, Observation, TlsObservation
from probes.settings import FOLLOW_UP_DEADLINE, ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.testing import (
    DnsReply,
    Peer,
    ScriptedNetwork,
    bad_certificate,
    encode_reply,
    reset_by_peer,
)
from probes.vantage import Egress, Profile, VantagePoint
from tests.worlds.build import tls

RESOLVER, OPEN, SECOND = "192.0.2.53", "192.0.2.8", "192.0.2.9"
GIVEN, TRUE, TRUE_2, TRUE_3, SIX = (
    *("203.0.113.66", "203.0.113.10", "203.0.113.11", "203.0.113.12"),
    "2001:db8:113::10",
)
ELSEWHERE, DOH = "203.0.113.200", "203.0.113.153"
SETTINGS = ProbeSettings(
    dns_timeout=1.0,
    tcp_timeout=2.0,
    tls_timeout=2.0,
    http_timeout=2.0,
    dns_window=0.0,
    bogon_allow=("203.0.113.0/24", "2001:db8::/32", "192.0.2.0/24"),
    open_resolvers=(OPEN, SECOND),
    doh_resolvers=("https://doh.example/dns-query",),
    innocuous="innocuous.example",
)
ENDPOINT = parse_endpoint("https://x.com/")
TARGET = Target(platform="x", function="web", endpoint=ENDPOINT)
ALT_SVC = (("alt-svc", 'h3=":443"; ma=86400'),)
TLS_ENDPOINT = parse_endpoint("tls://x.com:443")
SILENT_HELLO = tls("generic_timeout_error", address=GIVEN)
RESET_HELLO = tls("connection_reset", address=GIVEN)
WELL, RESETS = Peer(), Peer(tls=reset_by_peer())
WRONG_NAME = bad_certificate(62, "hostname mismatch")


def changed(**changes: object) -> ProbeSettings:
    """The settings with some changed."""
    return msgspec.structs.replace(SETTINGS, **changes)


def plan(**changes: object) -> FollowUpPlan:
    """A plan after a reset at the one address that the vantage's resolver gave."""
    usual = FollowUpPlan(
        target=TARGET,
        host="x.com",
        port=443,
        tls=True,
        failed_addresses=(GIVEN,),
        given=(GIVEN,),
        elsewhere="elsewhere.example",
    )
    return msgspec.structs.replace(usual, **changes)


def names(network: ScriptedNetwork, *addresses: str, of: str = RESOLVER) -> None:
    """A resolver's answers for x.com and the other names of these tests."""
    resolver = network.resolver(of)
    resolver.answers("x.com", "A", DnsReply(addresses=tuple(a for a in addresses if "." in a)))
    resolver.answers("x.com", "AAAA", DnsReply(addresses=tuple(a for a in addresses if ":" in a)))
    resolver.answers("elsewhere.example", "A", DnsReply(addresses=(ELSEWHERE,)))
    resolver.answers("doh.example", "A", DnsReply(addresses=(DOH,)))


def world(families: tuple[str, ...] = ("ipv4", "ipv6")) -> ScriptedNetwork:
    """The name is reset at the address given, and works at those that others give."""
    network = ScriptedNetwork(families=families)
    names(network, GIVEN)
    names(network, TRUE, SIX, of=OPEN)
    names(network, TRUE, SIX, of=SECOND)
    network.resolver(OPEN).answers_over_tcp("x.com", "A", DnsReply(addresses=(TRUE,)))
    network.peer(GIVEN, 443, RESETS)
    for address in (TRUE, TRUE_2, TRUE_3, SIX, ELSEWHERE):
        network.peer(address, 443, WELL)
    network.peer(DOH, 443, Peer(replies=(doh(DnsReply(addresses=(TRUE,))),) * 2))
    return network


def doh(reply: DnsReply) -> Callable[[bytes], bytes]:
    """A DNS-over-HTTPS server with this answer to a question for A."""

    def answer(sent: bytes) -> bytes:
        path = sent.rpartition(b"GET ")[2].split(b" ", 1)[0].decode()
        text = parse_qs(urlsplit(path).query)["dns"][0]
        query = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        wanted = query[-4:-2] == b"\x00\x01"  # record type A
        message = encode_reply(query, reply if wanted else DnsReply())
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(message)}\r\n\r\n"
        return head.encode() + message

    return answer


def prober(
    network: ScriptedNetwork,
    settings: ProbeSettings = SETTINGS,
    *,
    egress: Egress | None = None,
    profile: Profile = Profile.NORMAL,
    resolvers: Sequence[str] = (RESOLVER,),
) -> Prober:
    """A prober of a vantage in Pakistan."""
    return Prober(
        VantagePoint(id="khi-ptcl", country="PK", egress=egress or Egress(), profile=profile),
        network,
        settings,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=address) for address in resolvers],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )


async def asked(
    network: ScriptedNetwork,
    what: FollowUpPlan | None = None,
    settings: ProbeSettings = SETTINGS,
    *,
    egress: Egress | None = None,
    profile: Profile = Profile.NORMAL,
) -> Measurement:
    """One follow-up, which keeps its deadline and leaves nothing open."""
    one = prober(network, settings, egress=egress, profile=profile)
    measurement = await follow_up(one, what or plan(), cycle="cycle-1")
    assert measurement.duration <= FOLLOW_UP_DEADLINE
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1
    assert {o.reason for o in measurement.observations} <= set(Reason)
    starts = [o.start for o in measurement.observations]
    assert starts == sorted(starts)
    return measurement


def of(measurement: Measurement, reason: Reason) -> list[Observation]:
    """The observations made for one reason."""
    return [o for o in measurement.observations if o.reason == reason]


def handshakes(measurement: Measurement, reason: Reason) -> list[tuple[str, str, str | None]]:
    """Address, server name and failure of each handshake made for one reason."""
    return [
        (o.address, o.server_name, o.failure)
        for o in of(measurement, reason)
        if isinstance(o, TlsObservation)
    ]


def planned(failed: Measurement, *controls: Measurement, endpoint: str = "") -> FollowUpPlan:
    """The plan after these measurements."""
    target = TARGET
    if endpoint:
        target = msgspec.structs.replace(TARGET, endpoint=parse_endpoint(endpoint))
    return plan_follow_up(target, failed, controls, elsewhere="elsewhere.example")
