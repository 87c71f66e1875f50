"""OONI followed live, against a server that holds to its shapes, limits and errors."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.second_witness import Position
from monitor.config.load import default_settings
from monitor.config.settings import SourceSettings
from monitor.following.source_jobs import SourceJob
from monitor.sources.fault import SourceFault
from monitor.sources.ooni_client import OoniClient
from monitor.sources.scripted_ooni import Reply, ScriptedOoni, hourly, volunteer
from monitor.sources.terms import SourceKind
from monitor.sources.witnesses import second_witnesses
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.store import CollectorStore
from storage.values.sourced import SourcedRow, SourceState
from tests.prometheus import world as prometheus

BEGUN = datetime(2024, 2, 17, 15, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
X, YOUTUBE = "https://x.com/", "https://www.youtube.com/"


class World:
    """A monitor that follows OONI, its database, and a clock of its own."""

    def __init__(self, store: CollectorStore) -> None:
        self.clock = BEGUN - HOUR
        self.store = store
        self.ooni = ScriptedOoni(lambda: self.clock)
        self.source = SourceSettings(kind=SourceKind.OONI, countries=("PK", "BR"))
        self.job: SourceJob | None = None

    async def restart(self) -> None:
        """Another process goes on."""
        if self.job is not None:
            await self.job.close()
        transport = httpx.MockTransport(self.ooni.handle)
        self.job = SourceJob(
            self.source,
            default_settings(),
            self.store,
            now=lambda: self.clock,
            transport=transport,
        )
        await self.job.begin()

    async def round(self, wait: timedelta = timedelta(0)) -> None:
        """One round of the job, after this wait."""
        if self.job is None:
            await self.restart()
        assert self.job is not None
        self.clock += wait
        await self.job.round()

    async def until_told(self) -> None:
        """Rounds until there is an event: within three hours of the third row that fails."""
        failing = [one.listed for one in self.ooni.uploads if one.listed["anomaly"]]
        third = sorted(one["measurement_start_time"] for one in failing)[2]
        while not await self.events():
            await self.round(20 * MINUTE)
            assert self.clock <= datetime.fromisoformat(third) + 3 * HOUR

    async def rows(self) -> list[SourcedRow]:
        """All that is stored, by time."""
        since = BEGUN - timedelta(days=100)
        return [one async for page in self.store.sourced_rows("ooni", since) for one in page]

    async def events(self) -> list[Event]:
        """The events that volunteers saw."""
        return [one.event for one in await self.store.sourced_events()]

    async def state(self) -> SourceState:
        """How far OONI is read."""
        return (await self.store.source_states())["ooni"]

    def tests(
        self,
        url: str,
        asn: int,
        first: datetime,
        last: datetime,
        blocked: tuple[datetime, datetime] | None = None,
        *,
        step: timedelta = HOUR,
        country: str = "PK",
    ) -> None:
        """Volunteers on one network test an address again and again."""
        for at in hourly(first + asn % 50 * MINUTE, last, step):
            failed = blocked is not None and blocked[0] <= at < blocked[1]
            self.ooni.add(volunteer(at, url, asn=asn, blocked=failed, country=country))

    def usual(self, url: str, asn: int, *, country: str = "PK") -> None:
        """Volunteers test an address that answers, four days long until the block begins."""
        self.tests(url, asn, BEGUN - 4 * DAY, BEGUN, step=4 * HOUR, country=country)


# -- what it is for ------------------------------------------------------------------------------


async def test_a_national_block_is_an_event_within_hours(world: World) -> None:
    """Pakistan, February 2024, as volunteers see it: X is reset on every network at once, for a
    day, and YouTube is not."""
    ended = BEGUN + DAY
    for asn in (17557, 9541, 45669):
        step = HOUR / 2 if asn == 17557 else HOUR
        world.usual(X, asn)
        world.tests(X, asn, BEGUN, ended + 12 * HOUR, (BEGUN, ended), step=step)
        world.tests(YOUTUBE, asn, BEGUN - 4 * DAY, ended + 12 * HOUR, step=8 * HOUR)
    await world.until_told()
    (event,) = await world.events()
    assert (event.kind, event.country, event.platform) == (
        EventKind.SEEN_BY_VOLUNTEERS,
        "PK",
        "x",
    )
    assert event.onset_earliest is not None
    assert event.onset_earliest < BEGUN <= event.onset_latest <= BEGUN + HOUR
    assert event.methods == ("tls.reset",)
    await _ends(world, event, ended)


async def _ends(world: World, event: Event, ended: datetime) -> None:
    """Half a day later it is over, and the end lies within its bounds."""
    while world.clock < ended + 10 * HOUR:
        await world.round(4 * HOUR)
    (over,) = await world.events()
    assert (over.id, over.state) == (event.id, EventState.ENDED)
    assert over.end_earliest is not None
    assert over.end_latest is not None
    assert over.end_earliest < ended <= over.end_latest


async def test_a_block_that_spreads_is_one_event(world: World) -> None:
    """Brazil, August 2024: one operator after the other blocks X, over a day."""
    begins = {28573: BEGUN, 26599: BEGUN + HOUR, 18881: BEGUN + 20 * HOUR}
    ended = BEGUN + 36 * HOUR
    for asn, at in begins.items():
        last = ended + 12 * HOUR
        world.usual(X, asn, country="BR")
        world.tests(X, asn, BEGUN, last, (at, ended), country="BR")
        world.tests(YOUTUBE, asn, BEGUN - 4 * DAY, last, country="BR", step=8 * HOUR)
    await world.until_told()
    while world.clock < ended - 4 * HOUR:
        await world.round(4 * HOUR)
    (event,) = await world.events()
    assert (event.country, event.platform, event.state) == ("BR", "x", EventState.CONFIRMED)
    assert set(event.networks_affected) == set(begins)
    assert event.onset_earliest is not None
    assert event.onset_earliest < BEGUN <= event.onset_latest < BEGUN + HOUR
    await _ends(world, event, ended)


# -- what must not accuse ------------------------------------------------------------------------


async def test_volunteers_in_a_vpn_accuse_nobody(world: World) -> None:
    """A VPN with a filter of its own fails; where it ends is not where its user is."""
    world.usual(X, 17557)
    for at in hourly(BEGUN, BEGUN + 12 * HOUR, HOUR / 2):
        world.ooni.add(volunteer(at, X, blocked=True, network_type="vpn"))
    while world.clock < BEGUN + 14 * HOUR:
        await world.round(HOUR)
    assert await world.events() == []
    assert {row.left_out for row in await world.rows() if row.failed} == {"vpn"}


async def test_uploads_that_failed_verification_accuse_nobody(world: World) -> None:
    """Anybody can upload; OONI says which uploads it could not verify."""
    for at in hourly(BEGUN - timedelta(days=4), BEGUN + 12 * HOUR, HOUR / 2):
        status = "failed" if at >= BEGUN else "verified"
        world.ooni.add(volunteer(at, X, blocked=at >= BEGUN, verification_status=status))
    while world.clock < BEGUN + 14 * HOUR:
        await world.round(4 * HOUR)
    assert await world.events() == []


async def test_our_rules_decide_where_the_whole_measurement_is_there(world: World) -> None:
    """OONI calls an anomaly what our rules find reached: a change of wording, a slow answer."""
    world.usual(X, 17557)
    for at in hourly(BEGUN, BEGUN + 12 * HOUR, HOUR / 2):
        world.ooni.add(volunteer(at, X, blocked=False, anomaly=True))
    while world.clock < BEGUN + 14 * HOUR:
        await world.round(HOUR)
    assert await world.events() == []
    judged = {row.judged for row in await world.rows() if row.measured_at >= BEGUN}
    assert judged == {"ok"}


async def test_a_week_without_an_answer_ends_nothing(world: World) -> None:
    """The service is gone in the middle of a block. What nobody can see is not over; the page says
    that the source is silent, and what it has kept comes in once it is back."""
    end = BEGUN + timedelta(days=9)
    for asn in (17557, 9541, 23674):
        world.usual(X, asn)
        world.tests(X, asn, BEGUN, end, (BEGUN, end), step=2 * HOUR)
    while world.clock < BEGUN + 10 * HOUR:
        await world.round(HOUR)
    (before,) = await world.events()
    assert before.active
    gone = world.clock
    while world.clock < gone + timedelta(days=7):
        world.ooni.failing.append(httpx.ConnectError("no route to host"))
        await world.round(12 * HOUR)
    (event,) = await world.events()
    assert (event.id, event.state, event.end_latest) == (before.id, EventState.UNOBSERVED, None)
    state = await world.state()
    assert (state.problem, state.wait) == ("unreachable", 3600.0)
    world.ooni.failing.clear()
    await world.round(2 * HOUR)
    (event,) = await world.events()
    assert (event.id, event.state) == (before.id, EventState.CONFIRMED)
    assert (await world.state()).problem == ""
    assert len({row.uid for row in await world.rows()}) == len(await world.rows())


async def test_a_block_ends_though_nobody_measured_for_weeks(world: World) -> None:
    """The rows that failed have left the window, and those that come pass: it is over, between the
    last that failed and the first days of those that pass."""
    last, back = BEGUN + 2 * DAY, BEGUN + 26 * DAY
    for asn in (17557, 9541, 23674):
        world.tests(X, asn, BEGUN - 4 * DAY, last, (BEGUN, last), step=4 * HOUR)
        world.tests(X, asn, back, back + 3 * DAY, step=6 * HOUR)
    world.clock = last
    await world.round()
    (before,) = await world.events()
    await world.round(DAY * 23)
    (silent,) = await world.events()
    assert (silent.id, silent.state) == (before.id, EventState.UNOBSERVED)
    await world.round(DAY * 4)
    (over,) = await world.events()
    assert (over.id, over.state) == (before.id, EventState.ENDED)
    assert over.end_earliest is not None
    assert over.end_latest is not None
    assert last - 4 * HOUR <= over.end_earliest < last
    assert back <= over.end_latest < back + 3 * DAY
    assert not [one for one in over.networks if one.unobserved or one.blocked_now]


# -- limits and errors ---------------------------------------------------------------------------


async def test_an_empty_quota_is_waited_for_ever_longer(world: World) -> None:
    """429 without a word about when: minutes, then longer, up to an hour; a restart does not ask
    sooner. Nothing is lost."""
    world.tests(X, 17557, BEGUN - timedelta(days=2), BEGUN)
    world.ooni.use_up(4000)
    waits = []
    await world.round()
    for _ in range(5):
        state = await world.state()
        assert state.problem == "limited"
        assert state.not_before is not None
        waits.append((state.not_before - world.clock).total_seconds())
        asked = len(world.ooni.asked)
        await world.restart()
        await world.round(state.not_before - world.clock - MINUTE)
        assert len(world.ooni.asked) == asked
        world.ooni.use_up(4000)
        await world.round(MINUTE)
    assert waits == [300, 600, 1200, 2400, 3600]
    await world.round(timedelta(days=1, minutes=1))
    assert (await world.state()).problem == ""
    assert len(await world.rows()) == 48


@pytest.mark.parametrize(
    "failure",
    [
        Reply(502, b"<html>Bad Gateway</html>"),
        Reply(200, b'{"results": [{"measure'),
        Reply(200, b"[]"),
        Reply(200, b'{"results": {}, "metadata": {}}'),
        Reply(
            200,
            b'{"results": [], "metadata": {"next_url": "https://api.ooni.io/?offset=0"}}',
        ),
        Reply(422, b'{"detail": []}'),
        httpx.ReadTimeout("too slow"),
    ],
)
async def test_an_answer_that_is_none_loses_and_doubles_nothing(
    world: World, failure: Reply | Exception
) -> None:
    """Whichever request it hits, on parts of a list that overlap: every row is there once."""
    world.ooni = ScriptedOoni(lambda: world.clock, most=7)
    world.tests(X, 17557, BEGUN - timedelta(days=2), BEGUN)
    for _ in range(6):
        world.ooni.failing.append(failure)
        await world.round(2 * HOUR)
        world.ooni.failing.clear()
        await world.round(4 * HOUR)
    assert len(await world.rows()) == 48
    assert await world.events() == []


async def test_a_list_is_read_whole_where_a_token_names_its_next_part(world: World) -> None:
    """As newer releases of the API do: the address of the next part has no offset."""
    world.ooni = ScriptedOoni(lambda: world.clock, most=7, tokens=True)
    world.tests(X, 17557, BEGUN - timedelta(days=2), BEGUN)
    await world.round(2 * HOUR)
    assert (await world.state()).problem == ""
    assert len(await world.rows()) == 48


@pytest.mark.parametrize("following", ["cont=a", f"cont={'a' * 501}", "limit=1000", "offset=0"])
async def test_a_list_that_leads_nowhere_is_malformed(following: str) -> None:
    """To the part that was asked for, to none, or by a token without an end."""
    url = f"https://api.ooni.test/api/v1/measurements?{following}"
    reply = httpx.Response(200, json={"results": [], "metadata": {"next_url": url}})
    client = OoniClient("https://api.ooni.test", httpx.MockTransport(lambda _: reply))
    with pytest.raises(SourceFault, match="malformed"):
        await client.page({}, {"cont": "a"})
    await client.close()


async def test_a_line_that_cannot_be_read_loses_no_other(world: World) -> None:
    """Counted, so that people see that the format changed."""
    world.tests(X, 17557, BEGUN - 5 * HOUR, BEGUN)
    world.ooni.add(
        volunteer(BEGUN - 2 * HOUR, X, asn=1, number=1, anomaly=True, probe_asn="AS-none")
    )
    world.ooni.uploads[2].listed["measurement_uid"] = "not an id"
    await world.round(2 * HOUR)
    assert len(await world.rows()) == 4
    assert (await world.state()).malformed >= 2


async def test_the_budget_of_an_hour_holds_and_the_rest_comes_later(world: World) -> None:
    """So many units an hour, whatever is waiting; the lists come before single measurements."""
    world.source = SourceSettings(kind=SourceKind.OONI, countries=("PK",), budget=60)
    world.clock = BEGUN + timedelta(minutes=1)
    world.tests(X, 17557, BEGUN - timedelta(days=2), BEGUN, (BEGUN - 12 * HOUR, BEGUN))
    units = []
    for _ in range(15):
        for _ in range(6):
            await world.round(10 * MINUTE)
        units.append((await world.state()).units)
    assert max(units) <= 60 + 15
    assert len(await world.rows()) == 48
    assert sum(bool(row.judged) for row in await world.rows()) > 3


async def test_single_measurements_wait_while_the_quota_is_low(world: World) -> None:
    """Below a fifth of what OONI leaves, only lists are asked for."""
    world.tests(X, 17557, BEGUN - timedelta(days=1), BEGUN, (BEGUN - 5 * HOUR, BEGUN))
    world.clock = BEGUN - timedelta(days=2)
    await world.round()
    world.clock = BEGUN
    world.ooni.use_up(3500)
    await world.round(30 * MINUTE)
    assert not [one for one in world.ooni.asked if "raw_measurement" in one]
    assert len(await world.rows()) == 24


async def test_a_measurement_that_is_not_archived_yet_is_asked_for_again(world: World) -> None:
    """500 means: later."""
    upload = volunteer(BEGUN - 30 * MINUTE, X, blocked=True)
    world.ooni.add(msgspec.structs.replace(upload, stored_at=BEGUN + 2 * HOUR))
    world.clock = BEGUN
    await world.round()
    await world.round(HOUR)
    assert [row.judged for row in await world.rows()] == [""]
    await world.round(2 * HOUR)
    assert [row.judged for row in await world.rows()] == ["blocked"]


@pytest.mark.parametrize(
    "raw",
    [
        {"test_name": "web_connectivity"},
        {"annotations": [], "test_name": 7},
        {
            "test_name": "web_connectivity",
            "probe_cc": "PK",
            "test_keys": {"queries": [{"t": 1e300}]},
        },
        {"test_name": "dnscheck", "annotations": {"network_type": "wifi"}},
    ],
)
async def test_a_whole_measurement_that_cannot_be_judged_stops_nothing(
    world: World, raw: dict[str, object]
) -> None:
    """Anybody can upload anything; OONI's own opinion of it stays."""
    upload = volunteer(BEGUN - HOUR, X, blocked=True)
    world.ooni.add(msgspec.structs.replace(upload, raw=raw))
    world.ooni.add(volunteer(BEGUN - 2 * HOUR, X, blocked=True))
    world.clock = BEGUN
    await world.round()
    assert sorted((row.judged, row.failed) for row in await world.rows()) == [
        ("blocked", 1.0),
        ("unavailable", 1.0),
    ]


