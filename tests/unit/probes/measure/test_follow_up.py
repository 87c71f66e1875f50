"""What a follow-up asks, whom, within which bounds, and what it records."""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from probes.catalog.endpoint_kinds import Protocol
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.layers.http import HttpClient
from probes.measure.flow_counts import FIRST_FLOWS
from probes.measure.follow_up import ADVERTISERS, follow_up
from probes.measure.follow_up_plan import FollowUpPlan, plan_flows, plan_follow_up, plan_http3
from probes.measure.follow_up_reasons import Reason
from probes.measure.prober import Prober
from probes.measure.small_segments import SMALL_SEGMENT
from probes.measurement import (
    AppObservation,
    DnsObservation,
    Hello,
    Measurement,
    Observation,
    Purpose,
    QuicObservation,
    TcpObservation,
    TlsObservation,
)
from probes.settings import FOLLOW_UP_DEADLINE, ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Dial, Target
from probes.testing import (
    HANG,
    TLS_1_3,
    DnsReply,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    bad_certificate,
    encode_reply,
    reset_by_peer,
    tls_alert,
)
from probes.vantage import Egress, EgressKind, Profile, VantagePoint
from tests.unit.probes.measure.test_application_protocols import res_pq
from tests.worlds.build import control, dns, http, look, tcp, tls

LOOP = VirtualClockLoop
"""The loop with a virtual clock: deadlines pass at once, and durations are exact."""

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


# -- the plan ------------------------------------------------------------------------------------


def planned(failed: Measurement, *controls: Measurement, endpoint: str = "") -> FollowUpPlan:
    """The plan after these measurements."""
    target = TARGET
    if endpoint:
        target = msgspec.structs.replace(TARGET, endpoint=parse_endpoint(endpoint))
    return plan_follow_up(target, failed, controls, elsewhere="elsewhere.example")


def test_what_is_read_off_a_reset() -> None:
    """The plan has the addresses that failed after TCP, those given, and those of the control."""
    failed = look(
        dns(addresses=(GIVEN, TRUE_2)),
        tcp(address=GIVEN),
        tcp(address=TRUE_2),
        tls("connection_reset", address=GIVEN),
        tls("connection_reset", address=TRUE_2),
    )
    seen = planned(failed, control(dns(addresses=(TRUE,)), tcp(), tls(address=TRUE_3), http()))
    assert (seen.host, seen.port, seen.tls) == ("x.com", 443, True)
    assert seen.failed_addresses == (GIVEN,)  # one of each family is enough
    assert seen.given == (GIVEN, TRUE_2)
    assert seen.known_elsewhere == (TRUE, TRUE_3)
    assert not seen.http3


@pytest.mark.parametrize(
    ("answer", "denied"),
    [
        (dns("dns_nxdomain_error", addresses=()), True),
        (dns("dns_no_answer", addresses=()), True),
        (dns("generic_timeout_error", addresses=(), answers=()), False),
        (dns(addresses=(GIVEN,)), False),
        (dns("dns_bogon_error", addresses=("0.0.0.0",)), False),
    ],
)
def test_a_resolver_denies_a_name_by_an_answer_without_addresses(
    answer: DnsObservation, denied: bool
) -> None:
    """Silence denies nothing."""
    assert planned(look(answer)).denied is denied


def test_attack_addresses_that_only_a_collector_names_are_not_dialled() -> None:
    """A hostile collector says that its controls reached x.com at anybody's address: an agent would
    connect there. Unless its host allows that, only its own resolvers name addresses."""
    failed = look(dns(addresses=(GIVEN,)), tcp(address=GIVEN), tls("connection_reset"))
    seen = control(dns(addresses=(TRUE,)), tcp(), tls(address=TRUE_3), http(headers=ALT_SVC))
    kept = plan_follow_up(TARGET, failed, (seen,), elsewhere="e.example", dials_known=False)
    assert (kept.known_elsewhere, kept.given) == ((), (GIVEN,))
    assert plan_follow_up(TARGET, failed, (seen,), elsewhere="").known_elsewhere == (TRUE, TRUE_3)


async def test_attack_a_name_that_leads_to_ourselves_leads_no_question_to_the_machine() -> None:
    """In place of the vantage's own public address stands the unspecified one, at which the machine
    itself answers: a server on it got all handshakes, and its answers counted as evidence."""
    zero, zeros = "0.0.0.0", "::"
    failed = look(
        dns(addresses=(zero,)),
        tcp("generic_timeout_error", address=zero),
        tcp(address=zeros),
        tls("connection_reset", address=zeros),
    )
    network = world()
    for address in (zero, zeros):
        network.peer(address, 443, WELL)
    await asked(network, planned(failed))
    await asked(network, plan_flows(TARGET, Dial(host="x.com", port=443, addresses=(zeros,))))
    assert not {zero, zeros} & {address for address, _ in network.connects}


def test_one_address_of_each_family() -> None:
    """The plan has a failed address of each family."""
    failed = look(
        *(tls("connection_reset", address=a) for a in (GIVEN, TRUE, SIX, "2001:db8:113::11"))
    )
    assert planned(failed).failed_addresses == (GIVEN, SIX)


def test_an_address_that_answered_and_one_a_control_could_not_use_are_left_out() -> None:
    """Only failed addresses are tested again, and only working ones elsewhere count as honest."""
    failed = look(dns(), tcp(), tls(address=TRUE), tls("connection_reset", address=GIVEN))
    broken = control(dns("dns_nxdomain_error"), tls("connection_reset", address=TRUE_3))
    seen = planned(failed, broken)
    assert (seen.failed_addresses, seen.known_elsewhere) == ((GIVEN,), ())


