"""Whole stories of blocks and of none, as volunteers' rows show them: one event for each episode,
within its bounds, on the networks that blocked, and none where nobody blocked anything."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from monitor.replay.imported_row import Row
from tests.replay.test_crowd import (
    DAY,
    HOUR,
    NETWORKS,
    START,
    Fails,
    _between,
    _measured,
    _never,
    _replayed,
)

TWO_HOURLY = 2 * HOUR


class Episode(msgspec.Struct, frozen=True):
    """What an event must say."""

    begins: float
    """Day of the story on which the first network blocks."""
    ends: float | None
    """Day on which the last one stops; None: it goes on."""
    networks: tuple[int, ...] = NETWORKS


def _everywhere(fails: Fails, **how: object) -> list[list[Row]]:
    return [_measured(asn, fails, **how) for asn in NETWORKS]  # type: ignore[arg-type]


def _one_after_the_other(apart: float, last: float, days: float) -> list[list[Row]]:
    """Each operator follows an order when it likes, and all lift it together."""
    return [
        _measured(asn, _between(10 + apart * number, last), days=days)
        for number, asn in enumerate(NETWORKS)
    ]


def _some_never() -> list[list[Row]]:
    blocking = [
        _measured(asn, _between(8 + 5 * number, 60), days=50)
        for number, asn in enumerate(NETWORKS[:4])
    ]
    return [*blocking, *(_measured(asn, _never, days=50) for asn in NETWORKS[4:])]


def _mornings_in(zone: str) -> list[list[Row]]:
    """Exams from the eighth day to the twentieth, six to nine on the clocks of the country."""

    def fails(at: datetime) -> float:
        local = at.astimezone(ZoneInfo(zone))
        day = (at - START) / DAY
        return float(8 <= day < 20 and local.weekday() < 5 and 6 <= local.hour < 9)

    return _everywhere(fails, days=30, every=HOUR)


def _share(share: float, seed: int) -> list[list[Row]]:
    """A block that part of the customers of every network meet."""
    rng = random.Random(seed)
    within = _between(10, 20)
    return _everywhere(
        lambda at: float(within(at) and rng.random() < share), days=30, every=TWO_HOURLY
    )


def _twice() -> list[list[Row]]:
    first, second = _between(8, 12), _between(20, 24)
    return _everywhere(lambda at: first(at) or second(at), days=34)


def _seldom() -> list[list[Row]]:
    """Somebody on each network every day and a half, in turn."""
    return [
        _measured(asn + number, _between(10, 24), days=40, every=36 * HOUR)
        for number, asn in enumerate(NETWORKS)
    ]


def _one_is_an_exit() -> list[list[Row]]:
    """Rows of a sixth network are those of people on a VPN."""
    blocked = [_measured(asn, _between(10, 20), days=30) for asn in NETWORKS[:5]]
    return [*blocked, _measured(NETWORKS[5], _never, days=30, every=HOUR)]


def _two_hours() -> list[list[Row]]:
    within = _between(10, 10 + 2 / 24)
    return _everywhere(within, days=20, every=HOUR)


EPISODES: dict[str, tuple[Callable[[], list[list[Row]]], list[Episode]]] = {
    "a court, one operator a day": (lambda: _one_after_the_other(1, 25, 32), [Episode(10, 25)]),
    "an order that two of six ignore": (_some_never, [Episode(8, None, NETWORKS[:4])]),
    "exams on weekday mornings": (lambda: _mornings_in("Africa/Nairobi"), [Episode(9.1, 19.3)]),
    "half of the customers": (lambda: _share(0.5, 5), [Episode(10, 20)]),
    "a third of the customers": (lambda: _share(0.3, 5), [Episode(10, 20)]),
    "two episodes, eight days apart": (_twice, [Episode(8, 12), Episode(20, 24)]),
    "rows every day and a half": (
        _seldom,
        [Episode(10, 24, tuple(asn + n for n, asn in enumerate(NETWORKS)))],
    ),
    "one network is a way out": (_one_is_an_exit, [Episode(10, 20, NETWORKS[:5])]),
    "two hours": (_two_hours, [Episode(10, 10.1)]),
}


@pytest.mark.parametrize("name", EPISODES)
def test_each_episode_is_one_event(name: str) -> None:
    """With bounds that hold its onset and its end, on the networks that blocked."""
    told, episodes = EPISODES[name]
    found = _replayed(*told()).events
    assert len(found) == len(episodes)
    late = 2 * DAY
    for event, episode in zip(found, episodes, strict=True):
        begins = START + episode.begins * DAY
        assert event.onset_earliest is not None
        assert event.onset_earliest <= begins + late
        assert begins - 4 * HOUR <= event.onset_latest <= begins + late
        assert event.confirmed_at is not None
        assert set(event.networks_affected) <= set(episode.networks)
        if episode.ends is None:
            assert event.active
            continue
        ends = START + episode.ends * DAY
        assert event.end_earliest is not None
        assert event.end_latest is not None
        assert event.end_earliest <= ends + timedelta(hours=6)
        assert ends - late <= event.end_latest <= ends + late


def _no_rows_at_night() -> list[list[Row]]:
    """Shutdowns from midnight to five for ten days: nobody uploads, and nothing is blocked."""
    return [
        [row for row in rows if not (10 <= (row.at - START) / DAY < 20 and row.at.hour < 5)]
        for rows in _everywhere(_never, days=30, every=HOUR)
    ]


def _two_lines_out() -> list[list[Row]]:
    """Two operators lose their way abroad for six hours: all platforms fail there."""
    fails = {asn: _between(10, 10.25) for asn in NETWORKS[:2]}
    return [
        _measured(asn, fails.get(asn, _never), days=20, every=HOUR, platform=platform)
        for asn in NETWORKS
        for platform in ("telegram", "whatsapp", "x")
    ]


def _noise() -> list[list[Row]]:
    """Six rows in a hundred fail, for months."""
    rng = random.Random(7)
    return _everywhere(lambda _: float(rng.random() < 0.06), days=120, every=6 * HOUR)


NOTHING: dict[str, Callable[[], list[list[Row]]]] = {
    "nights without rows": _no_rows_at_night,
    "two lines are out": _two_lines_out,
    "noise": _noise,
}


@pytest.mark.parametrize("name", NOTHING)
def test_nobody_is_accused_where_nothing_is_blocked(name: str) -> None:
    """Silence is no block, nor is a line, nor chance."""
    assert _replayed(*NOTHING[name]()).events == ()