async def test_what_is_uploaded_days_later_is_found(world: World) -> None:
    """A phone without a line keeps its measurements until it has one."""
    world.tests(X, 17557, BEGUN - timedelta(days=1), BEGUN)
    world.ooni.add(volunteer(BEGUN - HOUR, X, number=1, late=timedelta(hours=30)))
    while world.clock < BEGUN + timedelta(days=3):
        await world.round(6 * HOUR)
    assert len(await world.rows()) == 25


async def test_a_phone_with_a_wrong_clock_measured_no_later_than_it_uploaded(
    world: World,
) -> None:
    """64 seconds ahead were recorded; a day ahead would date a block into the future."""
    upload = volunteer(BEGUN - 2 * HOUR, X)
    upload.listed["measurement_start_time"] = f"{BEGUN + 5 * HOUR:%Y-%m-%dT%H:%M:%S.%fZ}"
    world.ooni.add(upload)
    world.clock = BEGUN + 6 * HOUR
    await world.round()
    (row,) = await world.rows()
    assert row.measured_at == (BEGUN - 2 * HOUR + 2 * MINUTE).replace(microsecond=0)


OLD, NEW = "5.0.0", "5.1.0"


def _upgrade(
    world: World, *, country: str = "PK", blocked: bool = True, hold: bool = False
) -> None:
    """Everybody's app is another version from an hour on, in which it begins to fail; with `hold`
    every network has somebody who keeps the old one, and fails as well."""
    for asn in (17557, 9541, 45669):
        for at in hourly(BEGUN - 4 * DAY + asn % 50 * MINUTE, BEGUN, 4 * HOUR):
            world.ooni.add(volunteer(at, X, asn=asn, country=country, version=OLD))
        for at in hourly(BEGUN + asn % 50 * MINUTE, BEGUN + 12 * HOUR, HOUR):
            made = {"asn": asn, "country": country, "blocked": blocked}
            world.ooni.add(volunteer(at, X, version=NEW, **made))  # type: ignore[arg-type]
            if hold:
                world.ooni.add(volunteer(at, X, version=OLD, number=1, **made))  # type: ignore[arg-type]


