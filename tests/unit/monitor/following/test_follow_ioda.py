"""IODA followed live: what corroborates a shutdown, and what says nothing about it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.config.load import default_settings
from monitor.config.settings import SourceSettings
from monitor.following.source_jobs import SourceJob
from monitor.sources.ioda_client import PAGE
from monitor.sources.scripted_ioda import ScriptedIoda
from monitor.sources.scripted_ooni import Reply
from monitor.sources.terms import SourceKind
from monitor.sources.witnesses import second_witnesses
from monitor.wording.languages import ENGLISH
from monitor.wording.sources import witness_lines
from monitor.wording.words import words_in
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.store import CollectorStore
from storage.values.sourced import SourceState
from tests.prometheus import world

BEGUN = datetime(2024, 2, 8, 3, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOT_READ = ["IODA was not read in that time"]
NO_OUTAGE = "IODA sees no outage of the country, which excludes none"


class Watch:
    """A monitor that follows IODA, on a clock of its own."""

    def __init__(self, store: CollectorStore) -> None:
        self.clock = BEGUN - HOUR
        self.store = store
        self.ioda = ScriptedIoda()
        self.job = self.follower("PK", "IR")

    def follower(self, *countries: str) -> SourceJob:
        """A process of its own that follows these countries."""
        return SourceJob(
            SourceSettings(kind=SourceKind.IODA, countries=countries),
            default_settings(),
            self.store,
            now=lambda: self.clock,
            transport=httpx.MockTransport(self.ioda.handle),
        )

    async def restart(self, *countries: str) -> None:
        """Another process goes on, with these countries."""
        await self.job.close()
        self.job = self.follower(*countries)
        await self.job.begin()

    async def until(self, moment: datetime, step: timedelta = 10 * MINUTE) -> None:
        """Poll again and again."""
        while self.clock < moment:
            await self.job.round()
            self.clock += step

    async def shutdown(self) -> Event:
        """Our own vantages find the country cut off."""
        made = _shutdown()
        point = world.vantage("vantage")
        await self.store.save(world.cycle(point, (), at=BEGUN + HOUR, measurements=()), [made])
        return made

    async def state(self) -> SourceState:
        """What is known of IODA."""
        return (await self.store.source_states())["ioda"]

    async def said(self, event: Event) -> list[str]:
        """What the event's page says of it."""
        found = await second_witnesses(self.store, event, self.clock)
        return [line for one in found for line in witness_lines(words_in(ENGLISH), one, event)]


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """One that begins to follow."""
    store = sql_store("memory:")
    await store.open()
    made = Watch(store)
    await made.job.begin()
    yield made
    await made.job.close()
    await store.close()


def _shutdown(kind: EventKind = EventKind.SHUTDOWN, begun: datetime = BEGUN) -> Event:
    found = msgspec.structs.replace(
        world.event(at=begun + HOUR), kind=kind, onset_earliest=begun, onset_latest=begun + MINUTE
    )
    return found if kind is EventKind.BLOCK else msgspec.structs.replace(found, platform="")


async def test_routes_and_probing_agree_with_a_shutdown(watch: Watch) -> None:
    """Both ways of looking, with how much was lost; read again and again, it is one outage."""
    end = BEGUN + 5 * HOUR
    watch.ioda.outage("PK", "bgp", BEGUN + 2 * MINUTE, end, value=400, usual=1000)
    watch.ioda.outage("PK", "ping-slash24", BEGUN + 9 * MINUTE, end, value=190, usual=950)
    await watch.until(BEGUN + 2 * HOUR)
    said = ["IODA agrees: routes (BGP) -60%, active probing -80%"]
    assert await watch.said(_shutdown()) == said
    await watch.until(BEGUN + 8 * HOUR)
    signals = (await watch.state()).signals
    assert [(one.datasource, one.began_at, one.ended_at) for one in signals] == [
        ("bgp", BEGUN + 2 * MINUTE, end),
        ("ping-slash24", BEGUN + 9 * MINUTE, end),
    ]


