"""One cycle on a scripted network: what is asked while all is well, and what more otherwise."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.judge.judge_case import judge
from monitor.analysis.judge.rules.part_fails import QUIC_BLOCKED
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, State, VantageState, Verdict
from monitor.app.cycle_job import measure_and_judge
from monitor.app.cycle_runners import cycle_runner
from monitor.budget.budget import Effort
from monitor.config.settings import Settings, VantageCheckSettings
from monitor.judging.judge_cycle import judge_cycle
from monitor.measuring.controls import Controls, LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.http3 import Http3
from monitor.measuring.probers import Probers
from monitor.wire.answers import ControlState
from probes.catalog.catalog import Catalog, Endpoint, Function, Platform, Reference, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.measure.flow_counts import MOST_FLOWS
from probes.measure.follow_up_reasons import Reason
from probes.measure.small_segments import SMALL_SEGMENT
from probes.measurement import (
    REFERENCE_PLATFORM,
    Layer,
    Measurement,
    Purpose,
    QuicObservation,
    TlsObservation,
)
from probes.settings import ProbeSettings
from probes.target import Target
from probes.testing import (
    HANG,
    TLS_1_3,
    DnsReply,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    reset_by_peer,
)
from probes.vantage import Egress, EgressKind, Profile, Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.lab import ntp as lab_ntp
from tests.lab import stun as lab_stun
from tests.lab.certificates import authority
from tests.worlds.build import START, case, dns, http, look, tcp, tls
from tests.worlds.mmdb import country, write_mmdb
from tests.worlds.scripted_quic import quic_site

LOOP = VirtualClockLoop
RESOLVER, OPEN, PROXY = "192.0.2.53", "192.0.2.8", "192.0.2.1"
FIELD = VantagePoint(id="khi-ptcl", country="PK", asn=17557, resolver=Resolver(address=RESOLVER))
CONTROL = VantagePoint(
    id="ctl-ams", country="NL", role=VantageRole.CONTROL, resolver=Resolver(address=RESOLVER)
)
PROXIED = msgspec.structs.replace(
    CONTROL,
    id="ctl-fra",
    resolver=Resolver(),
    egress=Egress(kind=EgressKind.SOCKS5, proxy_host=PROXY, proxy_port=1080),
)
SITES = ("x.com", "t.co", "www.facebook.com", "www.youtube.com")
REFERENCES = ("one.example", "two.example", "uplink.example")
NOWHERE = "203.0.113.99"
POOL = tuple(f"203.0.113.{number}" for number in range(50, 54))
ADDRESS = {host: f"203.0.113.{10 + number}" for number, host in enumerate((*SITES, *REFERENCES))}


def page(offer: str = "") -> Peer:
    """A server that answers, and offers HTTP/3 or does not."""
    head = f"HTTP/1.1 200 OK\r\n{offer}Content-Length: 0\r\n\r\n"
    return Peer(connect_delay=0.02, tls_delay=0.02, replies=(head.encode(),))


OFFERING = page('Alt-Svc: h3=":443"\r\n')


def endpoint(text: str, *statuses: int) -> Endpoint:
    """What is looked at."""
    return msgspec.structs.replace(parse_endpoint(text), expect_status=statuses)


def catalogue() -> Catalog:
    """Three platforms, a pool of which half is sampled, and references."""
    web = [
        Platform(
            name=name,
            title=name,
            owner=name,
            functions=(
                Function(
                    name="web",
                    core=True,
                    endpoints=tuple(endpoint(f"https://{host}/") for host in hosts),
                ),
            ),
        )
        for name, hosts in (("x", SITES[:2]), ("facebook", SITES[2:3]), ("youtube", SITES[3:]))
    ]
    pool = Function(
        name="chat",
        core=True,
        sample=2,
        endpoints=tuple(endpoint(f"tcp://{address}:443") for address in POOL),
    )
    chat = Platform(name="telegram", title="Telegram", owner="telegram", functions=(pool,))
    references = [
        Reference(scope=ReferenceScope.INTERNATIONAL, endpoint=endpoint(f"https://{host}/"))
        for host in REFERENCES[:2]
    ]
    uplink = Reference(
        scope=ReferenceScope.UPLINK, endpoint=endpoint(f"http://{REFERENCES[2]}/", 200)
    )
    return Catalog(platforms=(*web, chat), references=(*references, uplink))


class World:
    """All well, as seen from a field vantage and its controls, until told otherwise."""

    def __init__(
        self,
        *,
        site: Peer | None = None,
        field: VantagePoint = FIELD,
        controls: Sequence[VantagePoint] = (CONTROL,),
        trust_anchors: tuple[str, ...] = (),
    ) -> None:
        self.controls = tuple(controls)
        self.field = field
        self.settings = Settings(
            vantages=(field, *controls),
            catalog=catalogue(),
            probe=ProbeSettings(
                rate=10_000,
                bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
                open_resolvers=(OPEN,),
                doh_resolvers=(),
                trust_anchors=trust_anchors,
            ),
        )
        self.networks = {
            vantage.id: self._network(site or page()) for vantage in (field, *controls)
        }
        self.datagrams: Counter[str] = Counter()
        """Addresses that the field vantage sent datagrams to, resolvers apart."""
        for host in SITES:
            self.networks[field.id].datagram_peer(ADDRESS[host], 443, self._counted(host))

    def _network(self, site: Peer) -> ScriptedNetwork:
        network = ScriptedNetwork(families=("ipv4",))
        network.resolver(OPEN)
        for host, address in ADDRESS.items():
            network.resolver(RESOLVER).answers(host, "A", DnsReply(addresses=(address,)))
            network.peer(address, 443, site if host in SITES else page())
            network.peer(address, 80, page())
        for address in POOL:
            network.peer(address, 443, Peer())
        says = (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6), *site.replies)
        network.peer(PROXY, 1080, Peer(replies=says))
        return network

    def _counted(self, host: str) -> Callable[[bytes], tuple[()]]:
        def silent(_: bytes) -> tuple[()]:
            self.datagrams[host] += 1
            return ()

        return silent

    @property
    def own(self) -> ScriptedNetwork:
        """The field vantage's network."""
        return self.networks[self.field.id]

    async def cycles(
        self,
        count: int = 1,
        *,
        share: float,
        forced: bool = False,
        asked: Sequence[str] = (),
        after: Callable[[Cycle], None] = lambda _: None,
        effort: Effort = Effort.WHOLE,
        controls: Controls | None = None,
    ) -> list[Cycle]:
        """So many cycles, one after the other, the first one whole and the others with `effort`;
        `after` is told each.

        `asked` are endpoints that earlier cycles found blocked over QUIC; without `controls` those
        of this world are asked.
        """
        rng = random.Random(1)
        http3 = Http3(share, rng, forced=forced)
        http3.learn(self.field.id, [], [blocked_before(one) for one in asked])
        done = []
        async with Probers(
            self.settings, now=now, make_network=lambda vantage: self.networks[vantage.id]
        ) as probers:
            runner = CycleRunner(
                self.settings,
                probers,
                controls or LocalControls(probers, self.controls),
                rng,
                http3=http3,
            )
            for turn in range(count):
                done.append(
                    await measure_and_judge(runner, self.field.id, effort if turn else Effort.WHOLE)
                )
                after(done[-1])
        assert all(network.left_open == 0 for network in self.networks.values())
        assert all(cycle.health.state is VantageState.OK for cycle in done)
        return done