async def test_a_version_that_comes_with_the_failing_accuses_nobody(world: World) -> None:
    """Lists name no version. Before it reports an event, shutwatch asks for the versions of the
    measurements that failed, and does not ask again for rows that have one."""
    _upgrade(world)
    for _ in range(16):
        await world.round(HOUR)
        assert await world.events() == []
    named = {row.version for row in await world.rows() if row.measured_at < BEGUN}
    assert named == {"other"}
    assert {row.version for row in await world.rows() if row.failed} == {NEW}
    asked = [one for one in world.ooni.asked if "software_version" in one]
    assert 0 < len(asked) <= 16
    assert all(f"software_version={NEW}" in one for one in asked)


@pytest.mark.parametrize("why", ["it passes in India", "the old one fails as well"])
async def test_a_version_is_no_excuse_for_a_block(world: World, why: str) -> None:
    """What is seen beside it tells."""
    world.source = SourceSettings(kind=SourceKind.OONI, countries=("PK",), beside=("IN",))
    _upgrade(world, hold=why == "the old one fails as well")
    if why == "it passes in India":
        _upgrade(world, country="IN", blocked=False)
    for _ in range(8):
        await world.round(2 * HOUR)
    (event,) = await world.events()
    assert event.active
    assert event.onset_latest <= BEGUN + 2 * HOUR


