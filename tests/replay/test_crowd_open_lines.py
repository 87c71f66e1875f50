"""Counts of a country that was blocked before they begin, by invented ones: rows that pass may be
those of somebody whose line was never blocked, until failures are as rare as elsewhere."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import replay_rows

NAMES = PlatformLookup(shipped_catalog())
START = datetime(2023, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 320
JOINS, LEAVES = 150, 210
"""Days on which a volunteer with an open line measures much, and hardly anybody else does."""
NEIGHBOURS = {"KE": 60, "UG": 30, "RW": 80}
"""Tests a day."""
SEEDS = pytest.mark.parametrize(
    "seed", [1, *(pytest.param(more, marks=pytest.mark.soak) for more in (2, 3))]
)
ONCE_EACH = ((100, 1), (180, 2), (250, 3))
"""Last day and seed of the blocks that each run replays; `make soak` replays all."""

Share = Callable[[int], float]
"""Day → share of tests that fail."""


def _counts(
    rng: random.Random, platform: str, share: Share, *, country: str = "TZ", tests: float = 24
) -> list[Row]:
    """Days of counts; the share of a day differs from the usual one as people do."""
    rows = []
    for day in range(DAYS):
        total = max(1, round(rng.gauss(tests, tests / 4)))
        usual = share(day)
        today = rng.betavariate(15 * usual, 15 * (1 - usual))
        rows.append(
            Row(
                at=START + day * DAY,
                until=START + (day + 1) * DAY,
                country=country,
                asn=0,
                platform=platform,
                test=platform,
                total=total,
                failed=sum(rng.random() < today for _ in range(total)),
                counts=True,
                interval=True,
                nationwide=True,
                uid=f"{country}-{platform}-{day}",
            )
        )
    return rows


def _always(share: float) -> Share:
    return lambda _: share


def _world(seed: int, whatsapp: Share, messenger: Share, *, noise: float = 0.01) -> list[Event]:
    """The events of a country with these two platforms, and of neighbours without a block."""
    rng = random.Random(seed)
    rows = [
        *_counts(rng, "whatsapp", whatsapp),
        *_counts(rng, "messenger", messenger),
        *_counts(rng, "telegram", _always(noise)),
    ]
    for country, tests in NEIGHBOURS.items():
        for platform, usual in (("whatsapp", 0.008), ("messenger", 0.1), ("telegram", 0.01)):
            rows += _counts(rng, platform, _always(usual), country=country, tests=tests)
    return list(replay_rows(rows, NAMES, EventSettings()).events)


def _blocked(
    until: int, *, fails: float = 0.75, open_share: float = 0.01, volunteer: bool = True
) -> Share:
    """Blocked from before the first day until this one."""

    def share(day: int) -> float:
        if day >= until:
            return open_share
        beside = volunteer and JOINS <= day < LEAVES
        return max(0.1, open_share) if beside else fails

    return share


def _messenger(until: int, *, volunteer: bool = True) -> Share:
    """The same of a test of which a quarter fails without a block."""
    return _blocked(until, fails=0.9, open_share=0.25, volunteer=volunteer)


def _of(events: Sequence[Event], platform: str) -> list[Event]:
    return [event for event in events if (event.country, event.platform) == ("TZ", platform)]


@SEEDS
def test_a_volunteer_with_an_open_line_ends_no_block(seed: int) -> None:
    """Nine of ten rows pass for two months: still one block of each, since before monitoring. What
    Messenger's test fails then is less than it fails without a block."""
    events = _world(seed, _blocked(DAYS), _messenger(DAYS))
    assert {(event.country, event.platform) for event in events} == {
        ("TZ", "whatsapp"),
        ("TZ", "messenger"),
    }
    for platform in ("whatsapp", "messenger"):
        (event,) = _of(events, platform)
        assert event.onset_earliest is None
        assert event.state is EventState.CONFIRMED


@pytest.mark.parametrize(
    ("last", "seed"),
    [
        pytest.param(last, seed, marks=[] if (last, seed) in ONCE_EACH else [pytest.mark.soak])
        for last in (100, 180, 250)
        for seed in (1, 2, 3)
    ],
)
def test_a_block_that_is_really_over_ends(seed: int, last: int) -> None:
    """Before the volunteer joins, while he is there, and after he left: one event, whose bounds
    hold the true end."""
    events = _world(seed, _blocked(last), _messenger(last))
    for platform in ("whatsapp", "messenger"):
        (event,) = _of(events, platform)
        assert event.onset_earliest is None
        assert event.end_earliest is not None
        assert event.end_latest is not None
        assert event.end_earliest <= START + last * DAY <= event.end_latest
        assert event.end_latest <= START + (last + 6) * DAY
        assert event.updated_at <= START + (last + 30) * DAY  # when it was known


def test_a_block_does_not_wait_for_one_that_nobody_measures_any_more() -> None:
    """WhatsApp is last tested on day 100, blocked; Messenger is open from day 140 on."""
    rng = random.Random(1)
    whatsapp = _counts(rng, "whatsapp", _always(0.75))
    rows = [
        *(row for row in whatsapp if row.at < START + 100 * DAY),
        *_counts(rng, "messenger", _messenger(140)),
        *_counts(rng, "telegram", _always(0.01)),
    ]
    (event,) = _of(replay_rows(rows, NAMES, EventSettings()).events, "messenger")
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert event.end_earliest <= START + 140 * DAY <= event.end_latest
    assert event.end_latest <= START + 145 * DAY


@SEEDS
def test_the_end_is_seen_in_a_country_where_much_fails(seed: int) -> None:
    """Six in a hundred rows of everything fail there."""
    events = _world(
        seed,
        _blocked(100, open_share=0.06, volunteer=False),
        _messenger(100, volunteer=False),
        noise=0.06,
    )
    (event,) = _of(events, "whatsapp")
    assert event.state is EventState.ENDED
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert event.end_earliest <= START + 100 * DAY <= event.end_latest


@SEEDS
def test_two_blocks_with_open_weeks_between_are_two_events(seed: int) -> None:
    """Six weeks in which it fails as rarely as in the neighbours."""
    again = (142, 170)

    def share(day: int) -> float:
        return 0.75 if day < 100 or again[0] <= day < again[1] else 0.01

    found = sorted(
        _of(_world(seed, share, _always(0.1)), "whatsapp"), key=lambda event: event.onset_latest
    )
    assert len(found) == 2
    for earlier, later in pairwise(found):
        assert earlier.end_latest is not None
        assert later.onset_earliest is not None
        assert earlier.end_latest <= later.onset_earliest