def blocked_before(one: str) -> Verdict:
    """An earlier cycle's verdict on an endpoint of X."""
    seen = look(dns(), tcp(), tls(), http(), reached=True, endpoint=one)
    verdict = judge(case(seen, endpoint=one))
    return msgspec.structs.replace(verdict, state=State.BLOCKED, rule_id=QUIC_BLOCKED)


def now() -> datetime:
    """The event loop's time."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


def kinds(cycle: Cycle) -> Counter[Purpose]:
    """How many looks of each kind a cycle made."""
    return Counter(m.look for m in cycle.measurements)


def over_quic(measurements: Iterable[Measurement]) -> list[str | None]:
    """What the questions over HTTP/3 came to."""
    return [
        o.failure for m in measurements for o in m.observations if isinstance(o, QuicObservation)
    ]


def rules(cycle: Cycle) -> dict[str, str]:
    """Endpoint → rule of its verdict."""
    return {verdict.endpoint: verdict.rule_id for verdict in cycle.verdicts}


# -- while all is well ---------------------------------------------------------------------------

HEALTHY = Counter({Purpose.SCHEDULED: len(SITES) + 2, Purpose.REFERENCE: len(REFERENCES)})


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_a_healthy_cycle_asks_each_thing_once_and_nothing_more(share: float) -> None:
    """Follow-ups, retries, controls and open resolvers cost nothing while all is well; nor does
    HTTP/3 where nobody offers it. Every connection and query is counted."""
    world = World()
    (cycle,) = await world.cycles(share=share)
    assert kinds(cycle) == HEALTHY
    assert set(rules(cycle).values()) == {"endpoint.reached"}
    connects = Counter(world.own.connects)
    sampled = {place for place in connects if place[0] in POOL}
    assert len(sampled) == 2
    assert connects == Counter(
        [
            *((ADDRESS[host], 443) for host in (*SITES, *REFERENCES[:2])),
            *[(ADDRESS[REFERENCES[2]], 80), *sampled],
        ]
    )
    names = (*SITES, *REFERENCES)
    asked = Counter(world.own.resolver(RESOLVER).queries)
    assert asked == Counter((name, rtype) for name in names for rtype in ("A", "AAAA"))
    assert world.own.resolver(OPEN).queries == []
    assert not world.datagrams
    # Nobody looks from a control before something failed.
    assert world.networks[CONTROL.id].connects == []
    assert world.networks[CONTROL.id].resolver(RESOLVER).queries == []


async def test_one_failure_makes_the_same_cycle_ask_more() -> None:
    """What the healthy cycle leaves out is there to be seen as soon as something is wrong."""
    world = World()
    world.own.peer(ADDRESS["x.com"], 443, Peer(tls=reset_by_peer()))
    (cycle,) = await world.cycles(share=0.0)
    made = kinds(cycle)
    assert made[Purpose.FOLLOW_UP] == 1
    assert made[Purpose.RETRY] == 3  # the fourth reset settles it
    assert made[Purpose.CONTROL] == 2
    assert world.own.resolver(OPEN).queries != []
    assert rules(cycle)["https://x.com/"] == "tls.address"  # it resets whatever the name
    assert Counter(rules(cycle).values())["endpoint.reached"] == len(SITES) + 1


@pytest.mark.parametrize("leads_to", [Peer(connect=HANG), Peer(tls=reset_by_peer())])
async def test_answers_forged_at_times_are_held_against_a_control(leads_to: Peer) -> None:
    """The first question got a forged answer and the true one, and the next was spared. Where the
    forged one led to silence no control was asked, otherwise none after the last attempt: there was
    nothing to compare with."""
    world = World()
    true, forged = DnsReply(addresses=(ADDRESS["x.com"],)), DnsReply(addresses=(NOWHERE,))
    world.own.resolver(RESOLVER).answers(
        "x.com",
        "A",
        msgspec.structs.replace(forged, to_query=1),
        msgspec.structs.replace(true, to_query=1, delay=0.05),
        *(msgspec.structs.replace(true, to_query=query) for query in range(2, 9)),
    )
    world.own.peer(NOWHERE, 443, leads_to)
    (cycle,) = await world.cycles(share=0.0)
    (found,) = (one for one in cycle.verdicts if one.endpoint == "https://x.com/")
    assert (found.state, found.method) == (State.BLOCKED, "dns")
    assert EVIDENCE_ORDER[found.evidence] >= EVIDENCE_ORDER[Evidence.STRONG]


class OutOfReach:
    """Controls that nobody can ask, and what they once saw."""

    available = True
    addresses_dialled = True

    def __init__(self, *known: Measurement) -> None:
        self._known = known

    def known(self, target: Target) -> tuple[Measurement, ...]:
        """What there is on that endpoint."""
        return tuple(one for one in self._known if one.endpoint == target.endpoint.id)

    async def measure(self, *_: object, **__: object) -> tuple[Measurement, ...]:
        """Nothing."""
        return ()

    async def transfer(self, *_: object, **__: object) -> tuple[Measurement, ...]:
        """Nothing."""
        return ()

    async def health(self, **_: object) -> tuple[ControlState, ...]:
        """Nothing."""
        return ()


SEEN_ELSEWHERE = look(
    dns(addresses=(ADDRESS["x.com"],)),
    tcp(address=ADDRESS["x.com"]),
    tls(address=ADDRESS["x.com"]),
    http(address=ADDRESS["x.com"]),
    reached=True,
    endpoint="https://x.com/",
)


@pytest.mark.parametrize(("known", "follow_ups"), [((), 0), ((SEEN_ELSEWHERE,), 1)])
async def test_what_controls_saw_before_lets_a_cycle_ask_on_but_judges_nothing(
    known: tuple[Measurement, ...], follow_ups: int
) -> None:
    """With no control to ask, follow-ups are made where one once reached the endpoint; the verdict
    has no control either way, and none of the older looks is in the cycle."""
    world = World()
    world.own.peer(ADDRESS["x.com"], 443, Peer(tls=reset_by_peer()))
    (cycle,) = await world.cycles(share=0.0, controls=OutOfReach(*known))
    made = kinds(cycle)
    assert made[Purpose.FOLLOW_UP] == follow_ups
    assert made[Purpose.RETRY] == 3
    assert made[Purpose.CONTROL] == 0
    assert not {one.id for one in known} & {one.id for one in cycle.measurements}
    (found,) = (v for v in cycle.verdicts if v.endpoint == "https://x.com/")
    assert found.controls == ()
    assert found.state is State.INSUFFICIENT


async def test_a_servers_errors_are_an_outage_in_modest_cycles_too() -> None:
    """Everybody gets error 503 over TLS. A modest cycle, which asks for no page while all is well,
    goes on asking, so that an outage neither ends nor flickers."""
    errs = Peer(replies=(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",))
    world = World(site=errs)
    for cycle in await world.cycles(3, share=0.0, effort=Effort.MODEST):
        (found,) = (v for v in cycle.verdicts if v.endpoint == "https://x.com/")
        assert (found.state, found.rule_id) == (State.DOWN, "control.also_errs")
        assert kinds(cycle)[Purpose.RETRY] == kinds(cycle)[Purpose.FOLLOW_UP] == 0


@pytest.mark.parametrize(
    "block",
    [
        Peer(tls=reset_by_peer()),
        Peer(replies=(b"HTTP/1.1 451 Unavailable For Legal Reasons\r\nContent-Length: 0\r\n\r\n",)),
    ],
    ids=["reset", "page"],
)
async def test_a_modest_cycle_finds_what_a_whole_one_found_blocked(block: Peer) -> None:
    """An event does not end because less was looked at, also where only a page tells the block:
    the other site of its function is looked at as closely, all others are greeted."""
    world = World()
    world.own.peer(ADDRESS["x.com"], 443, block)
    first, *modest = await world.cycles(3, share=0.0, effort=Effort.MODEST)
    (found,) = (v for v in first.verdicts if v.endpoint == "https://x.com/")
    assert found.state is State.BLOCKED
    for cycle in modest:
        (again,) = (v for v in cycle.verdicts if v.endpoint == "https://x.com/")
        assert (again.state, again.rule_id, again.evidence) == (
            *(found.state, found.rule_id),
            found.evidence,
        )
        asked = {
            m.endpoint
            for m in cycle.measurements
            if m.look is Purpose.SCHEDULED and Layer.HTTP not in m.not_observed
        }
        assert asked & {f"https://{host}/" for host in SITES} == {
            f"https://{host}/" for host in SITES[:2]
        }


# -- HTTP/3 --------------------------------------------------------------------------------------


async def test_a_vantage_without_udp_asks_ever_less_over_http_3() -> None:
    """Some look of nearly every cycle asks, at one half; but datagrams get nowhere here, so after
    the first try the vantage rests for two cycles, and for twice as many each time after."""
    world = World(site=OFFERING)
    cycles = await world.cycles(40, share=0.5)
    tried = [bool(over_quic(cycle.measurements)) for cycle in cycles]
    assert tried.index(True) < 4
    first = tried.index(True)
    assert tried[first : first + 3] == [True, False, False]
    assert 3 <= sum(tried) <= 6  # each rest twice as long as the one before


@pytest.mark.parametrize("control", [CONTROL, PROXIED])
async def test_a_network_without_udp_costs_one_question_each(control: VantagePoint) -> None:
    """Nothing is repeated where no repetition could accuse: a control that saw no HTTP/3 either,
    or could not look, is no witness. The looks are ok, and what failed is on record."""
    world = World(site=OFFERING, controls=[control])
    (cycle,) = await world.cycles(share=0.0, forced=True)
    field = [m for m in cycle.measurements if m.vantage == FIELD.id]
    assert over_quic(field) == [Failure.GENERIC_TIMEOUT] * len(SITES)
    assert kinds(cycle)[Purpose.RETRY] == kinds(cycle)[Purpose.FOLLOW_UP] == 0
    assert set(rules(cycle).values()) == {"endpoint.reached"}
    assert set(world.datagrams) == set(SITES)
    controls = [m for m in cycle.measurements if m.look is Purpose.CONTROL]
    assert len(controls) == len(SITES)
    assert all(m.reached for m in controls)
    if control is PROXIED:
        assert over_quic(controls) == []
        assert all(Layer.QUIC in m.not_observed for m in controls)
    else:
        assert over_quic(controls) == [Failure.GENERIC_TIMEOUT] * len(SITES)


@pytest.fixture
def trust(tmp_path: Path) -> str:
    """The lab's authority in a file."""
    path = tmp_path / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return str(path)