@pytest.mark.parametrize("budget", [60, 1000])
async def test_versions_that_cannot_be_asked_for_stop_nothing(world: World, budget: int) -> None:
    """Without a budget, or where the server fails, shutwatch reports the event as it stands."""
    world.source = SourceSettings(kind=SourceKind.OONI, countries=("PK",), budget=budget)
    _upgrade(world)

    def handle(request: httpx.Request) -> httpx.Response:
        if "software_version" in request.url.params:
            return httpx.Response(502, content=b"<html>")
        return world.ooni.handle(request)

    world.job = SourceJob(
        world.source,
        default_settings(),
        world.store,
        now=lambda: world.clock,
        transport=httpx.MockTransport(handle),
    )
    await world.job.begin()
    for _ in range(8):
        await world.round(2 * HOUR)
    (event,) = await world.events()
    assert event.active


async def test_only_a_link_is_followed_when_it_is_named(world: World) -> None:
    """Volunteers who opened an organisation's own link."""
    world.source = SourceSettings(kind=SourceKind.OONI, countries=("PK",), run_link="10042")
    world.ooni.add(volunteer(BEGUN - 2 * HOUR, X, ooni_run_link_id="10042"))
    world.ooni.add(volunteer(BEGUN - 3 * HOUR, X))
    await world.round(HOUR)
    assert len(await world.rows()) == 1