async def test_one_way_of_looking_agrees_in_part(watch: Watch) -> None:
    """Mobile networks hardly show in routes; one alone is also often a mistake of its own."""
    watch.ioda.outage("PK", "ping-slash24", BEGUN, None, value=475, usual=950)
    await watch.until(BEGUN + HOUR)
    assert await watch.said(_shutdown()) == ["IODA agrees in part: active probing -50%"]


async def test_no_alert_excludes_nothing(watch: Watch) -> None:
    """Silence is no acquittal, and another country's outage is no sign."""
    watch.ioda.outage("IR", "bgp", BEGUN, None, value=1, usual=1000)
    await watch.until(BEGUN + HOUR)
    said = await watch.said(_shutdown())
    assert said == ["IODA sees no outage of the country, which excludes none"]


@pytest.mark.parametrize(
    "failure",
    [
        Reply(500, b""),
        Reply(400, b'{"error": "wrong", "data": null}'),
        Reply(200, b'{"error": null, "data": null}'),
        Reply(200, b"<html>"),
        Reply(
            200,
            b'{"data": [{"datasource": "bgp", "entity": {"code": "PK", "type": "country"}, '
            b'"time": 99999999999999, "level": "critical"}]}',
        ),
        httpx.ConnectError("no route"),
    ],
)
async def test_a_source_that_was_not_read_says_so(watch: Watch, failure: Reply | Exception) -> None:
    """Never that nothing was seen."""
    watch.ioda.failing.extend([failure] * 100)
    await watch.until(BEGUN + HOUR)
    assert (await watch.state()).problem
    assert await watch.said(_shutdown()) == ["IODA was not read in that time"]
    watch.ioda.failing.clear()
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=1, usual=1000)
    await watch.until(BEGUN + 5 * HOUR)
    assert (await watch.state()).problem == ""
    assert await watch.said(_shutdown()) == ["IODA agrees in part: routes (BGP) -99%"]


async def test_a_source_that_fails_since_an_event_began_saw_not_that_nothing_was(
    watch: Watch,
) -> None:
    """A shutdown cuts the monitor off from IODA as well: for a week IODA "saw no outage"."""
    shutdown = await watch.shutdown()
    await watch.until(BEGUN + 20 * MINUTE)
    watch.ioda.outage("PK", "bgp", BEGUN + HOUR, None, value=1, usual=1000)
    watch.ioda.failing.extend([httpx.ConnectError("no route")] * 1000)
    await watch.until(BEGUN + HOUR)
    (line,) = await watch.said(shutdown)
    assert line.startswith(NO_OUTAGE)
    await watch.until(BEGUN + 7 * DAY, 6 * HOUR)
    assert await watch.said(shutdown) == NOT_READ
    watch.ioda.failing.clear()
    await watch.until(watch.clock + 2 * HOUR)
    (line,) = await watch.said(shutdown)
    assert line.startswith("IODA agrees in part: routes (BGP) -99%")


async def test_a_block_during_an_outage_is_shown_with_a_caution(watch: Watch) -> None:
    """What fails while the whole country does may be no block; else IODA knows nothing of one."""
    await watch.until(BEGUN + HOUR)
    assert await watch.said(_shutdown(EventKind.BLOCK)) == []
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=400, usual=1000)
    await watch.until(BEGUN + 2 * HOUR)
    (line,) = await watch.said(_shutdown(EventKind.BLOCK))
    assert line == "IODA sees an outage of the whole country in that time: routes (BGP) -60%"


async def test_leftovers_and_noise_are_no_outage(watch: Watch) -> None:
    """An outage that nothing closed for two weeks says nothing of later shutdowns, and still agrees
    with the one that it began with; datasources that are noisy say nothing."""
    watch.ioda.outage("PK", "merit-nt", BEGUN, None, value=1, usual=1000)
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=400, usual=1000)
    agrees = ["IODA agrees in part: routes (BGP) -60%"]
    for days, later in ((12, agrees), (17, [NO_OUTAGE])):
        await watch.until(BEGUN + days * DAY, DAY)
        await watch.until(watch.clock + HOUR)
        assert await watch.said(_shutdown()) == agrees
        assert await watch.said(_shutdown(begun=watch.clock - 2 * DAY)) == later
    assert [one.datasource for one in (await watch.state()).signals] == ["bgp"]