async def test_one_look_over_http_3_that_fails_is_made_conclusive(trust: str) -> None:
    """Only one site's QUIC is asked for, and dropped. The control is asked over it too, another
    site shows that QUIC leaves the vantage, since no reference speaks it, and two retries make the
    evidence strong."""
    world = World(site=OFFERING, trust_anchors=(trust,))
    for host in SITES[1:]:
        world.own.datagram_peer(ADDRESS[host], 443, quic_site(host))
    world.networks[CONTROL.id].datagram_peer(ADDRESS["x.com"], 443, quic_site("x.com"))
    (cycle,) = await world.cycles(share=1e-9, asked=["https://x.com/"])
    at_x = [m for m in cycle.measurements if m.endpoint == "https://x.com/"]
    assert [(m.look, m.attempt, over_quic([m])) for m in at_x if m.vantage == FIELD.id] == [
        (Purpose.SCHEDULED, 1, [Failure.GENERIC_TIMEOUT]),
        (Purpose.RETRY, 2, [Failure.GENERIC_TIMEOUT]),
        (Purpose.RETRY, 3, [Failure.GENERIC_TIMEOUT]),
    ]
    assert [over_quic([m]) for m in at_x if m.vantage == CONTROL.id] == [[None]] * 2
    *references, witness = (m for m in cycle.measurements if m.look is Purpose.FOLLOW_UP)
    assert [(m.platform, over_quic([m])) for m in references] == [
        (REFERENCE_PLATFORM, [Failure.GENERIC_TIMEOUT])
    ] * 2
    assert witness.endpoint in {f"https://{host}/" for host in SITES[1:]}
    assert over_quic([witness]) == [None]
    (verdict,) = (v for v in cycle.verdicts if v.endpoint == "https://x.com/")
    assert (verdict.state, verdict.method, verdict.sub_method, verdict.evidence) == (
        *(State.BLOCKED, "quic", "timeout"),
        Evidence.STRONG,
    )
    assert {rule for e, rule in rules(cycle).items() if e != verdict.endpoint} == {
        "endpoint.reached"
    }