async def test_one_question_covers_all_countries_and_platforms(world: World) -> None:
    """Commas, not requests: a poll of everything takes as many requests as one of a platform."""
    await world.round()
    await world.round(10 * MINUTE)
    asked = len(world.ooni.asked)
    await world.round(10 * MINUTE)
    assert len(world.ooni.asked) - asked <= 3
    lists = [one for one in world.ooni.asked if "/measurements" in one]
    assert all("probe_cc=PK%2CBR" in one for one in lists)


def _from_2099(reply: httpx.Response) -> httpx.Response:
    """The answer with one more line, dated by a clock that is wrong, and another part after it."""
    body = msgspec.json.decode(reply.content)
    if not body.get("results"):
        return reply
    line = dict(body["results"][0])
    uid = line["measurement_uid"]
    line["measurement_uid"] = "20990101000000.000000" + uid[uid.index("_") :]
    line["measurement_start_time"] = "2099-01-01T00:00:00Z"
    body["results"].append(line)
    body["metadata"]["next_url"] = "https://api.ooni.io/api/v1/measurements?offset=1000"
    return httpx.Response(200, json=body)


async def test_a_line_of_another_time_than_was_asked_for_is_malformed(world: World) -> None:
    """One line of 2099, once, before another part of the list: everything after it is read."""
    world.ooni = ScriptedOoni(lambda: world.clock)
    world.tests(X, 17557, BEGUN - timedelta(days=2), BEGUN + timedelta(days=1))
    world.clock = BEGUN
    odd = [True]

    def handle(request: httpx.Request) -> httpx.Response:
        reply = world.ooni.handle(request)
        if not request.url.path.endswith("/measurements") or "offset=1000" in str(request.url):
            return reply
        made = _from_2099(reply) if odd else reply
        if made is not reply:
            odd.clear()
        return made

    world.job = SourceJob(
        world.source,
        default_settings(),
        world.store,
        now=lambda: world.clock,
        transport=httpx.MockTransport(handle),
    )
    await world.job.begin()
    await world.round()
    assert odd == []
    while world.clock < BEGUN + timedelta(days=1, hours=1):
        await world.round(HOUR)
    state = await world.state()
    assert (state.problem, state.malformed) == ("", 1)
    assert state.newest_at is not None
    assert state.newest_at <= world.clock
    assert max(state.cursors.values()) <= world.clock
    assert len(await world.rows()) == 3 * 24


