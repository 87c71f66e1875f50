"""Globalping asked on demand, against a server that holds to its shapes, limits and errors."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.config.load import default_settings
from monitor.config.settings import SourceSettings
from monitor.following.follow_globalping import GlobalpingFollower
from monitor.following.source_jobs import SourceJob
from monitor.following.suspects import NothingToAskError
from monitor.sources.globalping_client import GlobalpingClient
from monitor.sources.scripted_globalping import FREE, Home, ScriptedGlobalping, home
from monitor.sources.scripted_ooni import Reply
from monitor.sources.terms import SourceKind
from monitor.sources.witnesses import second_witnesses
from monitor.wording.languages import ENGLISH
from monitor.wording.sources import witness_lines
from monitor.wording.words import words_in
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.store import CollectorStore
from storage.values.selection import Selection
from storage.values.sourced import SourcedEvent, SourcedRow, SourceState
from tests.prometheus import world

BEGUN = datetime(2024, 2, 17, 15, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PROBES = [
    *(home("PK", asn) for asn in (17557, 17557, 9541, 45669)),
    home("PK", 16276, tag="datacenter-network"),
    home("DE", 3320),
    home("NL", 1136),
]


class Watch:
    """A monitor that asks Globalping, on a clock of its own."""

    def __init__(self, store: CollectorStore) -> None:
        self.clock = BEGUN
        self.store = store
        self.globalping = ScriptedGlobalping(lambda: self.clock)
        self.globalping.probes += PROBES
        self.source = SourceSettings(
            kind=SourceKind.GLOBALPING,
            countries=("PK",),
            beside=("DE", "NL"),
            budget=200,
            every=60.0,
        )
        self.job: SourceJob | None = None

    async def restart(self) -> None:
        """Another process goes on."""
        if self.job is not None:
            await self.job.close()
        transport = httpx.MockTransport(self.globalping.handle)
        self.job = SourceJob(
            self.source,
            default_settings(),
            self.store,
            now=lambda: self.clock,
            transport=transport,
        )
        await self.job.begin()

    async def minutes(self, number: int) -> None:
        """Poll every minute."""
        if self.job is None:
            await self.restart()
        assert self.job is not None
        for _ in range(number):
            await self.job.round()
            self.clock += MINUTE

    async def suspect(self, platform: str = "x", **changes: object) -> Event:
        """Our own vantages suspect a block of it now."""
        found = world.event(platform=platform, state=EventState.SUSPECTED, at=self.clock)
        made = msgspec.structs.replace(found, detected_at=self.clock, **changes)
        point = world.FIELD[0]
        await self.store.save(world.cycle(point, (), at=self.clock, measurements=()), [made])
        return made

    async def rows(self) -> list[SourcedRow]:
        """All that is stored, by time."""
        since = BEGUN - timedelta(days=100)
        return [one async for page in self.store.sourced_rows("globalping", since) for one in page]

    async def state(self) -> SourceState:
        """What is known of Globalping."""
        return (await self.store.source_states())["globalping"]

    async def said(self, event: Event) -> str:
        """What the event's page says of it; empty before anybody was asked."""
        found = await second_witnesses(self.store, event, self.clock)
        return "".join(witness_lines(words_in(ENGLISH), one, event)[0] for one in found)


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """One that nobody suspects anything at."""
    store = sql_store("memory:")
    await store.open()
    made = Watch(store)
    yield made
    if made.job is not None:
        await made.job.close()
    await store.close()


# -- what it is for ------------------------------------------------------------------------------


async def test_nobody_tests_anything_until_a_block_is_suspected(watch: Watch) -> None:
    """Only what is left of the quota is asked for, which shows that Globalping would answer."""
    await watch.minutes(40)
    assert set(watch.globalping.asked) == {"GET /v1/limits"}
    assert watch.globalping.tested == []
    state = await watch.state()
    assert (state.units, state.remaining) == (0, FREE)
    assert state.answered_at is not None