@pytest.mark.parametrize("effort", [Effort.WHOLE, Effort.MODEST])
async def test_a_block_of_quic_is_looked_at_again_in_each_cycle_until_it_ends(
    trust: str, effort: Effort
) -> None:
    """By chance alone the next look over HTTP/3 would be cycles away, and modest looks, which ask
    for no page, hear of no HTTP/3: neither for the blocked site nor for a witness."""
    world = World(site=OFFERING, trust_anchors=(trust,))
    for network in world.networks.values():
        for host in SITES:
            network.datagram_peer(ADDRESS[host], 443, quic_site(host))
    world.own.datagram_peer(ADDRESS["x.com"], 443, lambda _: ())
    seen = []

    def ends(cycle: Cycle) -> None:
        seen.append((rules(cycle)["https://x.com/"], bool(over_quic(cycle.measurements))))
        if len(seen) == 3:
            world.own.datagram_peer(ADDRESS["x.com"], 443, quic_site("x.com"))

    await world.cycles(5, share=1e-9, asked=["https://x.com/"], after=ends, effort=effort)
    blocked, again, over = ("quic.blocked", True), ("endpoint.reached", True), "endpoint.reached"
    assert seen == [blocked] * 3 + [again, (over, False)]


@pytest.mark.parametrize("effort", [Effort.WHOLE, Effort.MODEST])
async def test_a_block_of_quic_is_taken_up_after_a_restart(effort: Effort) -> None:
    """What the store says was blocked last is asked about in the first cycle of a new process,
    also where that is a modest one."""
    world = World(site=OFFERING)
    quick = msgspec.structs.replace(
        world.settings.probe, quic_share=1e-9, http_timeout=0.3, dns_window=0.0
    )
    settings = msgspec.structs.replace(world.settings, probe=quick)
    tried = []
    for latest in ([], [blocked_before("https://x.com/")]):
        async with cycle_runner(
            settings, make_network=lambda v: world.networks[v.id], latest=latest
        ) as runner:
            cycle = await measure_and_judge(runner, FIELD.id, effort)
        tried.append({m.endpoint for m in cycle.measurements if over_quic([m])})
    assert tried == [set(), {"https://x.com/"}]


