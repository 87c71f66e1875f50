"""When speed is measured, what of, how often before judging, and never beyond the day's bytes."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.seen import EndpointMeasurements, Seen
from monitor.analysis.throttling.history import ROUNDS, SpeedHistories
from monitor.analysis.throttling.objects import objects_of
from monitor.analysis.throttling.transfer_round import PAST_FREEZES
from monitor.analysis.transfer_verdict import TransferClass
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.budget.bytes_used import bytes_of
from monitor.budget.ledger import Ledger
from monitor.config.catalog import parse_catalog, select_platforms, shipped_catalog
from monitor.config.settings import Settings, ThrottlingSettings
from monitor.judging.judge_cycle import judge_cycle
from monitor.measuring.controls import LocalControls
from monitor.measuring.probers import Probers
from monitor.measuring.transfers import Transfers
from probes.measurement import (
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    Measurement,
    Purpose,
    TransferObservation,
)
from probes.settings import ProbeSettings
from probes.testing import (
    HANG,
    DnsReply,
    Peer,
    PeerReply,
    ScriptedNetwork,
    VirtualClockLoop,
)
from probes.vantage import Profile, Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.worlds.build import START, dns, health, http, look, tcp, tls

LOOP = VirtualClockLoop
RESOLVER, PLATFORM, ELSEWHERE = "192.0.2.53", "203.0.113.10", "203.0.113.20"
SIZE = 64 * 1024
FIELD = VantagePoint(
    id="khi-ptcl", country="PK", asn=17557, resolver=Resolver(address=RESOLVER, port=53)
)
CONTROL = msgspec.structs.replace(FIELD, id="ctl", country="DE", role=VantageRole.CONTROL)
SETTINGS = Settings(
    vantages=(FIELD, CONTROL),
    catalog=parse_catalog(
        '[platform.x.function.web]\ncore = true\nendpoints = ["https://x.com/"]\n', "x.toml"
    ),
    probe=ProbeSettings(
        dns_window=0.0,
        retry_pause=0.0,
        tcp_timeout=0.1,
        rate=10_000,
        bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
    ),
    throttling=ThrottlingSettings(object_bytes=SIZE, deadline=0.2),
)


def answer(size: int, sent: int | None = None) -> tuple[PeerReply, ...]:
    """An answer of `size` bytes, of which `sent` come."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    body = bytes(size if sent is None else sent)
    return (head, *(body[at : at + 4096] for at in range(0, len(body), 4096)))


WELL = Peer(replies=answer(SIZE), reply_delay=0.002)
STALLS = Peer(replies=(*answer(SIZE, 12288), HANG))


class World:
    """A platform, something elsewhere, a field vantage and a control, at a time of our making."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.at = START
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.networks = {v.id: ScriptedNetwork(families=("ipv4",)) for v in settings.vantages}
        self.platform(WELL)

    def now(self) -> datetime:
        """`at`, and as much more as has gone by on the loop's clock."""
        return self.at + timedelta(seconds=self._loop.time() - self._began)

    def platform(self, from_field: Peer) -> None:
        """What the platform's server does to the field vantage; control always gets its answer."""
        for name, made in self.networks.items():
            names = made.resolver(RESOLVER)
            names.answers("x.com", "A", DnsReply(addresses=(PLATFORM,)))
            names.answers("www.wikipedia.org", "A", DnsReply(addresses=(ELSEWHERE,)))
            made.peer(PLATFORM, 443, from_field if name == FIELD.id else WELL)
            made.peer(ELSEWHERE, 443, WELL)

    @asynccontextmanager
    async def transfers(
        self, *, forced: bool = False, limited: bool = False
    ) -> AsyncIterator["Cycles"]:
        """Cycles of this world, with the day's bytes looked after when `limited`."""
        probers = Probers(
            self.settings,
            now=self.now,
            make_network=lambda v: self.networks[v.id],
            ledger=Ledger(self.settings, now=self.now, limited=limited),
        )
        async with probers:
            rng = random.Random(1)
            transfers = Transfers(
                self.settings, probers, LocalControls(probers, (CONTROL,)), rng, forced=forced
            )
            yield Cycles(self, transfers)