async def test_a_suspected_block_gets_a_second_opinion(watch: Watch) -> None:
    """Twice, from homes alone, beside references and controls: resets on three networks are strong
    evidence once they came back five minutes later, and change nothing about the event."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    event = await watch.suspect()
    await watch.minutes(2)
    said = "Globalping agrees (evidence: weak): 4 of 4 tests failed, 3 networks"
    assert await watch.said(event) == said
    await watch.minutes(30)
    rows = await watch.rows()
    assert len(rows) == len({one.uid for one in rows}) == 8
    assert {one.methods for one in rows} == {("tls.reset",)}
    assert {(one.country, one.platform, one.licence) for one in rows} == {
        ("PK", "x", "none stated")
    }
    assert {one.asn for one in rows} == {17557, 9541, 45669}
    said = "Globalping agrees (evidence: strong): 8 of 8 tests failed, 3 networks"
    assert await watch.said(event) == said
    state = await watch.state()
    assert state.units <= 2 * 36
    assert sum(points for _, points in watch.globalping.spent) == state.units
    assert {one.state async for page in watch.store.events(Selection()) for one in page} == {
        EventState.SUSPECTED
    }


@pytest.mark.parametrize(
    ("treated", "methods"),
    [
        ("reset", ("tls.reset",)),
        ("closed", ("tls.eof",)),
        ("refused", ("tcp.refused",)),
        ("bogon", ("dns.bogon",)),
        ("nxdomain", ("dns.nxdomain",)),
        ("certificate", ("tls.certificate",)),
        ("page", ("http.status_451",)),
        ("silent", ()),
    ],
)
async def test_each_way_of_blocking_is_named_by_our_rules(
    watch: Watch, treated: str, methods: tuple[str, ...]
) -> None:
    """Silence is a hint: which layer was silent is not told."""
    watch.globalping.blocks["PK", "x.com"] = treated
    await watch.suspect()
    await watch.minutes(1)
    rows = await watch.rows()
    assert [(one.failed, one.methods, one.left_out) for one in rows] == [(1.0, methods, "")] * 4


async def test_silence_stays_weak_however_often(watch: Watch) -> None:
    """A network that drops packets and one that loses them look alike from there."""
    watch.globalping.blocks["PK", "x.com"] = "silent"
    event = await watch.suspect()
    await watch.minutes(40)
    said = "Globalping agrees (evidence: weak): 8 of 8 tests failed, 3 networks"
    assert await watch.said(event) == said


async def test_probes_that_reach_it_acquit_nobody(watch: Watch) -> None:
    """The event stays as it is, and neither references nor anybody abroad were asked for it."""
    event = await watch.suspect()
    await watch.minutes(2)
    assert await watch.said(event) == "Globalping differs: 0 of 3 tests failed, 2 networks"
    assert [kind for kind, _, _ in watch.globalping.tested] == ["dns", "http"]


@pytest.mark.parametrize("treated", ["silent", "reset"])
async def test_a_platform_that_is_down_accuses_nobody(watch: Watch, treated: str) -> None:
    """It fails at the probes elsewhere too, whose references answer."""
    watch.globalping.blocks["", "x.com"] = treated
    event = await watch.suspect()
    await watch.minutes(2)
    assert {one.left_out for one in await watch.rows()} <= {"down", "control"}
    assert await watch.said(event) == "Globalping is silent: not seen"


async def test_a_line_that_reaches_nothing_accuses_nobody(watch: Watch) -> None:
    """Its references fail as well."""
    for name in ("x.com", *_reference_hosts()):
        watch.globalping.blocks["PK", name] = "silent"
    event = await watch.suspect()
    await watch.minutes(2)
    assert {one.left_out for one in await watch.rows()} == {"references"}
    assert await watch.said(event) == "Globalping is silent: not seen"


async def test_without_a_control_nobody_is_accused(watch: Watch) -> None:
    """No probe elsewhere was online."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    watch.globalping.probes[:] = [one for one in PROBES if one.country == "PK"]
    await watch.suspect()
    await watch.minutes(2)
    assert {one.left_out for one in await watch.rows()} == {"control"}


async def test_a_country_without_a_probe_is_not_seen(watch: Watch) -> None:
    """In a shutdown the probes vanish: that is no good news, and no failure of the source."""
    watch.globalping.probes[:] = [home("PK", 16276, tag="datacenter-network"), home("DE", 3320)]
    event = await watch.suspect()
    await watch.minutes(40)
    assert await watch.rows() == []
    assert await watch.said(event) == "Globalping is silent: not seen"
    assert (await watch.state()).problem == ""
    assert watch.globalping.tested == []