async def test_a_network_without_udp_is_told_from_a_block(trust: str) -> None:
    """One site asked, nobody's datagrams come back: two references and two other sites are asked,
    nothing is tried again, and nobody is accused."""
    world = World(site=OFFERING, trust_anchors=(trust,))
    world.networks[CONTROL.id].datagram_peer(ADDRESS["x.com"], 443, quic_site("x.com"))
    (cycle,) = await world.cycles(share=1e-9, asked=["https://x.com/"])
    made = kinds(cycle)
    assert (made[Purpose.FOLLOW_UP], made[Purpose.RETRY], made[Purpose.CONTROL]) == (4, 0, 1)
    assert set(rules(cycle).values()) == {"endpoint.reached"}


async def test_a_quiet_vantage_sends_no_datagram_but_to_its_resolver() -> None:
    """Not even when it is told to ask everywhere."""
    world = World(site=OFFERING, field=msgspec.structs.replace(FIELD, profile=Profile.QUIET))
    (cycle,) = await world.cycles(share=1.0, forced=True)
    assert over_quic(cycle.measurements) == []
    assert not world.datagrams


@pytest.mark.parametrize("profile", [Profile.NORMAL, Profile.QUIET])
async def test_connections_are_counted_where_some_are_cut_off_but_not_from_a_quiet_vantage(
    profile: Profile,
) -> None:
    """Every second connection that names X is cut off, and none of those with another name. So many
    handshakes within seconds would single out a host that keeps quiet."""
    world = World(field=msgspec.structs.replace(FIELD, profile=profile))
    every_fourth = (Peer(tls=reset_by_peer()), page(), page(), page())
    world.own.peer(ADDRESS["x.com"], 443, *every_fourth * 40)
    (cycle,) = await world.cycles(share=0.0)
    (found,) = (one for one in cycle.verdicts if one.endpoint == "https://x.com/")
    if profile is Profile.QUIET:
        assert (found.state, found.rule_id) == (State.OK, "endpoint.reached_on_retry")
        assert not kinds(cycle)[Purpose.FOLLOW_UP]
        assert world.own.connects.count((ADDRESS["x.com"], 443)) <= 4
        return
    assert (found.state, found.rule_id) == (State.PARTIAL, "partial.flows")
    assert (found.evidence, found.share) == (Evidence.CONCLUSIVE, 0.5)
    (x,) = (one for one in cycle.platforms if one.platform == "x")
    # Any endpoint of the function would do, and another one works.
    assert (x.state, x.functions[0].accused) == (State.OK, ("https://x.com/",))
    assert world.own.connects.count((ADDRESS["x.com"], 443)) == 2 + 2 * MOST_FLOWS