class Cycles:
    """Cycles of the field vantage, one after the other, measured and judged."""

    def __init__(self, world: World, transfers: Transfers) -> None:
        self.world = world
        self.transfers = transfers


async def measured(
    cycles: Cycles,
    *looks: Measurement,
    state: VantageState = VantageState.OK,
) -> Seen:
    """One cycle in which the page loaded, unless told otherwise; it holds transfers alone."""
    looks = looks or (page(),)
    endpoints = tuple(
        EndpointMeasurements(
            platform=one.platform, function=one.function, endpoint=one.endpoint, attempts=(one,)
        )
        for one in looks
    )
    began = cycles.world.now()
    made = await cycles.transfers.run(FIELD, "cycle-1", began, health(state), endpoints)
    now = cycles.world.now()
    return Seen(
        cycle="cycle-1",
        vantage=FIELD,
        started_at=now,
        finished_at=now,
        judged_at=now,
        health=health(state),
        endpoints=endpoints,
        transfers=made,
        accusations=cycles.transfers.accusations(FIELD),
        measurements=tuple(m for one in made for m in (*one.made, *one.controls)),
    )


def judged(cycles: Cycles, seen: Seen) -> Cycle:
    """The cycle with its verdicts, from which the vantage learns."""
    made = judge_cycle(seen, SETTINGS.catalog, ())
    cycles.transfers.learn(seen, made.transfers)
    return made


async def cycle(
    cycles: Cycles,
    *looks: Measurement,
    state: VantageState = VantageState.OK,
) -> Cycle:
    """The same, judged."""
    return judged(cycles, await measured(cycles, *looks, state=state))


class Collector:
    """Judges again what an agent measured and judged for itself."""

    def __init__(self) -> None:
        self.objects = objects_of(SETTINGS.catalog.platforms[0])
        self.start()

    def start(self) -> None:
        """Start, or start anew: nothing is remembered."""
        self.histories = SpeedHistories(self.objects, SETTINGS.throttling.every)

    def state(self, seen: Seen) -> State:
        """The state of the platform."""
        now = seen.judged_at.timestamp()
        transfers = tuple(
            self.histories.transfers(
                FIELD.id,
                one.place,
                one.made,
                one.controls,
                seen.last_attempts[one.platform, one.endpoint],
                now,
            )
            for one in seen.transfers
        )
        accusations = self.histories.accusations(FIELD.id, now)
        known = msgspec.structs.replace(seen, transfers=transfers, accusations=accusations)
        made = judge_cycle(known, SETTINGS.catalog, ())
        self.histories.learn(known, made.transfers)
        (platform,) = made.platforms
        return platform.state


def throttled(made: Cycle) -> list[str]:
    """Ids of the measurements that verdicts of a cycle call throttled by."""
    return [one.measurement for one in made.verdicts if one.state is State.THROTTLED]


def page(seconds: float = 0.1) -> Measurement:
    """A look at the start page that worked, and how long its request took."""
    return look(
        dns(), tcp(), tls(), msgspec.structs.replace(http(), duration=seconds), reached=True
    )


def rounds(made: Cycle, vantage: VantagePoint = FIELD) -> int:
    """How many rounds were made from a vantage."""
    return sum(m.vantage == vantage.id for m in made.measurements)