def test_a_request_that_failed_after_the_handshake() -> None:
    """Without a failed handshake the address of the failed request is used."""
    failed = look(dns(), tcp(), tls(), http("generic_timeout_error", address=TRUE))
    assert planned(failed).failed_addresses == (TRUE,)


def test_a_redirect_to_a_host_that_fails() -> None:
    """The plan is about the last host of a redirect, at its port."""
    failed = look(
        dns(),
        tcp(),
        tls(),
        http(status=302),
        dns(name="www.x.com", addresses=(GIVEN,)),
        tcp(address=GIVEN, port=8443),
        tls("connection_reset", address=GIVEN, server_name="www.x.com"),
    )
    seen = planned(failed, control(dns(), dns(name="www.x.com", addresses=(TRUE_2,))))
    assert (seen.host, seen.port) == ("www.x.com", 8443)
    assert (seen.given, seen.known_elsewhere) == ((GIVEN,), (TRUE_2,))


def test_a_name_that_does_not_resolve() -> None:
    """Without an address of the name, other resolvers are still asked."""
    seen = planned(look(dns("dns_nxdomain_error")), control())
    assert (seen.failed_addresses, seen.given, seen.port, seen.tls) == ((), (), 443, True)


@pytest.mark.parametrize(
    ("url", "headers", "offered"),
    [
        ("https://x.com/", ALT_SVC, True),
        ("https://x.com/", (("alt-svc", 'h3=":8443"'),), False),
        ("https://x.com/", (("alt-svc", 'h3-29=":443"'),), False),
        ("https://x.com/", (), False),
        ("https://other.example/", ALT_SVC, False),
        ("http://x.com/", ALT_SVC, False),
    ],
)
def test_http_3_that_a_control_was_offered(
    url: str, headers: tuple[tuple[str, str], ...], *, offered: bool
) -> None:
    """HTTP/3 must be offered by the host itself, over TLS, on the same port."""
    seen = control(dns(), tcp(), tls(), http(url=url, headers=headers))
    assert planned(look(dns(), tcp(), tls("connection_reset")), seen).http3 is offered


def test_earlier_follow_ups_are_no_measurements_at_the_endpoint() -> None:
    """Observations with a reason are ignored."""
    extra = msgspec.structs.replace(tcp(port=53), reason=Reason.OPEN_RESOLVER_TCP.value)
    failed = look(dns(), tcp(), tls("connection_reset"), extra)
    assert planned(failed).port == 443


# -- everything that is asked --------------------------------------------------------------------


async def test_a_reset_is_asked_about_in_every_way_but_once_each() -> None:
    """Each question changes one thing, and all are on record."""
    network = world()
    measurement = await asked(network, plan(known_elsewhere=(TRUE_2,)))
    assert (measurement.look, measurement.cycle) == (Purpose.FOLLOW_UP, "cycle-1")
    assert (measurement.platform, measurement.function, measurement.endpoint) == (
        *("x", "web"),
        ENDPOINT.id,
    )
    assert handshakes(measurement, Reason.INNOCUOUS_SNI) == [
        (GIVEN, "innocuous.example", "connection_reset")
    ]
    assert handshakes(measurement, Reason.SNI_ELSEWHERE) == [(ELSEWHERE, "x.com", None)]
    honest = handshakes(measurement, Reason.HONEST_ADDRESS)
    assert sorted(honest) == sorted((a, "x.com", None) for a in (TRUE_2, TRUE, SIX))
    assert measurement.reached
    asked_of = Counter(
        (o.reason, o.resolver, o.transport, o.rtype)
        for o in measurement.observations
        if isinstance(o, DnsObservation) and o.name == "x.com"
    )
    assert asked_of == Counter(
        [
            *(
                (Reason.OPEN_RESOLVER, f"{address}:53", "udp", rtype)
                for address in (OPEN, SECOND)
                for rtype in ("A", "AAAA")
            ),
            *((Reason.OPEN_RESOLVER_TCP, f"{OPEN}:53", "tcp", rtype) for rtype in ("A", "AAAA")),
            *((Reason.DOH, "https://doh.example/dns-query", "doh", t) for t in ("A", "AAAA")),
        ]
    )
    # One connection for each of these, and nobody else was met.
    assert Counter(network.connects) == Counter(
        [
            *((address, 443) for address in (GIVEN, ELSEWHERE, TRUE, TRUE_2, SIX)),
            *[(OPEN, 53)] * 2,
            (DOH, 443),
        ]
    )


async def test_open_resolvers_of_a_family_that_the_vantage_lacks_are_not_asked() -> None:
    """What is bound to one family asks only those that it can reach."""
    network = world(families=("ipv4",))
    settings = changed(open_resolvers=("2001:db8::8", OPEN))
    measurement = await asked(network, settings=settings)
    told = of(measurement, Reason.OPEN_RESOLVER)
    assert {o.resolver for o in told if isinstance(o, DnsObservation)} == {f"{OPEN}:53"}
    assert network.resolver("2001:db8::8").queries == []
    assert (OPEN, 53) in network.connects