async def test_trouble_that_ends_before_the_last_references_accuses_nobody() -> None:
    """Whatever speaks TLS is reset, and the last round of references alone is answered again. What
    answered in spite of it is well."""
    world = World()
    resets = Peer(tls=reset_by_peer(), chain=())
    for host in (*SITES[:3], *REFERENCES):
        world.own.peer(ADDRESS[host], 443, resets)
    for host in REFERENCES:
        world.own.peer(ADDRESS[host], 443, resets, resets, page())
    (cycle,) = await world.cycles(share=0.0)
    assert {one.platform: one.state for one in cycle.platforms} == {
        "x": State.INSUFFICIENT,
        "facebook": State.INSUFFICIENT,
        "youtube": State.OK,
        "telegram": State.OK,
    }
    assert set(rules(cycle).values()) == {"vantage.no_tls", "endpoint.reached"}


@pytest.mark.parametrize("profile", [Profile.NORMAL, Profile.QUIET])
async def test_a_reference_that_falls_silent_is_greeted_in_small_packets(profile: Profile) -> None:
    """Where that alone is answered, large packets get lost. No browser does it, so a quiet vantage
    does not."""
    world = World(field=msgspec.structs.replace(FIELD, profile=profile))
    host = REFERENCES[0]
    world.own.peer(ADDRESS[host], 443, Peer(tls=HANG, short={host: TLS_1_3}))
    (cycle,) = await world.cycles(share=0.0)
    again = [
        (one.server_name, one.failure)
        for made in cycle.measurements
        for one in made.observations
        if isinstance(one, TlsObservation) and one.reason == Reason.SMALL_SEGMENTS
    ]
    quiet = profile is Profile.QUIET
    assert again == ([] if quiet else [(host, None)])
    assert (SMALL_SEGMENT in world.own.segments[ADDRESS[host], 443]) is not quiet


async def test_a_pool_with_a_port_left_is_not_blocked() -> None:
    """Of three ports two are dropped, whichever is left: those that open none of them have not seen
    that there is one. Which members are measured is not left to luck."""
    ports = (443, 80, 5222)
    members = tuple(endpoint(f"tcp://{one}:{port}") for one in POOL[:2] for port in ports)
    for left in ports:
        world = World()
        chat = world.settings.catalog.platforms[-1]
        pool = msgspec.structs.replace(chat.functions[0], sample=1, endpoints=members)
        catalog = msgspec.structs.replace(
            world.settings.catalog, platforms=(msgspec.structs.replace(chat, functions=(pool,)),)
        )
        world.settings = msgspec.structs.replace(world.settings, catalog=catalog)
        for vantage, network in world.networks.items():
            for one in members:
                dropped = vantage == world.field.id and one.port != left
                network.peer(one.host, one.port, Peer(connect=HANG) if dropped else Peer())
        cycles = await world.cycles(6, share=0.0)
        assert {cycle.platforms[0].state for cycle in cycles} == {State.OK}