async def test_what_was_never_asked_about_was_not_read(watch: Watch) -> None:
    """A shutdown that ended long before IODA was followed, and one that lasts for longer than its
    alerts were asked for: the alerts of when they began are not known."""
    for datasource in ("bgp", "ping-slash24"):
        watch.ioda.outage("PK", datasource, BEGUN, BEGUN + 24 * HOUR, value=10, usual=1000)
        watch.ioda.levels["PK", datasource] = [(BEGUN, 300.0)]
    lasting = await watch.shutdown()
    ended = msgspec.structs.replace(
        lasting,
        state=EventState.ENDED,
        end_earliest=BEGUN + 20 * HOUR,
        end_latest=BEGUN + 24 * HOUR,
    )
    watch.clock = BEGUN + 16 * DAY
    await watch.until(watch.clock + 2 * HOUR)
    assert await watch.said(lasting) == NOT_READ
    assert await watch.said(ended) == NOT_READ
    assert await watch.said(_shutdown(begun=BEGUN + 3 * DAY)) == [NO_OUTAGE]


async def test_alerts_of_an_earlier_version_are_known_for_as_long_as_it_asked(watch: Watch) -> None:
    """It did not store since when they are known: two weeks before its last poll, or longer."""
    await watch.until(BEGUN, DAY)
    state = msgspec.structs.replace(await watch.state(), known_since=None)
    await watch.store.add_sourced((), "ioda", state)
    await watch.restart("PK", "IR")
    watch.clock = BEGUN + 10 * DAY
    await watch.until(watch.clock + HOUR)
    assert await watch.said(_shutdown(begun=BEGUN - 13 * DAY)) == [NO_OUTAGE]
    assert await watch.said(_shutdown(begun=BEGUN - 15 * DAY)) == NOT_READ


async def test_a_country_that_is_added_was_not_read_before(watch: Watch) -> None:
    """Its alerts are known from two weeks before on."""
    await watch.until(BEGUN + 30 * DAY, DAY)
    added = msgspec.structs.replace(_shutdown(), country="IN")
    assert await watch.said(added) == NOT_READ
    await watch.restart("PK", "IR", "IN")
    await watch.until(watch.clock + HOUR)
    assert await watch.said(added) == NOT_READ


async def test_alerts_that_are_no_longer_kept_are_not_known(watch: Watch) -> None:
    """What agreed three months ago does not see no outage now."""
    watch.ioda.outage("PK", "bgp", BEGUN, BEGUN + 5 * HOUR, value=400, usual=1000)
    ended = msgspec.structs.replace(
        _shutdown(),
        state=EventState.ENDED,
        end_earliest=BEGUN + 5 * HOUR,
        end_latest=BEGUN + 5 * HOUR,
    )
    await watch.until(BEGUN + 89 * DAY, DAY)
    assert await watch.said(ended) == ["IODA agrees in part: routes (BGP) -60%"]
    await watch.until(BEGUN + 92 * DAY, DAY)
    assert await watch.said(ended) == NOT_READ


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (1000.0, f"{NO_OUTAGE} (as usual: routes (BGP) -0%, active probing -0%)"),
        (300.0, "IODA agrees: routes (BGP) -70%, active probing -80%"),
    ],
)
async def test_a_signal_outweighs_an_alert_that_was_open_before(
    watch: Watch, level: float, said: str
) -> None:
    """For five days nothing closed it. The signals say whether the outage lasts: what they were
    before the alert is usual, not what they were yesterday."""
    before = BEGUN - 5 * DAY
    for datasource, value in (("bgp", 400), ("ping-slash24", 200)):
        watch.ioda.outage("PK", datasource, before, None, value=value, usual=1000)
        watch.ioda.levels["PK", datasource] = [(before - 2 * DAY, 1000.0), (before, level)]
    watch.clock = before - DAY
    await watch.until(BEGUN, HOUR)
    event = await watch.shutdown()
    watch.clock = BEGUN + HOUR
    await watch.until(BEGUN + 2 * HOUR)
    assert await watch.said(event) == [said]