async def test_what_every_resolver_said_is_on_record() -> None:
    """Answers and failures are recorded, each under its reason."""
    measurement = await asked(world())
    told = {
        (o.reason, o.resolver): o.addresses
        for o in measurement.observations
        if isinstance(o, DnsObservation) and (o.name, o.rtype) == ("x.com", "A")
    }
    assert told == {
        (Reason.OPEN_RESOLVER, f"{OPEN}:53"): (TRUE,),
        (Reason.OPEN_RESOLVER, f"{SECOND}:53"): (TRUE,),
        (Reason.OPEN_RESOLVER_TCP, f"{OPEN}:53"): (TRUE,),
        (Reason.DOH, "https://doh.example/dns-query"): (TRUE,),
    }


async def test_the_questions_go_side_by_side() -> None:
    """The questions run in parallel: silence costs the longest deadline and not their sum."""
    network = ScriptedNetwork()
    names(network, GIVEN)
    measurement = await asked(network, plan(known_elsewhere=(TRUE, SIX)))
    assert not measurement.reached
    # DNS, then TCP to the two honest addresses, one after the other.
    assert measurement.duration <= 4 * SETTINGS.dns_timeout + 2 * SETTINGS.tcp_timeout + 0.1
    assert all(o.failure for o in measurement.observations if o.reason != Reason.SNI_ELSEWHERE)


async def test_a_deadline_ends_them_all() -> None:
    """The deadline ends all questions, keeps their observations and leaves no socket open."""
    network = world()
    network.peer(GIVEN, 443, Peer(tls=HANG))
    network.peer(ELSEWHERE, 443, Peer(connect=HANG))
    network.peer(TRUE, 443, Peer(tls=HANG))
    patient = changed(tcp_timeout=1000.0, tls_timeout=1000.0)
    measurement = await asked(network, None, patient)
    assert measurement.duration == pytest.approx(FOLLOW_UP_DEADLINE)
    assert [type(o) for o in of(measurement, Reason.OPEN_RESOLVER)] == [DnsObservation] * 4
    assert not measurement.reached


async def test_a_follow_up_that_is_given_up_leaves_nothing_open() -> None:
    """A follow-up cancelled at any moment leaves nothing open."""
    for tenths in range(0, 60, 3):
        network = world()
        network.peer(GIVEN, 443, Peer(tls=HANG, connect_delay=0.5))
        network.peer(TRUE, 443, Peer(tls_delay=1.5))
        task = asyncio.create_task(follow_up(prober(network), plan(), cycle="cycle-1"))
        await asyncio.sleep(tenths / 10)
        task.cancel()
        await asyncio.wait([task])
        assert network.left_open == 0
        assert len(asyncio.all_tasks()) == 1


# -- one question each ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "failure", "alert"),
    [
        (WRONG_NAME, None, False),
        (tls_alert("UNRECOGNIZED_NAME"), Failure.SSL_FAILED_HANDSHAKE, True),
        (reset_by_peer(), Failure.CONNECTION_RESET, False),
    ],
)
async def test_an_innocuous_name_on_the_address_that_failed(
    answer: OSError, failure: str | None, *, alert: bool
) -> None:
    """Its certificate is not judged, so that any is an answer; an alert is one, and marked; a reset
    is none."""
    network = world()
    network.peer(GIVEN, 443, Peer(tls=answer))
    measurement = await asked(network)
    (seen,) = (o for o in of(measurement, Reason.INNOCUOUS_SNI) if isinstance(o, TlsObservation))
    assert (seen.server_name, seen.failure, seen.alert) == ("innocuous.example", failure, alert)
    again = [o for o in of(measurement, Reason.NAME_AGAIN) if isinstance(o, TlsObservation)]
    # Our own name is said once more only after an answer, or it would tell nothing.
    assert [o.server_name for o in again] == (["x.com"] if failure is None or alert else [])
    assert all(o.address == GIVEN and o.start >= seen.start for o in again)


async def test_the_name_elsewhere_is_said_over_families_that_failed() -> None:
    """The innocuous server is tested over the failed family only."""
    network = world()
    network.resolver(RESOLVER).answers("elsewhere.example", "AAAA", DnsReply(addresses=(SIX,)))
    network.peer(ELSEWHERE, 443, Peer(tls=WRONG_NAME))
    measurement = await asked(network)
    assert handshakes(measurement, Reason.SNI_ELSEWHERE) == [(ELSEWHERE, "x.com", None)]
    nobody = await asked(world(), plan(elsewhere=""))
    assert of(nobody, Reason.SNI_ELSEWHERE) == []


async def test_an_honest_address_must_prove_the_name() -> None:
    """A certificate for another name does not prove that the address is honest."""
    network = world()
    for address in (TRUE, SIX):
        network.peer(address, 443, Peer(tls=WRONG_NAME))
    measurement = await asked(network)
    failures = {failure for *_, failure in handshakes(measurement, Reason.HONEST_ADDRESS)}
    assert failures == {Failure.SSL_INVALID_HOSTNAME}
    assert not measurement.reached


async def test_at_most_two_honest_addresses_of_a_family() -> None:
    """At most two honest addresses of each family are tested."""
    network = world()
    measurement = await asked(network, plan(known_elsewhere=(TRUE_3, TRUE_2, TRUE, SIX)))
    assert [address for address, *_ in handshakes(measurement, Reason.HONEST_ADDRESS)] == [
        *(TRUE_3, TRUE_2),
        SIX,
    ]