async def test_probes_that_go_offline_in_between_are_not_seen(watch: Watch) -> None:
    """Neither as failing nor as fine."""
    watch.globalping.blocks["PK", "x.com"] = "internal"
    await watch.suspect()
    await watch.minutes(2)
    assert await watch.rows() == []


# -- its limits ----------------------------------------------------------------------------------


async def test_an_event_of_days_is_asked_about_once(watch: Watch) -> None:
    """Two rounds, whatever its state and however often the monitor starts again."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    await watch.suspect()
    for _ in range(3):
        await watch.restart()
        await watch.minutes(12)
    watch.clock += timedelta(days=2)
    await watch.minutes(3)
    assert len([one for one in watch.globalping.tested if one[0] == "dns"]) == 2


async def test_a_round_that_a_person_asked_for_counts(watch: Watch) -> None:
    """Asked by a command beside the monitor: it is one of the day's two, and is charged."""
    await watch.minutes(1)
    client = GlobalpingClient(watch.source.api, httpx.MockTransport(watch.globalping.handle))
    follower = GlobalpingFollower(
        watch.source, default_settings(), watch.store, client, now=lambda: watch.clock
    )
    await follower.restore()
    await follower.ask_now("PK", "x")
    await follower.close()
    used = (await watch.state()).units
    await watch.suspect()
    await watch.minutes(12)
    assert len([one for one in watch.globalping.tested if one[0] == "dns"]) == 2
    assert (await watch.state()).units > used > 0


def _person(watch: Watch, handle: Callable[[httpx.Request], object]) -> GlobalpingFollower:
    """A command beside the monitor, whose requests `handle` answers."""
    transport = httpx.MockTransport(handle)  # type: ignore[arg-type]
    client = GlobalpingClient(watch.source.api, transport)
    return GlobalpingFollower(
        watch.source, default_settings(), watch.store, client, now=lambda: watch.clock
    )


async def test_a_round_of_a_monitor_while_a_person_s_lasts_is_kept(watch: Watch) -> None:
    """The person's process wrote its state over the monitor's: lines of strangers tested YouTube
    three times in a day, and nobody knew what that had cost."""
    await watch.minutes(1)
    began = False

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal began
        if request.method == "POST" and not began:
            began = True
            await watch.suspect("youtube", id="PK-youtube")
            await watch.minutes(1)
        return watch.globalping.handle(request)

    person = _person(watch, handle)
    await person.restore()
    await person.ask_now("PK", "x")
    await person.close()
    state = await watch.state()
    assert {"tried PK x 1", "done PK x 1", "tried PK youtube 1", "done PK youtube 1"} <= set(
        state.cursors
    )
    assert state.rows == 8
    assert state.units == sum(points for _, points in watch.globalping.spent)
    await watch.minutes(30)
    asked = [target for kind, target, _ in watch.globalping.tested if kind == "dns"]
    assert asked.count("www.youtube.com") == 2


async def test_a_round_of_a_person_while_a_monitor_polls_is_kept(watch: Watch) -> None:
    """And is not begun a second time by the monitor, which meant to before."""
    await watch.suspect("x")
    watch.clock += MINUTE
    await watch.suspect("youtube", id="PK-youtube")
    began = False

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal began
        if request.method == "POST" and not began:
            began = True
            person = _person(watch, watch.globalping.handle)
            await person.restore()
            await person.ask_now("PK", "x")
            await person.close()
        return watch.globalping.handle(request)

    watch.job = SourceJob(
        watch.source,
        default_settings(),
        watch.store,
        now=lambda: watch.clock,
        transport=httpx.MockTransport(handle),
    )
    await watch.job.begin()
    await watch.minutes(1)
    asked = [target for kind, target, _ in watch.globalping.tested if kind == "dns"]
    assert sorted(asked) == ["www.youtube.com", "x.com"]
    state = await watch.state()
    assert {"done PK x 1", "done PK youtube 1"} <= set(state.cursors)
    assert state.units == sum(points for _, points in watch.globalping.spent)


