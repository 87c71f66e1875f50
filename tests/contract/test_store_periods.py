"""Availability of cut hours and days, of months and of local time: what a naive count gives."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import msgspec
import pytest

from monitor.analysis.verdict import PlatformVerdict, State
from storage.sql.store import SqlStore
from storage.store import Store
from storage.values.cursor import place_of
from storage.values.cycle import Cycle
from storage.values.prunable import Prunable
from storage.values.rollup import COUNTS, Availability, Period, counted_as
from storage.values.selection import Selection
from tests.contract.cycles import START, at, cycle
from tests.contract.listing import flat
from tests.worlds.store_without_threads import use_no_threads

ZONES = (
    *("UTC", "Asia/Karachi", "Asia/Kathmandu", "Africa/Cairo"),
    *("Europe/Lisbon", "Australia/Lord_Howe", "America/St_Johns"),
)
# In each the clocks of one of the zones are changed.
AROUND = tuple(
    datetime.fromisoformat(day).replace(tzinfo=UTC)
    for day in ("2024-02-29", "2024-03-10", "2024-03-31", "2024-04-06", "2024-04-25")
)
HOUR = timedelta(hours=1)
COUNTED = 30
"""Rows in a page where a test is not about pages: each of them costs several queries."""


def judged(
    number: int,
    moment: datetime,
    state: State = State.OK,
    *,
    asn: int = 17557,
    **changes: object,
) -> Cycle:
    """A cycle whose verdicts on platforms are all of one moment."""
    seconds = (moment - START).total_seconds()
    made = cycle(number, platforms=("x", "facebook"), endpoints=1, seconds=seconds)
    verdicts = tuple(
        msgspec.structs.replace(one, state=state, asn=asn, network=f"AS{asn}", judged_at=moment)
        for one in made.platforms
    )
    return msgspec.structs.replace(made, platforms=verdicts, **changes)


def world(seed: int, cycles: int = 150) -> list[Cycle]:
    """Cycles on days when clocks change, some out of turn, of two networks and all states."""
    chance = random.Random(seed)
    return [
        judged(
            number,
            chance.choice(AROUND) + timedelta(microseconds=chance.randrange(2 * 86400 * 10**6)),
            chance.choice(list(State)),
            asn=chance.choice([1, 2]),
            hurried=chance.random() < 0.2,
        )
        for number in range(cycles)
    ]


def label(moment: datetime, period: Period, zone: ZoneInfo) -> object:
    """The name of the hour, day or month that the clocks of the zone show."""
    local = moment.astimezone(zone)
    if period is Period.MONTH:
        return (local.year, local.month)
    return local.date() if period is Period.DAY else (local.date(), local.hour, local.utcoffset())


Found = dict[tuple[str, object, int | None], tuple[Counter[State], int, int]]
"""By platform, period and network: the states, the hours and the networks."""


def counted_naively(cycles: Sequence[Cycle], wanted: Selection) -> Found:
    """Every verdict looked at by itself."""
    zone = ZoneInfo(wanted.timezone)
    grouped: defaultdict[tuple[str, object, int | None], list[PlatformVerdict]] = defaultdict(list)
    for one in cycles:
        for verdict in one.platforms:
            if (
                not one.hurried
                and wanted.covers(verdict.judged_at)
                and wanted.asn in (None, verdict.asn)
                and wanted.platform in ("", verdict.platform)
            ):
                asn = verdict.asn if wanted.by_network else None
                name = label(verdict.judged_at, wanted.period, zone)
                grouped[verdict.platform, name, asn].append(verdict)
    hourly = wanted.period is Period.HOUR
    return {
        key: (
            Counter(counted_as(one.state) for one in some),
            len({(v.asn, None if hourly else f"{v.judged_at:%Y%m%d%H}") for v in some}),
            len({v.asn for v in some}),
        )
        for key, some in grouped.items()
    }


def as_found(rows: Sequence[Availability]) -> Found:
    """Rows in the form of the naive count."""
    found = {
        (row.platform, label(row.starts_at, row.period, ZoneInfo(row.timezone)), row.asn): (
            Counter({state: getattr(row, state) for state in COUNTS if getattr(row, state)}),
            row.hours,
            row.networks,
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def selections(seed: int) -> Iterator[Selection]:
    """Every period of every zone, with bounds of all kinds: none, on the hour, anywhere."""
    chance = random.Random(seed)

    def bound() -> datetime | None:
        moment = chance.choice(AROUND) + chance.random() * timedelta(days=2)
        whole = moment.replace(minute=0, second=0, microsecond=0)
        return chance.choice([None, whole, moment, moment, whole.replace(hour=0)])

    for zone, period, by_network in product(ZONES, Period, (True, False)):
        for _ in range(2):
            since, until = bound(), bound()
            if since and until and since > until:
                since, until = until, since
            yield Selection(
                since=since,
                until=until,
                timezone=zone,
                period=period,
                by_network=by_network,
                asn=chance.choice([None, None, 1]),
                platform=chance.choice(["", "x"]),
                batch=COUNTED,
            )


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
async def test_every_period_is_what_counting_its_verdicts_gives(store: SqlStore, seed: int) -> None:
    """Hours, days and months of zones with half hours and changing clocks, cut anywhere."""
    use_no_threads(store)
    cycles = world(seed)
    for one in cycles:
        await store.save(one)
    compared = 0
    for wanted in selections(seed):
        rows = await flat(store.availability(wanted))
        assert as_found(rows) == counted_naively(cycles, wanted), wanted
        assert rows == sorted(rows, key=place_of)
        assert not any(row.deleted for row in rows)
        for row in rows:
            assert row.counted_from in (None, wanted.since)
            assert row.counted_until in (None, wanted.until)
            assert 0 <= row.coverage <= 1
        compared += len(rows)
    assert compared > 1000


async def test_a_listing_goes_on_behind_any_row(store: SqlStore) -> None:
    """Pages of any size, from any place, make the same list, of networks and of countries."""
    use_no_threads(store)
    for one in world(4, 30):
        await store.save(one)
    since = AROUND[0] + timedelta(minutes=7)
    for period, by_network in product(Period, (True, False)):
        form = Selection(
            timezone="Asia/Kathmandu", period=period, by_network=by_network, since=since
        )
        rows = await flat(store.availability(form))
        assert len(rows) > 3
        for position in range(1, len(rows) + 1, 1 + len(rows) // 4):
            behind = msgspec.structs.replace(form, after=place_of(rows[position - 1]), batch=3)
            assert await flat(store.availability(behind)) == rows[position:]


async def test_a_cut_hour_is_counted_as_far_as_it_was_asked_for(store: Store) -> None:
    """`since` in mid-hour keeps the rest of the hour, `until` 12:06 takes in nothing of 12:26, and
    the rows say which part they count."""
    for number, minute in enumerate([0, 5, 6, 26, 59, 61]):
        await store.save(judged(number, at(60 * minute)))
    (row,) = await flat(store.availability(Selection(until=at(6 * 60), platform="x")))
    assert (row.ok, row.counted_from, row.counted_until) == (2, None, at(6 * 60))
    assert row.partial == ("selected",)
    first, second = await flat(store.availability(Selection(since=at(360), platform="x")))
    assert (first.starts_at, first.ok, first.counted_from) == (at(0), 3, at(360))
    assert (second.starts_at, second.ok, second.partial) == (at(3600), 1, ())
    day = Selection(since=at(360), until=at(3000), platform="x", period=Period.DAY)
    (row,) = await flat(store.availability(day))
    assert (row.ok, row.hours, row.coverage) == (2, 1, 1.0)
    assert (row.counted_from, row.counted_until) == (at(360), at(3000))


async def test_what_is_measured_out_of_turn_is_not_counted_in_a_part_either(store: Store) -> None:
    """The fast lane would make trouble weigh more than its time."""
    await store.save(judged(1, at(60)))
    await store.save(judged(2, at(120), State.BLOCKED, hurried=True))
    (row,) = await flat(store.availability(Selection(since=at(1), platform="x")))
    assert (row.ok, row.blocked) == (1, 0)


async def test_a_month_is_one_row_of_the_days_in_it(store: Store) -> None:
    """Of UTC and of local time: midnight in Karachi is 19:00 UTC of the day before."""
    for number, day in enumerate(["2024-01-31T18:59", "2024-01-31T19:00", "2024-02-29T18:59"]):
        moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
        await store.save(judged(number, moment, State.BLOCKED if number else State.OK))
    form = Selection(period=Period.MONTH, platform="x")
    january, february = await flat(store.availability(form))
    assert [(row.ok, row.blocked) for row in (january, february)] == [(1, 1), (0, 1)]
    assert february.clock_hours == 29 * 24
    local = msgspec.structs.replace(form, timezone="Asia/Karachi")
    january, february = await flat(store.availability(local))
    assert [(row.ok, row.blocked) for row in (january, february)] == [(1, 0), (0, 2)]
    assert february.local_start == "2024-02-01T00:00+05:00"
    assert february.coverage == 2 / (29 * 24)


async def _deleted(store: Store, what: Prunable, before: datetime) -> None:
    async for _ in store.prune(what, before):
        pass


async def test_a_part_whose_verdicts_were_deleted_says_so(store: Store) -> None:
    """It counts what is left of it and never the whole hour; hours that are asked for whole are
    counted as before, from their stored counts."""
    for number in range(24):
        await store.save(judged(number, at(300 * number + 60)))
    await _deleted(store, Prunable.PLATFORM_VERDICT, at(1800))
    part = Selection(since=at(600), platform="x", until=at(5400))
    first, second = await flat(store.availability(part))
    assert (first.ok, first.deleted) == (6, True)
    assert first.partial == ("selected", "deleted")
    assert (second.ok, second.deleted, second.partial) == (6, False, ("selected",))
    await _deleted(store, Prunable.PLATFORM_VERDICT, at(7200))
    first, second = await flat(store.availability(part))
    assert (first.ok, first.availability, first.coverage, first.deleted) == (0, None, 0.0, True)
    assert second.deleted
    whole = msgspec.structs.replace(part, since=at(0), until=at(7200))
    assert [(row.ok, row.partial) for row in await flat(store.availability(whole))] == [
        (12, ()),
        (12, ()),
    ]


@pytest.mark.parametrize("zone", ["Asia/Karachi", "Asia/Kathmandu"])
async def test_a_day_whose_hours_were_deleted_says_so(store: Store, zone: str) -> None:
    """Local days need hours: where only days of UTC are left, they are known in part or not at all.
    Months whose edges hold nothing are whole all the same."""
    for number in range(4 * 24):
        await store.save(judged(number, START.replace(hour=0) + number * HOUR))
    days = Selection(period=Period.DAY, platform="x", timezone=zone)
    before = await flat(store.availability(days))
    assert [row.deleted for row in before] == [False] * 5
    for what in (Prunable.PLATFORM_VERDICT, Prunable.CYCLE, Prunable.AVAILABILITY_HOUR):
        await _deleted(store, what, START.replace(hour=0) + 48 * HOUR)
    rows = await flat(store.availability(days))
    assert [row.deleted for row in rows] == [True, True, True, False, False]
    assert [row.starts_at for row in rows] == [row.starts_at for row in before]
    assert [row.ok for row in rows[:2]] == [0, 0]
    assert rows[3:] == before[3:]
    for timezone in ("UTC", zone):
        months = msgspec.structs.replace(days, period=Period.MONTH, timezone=timezone)
        (row,) = await flat(store.availability(months))
        assert (row.ok, row.deleted) == (96, False)