@pytest.mark.parametrize("speaks", [True, False])
async def test_an_honest_address_of_a_chat_server_proves_itself_by_its_protocol(
    speaks: bool,
) -> None:
    """A connection alone comes about with any server."""
    chat = msgspec.structs.replace(parse_endpoint("tcp://x.com:443"), protocol=Protocol.MTPROTO)
    network = world()
    network.peer(TRUE, 443, Peer(replies=(res_pq if speaks else b"HTTP/1.1 400 no", HANG)))
    what = plan(
        target=msgspec.structs.replace(TARGET, endpoint=chat),
        tls=False,
        failed_addresses=(),
        known_elsewhere=(TRUE,),
    )
    measurement = await asked(network, what)
    at_true = [
        o
        for o in of(measurement, Reason.HONEST_ADDRESS)
        if isinstance(o, AppObservation) and o.address == TRUE
    ]
    assert [one.failure is None for one in at_true] == [speaks]
    assert measurement.reached is speaks
    assert network.left_open == 0


async def test_a_silent_honest_address_is_greeted_in_small_segments() -> None:
    """The first of them, unless another one answers: the way there may lose large packets."""
    network = world()
    network.peer(TRUE, 443, Peer(tls=HANG))
    network.peer(TRUE_2, 443, Peer(tls=HANG))
    what = plan(known_elsewhere=(TRUE, TRUE_2), failed_addresses=())
    made = handshakes(await asked(network, what), Reason.HONEST_ADDRESS)
    assert [address for address, *_ in made].count(TRUE) == 2
    assert [address for address, *_ in made].count(TRUE_2) == 1
    assert SMALL_SEGMENT in network.segments[TRUE, 443]
    network.peer(TRUE_2, 443, WELL)
    made = handshakes(await asked(network, what), Reason.HONEST_ADDRESS)
    assert [address for address, *_ in made].count(TRUE) == 1


async def test_an_address_given_or_private_is_not_honest() -> None:
    """Given addresses and bogons are not tested as honest ones."""
    network = ScriptedNetwork()
    for resolver in (RESOLVER, OPEN, SECOND):
        names(network, GIVEN, "10.0.0.1", of=resolver)
    measurement = await asked(network, plan(known_elsewhere=("127.0.0.1", GIVEN)))
    assert of(measurement, Reason.HONEST_ADDRESS) == []
    assert not {"10.0.0.1", "127.0.0.1"} & {address for address, _ in network.connects}
    assert not measurement.reached


@pytest.mark.parametrize("address", ["10.77.0.9", "192.168.7.7", "100.64.0.9", "fd00::9"])
async def test_a_private_address_that_our_resolver_gave_is_greeted_once(address: str) -> None:
    """One handshake that must prove the name, and no request."""
    network = world()
    network.peer(address, 443, WELL)
    measurement = await asked(network, plan(failed_addresses=(), given=(address,)))
    assert handshakes(measurement, Reason.PRIVATE_ADDRESS) == [(address, "x.com", None)]
    assert network.connects.count((address, 443)) == 1


@pytest.mark.parametrize("given", [("0.0.0.0",), ("0.0.0.0", "::"), ("0.0.0.0", GIVEN), (GIVEN,)])
async def test_our_resolver_is_asked_for_advertisers_where_it_gave_nothing_else_but_zero(
    given: tuple[str, ...],
) -> None:
    """A filter against advertising answers in the same way."""
    network = world()
    network.resolver(RESOLVER).answers(ADVERTISERS, "A", DnsReply(addresses=("0.0.0.0",)))
    measurement = await asked(network, plan(failed_addresses=(), given=given))
    found = [
        (o.name, o.resolver, o.addresses)
        for o in of(measurement, Reason.OWN_FILTER)
        if isinstance(o, DnsObservation)
    ]
    wanted = (ADVERTISERS, f"{RESOLVER}:53", ("0.0.0.0",))
    assert (wanted in found) is (GIVEN not in given)


async def test_the_next_resolver_is_asked_for_advertisers_where_the_first_is_silent() -> None:
    """It answered for the platform: of two filters at home the first one is switched off."""
    network, at_home = world(), "192.0.2.10"
    network.resolver(RESOLVER).stays_silent(ADVERTISERS)
    network.resolver(at_home).answers(ADVERTISERS, "A", DnsReply(addresses=("0.0.0.0",)))
    one = prober(network, resolvers=(RESOLVER, at_home))
    what = plan(failed_addresses=(), given=("0.0.0.0",))
    measurement = await follow_up(one, what, cycle="cycle-1")
    found = [
        (o.resolver, o.addresses)
        for o in of(measurement, Reason.OWN_FILTER)
        if isinstance(o, DnsObservation) and o.addresses
    ]
    assert found == [(f"{at_home}:53", ("0.0.0.0",))]
    assert network.left_open == 0


@pytest.mark.parametrize("denied", [True, False])
async def test_other_resolvers_are_asked_for_advertisers_where_ours_denied(denied: bool) -> None:
    """Ours once, an open one over TCP and one over HTTPS: to deny what nobody resolves shows
    nothing. No address of advertisers' is connected to."""
    network = world()
    network.resolver(RESOLVER).answers(ADVERTISERS, "A", DnsReply(rcode="NXDOMAIN"))
    network.resolver(RESOLVER).answers(ADVERTISERS, "AAAA", DnsReply(rcode="NXDOMAIN"))
    measurement = await asked(network, plan(failed_addresses=(), given=(), denied=denied))
    found = {
        (o.reason, o.transport)
        for o in measurement.observations
        if isinstance(o, DnsObservation) and o.name == ADVERTISERS
    }
    everybody = {("own_filter", "udp"), ("advertisers", "tcp"), ("advertisers", "doh")}
    assert found == (everybody if denied else set())
    assert network.left_open == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1", "0.0.0.0", "::1", "fe80::1"])