async def test_a_round_that_is_being_made_is_not_made_twice(watch: Watch) -> None:
    """Neither a person nor a monitor begins what the other is at."""
    await watch.suspect()
    refused: list[str] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and not refused:
            person = _person(watch, watch.globalping.handle)
            await person.restore()
            with pytest.raises(NothingToAskError) as found:
                await person.ask_now("PK", "x")
            refused.append(str(found.value))
            await person.close()
        return watch.globalping.handle(request)

    watch.job = SourceJob(
        watch.source,
        default_settings(),
        watch.store,
        now=lambda: watch.clock,
        transport=httpx.MockTransport(handle),
    )
    await watch.job.begin()
    await watch.minutes(1)
    assert refused == ["probes test x in PK already"]
    assert len([one for one in watch.globalping.tested if one[0] == "dns"]) == 1


async def test_an_old_block_is_not_asked_about(watch: Watch) -> None:
    """Switched on during a block of months, it sends nobody's line there."""
    await watch.suspect()
    watch.clock += timedelta(days=30)
    await watch.minutes(3)
    assert watch.globalping.tested == []


async def test_many_suspicions_stay_within_the_budget(watch: Watch) -> None:
    """Those that find no room wait for the next hour; nothing is asked for in part."""
    hosts = ["x", "youtube", "facebook", "instagram", "tiktok", "whatsapp", "telegram"]
    for name in hosts:
        await watch.suspect(name, id=f"PK-{name}")
    for host in ("x.com", "www.youtube.com", "www.facebook.com", "www.instagram.com"):
        watch.globalping.blocks["PK", host] = "reset"
    watch.source = msgspec.structs.replace(watch.source, budget=60)
    used = []
    for _ in range(30):
        await watch.minutes(10)
        used.append((await watch.state()).units)
    assert max(used) <= 60
    assert len({one.platform for one in await watch.rows()}) == len(hosts)


async def test_a_quota_that_others_use_up_is_waited_for(watch: Watch) -> None:
    """Somebody else behind the same address uses it: nothing is asked for until there is enough."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    watch.globalping.spent.append((watch.clock, FREE - 10))
    await watch.suspect()
    await watch.minutes(30)
    assert watch.globalping.tested == []
    assert await watch.rows() == []
    await watch.minutes(45)
    assert len(await watch.rows()) == 8


_LIMITS = b'{"rateLimit":{"measurements":{"create":{"type":"ip","limit":250,"remaining":250}}}}'


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (
            Reply(429, b'{"error":{"type":"rate_limit_exceeded"}}', {"X-RateLimit-Reset": "1800"}),
            "limited",
        ),
        (Reply(500, b'{"error":{"type":"api_error","message":"x"}}'), "failing"),
        (Reply(502, b"<html>"), "failing"),
        (Reply(401, b"Unauthorized"), "refused"),
        (Reply(403, b'{"error":{"type":"access_forbidden"}}'), "refused"),
        (Reply(202, b"<html>"), "malformed"),
        (Reply(202, b'{"id": 5}'), "malformed"),
        (httpx.ConnectError("no route"), "unreachable"),
    ],
)
async def test_a_failure_is_waited_out_and_doubles_nothing(
    watch: Watch, reply: Reply | Exception, problem: str
) -> None:
    """Its health shows it meanwhile; what came before is neither lost nor stored twice."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    event = await watch.suspect()
    watch.globalping.failing += [Reply(200, _LIMITS), reply]
    await watch.minutes(1)
    state = await watch.state()
    assert state.problem == problem
    assert state.not_before is not None
    assert await watch.rows() == []
    assert await watch.said(event) == ""
    await watch.minutes(90)
    assert (await watch.state()).problem == ""
    rows = await watch.rows()
    assert len(rows) == len({one.uid for one in rows}) == 8


async def test_answers_that_stay_malformed_end_the_tries(watch: Watch) -> None:
    """Nobody's line is asked again and again for answers that cannot be read."""
    await watch.suspect()
    watch.globalping.failing.extend(
        [Reply(200, _LIMITS), Reply(202, b'{"id":"a","probesCount":4}'), Reply(200, b"[]")] * 20
    )
    await watch.minutes(600)
    assert len([one for one in watch.globalping.asked if one.startswith("POST")]) == 4
    assert await watch.rows() == []