@pytest.mark.parametrize(
    ("bgp", "probing", "said"),
    [
        (400.0, 200.0, "IODA agrees: routes (BGP) -60%, active probing -80%"),
        (
            990.0,
            500.0,
            "IODA agrees in part: active probing -50% (as usual: routes (BGP) -1%)",
        ),
        (
            1000.0,
            900.0,
            (
                "IODA sees no outage of the country, which excludes none (as usual: "
                "routes (BGP) -0%, active probing -10%)"
            ),
        ),
        (None, None, "IODA sees no outage of the country, which excludes none"),
        (None, 100.0, "IODA agrees in part: active probing -90%"),
    ],
)
async def test_signals_say_how_much_was_lost_before_any_alert(
    watch: Watch, bgp: float | None, probing: float | None, said: str
) -> None:
    """Also that a country is as usual; and where a part of the service is silent, nothing of it."""
    for datasource, value in (("bgp", bgp), ("ping-slash24", probing)):
        watch.ioda.levels["PK", datasource] = [(BEGUN, value), (BEGUN + 5 * HOUR, 1000.0)]
    event = await watch.shutdown()
    watch.clock = BEGUN + HOUR
    await watch.until(BEGUN + 2 * HOUR)
    assert await watch.said(event) == [said]
    levels = (await watch.store.source_states())["ioda signals"].levels
    assert all(0 <= one.lost <= 1 for one in levels), "a share is kept, never a value"


async def test_nobody_asks_for_signals_while_nothing_is_cut(watch: Watch) -> None:
    """One question of alerts in each poll, and two more during a shutdown."""
    await watch.until(BEGUN)
    assert not [one for one in watch.ioda.asked if "signals" in one]
    await watch.shutdown()
    watch.clock = BEGUN + HOUR
    before = len(watch.ioda.asked)
    await watch.job.round()
    assert len(watch.ioda.asked) - before == 3


@pytest.mark.parametrize(
    "failure",
    [Reply(500, b""), Reply(200, b"[]"), httpx.ConnectError("no route"), RuntimeError("odd")],
)
async def test_signals_that_fail_delay_no_alert(watch: Watch, failure: Reply | Exception) -> None:
    """They are left alone by themselves, and asked again later."""
    event = await watch.shutdown()
    watch.clock = BEGUN + HOUR
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=400, usual=1000)
    watch.ioda.levels["PK", "ping-slash24"] = [(BEGUN, 100.0)]
    watch.ioda.failing.extend([Reply(200, b'{"error": null, "data": []}'), failure])
    await watch.job.round()
    state = await watch.state()
    assert (state.problem, state.answered_at) == ("", watch.clock)
    assert (await watch.store.source_states())["ioda signals"].problem
    await watch.until(BEGUN + 2 * HOUR)
    assert await watch.said(event) == [
        "IODA agrees: routes (BGP) -60%, active probing -90%",
    ]


async def test_a_drop_that_is_as_usual_is_no_outage(watch: Watch) -> None:
    """Alerts come from 1 % on, which is maintenance: they neither agree with a shutdown nor excuse
    a block."""
    end = BEGUN + HOUR
    watch.ioda.outage("PK", "bgp", BEGUN + 2 * MINUTE, end, value=985, usual=1000)
    watch.ioda.outage("PK", "ping-slash24", BEGUN + 9 * MINUTE, end, value=930, usual=950)
    await watch.until(BEGUN + 2 * HOUR)
    (line,) = await watch.said(_shutdown())
    assert line == (
        "IODA sees no outage of the country, which excludes none (as usual: routes (BGP) -2%, "
        "active probing -2%)"
    )
    assert await watch.said(_shutdown(EventKind.BLOCK)) == []


async def test_a_small_alert_says_nothing_of_a_time_that_was_not_read(watch: Watch) -> None:
    """It began before our event and nothing closed it; since then IODA is silent."""
    watch.ioda.outage("PK", "bgp", BEGUN - 2 * HOUR, None, value=985, usual=1000)
    await watch.until(BEGUN)
    watch.ioda.failing.extend([Reply(500, b"")] * 100)
    await watch.until(BEGUN + HOUR)
    assert await watch.said(_shutdown()) == ["IODA was not read in that time"]