async def test_attack_an_answer_does_not_lead_to_the_machine_or_its_link(address: str) -> None:
    """A resolver that answers with an address of the machine or its link is not followed there."""
    network = world()
    await asked(network, plan(failed_addresses=(), given=(address,)))
    assert address not in {one for one, _ in network.connects}


async def test_attack_an_order_leads_to_no_private_address() -> None:
    """Endpoints that a collector ordered reach public addresses alone."""
    network = world()
    network.peer("10.77.0.9", 443, WELL)
    one = prober(network)
    one.ordered = frozenset({ENDPOINT.id})
    await follow_up(one, plan(failed_addresses=(), given=("10.77.0.9",)), cycle="cycle-1")
    assert "10.77.0.9" not in {address for address, _ in network.connects}


async def test_silence_is_asked_again_in_small_segments() -> None:
    """The name at the address, in segments that every path carries; a reset asks for none."""
    network = world()
    network.peer(GIVEN, 443, WELL)
    measurement = await asked(network, plan(silent=(GIVEN,)))
    assert handshakes(measurement, Reason.SMALL_SEGMENTS) == [(GIVEN, "x.com", None)]
    assert SMALL_SEGMENT in network.segments[GIVEN, 443]
    # One of them gets several times as long as a test.
    assert handshakes(measurement, Reason.PATIENCE) == [(GIVEN, "x.com", None)]
    silent = planned(look(dns(addresses=(GIVEN,)), tcp(address=GIVEN), SILENT_HELLO))
    assert silent.silent == (GIVEN,)
    cut = planned(look(dns(addresses=(GIVEN,)), tcp(address=GIVEN), RESET_HELLO))
    assert (cut.failed_addresses, cut.silent) == ((GIVEN,), ())


async def test_what_verified_before_is_on_record() -> None:
    """A cache that worked in an earlier cycle and died is known again."""
    network = world()
    network.peer(GIVEN, 443, WELL)
    one = prober(network)
    assert (await one.measure(msgspec.structs.replace(TARGET, endpoint=TLS_ENDPOINT))).reached
    measurement = await follow_up(one, plan(given=("203.0.113.99", GIVEN)), cycle="cycle-1")
    (known,) = of(measurement, Reason.VERIFIED_BEFORE)
    assert isinstance(known, DnsObservation)
    assert known.addresses == (GIVEN,)
    assert of(await asked(world()), Reason.VERIFIED_BEFORE) == []


async def test_a_family_the_vantage_lacks_is_not_tried() -> None:
    """Addresses of a family that the vantage lacks are not tested."""
    measurement = await asked(world(("ipv4",)))
    assert [address for address, *_ in handshakes(measurement, Reason.HONEST_ADDRESS)] == [TRUE]


async def test_a_name_that_nobody_gives() -> None:
    """Every resolver is asked, each denial is on record, and no address is tested."""
    network = ScriptedNetwork()
    for resolver in (OPEN, SECOND):
        network.resolver(resolver).answers("x.com", "A", DnsReply(rcode="NXDOMAIN"))
    measurement = await asked(
        network, plan(failed_addresses=(), given=()), changed(doh_resolvers=())
    )
    denials = {
        o.resolver: o.failure
        for o in of(measurement, Reason.OPEN_RESOLVER)
        if isinstance(o, DnsObservation) and o.rtype == "A"
    }
    assert denials == {f"{OPEN}:53": "dns_nxdomain_error", f"{SECOND}:53": "dns_nxdomain_error"}
    assert {address for address, _ in network.connects} == {OPEN}


async def test_a_dns_over_https_server_that_cannot_be_used() -> None:
    """The failed DoH server is on record as a DNS failure, without its own TCP and TLS."""
    network = world()
    network.peer(DOH, 443, RESETS)
    measurement = await asked(network)
    failures = [o.failure for o in of(measurement, Reason.DOH)]
    assert len(failures) == 2
    assert all(failures)
    assert {type(o) for o in of(measurement, Reason.DOH)} == {DnsObservation}
    assert measurement.reached  # the open resolvers told


@pytest.mark.parametrize(
    ("url", "request_line"),
    [
        ("https://doh.example:8443/q", b"GET /q?dns="),
        ("https://doh.example:8443/q?key=1", b"GET /q?key=1&dns="),
    ],
)
async def test_dns_over_https_at_another_port_and_path(url: str, request_line: bytes) -> None:
    """The question goes to the port and path of the configured URL."""
    network = world()
    network.peer(DOH, 8443, Peer(replies=(doh(DnsReply(addresses=(TRUE_2,))),)))
    measurement = await asked(network, None, changed(doh_resolvers=(url,)))
    assert (DOH, 8443) in network.connects
    assert any(stream.sent.startswith(request_line) for stream in network.streams)
    told = [o for o in of(measurement, Reason.DOH) if isinstance(o, DnsObservation)]
    assert told[0].addresses == (TRUE_2,)