async def test_one_line_that_cannot_be_read_loses_no_other(watch: Watch) -> None:
    """It is counted."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    bad = Home(country="PK", asn=-1, network="", tags=("eyeball-network",))
    watch.globalping.probes.insert(0, bad)
    await watch.suspect()
    await watch.minutes(1)
    assert len(await watch.rows()) == 4
    assert (await watch.state()).malformed == 2


async def test_nothing_of_a_volunteer_but_the_network_is_kept(watch: Watch) -> None:
    """No city, no position, no address of anybody, no page."""
    watch.globalping.blocks["PK", "x.com"] = "certificate"
    await watch.suspect()
    await watch.minutes(8)
    kept = msgspec.json.encode([*await watch.rows(), await watch.state()])
    for secret in (b"Exampletown", b"66.99", b"24.86", b"192.0.2.1", b"151.101", b"Network"):
        assert secret not in kept


def _reference_hosts() -> list[str]:
    return [one.endpoint.host for one in default_settings().catalog.references]


async def test_a_week_without_an_answer_loses_and_doubles_nothing(watch: Watch) -> None:
    """Its health shows it; what was suspected meanwhile is too old to ask about afterwards, and
    what is suspected then is asked about as ever."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    await watch.suspect()
    await watch.minutes(1)
    watch.globalping.failing.extend([httpx.ReadTimeout("silence")] * 10_000)
    for _ in range(7 * 24):
        await watch.minutes(1)
        watch.clock += HOUR
    state = await watch.state()
    assert state.problem == "unreachable"
    assert state.answered_at is not None
    assert watch.clock - state.answered_at > timedelta(days=7)
    assert len(watch.globalping.asked) < 24 * 8
    watch.globalping.failing.clear()
    later = await watch.suspect("youtube", id="PK-youtube")
    watch.clock += HOUR
    await watch.minutes(20)
    rows = await watch.rows()
    assert len(rows) == len({one.uid for one in rows})
    assert [one.platform for one in rows].count("x") == 4
    assert await watch.said(later) == "Globalping differs: 0 of 6 tests failed, 2 networks"
    assert (await watch.state()).problem == ""


async def test_a_monitor_that_stops_in_the_middle_sends_nobody_there_for_ever(
    watch: Watch,
) -> None:
    """Each try is noted before it is made."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    await watch.suspect()
    for _ in range(8):
        watch.globalping.failing.extend([Reply(200, _LIMITS), RuntimeError("killed")])
        with contextlib.suppress(RuntimeError):
            await watch.restart()
            await watch.minutes(1)
        watch.globalping.failing.clear()
    assert len([one for one in watch.globalping.asked if one.startswith("POST")]) == 4
    assert await watch.rows() == []


async def test_what_volunteers_see_is_suspicion_enough(watch: Watch) -> None:
    """Also where no vantage of our own is."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    seen = world.event(at=watch.clock)
    event = msgspec.structs.replace(seen, kind=EventKind.SEEN_BY_VOLUNTEERS)
    await watch.store.save_sourced_events(
        [
            SourcedEvent(
                country="PK",
                source="ooni",
                id=event.id,
                platform="x",
                active=True,
                first_seen_at=watch.clock,
                event=event,
            )
        ]
    )
    await watch.minutes(10)
    assert len(await watch.rows()) == 8


@pytest.mark.parametrize("said", ["9999-12-31T23:59:50Z", "2001-01-01T00:00:00Z"])
async def test_a_clock_that_is_wrong_dates_no_test(watch: Watch, said: str) -> None:
    """Neither before anybody was asked nor after the answer came: a row of 2001 would be no witness
    of an event of today, and one of 9999 breaks the arithmetic."""
    watch.globalping.blocks["PK", "x.com"] = "reset"
    event = await watch.suspect()
    asked = watch.clock

    def handle(request: httpx.Request) -> httpx.Response:
        reply = watch.globalping.handle(request)
        body = msgspec.json.decode(reply.content)
        if "createdAt" not in body:
            return reply
        return httpx.Response(reply.status_code, json={**body, "createdAt": said})

    watch.job = SourceJob(
        watch.source,
        default_settings(),
        watch.store,
        now=lambda: watch.clock,
        transport=httpx.MockTransport(handle),
    )
    await watch.job.begin()
    await watch.minutes(2)
    rows = await watch.rows()
    assert len(rows) == 4
    assert {one.measured_at for one in rows} == {asked}
    agrees = "Globalping agrees (evidence: weak): 4 of 4 tests failed, 3 networks"
    assert await watch.said(event) == agrees