def test_each_function_has_an_object_of_its_own() -> None:
    """Throttled videos do not show on a start page. Named objects come in place of a function's
    first endpoint, and where it needs every endpoint each is an object."""
    shipped = {one.name: one for one in shipped_catalog().platforms}
    found = {
        name: [(o.function, o.endpoint.id, o.of) for o in objects_of(shipped[name])]
        for name in shipped
    }
    mmg = ("media", "https://mmg.whatsapp.net/", "tls://mmg.whatsapp.net:443")
    assert mmg in found["whatsapp"]
    assert [function for function, *_ in found["whatsapp"]] == [
        "registration",
        "web",
        "media",
        "links",
    ]
    video = "https://redirector.googlevideo.com/"
    assert ("video", video, video) in found["youtube"]
    assert [function for function, *_ in found["tiktok"]].count("video") == 2
    assert [function for function, *_ in found["telegram"]] == ["web", "links", "bots"]
    of_signal = Counter(function for function, *_ in found["signal"])
    assert of_signal == {"chat": 1, "storage": 1, "contacts": 1, "group-calls": 1, "media": 3}
    unjudged = parse_catalog(
        "[platform.signal.function.media]\nverify = false\n", "mine.toml", shipped_catalog()
    )
    (signal,) = [one for one in unjudged.platforms if one.name == "signal"]
    assert "media" not in [one.function for one in objects_of(signal)]
    named = parse_catalog(
        '[platform.x.function.video]\ntransfer = ["https://video.twimg.com/a", "https://t.co/b"]\n',
        "mine.toml",
        shipped_catalog(),
    )
    (x,) = [one for one in named.platforms if one.name == "x"]
    assert [(o.endpoint.id, o.witness) for o in objects_of(x) if o.function == "video"] == [
        ("https://video.twimg.com/a", "https://video.twimg.com/"),
        ("https://t.co/b", "https://t.co/"),
    ]


async def test_where_all_is_well_a_glance_suffices() -> None:
    """One fetch, past the bytes after which connections are frozen, and no control. Of a start page
    the ratio to an object elsewhere is shown, so that is fetched as well."""
    text = '[platform.x.function.app]\ncore = true\nendpoints = ["https://x.com/"]\n'
    app = msgspec.structs.replace(SETTINGS, catalog=parse_catalog(text, "x.toml"))
    found = []
    for settings, look_at in (
        (SETTINGS, page()),
        (app, msgspec.structs.replace(page(), function="app")),
    ):
        async with World(settings).transfers(forced=True) as cycles:
            made = await cycle(cycles, look_at)
        assert (rounds(made), rounds(made, CONTROL)) == (1, 0)
        (glance,) = made.measurements
        assert glance.look is Purpose.TRANSFER
        fetched = [o for o in glance.observations if isinstance(o, TransferObservation)]
        assert all(PAST_FREEZES < one.bytes_read < SIZE for one in fetched)
        found.append(([one.reason for one in fetched], made.transfers[0].verdict.rule_id))
    assert found == [
        ([TRANSFER_TARGET, TRANSFER_REFERENCE], "throttling.none"),
        ([TRANSFER_TARGET], "throttling.unhindered"),
    ]


async def test_what_a_glance_finds_slow_is_compared() -> None:
    """A line on which everything is slow takes one round more."""
    world = World()
    slow = Peer(replies=answer(SIZE), reply_delay=0.03)
    for network in world.networks.values():
        network.peer(PLATFORM, 443, slow)
        network.peer(ELSEWHERE, 443, slow)
    throttling = msgspec.structs.replace(SETTINGS.throttling, deadline=1.0)
    world.settings = msgspec.structs.replace(SETTINGS, throttling=throttling)
    async with world.transfers(forced=True) as cycles:
        made = await cycle(cycles)
    assert [v.kind for v in made.transfers] == [TransferClass.OK]
    assert [v.verdict.rule_id for v in made.transfers] == ["throttling.none"]
    assert rounds(made) == 2


async def test_a_handshake_that_came_late_is_measured_at_once() -> None:
    """Throttling slows the handshake down first. One that was honest is not suspected again for
    some cycles, and one that is slow from afar never."""
    throttling = msgspec.structs.replace(SETTINGS.throttling, every=0.0)
    world = World(msgspec.structs.replace(SETTINGS, throttling=throttling))
    hello = msgspec.structs.replace(tls(), duration=1.4)
    async with world.transfers() as cycles:
        far = msgspec.structs.replace(tcp(), duration=0.3)
        assert not rounds(await cycle(cycles, look(dns(), far, hello, http(), reached=True)))
        late = look(dns(), tcp(), hello, http(), reached=True)
        assert [rounds(await cycle(cycles, late)) for _ in range(3)] == [1, 0, 0]
        world.at += timedelta(seconds=4 * SETTINGS.interval)
        assert rounds(await cycle(cycles, late)) == 1


