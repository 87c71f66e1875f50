"""What a follow-up asks, whom, within which bounds, and what it records."""

import asyncio
from collections import Counter

import msgspec
import pytest

from probes.catalog.endpoint_kinds import Protocol
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.measure.flow_counts import FIRST_FLOWS
from probes.measure.follow_up import ADVERTISERS, follow_up
from probes.measure.follow_up_plan import plan_flows, plan_http3
from probes.measure.follow_up_reasons import Reason
from probes.measure.small_segments import SMALL_SEGMENT
from probes.measurement import (
    AppObservation,
    DnsObservation,
    Hello,
    Purpose,
    QuicObservation,
    TcpObservation,
    TlsObservation,
)
from probes.settings import FOLLOW_UP_DEADLINE
from probes.target import Dial
from probes.testing import (
    HANG,
    TLS_1_3,
    DnsReply,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    reset_by_peer,
    tls_alert,
)
from probes.vantage import Egress, EgressKind, Profile
from tests.unit.probes.measure.test_application_protocols import res_pq
from tests.worlds.build import dns, http, look, tcp, tls
from tests.worlds.follow_ups import (
    DOH,
    ELSEWHERE,
    ENDPOINT,
    GIVEN,
    OPEN,
    RESET_HELLO,
    RESETS,
    RESOLVER,
    SECOND,
    SETTINGS,
    SILENT_HELLO,
    SIX,
    TARGET,
    TLS_ENDPOINT,
    TRUE,
    TRUE_2,
    TRUE_3,
    WELL,
    WRONG_NAME,
    asked,
    changed,
    doh,
    handshakes,
    names,
    of,
    plan,
    planned,
    prober,
    world,
)

LOOP = VirtualClockLoop
"""The loop with a virtual clock: deadlines pass at once, and durations are exact."""


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