async def test_http_3_is_asked_where_it_is_offered() -> None:
    """HTTP/3 is tested over each family of the name, under its own reason."""
    network = world()
    names(network, GIVEN, SIX)
    measurement = await asked(network, plan(http3=True))
    seen = of(measurement, Reason.HTTP3)
    assert [type(o) for o in seen] == [QuicObservation] * 2
    assert {o.failure for o in seen} == {Failure.GENERIC_TIMEOUT}
    assert of(await asked(world()), Reason.HTTP3) == []


async def test_a_witness_is_asked_over_http_3_alone() -> None:
    """An HTTP/3 plan opens no stream and asks only the vantage's own resolver."""
    network = world()
    measurement = await asked(network, plan_http3(TARGET))
    assert [o.reason for o in measurement.observations] == [Reason.HTTP3]
    assert network.connects == []
    assert network.resolver(OPEN).queries == []


@pytest.mark.parametrize(
    ("sizes", "forms"),
    [
        ((1540,), [Hello.SHORT, Hello.PARTS]),
        ((520,), [Hello.PARTS]),
        ((0,), [Hello.SHORT, Hello.PARTS]),
    ],
)
async def test_another_form_of_greeting_and_the_usual_one_again(
    sizes: tuple[int, ...], forms: list[Hello]
) -> None:
    """The other form takes another number of packets than the one that failed; after it worked, the
    usual one shows whether the failure is over, and a third form what makes the difference."""
    network = world()
    network.peer(GIVEN, 443, Peer(tls=reset_by_peer(), short={"x.com": TLS_1_3}))
    failed = [msgspec.structs.replace(RESET_HELLO, hello_bytes=size) for size in sizes]
    what = planned(look(dns(addresses=(GIVEN,)), tcp(address=GIVEN), *failed))
    measurement = await asked(network, what)
    others = [o for o in of(measurement, Reason.OTHER_HELLO) if isinstance(o, TlsObservation)]
    assert [(o.hello, o.failure) for o in others] == [(form, None) for form in forms]
    assert handshakes(measurement, Reason.USUAL_HELLO) == [(GIVEN, "x.com", "connection_reset")]


async def test_where_no_form_works_the_usual_one_is_not_repeated() -> None:
    """A name that is cut off in every form has been tried often enough."""
    what = planned(look(dns(addresses=(GIVEN,)), tcp(address=GIVEN), RESET_HELLO))
    measurement = await asked(world(), what)
    assert len(handshakes(measurement, Reason.OTHER_HELLO)) == 1
    assert not of(measurement, Reason.USUAL_HELLO)


@pytest.mark.parametrize(
    ("failure", "over_tcp"),
    [("connection_reset", True), ("eof_error", True), ("dns_nxdomain_error", False)],
)
async def test_a_resolver_that_cuts_off_is_asked_for_another_name(
    failure: str, *, over_tcp: bool
) -> None:
    """It may serve nobody over TCP."""
    network = world()
    network.resolver(RESOLVER).answers_over_tcp(
        "innocuous.example", "A", DnsReply(addresses=(ELSEWHERE,))
    )
    measurement = await asked(network, planned(look(dns(failure))))
    answered = [
        (o.name, o.addresses)
        for o in of(measurement, Reason.RESOLVER_TCP)
        if isinstance(o, DnsObservation)
    ]
    assert answered == ([("innocuous.example", (ELSEWHERE,))] if over_tcp else [])


# -- what is not asked ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_page_whose_name_was_scrubbed_ends_no_cycle(scheme: str) -> None:
    """A block page's host may be named by an address, which is no evidence: what stands in its
    place is no name to ask anybody for, nor a URL that can be taken apart."""
    page = "[address].blocked.example"
    failed = look(
        http(url="http://x.com/", status=302),
        dns(name=page, addresses=(GIVEN,)),
        tcp(address=GIVEN, port=443),
        http(url=f"{scheme}://{page}/", address=GIVEN, status=451),
    )
    network = world()
    measurement = await asked(network, planned(failed, failed))
    assert measurement.observations == ()
    assert network.connects == []


async def test_a_quiet_vantage_asks_nothing() -> None:
    """A quiet vantage asks no question."""
    network = world()
    for what in (plan(http3=True, known_elsewhere=(TRUE,)), plan_http3(TARGET)):
        measurement = await asked(network, what, profile=Profile.QUIET)
        assert measurement.observations == ()
        assert not measurement.reached
    assert network.connects == []
    assert not any(network.resolver(one).queries for one in (RESOLVER, OPEN, SECOND))


@pytest.mark.parametrize("through", ["through", "dead"])
async def test_behind_a_proxy_only_the_innocuous_name_is_asked(through: str) -> None:
    """Behind a proxy only the innocuous name is tested."""
    network = world()
    says = (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6))
    proxy = Peer(replies=says) if through == "through" else Peer(connect=HANG)
    network.peer("192.0.2.1", 1080, proxy)
    egress = Egress(kind=EgressKind.SOCKS5, proxy_host="192.0.2.1", proxy_port=1080)
    what = plan(failed_addresses=(), given=(), http3=True, known_elsewhere=(TRUE,))
    measurement = await asked(network, what, egress=egress)
    passes = through == "through"
    reasons = {Reason.INNOCUOUS_SNI, Reason.NAME_AGAIN} if passes else {Reason.INNOCUOUS_SNI}
    assert {o.reason for o in measurement.observations} == reasons
    expected = [("", "innocuous.example", None)] if passes else []
    assert handshakes(measurement, Reason.INNOCUOUS_SNI) == expected
    names = [name for _, name, _ in handshakes(measurement, Reason.NAME_AGAIN)]
    assert names == (["x.com"] if passes else [])
    assert {address for address, _ in network.connects} == {"192.0.2.1"}
    assert network.resolver(RESOLVER).queries == network.resolver(OPEN).queries == []
    assert not measurement.reached
    witness = await asked(network, plan_http3(TARGET), egress=egress)
    assert witness.observations == ()


