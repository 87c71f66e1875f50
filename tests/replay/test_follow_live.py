"""Invented blocks, told while they happen: what is known at each half day, against the truth.

People test when they like, some every three hours and some every two days; networks and whole
countries fall silent for days or weeks, some rows come a day late, and two in a hundred fail
without a cause. Blocks last half a day to five weeks, all day, by daylight or on weekdays.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.following.found_open import found_open
from monitor.following.sourced_events import events_in, folded_since, merged, out_of_sight
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from storage.values.sourced import SourcedEvent

NAMES = PlatformLookup(shipped_catalog())
START = datetime(2024, 6, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST, LAST = 16, 70
"""Days of the story on which it is followed first and last."""
EVERY = 12 * HOUR
GONE = (EventState.DISMISSED, EventState.WITHDRAWN)


class Block(msgspec.Struct, frozen=True):
    begins: float
    ends: float
    networks: frozenset[int]
    hours: str

    def holds(self, at: datetime, asn: int) -> bool:
        if asn not in self.networks or not self.begins <= _day(at) < self.ends:
            return False
        if self.hours == "by daylight":
            return 6 <= at.hour < 18
        return self.hours == "always" or at.weekday() < 5


class Story(msgspec.Struct, frozen=True):
    rows: tuple[tuple[datetime, Row], ...]
    """When each row came, and the row."""
    blocks: tuple[Block, ...]


def _day(at: datetime) -> float:
    return (at - START) / DAY


def _spans(
    rng: random.Random, first: float, lengths: Sequence[float], apart: Sequence[float]
) -> list[tuple[float, float]]:
    found = []
    while first < LAST - 8:
        found.append((first, first + rng.choice(lengths)))
        first = found[-1][1] + rng.choice(apart)
    return found


def _story(seed: int) -> Story:
    rng = random.Random(seed)
    networks = range(64512, 64512 + rng.choice((2, 3, 5, 7)))
    blocks = tuple(
        Block(
            begins,
            min(ends, LAST - 4),
            frozenset(asn for asn in networks if rng.random() < 0.85) or frozenset(networks),
            rng.choice(("always", "always", "by daylight", "on weekdays")),
        )
        for begins, ends in _spans(rng, rng.uniform(18, 23), (0.5, 2, 4, 8, 20, 35), (4, 9, 15, 30))
    )
    silences = _spans(rng, rng.uniform(15, 30), (1.5, 3, 6, 14, 25), (5, 10, 25))
    silences = silences if rng.random() < 0.7 else []
    late = rng.random() < 0.5
    rows = []
    for asn in networks:
        every, silent = rng.choice((3, 6, 10, 20, 40)), list(silences)
        if rng.random() < 0.3:
            gone = rng.uniform(15, LAST)
            silent.append((gone, gone + rng.choice((5, 15, 40))))
        at = START + rng.uniform(0, every) * HOUR
        while _day(at) < LAST:
            if not any(begins <= _day(at) < ends for begins, ends in silent):
                failed = rng.random() < 0.02 or any(block.holds(at, asn) for block in blocks)
                came = at + rng.expovariate(1 / 24) * HOUR if late and rng.random() < 0.2 else at
                rows.append((came, _row(at, asn, failed=failed)))
            at += max(0.4, rng.expovariate(1 / every)) * HOUR
    return Story(tuple(rows), blocks)


def _row(at: datetime, asn: int, *, failed: bool) -> Row:
    return Row(
        at=at,
        until=at,
        country="KE",
        asn=asn,
        platform="telegram",
        test="telegram",
        failed=float(failed),
        uid=f"{at:%Y%m%d%H%M%S}.{asn}_KE",
    )


def _fold(story: Story, known: Iterable[SourcedEvent], now: datetime) -> list[SourcedEvent]:
    """What changed, as the job of a source finds it."""
    known, settings = list(known), EventSettings()
    since = folded_since(known, now)
    rows = [row for came, row in story.rows if came <= now and since <= row.at < now]
    found = events_in(rows, NAMES, settings, ["KE"], ["telegram"], now)
    opened = found_open(rows, out_of_sight(found, known), NAMES, settings)
    return merged(found, known, "ooni", now, opened)


def _certain(event: Event, now: datetime) -> tuple[datetime, datetime]:
    return event.onset_latest, now if event.active else event.end_earliest or event.updated_at


def _apart(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]


def _sound(event: Event) -> None:
    """What is said of one event holds together."""
    if event.state in (EventState.CONFIRMED, EventState.ENDED):
        assert event.confirmed_at is not None
    if event.state is EventState.DISMISSED:
        assert event.confirmed_at is None
    assert event.onset_earliest is None or event.onset_earliest <= event.onset_latest
    if event.active:
        assert event.end_earliest is None
    elif event.state not in GONE:
        assert event.end_earliest is not None
        assert event.end_earliest >= event.onset_latest
        assert event.end_latest is None or event.end_latest >= event.end_earliest


def _measured_blocked(story: Story, now: datetime) -> bool:
    """Whether several networks were measured in the last day, days into a block of all hours."""
    for block in story.blocks:
        if block.hours == "always" and block.begins + 3 < _day(now) < block.ends:
            lately = [
                row.asn
                for came, row in story.rows
                if came <= now and now - DAY <= row.at < now and row.asn in block.networks
            ]
            return len(lately) >= 6 and len(set(lately)) >= 3
    return False


@pytest.mark.parametrize(
    "seed",
    [35, 38, *(pytest.param(more, marks=pytest.mark.soak) for more in range(20))],
)
def test_what_is_known_live_never_contradicts_itself(seed: int) -> None:
    """No two events at one time, none over while several networks are found blocked, none confirmed
    beside every block, and none that vanishes."""
    story, known, now = _story(seed), dict[str, SourcedEvent](), START + FIRST * DAY
    while now < START + LAST * DAY:
        known |= {one.id: one for one in _fold(story, known.values(), now)}
        events = [one.event for one in known.values()]
        for event in events:
            _sound(event)
        standing = [event for event in events if event.state not in GONE]
        for one, other in combinations(standing, 2):
            assert _apart(_certain(one, now), _certain(other, now)), (one, other, now)
        if _measured_blocked(story, now):
            assert any(event.active for event in standing), now
        now += EVERY
    for event in (one.event for one in known.values() if one.event.state not in GONE):
        if event.confirmed_at is None:
            continue
        begun, over = event.onset_earliest or event.onset_latest, _certain(event, now)[1]
        meeting = [
            block
            for block in story.blocks
            if block.begins < _day(over) and _day(begun) < block.ends
        ]
        assert meeting, event
        blocked = frozenset[int]().union(*(block.networks for block in story.blocks))
        assert set(event.networks_affected) <= blocked