async def test_a_cursor_of_the_future_is_brought_back(world: World) -> None:
    """The machine's clock was ahead once, or an older version believed such a line."""
    world.tests(X, 17557, BEGUN - timedelta(days=2), BEGUN)
    world.clock = BEGUN
    await world.round()
    state = await world.state()
    far = dict.fromkeys(state.cursors, datetime(2099, 1, 1, tzinfo=UTC))
    await world.store.add_sourced((), "ooni", msgspec.structs.replace(state, cursors=far))
    world.tests(X, 9550, BEGUN, BEGUN + HOUR, step=10 * MINUTE)
    await world.restart()
    await world.round(2 * HOUR)
    assert max((await world.state()).cursors.values()) <= world.clock
    assert len(await world.rows()) == 48 + 6


async def _blocked(world: World) -> Event:
    """X is blocked in Pakistan for a day, YouTube is not, and Brazil has both."""
    end = BEGUN + DAY
    for asn in (17557, 9541, 45669):
        world.usual(X, asn)
        world.tests(X, asn, BEGUN, end, (BEGUN, end))
        world.tests(YOUTUBE, asn, BEGUN - 4 * DAY, end, step=8 * HOUR)
    world.tests(X, 28573, BEGUN - 4 * DAY, end, step=4 * HOUR, country="BR")
    await world.until_told()
    for _ in range(3):
        await world.round(2 * HOUR)
    (event,) = await world.events()
    assert event.state is EventState.CONFIRMED
    return event