async def test_an_address_is_asked_nothing_that_only_a_name_can_be() -> None:
    """An endpoint given by address gets no questions about its name."""
    network = world()
    measurement = await asked(network, plan(host=GIVEN))
    assert (measurement.observations, network.connects) == ((), [])


async def test_a_service_without_tls_is_greeted_by_no_name() -> None:
    """Without TLS the name is still resolved elsewhere, and honest addresses are connected to."""
    network = world()
    network.peer(TRUE, 5222, WELL)
    network.peer(SIX, 5222, WELL)
    measurement = await asked(network, plan(tls=False, port=5222))
    reasons = {o.reason for o in measurement.observations}
    assert not reasons & {Reason.INNOCUOUS_SNI, Reason.SNI_ELSEWHERE}
    honest = of(measurement, Reason.HONEST_ADDRESS)
    assert {type(o) for o in honest} == {TcpObservation}
    assert measurement.reached


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"innocuous": ""}, {Reason.INNOCUOUS_SNI}),
        ({"doh_resolvers": ()}, {Reason.DOH}),
        ({"open_resolvers": ()}, {Reason.OPEN_RESOLVER, Reason.OPEN_RESOLVER_TCP}),
    ],
)
async def test_settings_leave_questions_out(
    changes: dict[str, object], missing: set[Reason]
) -> None:
    """Settings without innocuous name and resolvers omit these questions only."""
    measurement = await asked(world(), None, changed(**changes))
    rare = {Reason.SMALL_SEGMENTS, Reason.PATIENCE, Reason.PRIVATE_ADDRESS, Reason.VERIFIED_BEFORE}
    rare |= {Reason.NEIGHBOUR, Reason.ADDRESS_AGAIN, Reason.WAY}
    rare |= {Reason.RESOLVER_TCP, Reason.USUAL_HELLO, Reason.OWN_FILTER}
    rare |= {Reason.ADVERTISERS}
    rare |= {Reason.OTHER_HELLO, Reason.OTHER_HELLO_INNOCUOUS}
    rare |= {Reason.FLOW_NAME, Reason.FLOW_INNOCUOUS, Reason.SAME_ADDRESS}
    usual = {*Reason} - {Reason.HTTP3, Reason.NAME_AGAIN} - rare
    assert {o.reason for o in measurement.observations} == usual - missing


# -- counted handshakes --------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [WELL, Peer(tls=WRONG_NAME)])
async def test_neither_name_is_verified_where_handshakes_are_counted(seen: Peer) -> None:
    """What is compared is made alike: a chain that is not known takes no second connection."""
    network = world()
    network.peer(GIVEN, 443, seen)
    measurement = await asked(network, plan(flows_at=GIVEN))
    made = Counter((o.reason, o.failure) for o in measurement.observations)
    assert made == {
        (name, None): 2 * FIRST_FLOWS for name in (Reason.FLOW_NAME, Reason.FLOW_INNOCUOUS)
    }


# -- neighbours ----------------------------------------------------------------------------------

BESIDE, OTHER_NETWORK = "203.0.113.250", "192.0.2.200"


async def _after_these(known: dict[str, str], **changes: object) -> Measurement:
    """A follow-up of a silent address by a vantage to which these names proved themselves."""
    network = world()
    for address in known.values():
        network.peer(address, 443, WELL)
    one = prober(network, changed(innocuous=""))
    for name, address in known.items():
        one.verified_addresses.add(name, address)
    what = plan(failed_addresses=(), unreached=(GIVEN,), **changes)
    return await follow_up(one, what, cycle="cycle-1")


def test_the_plan_has_the_addresses_that_made_no_connection() -> None:
    """A refusal is an answer of the address, or of whoever speaks for it."""
    failed = look(
        dns(addresses=(GIVEN, TRUE, TRUE_2)),
        tcp("generic_timeout_error", address=GIVEN),
        tcp("host_unreachable", address=TRUE),
        tcp("connection_refused", address=TRUE_2),
        tcp(address=TRUE_3),
    )
    assert planned(failed).unreached == (GIVEN, TRUE)


def test_the_way_is_asked_about_to_an_address_that_answered_a_control() -> None:
    """What no control proved shows nothing: the way to such an address told nothing in half of all
    cycles, and a platform with few addresses was confirmed after a quarter of an hour."""
    failed = look(
        dns(addresses=(GIVEN, TRUE)),
        *(tcp("generic_timeout_error", address=one) for one in (GIVEN, TRUE)),
    )
    answered = control(dns(), tcp(address=GIVEN), tcp(address=TRUE), tls(address=TRUE))
    assert planned(failed, answered).unreached == (TRUE, GIVEN)


async def test_hosts_beside_a_silent_address_are_asked_for_their_own_names() -> None:
    """Two of each family, those first that proved themselves last, in the routed network alone."""
    known = {
        **{f"n{number}.example": f"203.0.113.{240 + number}" for number in range(4)},
        "far.example": OTHER_NETWORK,
        "x.com": GIVEN,
    }
    made = await _after_these(known)
    assert handshakes(made, Reason.NEIGHBOUR) == [
        ("203.0.113.243", "n3.example", None),
        ("203.0.113.242", "n2.example", None),
    ]
    # The silent address is asked again after them.
    again = of(made, Reason.ADDRESS_AGAIN)
    assert [o.address for o in again if isinstance(o, TcpObservation)] == [GIVEN]
    assert min(o.start for o in again) >= max(o.start for o in of(made, Reason.NEIGHBOUR))