async def test_a_silent_handshake_is_given_time_once_in_a_while() -> None:
    """Alone it may come where several shared a slow line; where it stays silent nothing follows."""
    throttling = msgspec.structs.replace(SETTINGS.throttling, every=0.0, deadline=4.0)
    world = World(msgspec.structs.replace(SETTINGS, throttling=throttling))
    silent = look(dns(), tcp(), tls("generic_timeout_error"))
    world.platform(Peer(tls=HANG))
    async with world.transfers() as cycles:
        made = await cycle(cycles, silent)
        assert [v.verdict.rule_id for v in made.transfers] == ["throttling.insufficient"]
        assert rounds(made) == 1
        assert rounds(await cycle(cycles, silent)) == 0
        world.at += timedelta(seconds=13 * SETTINGS.interval)
        # It comes after a while, and as slowly the answer, under any name.
        world.platform(Peer(tls_delay=2.0, replies=answer(SIZE), reply_delay=0.9))
        made = await cycle(cycles, silent)
        assert [v.verdict.rule_id for v in made.transfers] == ["throttling.slow_address"]
        assert rounds(made) > 1


async def test_a_quiet_vantage_requests_nothing_that_a_browser_would_not() -> None:
    """Servers of videos are not asked for nothing, however often a day they would be."""
    quiet = msgspec.structs.replace(FIELD, profile=Profile.QUIET)
    world = World(
        msgspec.structs.replace(
            SETTINGS, catalog=select_platforms(shipped_catalog(), ["x"]), vantages=(quiet, CONTROL)
        )
    )
    async with world.transfers(forced=True) as cycles:
        looks = tuple(
            EndpointMeasurements(
                platform="x",
                function=function,
                endpoint=host,
                attempts=(msgspec.structs.replace(page(), function=function, endpoint=host),),
            )
            for function, host in (("web", "https://x.com/"), ("video", "https://video.twimg.com/"))
        )
        made = await cycles.transfers.run(quiet, "c", world.now(), health(), looks)
    assert {one.function for one in made} == {"web"}


async def test_what_looks_wrong_is_made_conclusive_in_the_same_cycle() -> None:
    """A glance, three rounds and then control, begun after them."""
    world = World()
    world.platform(STALLS)
    async with world.transfers(forced=True) as cycles:
        made = await cycle(cycles)
    (verdict,) = made.transfers
    # The scripted server stalls under any name, so control is what tells.
    assert verdict.verdict.rule_id == "throttling.stall"
    assert (rounds(made), rounds(made, CONTROL)) == (1 + ROUNDS, 1)
    assert made.measurements[-1].vantage == CONTROL.id


async def test_a_packet_lost_on_the_path_makes_a_stall_weak() -> None:
    """One connection in ten that needs two tries may be a path that loses packets."""
    world = World()
    grades = []
    for first in (STALLS, msgspec.structs.replace(STALLS, retransmits=1)):
        world.platform(STALLS)
        world.networks[FIELD.id].peer(PLATFORM, 443, first, STALLS)
        async with world.transfers(forced=True) as cycles:
            (made,) = (await cycle(cycles)).transfers
        assert made.kind is TransferClass.STALLED
        grades.append(made.verdict.evidence)
    assert grades == [Evidence.STRONG, Evidence.WEAK]