@pytest.mark.parametrize(
    "narrowed",
    [
        {"countries": ("BR",)},
        {"countries": ("BR",), "beside": ("PK",)},
        {"platforms": ("youtube",)},
    ],
)
async def test_what_is_no_longer_asked_about_is_not_withdrawn(
    world: World, narrowed: dict[str, tuple[str, ...]]
) -> None:
    """An operator takes a country or a platform out while a block stands. The block was real:
    nobody looks any more, and it goes on once somebody does again."""
    before = await _blocked(world)
    whole = world.source
    world.source = msgspec.structs.replace(whole, **narrowed)
    await world.restart()
    for _ in range(2):
        await world.round(HOUR)
    (event,) = await world.events()
    assert (event.id, event.state) == (before.id, EventState.UNOBSERVED)
    assert event.onset_latest == before.onset_latest
    world.source = whole
    await world.restart()
    for _ in range(2):
        await world.round(HOUR)
    (event,) = await world.events()
    assert (event.id, event.state) == (before.id, EventState.CONFIRMED)


async def test_a_test_that_broke_everywhere_agrees_with_no_event_of_ours() -> None:
    """Our own vantages suspect X when OONI's test of it breaks everywhere: no event is made of
    these rows, and beside ours they say what they are."""
    store = sql_store("memory:")
    await store.open()
    seen = World(store)
    seen.source = msgspec.structs.replace(seen.source, beside=("IN",))
    for country, asns in {"PK": (17557, 9541), "BR": (28573, 26599), "IN": (55836,)}.items():
        for asn in asns:
            span = (BEGUN, BEGUN + 24 * HOUR)
            seen.tests(X, asn, BEGUN - 96 * HOUR, span[1], span, country=country)
    seen.clock = BEGUN + 12 * HOUR
    await seen.round()
    ours = prometheus.event(platform="x", at=BEGUN + HOUR)
    ours = msgspec.structs.replace(ours, onset_earliest=BEGUN, onset_latest=BEGUN + HOUR)
    (witness,) = await second_witnesses(store, ours, seen.clock)
    assert witness.position is Position.FAILS_ELSEWHERE
    assert await seen.events() == []
    assert seen.job is not None
    await seen.job.close()
    await store.close()


async def test_a_state_that_names_no_countries_is_read_on(world: World) -> None:
    """One of an older version: nothing is asked for anew."""
    world.tests(X, 17557, BEGUN - 24 * HOUR, BEGUN)
    await world.round(2 * HOUR)
    state = await world.state()
    digest, _, countries = state.asked.partition(" ")
    assert countries == "PK,BR"
    await world.store.add_sourced((), "ooni", msgspec.structs.replace(state, asked=digest))
    await world.restart()
    await world.round()
    after = await world.state()
    assert after.asked == state.asked
    assert after.swept_at == state.swept_at
    assert after.cursors.keys() == state.cursors.keys()