async def test_nobody_is_asked_that_the_vantage_does_not_know() -> None:
    """Without a host that proved itself beside the address there is nothing to compare with."""
    made = await _after_these({"far.example": OTHER_NETWORK})
    assert not of(made, Reason.NEIGHBOUR)


async def test_attack_an_order_reaches_no_private_neighbour() -> None:
    """An endpoint that an order named reaches public addresses alone, beside it as well."""
    network = world()
    one = prober(network)
    one.ordered = frozenset({ENDPOINT.id})
    one.verified_addresses.add("office.example", BESIDE)
    made = await follow_up(one, plan(failed_addresses=(), unreached=(GIVEN,)), cycle="cycle-1")
    assert not of(made, Reason.NEIGHBOUR)


# -- the way -------------------------------------------------------------------------------------

APART = ("198.51.100.7", "192.0.2.77", "198.18.5.5", "198.19.6.6", "203.0.112.9")
HOME, PROVIDER, BORDER, LINK = "10.0.0.1", "100.64.0.1", "198.51.100.129", "198.51.100.133"


async def _way(way: tuple[str, ...], others: Mapping[str, tuple[str, ...]]) -> TcpObservation:
    """What is said of the way to the silent address, where those to others are such."""
    network = world()
    network.peer(GIVEN, 443, Peer(connect=HANG))
    network.ways = {GIVEN: way, **others}
    one = prober(network, changed(innocuous=""))
    for address in others:
        network.peer(address, 443, WELL)
        one.verified_addresses.add(f"host-{address}.example", address)
    what = plan(failed_addresses=(), unreached=(GIVEN,), way=True)
    made = await follow_up(one, what, cycle="cycle-1")
    text = repr(made)
    assert not [router for router in (HOME, PROVIDER, BORDER, LINK) if router in text]
    (found,) = of(made, Reason.WAY)
    assert isinstance(found, TcpObservation)
    assert found.failure == Failure.GENERIC_TIMEOUT
    return found


async def test_where_packets_end_is_compared_with_ways_that_go_on() -> None:
    """Two counts, and no address of a router: those show where the vantage is."""
    beyond = (HOME, PROVIDER, BORDER)
    found = await _way((HOME, PROVIDER, *[""] * 10), dict.fromkeys(APART[:4], (*beyond, LINK)))
    assert (found.address, found.routers, found.ways) == (GIVEN, 2, 4)


async def test_attack_the_way_tells_neither_routers_nor_their_number() -> None:
    """Whoever reads batches, files or a seized database would learn how many routers lie between a
    host and the filter, and so how its line is built. Wherever beyond the first router packets end,
    the same is recorded; `_way` looks for addresses of routers in all of it."""
    found = set()
    for more in range(1, 9):
        way = (HOME, *[PROVIDER] * more)
        others = dict.fromkeys(APART[:4], (*way, LINK, BORDER))
        one = await _way((*way, *[""] * (11 - more)), others)
        found.add((one.routers, one.ways))
    assert found == {(2, 4)}
    near = dict.fromkeys(APART[:4], (HOME, PROVIDER, BORDER))
    assert (await _way((HOME, *[""] * 11), near)).routers == 1


async def test_ways_that_part_where_packets_end_count_for_nothing() -> None:
    """The last router that all share may have sent them to a dead link."""
    ways = {a: (HOME, PROVIDER, BORDER if n else LINK) for n, a in enumerate(APART[:4])}
    found = await _way((HOME, PROVIDER, *[""] * 10), ways)
    assert (found.routers, found.ways) == (2, 0)
    # One that ends at the router's own neighbour parts there, too.
    ends = {a: (HOME, PROVIDER, BORDER) if n else (HOME, PROVIDER) for n, a in enumerate(APART[:4])}
    assert (await _way((HOME, PROVIDER, *[""] * 10), ends)).ways == 0


async def test_ways_by_other_routers_tell_nothing() -> None:
    """Those that do not come by the last router, and a way on which no router says anything."""
    others = dict.fromkeys(APART[:4], (HOME, BORDER, LINK))
    assert (await _way((HOME, PROVIDER, *[""] * 10), others)).ways == 0
    found = await _way(("",) * 12, others)
    assert (found.routers, found.ways) == (0, 0)


async def test_hosts_of_one_network_are_one_way() -> None:
    """Three addresses of one routed network say no more than one."""
    others = {f"198.51.100.{n}": (HOME, PROVIDER, BORDER) for n in (7, 8, 9)}
    assert (await _way((HOME, PROVIDER, *[""] * 10), others)).ways == 1


async def test_nobody_asks_for_the_way_where_a_neighbour_answers() -> None:
    """It says enough, and costs less; nor where the plan does not ask."""
    network = world()
    network.peer(BESIDE, 443, WELL)
    one = prober(network)
    one.verified_addresses.add("beside.example", BESIDE)
    for what in (plan(unreached=(GIVEN,), way=True), plan(unreached=(), way=True)):
        made = await follow_up(one, what, cycle="cycle-1")
        assert not of(made, Reason.WAY)