async def test_a_round_that_compares_nothing_is_made_again() -> None:
    """On a line that loses many packets some connections fail. Three rounds have to tell there, so
    throttling went unseen in one measurement of ten; more than two further ones are not made."""
    lost = Peer(connect=HANG)
    found = []
    for broken in (2, 4, 20):
        world = World()
        # The glance and two rounds, with two connections each.
        world.networks[FIELD.id].peer(PLATFORM, 443, *[STALLS] * 5, *[lost] * broken, STALLS)
        async with world.transfers(forced=True) as cycles:
            made = await cycle(cycles)
        found.append((rounds(made), made.transfers[0].rounds))
    assert found == [(1 + 4, 3), (1 + 5, 3), (1 + 5, 2)]


async def test_a_page_that_was_reached_and_cannot_be_measured_is_tried_again() -> None:
    """One lost connection does not end a measurement."""
    world = World()
    lost = Peer(connect=HANG)
    world.networks[FIELD.id].peer(PLATFORM, 443, lost, WELL)
    async with world.transfers(forced=True) as cycles:
        made = await cycle(cycles)
    assert rounds(made) == 2
    assert [v.kind for v in made.transfers] == [TransferClass.OK]


async def test_a_block_that_begins_meanwhile_ends_the_transfers() -> None:
    """A cycle whose transfers all met silence took 200 s, and the block was met a turn later."""
    two = (
        '[platform.x.function.web]\ncore = true\nendpoints = ["https://x.com/"]\n'
        '[platform.y.function.web]\ncore = true\nendpoints = ["https://www.wikipedia.org/"]\n'
    )
    settings = msgspec.structs.replace(SETTINGS, catalog=parse_catalog(two, "two.toml"))
    world = World(settings)
    looks = [
        page(),
        msgspec.structs.replace(page(), platform="y", endpoint="https://www.wikipedia.org/"),
    ]
    endpoints = [
        EndpointMeasurements(
            platform=one.platform, function=one.function, endpoint=one.endpoint, attempts=(one,)
        )
        for one in looks
    ]
    for address in (PLATFORM, ELSEWHERE):
        world.networks[FIELD.id].peer(address, 443, Peer(connect=HANG))
    async with world.transfers() as cycles:
        made = []
        for name in ("first", "when all are due"):
            measure, well = cycles.transfers.run, health(VantageState.OK)
            made.append(await measure(FIELD, name, world.now(), well, endpoints))
            world.at += timedelta(days=1)
    assert [len(one) for one in made] == [0, 1]


async def test_by_the_clock_each_object_is_due_once_in_a_while() -> None:
    """Not before its time, within a quarter of it at first, then after it, give or take a tenth."""
    world = World()
    made: list[float] = []
    async with world.transfers() as cycles:
        for minute in range(300):
            world.at = START + timedelta(minutes=minute)
            if rounds(await cycle(cycles)):
                made.append(minute)
    assert 0 <= made[0] <= 16
    gaps = [later - before for before, later in itertools.pairwise(made)]
    assert len(gaps) >= 3
    assert all(53 <= gap <= 67 for gap in gaps)


async def test_nothing_is_measured_by_the_clock_when_that_is_off() -> None:
    """`every` of 0 leaves suspicion alone."""
    off = msgspec.structs.replace(SETTINGS.throttling, every=0.0)
    world = World(msgspec.structs.replace(SETTINGS, throttling=off))
    async with world.transfers() as cycles:
        for minute in range(0, 300, 5):
            world.at = START + timedelta(minutes=minute)
            assert not rounds(await cycle(cycles))


@pytest.mark.parametrize("on_suspicion", [True, False])
async def test_a_page_far_slower_than_usual_is_measured_at_once(on_suspicion: bool) -> None:
    """Four times the usual, and 1.5 s more, is suspicious; a page as slow as ever is not."""
    throttling = msgspec.structs.replace(SETTINGS.throttling, every=0.0, on_suspicion=on_suspicion)
    world = World(msgspec.structs.replace(SETTINGS, throttling=throttling))
    async with world.transfers() as cycles:
        assert not rounds(await cycle(cycles, page(8.0)))  # nothing known yet to compare with
        for _ in range(8):
            assert not rounds(await cycle(cycles, page(0.2)))
        assert rounds(await cycle(cycles, page(3.0))) == (1 if on_suspicion else 0)