async def test_an_alert_that_does_not_say_how_much_counts(watch: Watch) -> None:
    """Without a usual value nobody can tell that it was small."""
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=985, usual=0)
    await watch.until(BEGUN + HOUR)
    assert await watch.said(_shutdown()) == ["IODA agrees in part: routes (BGP) -0%"]


async def test_a_signal_outweighs_an_alert_that_came_early(watch: Watch) -> None:
    """The alert was raised when little was lost; the values show the rest."""
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=985, usual=1000)
    watch.ioda.levels["PK", "bgp"] = [(BEGUN, 100.0)]
    watch.ioda.levels["PK", "ping-slash24"] = [(BEGUN, None)]
    event = await watch.shutdown()
    watch.clock = BEGUN + HOUR
    await watch.until(BEGUN + 2 * HOUR)
    assert await watch.said(event) == ["IODA agrees in part: routes (BGP) -90%"]


async def test_an_alert_that_cannot_be_read_loses_no_other(watch: Watch) -> None:
    """One country's odd alert, in a part of the list that is full: it is counted, and the next
    part is asked for."""
    odd = {"datasource": "gtr", "entity": {"code": "IR", "type": "country"}, "level": None}
    at = BEGUN - 30 * MINUTE
    for _ in range(PAGE):
        watch.ioda.alerts.append({**odd, "time": int(at.timestamp())})
    watch.ioda.outage("PK", "bgp", BEGUN, None, value=400, usual=1000)
    await watch.until(BEGUN + HOUR)
    state = await watch.state()
    assert (state.problem, state.answered_at) == ("", watch.clock - 10 * MINUTE)
    assert state.malformed >= PAGE
    assert await watch.said(_shutdown()) == ["IODA agrees in part: routes (BGP) -60%"]


async def test_alerts_that_nobody_can_read_stop_nothing_for_good(watch: Watch) -> None:
    """The format changed, or one odd alert is all there is. It says that it cannot be read, never
    that nothing was seen, also later of that time, and goes on once that alert is past."""
    odd = {"datasource": "gtr", "entity": {"code": "IR", "type": "country"}, "level": None}
    watch.ioda.alerts.append({**odd, "time": int(BEGUN.timestamp())})
    await watch.until(BEGUN + HOUR)
    assert (await watch.state()).problem == "malformed"
    assert await watch.said(_shutdown()) == ["IODA was not read in that time"]
    await watch.until(BEGUN + 5 * HOUR)
    state = await watch.state()
    assert state.problem == ""
    assert state.answered_at is not None
    assert state.answered_at > BEGUN + 4 * HOUR
    assert await watch.said(_shutdown()) == NOT_READ
    assert await watch.said(_shutdown(begun=watch.clock - HOUR)) == [NO_OUTAGE]


async def test_a_clock_that_was_ahead_hides_no_outage(watch: Watch) -> None:
    """What began before the clock was put right is read afterwards, though the last poll seems to
    have been later."""
    await watch.job.round()
    watch.clock += 7 * DAY
    await watch.job.round()
    watch.clock = BEGUN + 6 * HOUR
    for datasource in ("bgp", "ping-slash24"):
        watch.ioda.outage("PK", datasource, BEGUN, None, value=400, usual=1000)
    await watch.until(BEGUN + 7 * HOUR)
    assert await watch.said(_shutdown()) == ["IODA agrees: routes (BGP) -60%, active probing -60%"]


async def test_a_server_that_gives_the_same_part_again_is_left_alone(watch: Watch) -> None:
    """It does not know of parts: asking on would take the budget of every hour, for nothing."""
    for number in range(PAGE):
        at = BEGUN - DAY + number * MINUTE
        watch.ioda.outage("PK", "merit-nt", at, None, value=1, usual=2)
    await watch.job.close()
    watch.job = SourceJob(
        SourceSettings(kind=SourceKind.IODA, countries=("PK",)),
        default_settings(),
        watch.store,
        now=lambda: watch.clock,
        transport=httpx.MockTransport(
            lambda request: watch.ioda.handle(
                httpx.Request("GET", request.url.copy_set_param("page", "0"))
            )
        ),
    )
    await watch.job.begin()
    await watch.job.round()
    assert len(watch.ioda.asked) == 2
    assert (await watch.state()).problem == "malformed"