async def test_attack_a_pool_with_an_address_left_is_not_blocked() -> None:
    """One of two addresses of a data centre is dropped, on every port. Of its six members one is
    measured, and others where that is silent: which, in twelve cycles, is not left to luck."""
    world = World()
    ports = (443, 80, 5222)
    members = tuple(endpoint(f"tcp://{one}:{port}") for one in POOL[:2] for port in ports)
    chat = world.settings.catalog.platforms[-1]
    pool = msgspec.structs.replace(chat.functions[0], sample=1, endpoints=members)
    catalog = msgspec.structs.replace(
        world.settings.catalog, platforms=(msgspec.structs.replace(chat, functions=(pool,)),)
    )
    world.settings = msgspec.structs.replace(world.settings, catalog=catalog)
    for network in world.networks.values():
        for one in members:
            network.peer(one.host, one.port, Peer())
    for port in ports:
        world.own.peer(POOL[0], port, Peer(connect=HANG))
    cycles = await world.cycles(12, share=0.0)
    assert {cycle.platforms[0].state for cycle in cycles} == {State.OK}
    measured = [verdict.endpoint for cycle in cycles for verdict in cycle.verdicts]
    assert any(POOL[0] in one for one in measured)


async def test_a_skipped_cycle_is_recorded_and_measures_nothing() -> None:
    """It says that the vantage is there and that nothing is known, and keeps what was shown."""
    world = World()
    async with Probers(
        world.settings, now=now, make_network=lambda vantage: world.networks[vantage.id]
    ) as probers:
        controls = LocalControls(probers, world.controls)
        runner = CycleRunner(world.settings, probers, controls, random.Random(1))
        cycle = judge_cycle(runner.skipped(world.field.id), world.settings.catalog, ())
    assert (cycle.health.state, cycle.health.rule_id) == (
        VantageState.UNKNOWN,
        "vantage.no_references",
    )
    assert (cycle.platforms, cycle.measurements, cycle.hurried) == ((), (), True)
    assert world.own.connects == []


# -- UDP -----------------------------------------------------------------------------------------

CALLS = "203.0.113.60"
STUN_REFERENCES, TIME = ("203.0.113.61", "203.0.113.62"), "203.0.113.63"


class CallsWorld(World):
    """A platform's server for calls, and references over UDP; `silent` ones answer nobody."""

    def __init__(self, *silent: str, field: VantagePoint = FIELD, calls: bool = True) -> None:
        super().__init__(field=field)
        known = self.settings.catalog
        function = Function(name="calls", core=True, endpoints=(parse_endpoint(f"stun:{CALLS}"),))
        platform = Platform(
            name="messenger", title="Messenger", owner="meta", functions=(function,)
        )
        over_udp = tuple(
            Reference(scope=ReferenceScope.UDP, endpoint=parse_endpoint(text))
            for text in (f"ntp:{TIME}", *(f"stun:{one}" for one in STUN_REFERENCES))
        )
        self.settings = msgspec.structs.replace(
            self.settings,
            catalog=msgspec.structs.replace(
                known,
                platforms=(*known.platforms, platform) if calls else known.platforms,
                references=(*known.references, *over_udp),
            ),
        )
        servers = {(one, 3478): self._binding for one in (CALLS, *STUN_REFERENCES)}
        for (address, port), answers in {**servers, (TIME, 123): self._time}.items():
            for network in self.networks.values():
                if address not in silent:
                    network.datagram_peer(address, port, answers)

    @staticmethod
    def _binding(request: bytes) -> list[bytes]:
        answer = lab_stun.answer(request, ("198.51.100.7", 40000))
        return [answer] if answer else []

    @staticmethod
    def _time(request: bytes) -> list[bytes]:
        answer = lab_ntp.answer(request, 1_700_000_000.0)
        return [answer] if answer else []


def asked_over_udp(cycle: Cycle) -> dict[str, bool]:
    """Address of each reference that was asked over UDP → whether it answered."""
    return {
        parse_endpoint(m.endpoint).host: m.reached
        for m in cycle.measurements
        if (m.look, m.function) == (Purpose.REFERENCE, ReferenceScope.UDP)
    }