async def test_an_answer_that_stops_half_way_is_measured_at_once() -> None:
    """A look that failed in mid-answer is a sign of a stall; one that never began is not."""
    cut = msgspec.structs.replace(http("generic_timeout_error"), status=200, body_length=12288)
    throttling = msgspec.structs.replace(SETTINGS.throttling, every=0.0)
    world = World(msgspec.structs.replace(SETTINGS, throttling=throttling))
    async with world.transfers() as cycles:
        silent = http("generic_timeout_error")
        assert not rounds(await cycle(cycles, look(dns(), tcp(), tls(), silent)))
        assert rounds(await cycle(cycles, look(dns(), tcp(), tls(), cut))) == 1


async def test_a_blocked_platform_and_an_unwell_vantage_are_not_measured() -> None:
    """There is nothing to learn where the page cannot be reached or the line is bad."""
    async with World().transfers(forced=True) as cycles:
        assert not rounds(await cycle(cycles, look(dns(), tcp(), tls("connection_reset"))))
        for state in (VantageState.LOSSY, VantageState.OFFLINE, VantageState.UNKNOWN):
            assert not rounds(await cycle(cycles, state=state))


async def test_while_throttled_each_cycle_takes_one_round_until_three_clear_it() -> None:
    """One round renews the accusation with the two before it; well again takes three rounds."""
    world = World()
    world.platform(STALLS)
    async with world.transfers(forced=True) as cycles:
        await cycle(cycles)
        again = await cycle(cycles)
        assert [v.verdict.state for v in again.transfers] == [State.THROTTLED]
        assert rounds(again) == 1
        world.platform(WELL)
        cleared = await cycle(cycles)
        assert [v.verdict.state for v in cleared.transfers] == [State.OK]
        assert rounds(cleared) == ROUNDS


async def test_a_verdict_stands_where_the_days_bytes_are_spent() -> None:
    """Nothing more is fetched, the accusation holds for a while as a verdict of each cycle."""
    probe = msgspec.structs.replace(SETTINGS.probe, daily_bytes=6_000_000)
    world = World(msgspec.structs.replace(SETTINGS, probe=probe))
    world.platform(STALLS)
    async with world.transfers(forced=True, limited=True) as cycles:
        made = [await cycle(cycles) for _ in range(20)]
        assert rounds(made[0]) == 1 + ROUNDS
        assert (made[-1].measurements, made[-1].transfers) == ((), ())
        last = next(one.transfers[0] for one in reversed(made) if one.transfers)
        assert throttled(made[-1]) == [last.verdict.measurement]
        world.at += timedelta(hours=2)
        world.platform(Peer(connect=HANG))
        assert throttled(await cycle(cycles, look(dns(), tcp(), tls("connection_reset")))) == []


async def test_a_day_of_cycles_stays_under_the_limit() -> None:
    """Whatever is asked for, speed keeps to its share at every hour, and a new day begins anew."""
    limit = 20_000_000
    probe = msgspec.structs.replace(SETTINGS.probe, daily_bytes=limit)
    world = World(msgspec.structs.replace(SETTINGS, probe=probe))
    world.at = datetime(2024, 2, 17, tzinfo=UTC)
    used = 0
    async with world.transfers(forced=True, limited=True) as cycles:
        for hour in range(24):
            for _ in range(6):
                used += _bytes(await cycle(cycles))
            assert used <= limit * 0.42 * (hour + 13) / 36
            world.at += timedelta(hours=1)
        assert used > limit * 0.2
        assert _bytes(await cycle(cycles)) > 0


def _bytes(made: Cycle) -> int:
    return sum(bytes_of(m) for m in made.measurements if m.vantage == FIELD.id)


async def test_a_verdict_is_repeated_only_for_platforms_that_the_cycle_measured() -> None:
    """A cycle out of turn that measured another platform says nothing about this one."""
    world = World()
    world.platform(STALLS)
    async with world.transfers(forced=True) as cycles:
        assert throttled(await cycle(cycles))
        other = msgspec.structs.replace(page(), platform="facebook")
        assert [one.platform for one in (await cycle(cycles, other)).verdicts] == ["facebook"]
        cut = look(dns(), tcp(), tls("connection_reset"))
        assert throttled(await cycle(cycles, cut, state=VantageState.LOSSY)) == []


async def test_what_was_slow_and_cannot_be_told_now_does_not_work() -> None:
    """A new round that proves nothing, as where the control stalls too, clears nobody: neither the
    platform nor its function reads ok until rounds show that."""
    world = World()
    world.platform(STALLS)
    async with world.transfers(forced=True) as cycles:
        assert throttled(await cycle(cycles))
        world.networks[CONTROL.id].peer(PLATFORM, 443, STALLS)
        unclear = await cycle(cycles)
        assert [v.verdict.rule_id for v in unclear.transfers] == ["throttling.slow_everywhere"]
        (platform,) = unclear.platforms
        assert (platform.state, platform.rule_id) == (
            State.INSUFFICIENT,
            "throttling.slow_everywhere",
        )
        assert [one.state for one in platform.functions] == [State.INSUFFICIENT]
        (shaky,) = (await cycle(cycles, state=VantageState.LOSSY)).platforms
        assert (shaky.state, shaky.rule_id) == (State.INSUFFICIENT, "throttling.insufficient")
        world.platform(WELL)
        assert [one.state for one in (await cycle(cycles)).platforms] == [State.OK]


# -- whoever judges an agent's cycles ----------------------------------------------------------


async def agents(cycles: Cycles) -> Seen:
    """A cycle of an agent, which judges it for itself to know what to measure next."""
    seen = await measured(cycles)
    judged(cycles, seen)
    return seen


async def test_a_collector_that_starts_anew_goes_on_with_an_agents_rounds() -> None:
    """The agent knows that the page is slow, and makes one round a cycle. The collector knew
    nothing of that after a restart or a reload, called the platform ok, and never again slow."""
    world, collector = World(), Collector()
    world.platform(STALLS)
    async with world.transfers(forced=True) as cycles:
        before = [collector.state(await agents(cycles)) for _ in range(2)]
        collector.start()
        after = [await agents(cycles) for _ in range(4)]
        assert {len(one.transfers[0].made) for one in after} == {1}
        assert before == [State.THROTTLED] * 2
        assert [collector.state(one) for one in after] == [
            State.INSUFFICIENT,
            *[State.THROTTLED] * 3,
        ]
        world.platform(WELL)
        assert collector.state(await agents(cycles)) is State.OK


async def test_an_agent_that_starts_anew_and_finds_it_fast_ends_it() -> None:
    """Its glance was judged by rounds of before, which still said slow an hour later."""
    world, collector = World(), Collector()
    world.platform(STALLS)
    async with world.transfers(forced=True) as cycles:
        assert collector.state(await agents(cycles)) is State.THROTTLED
    world.platform(WELL)
    async with world.transfers(forced=True) as cycles:
        glanced = await agents(cycles)
        assert len(glanced.transfers[0].made) == 1
        assert collector.state(glanced) is State.OK


async def test_a_cycle_that_came_late_is_not_judged_by_what_was_found_after_it() -> None:
    """An agent sends at noon what it measured in the morning, when nothing was slow. As soon as
    the present was, all of the morning was called slow, too."""
    world, collector = World(), Collector()
    async with world.transfers(forced=True) as cycles:
        morning = msgspec.structs.replace(await agents(cycles), transfers=(), accusations=())
        world.at += timedelta(hours=3)
        world.platform(STALLS)
        assert collector.state(await agents(cycles)) is State.THROTTLED
        assert collector.state(morning) is State.OK
        assert collector.state(await agents(cycles)) is State.THROTTLED