async def test_each_cycle_asks_one_server_for_calls_that_is_no_platforms() -> None:
    """Which one, chance decides; where it answers, nothing else is asked."""
    cycles = await CallsWorld().cycles(12, share=0.0)
    asked = [asked_over_udp(cycle) for cycle in cycles]
    assert [list(one.values()) for one in asked] == [[True]] * 12
    assert {host for one in asked for host in one} == set(STUN_REFERENCES)
    assert {rules(cycle)[f"stun:{CALLS}:3478"] for cycle in cycles} == {"endpoint.reached"}


@pytest.mark.parametrize(
    ("silent", "asked", "told"),
    [
        (STUN_REFERENCES, 3, "endpoint.reached"),
        ((*STUN_REFERENCES, CALLS), 3, "app.stun"),
        ((*STUN_REFERENCES, CALLS, TIME), 3, "vantage.no_udp"),
    ],
)
async def test_where_it_is_silent_all_references_over_udp_are_asked(
    silent: tuple[str, ...], asked: int, told: str
) -> None:
    """Silence of all tells a network without UDP; an answer of one tells blocked calls."""
    world = CallsWorld(*silent)
    if CALLS in silent:  # the control still reaches it
        world.networks[CONTROL.id].datagram_peer(CALLS, 3478, CallsWorld._binding)
    (cycle,) = await world.cycles(share=0.0)
    found = asked_over_udp(cycle)
    assert len(found) == asked
    assert {host for host, reached in found.items() if not reached} == set(silent) - {CALLS}
    assert rules(cycle)[f"stun:{CALLS}:3478"] == told


async def test_nothing_is_asked_over_udp_where_no_calls_are_tested() -> None:
    """Nor through a proxy, which carries no datagrams."""
    (cycle,) = await CallsWorld(calls=False).cycles(share=0.0)
    assert asked_over_udp(cycle) == {}
    (cycle,) = await CallsWorld(field=msgspec.structs.replace(PROXIED, role=FIELD.role)).cycles(
        share=0.0
    )
    assert asked_over_udp(cycle) == {}


async def test_a_vpn_that_is_on_accuses_nobody_in_cycles_out_of_turn(tmp_path: Path) -> None:
    """The scheduled cycle hears of it from a server for calls. A cycle for X alone asks none, and
    what the VPN's country blocks would be a block of the vantage's own."""
    world = CallsWorld()
    world.own.peer(ADDRESS["x.com"], 443, Peer(tls=reset_by_peer()))
    check = VantageCheckSettings(mmdb=_two_countries(tmp_path))
    settings = msgspec.structs.replace(world.settings, vantage_check=check)
    async with Probers(
        settings, now=now, make_network=lambda vantage: world.networks[vantage.id]
    ) as probers:
        controls = LocalControls(probers, world.controls)
        runner = CycleRunner(settings, probers, controls, random.Random(1))
        for effort in (Effort.WHOLE, Effort.OUT_OF_TURN, Effort.OUT_OF_TURN):
            cycle = await measure_and_judge(runner, world.field.id, effort, ("x",))
            assert cycle.health.rule_id == "vantage.elsewhere"
            assert rules(cycle)["https://x.com/"] == "vantage.elsewhere"


async def test_a_vpn_that_a_server_for_calls_sees_is_asked_after_at_once(tmp_path: Path) -> None:
    """Though nothing fails, and the echo server was asked a moment ago: what works through the VPN
    would end a block."""
    world = CallsWorld()
    settings = msgspec.structs.replace(
        world.settings,
        probe=msgspec.structs.replace(
            world.settings.probe,
            bogon_allow=(*world.settings.probe.bogon_allow, "198.51.100.0/24"),
        ),
        vantage_check=VantageCheckSettings(
            mmdb=_two_countries(tmp_path), echo=(f"https://{ECHO}/",)
        ),
    )
    world.own.resolver(RESOLVER).answers(ECHO, "A", DnsReply(addresses=("203.0.113.70",)))
    found = []
    async with Probers(
        settings, now=now, make_network=lambda vantage: world.networks[vantage.id]
    ) as probers:
        runner = CycleRunner(
            settings, probers, LocalControls(probers, world.controls), random.Random(1)
        )
        for exit_address in ("203.0.113.7", "198.51.100.7"):
            body = f"HTTP/1.1 200 OK\r\nContent-Length: {len(exit_address)}\r\n\r\n{exit_address}"
            world.own.peer("203.0.113.70", 443, Peer(replies=(body.encode(),)))
            found.append((await measure_and_judge(runner, world.field.id)).health.rule_id)
    assert found == ["vantage.ok", "vantage.elsewhere"]


ECHO = "echo.example"


def _two_countries(folder: Path) -> tuple[str, ...]:
    countries = {"198.51.100.0/24": country("NL"), "203.0.113.0/24": country("PK")}
    return (str(write_mmdb(folder / "countries.mmdb", countries)),)
