"""What the counts of days may accuse of, by invented ones: short blocks of a whole country, broken
devices, days on which everything fails, and single failures after the end of a block."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import replay_rows

NAMES = PlatformLookup(shipped_catalog())
START = datetime(2024, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BLOCKED = 40
"""The day of the story on which something happens."""

Day = tuple[int, int]
"""Tests, and how many of them failed."""


def _usual(tests: int, seed: int) -> Callable[[int], Day]:
    """About as many tests every day, of which two in a hundred fail."""
    rng = random.Random(seed)
    days = [max(1, round(rng.gauss(tests, tests / 4))) for _ in range(90)]
    found = [(total, sum(rng.random() < 0.02 for _ in range(total))) for total in days]
    return lambda day: found[day]


def _counts(
    platform: str, of_day: Callable[[int], Day], *, asn: int = 0, days: int = 70
) -> list[Row]:
    return [
        Row(
            at=START + day * DAY,
            until=START + (day + 1) * DAY,
            country="TZ",
            asn=asn,
            platform=platform,
            test=platform,
            total=of_day(day)[0],
            failed=of_day(day)[1],
            counts=True,
            interval=True,
            nationwide=not asn,
        )
        for day in range(days)
    ]


def _events(*several: Sequence[Row]) -> list[Event]:
    rows = sorted((row for rows in several for row in rows), key=lambda row: row.at)
    return list(replay_rows(rows, NAMES, EventSettings()).events)


def _days(tests: int, seed: int, **special: Day) -> Callable[[int], Day]:
    """Usual days but for these: `d40=(100, 90)`."""
    usual = _usual(tests, seed)
    return lambda day: special.get(f"d{day}") or usual(day)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_day_with_many_tests_that_nearly_all_fail_is_a_block_of_that_day(seed: int) -> None:
    """Ninety of a hundred, where two fail otherwise and other platforms work."""
    (event,) = _events(
        _counts("telegram", _days(100, seed, d40=(100, 90))),
        _counts("whatsapp", _usual(100, seed + 10)),
    )
    assert (event.platform, event.state) == ("telegram", EventState.ENDED)
    assert event.onset_earliest == START + (BLOCKED - 1) * DAY
    assert event.onset_latest == START + (BLOCKED + 1) * DAY
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert START + BLOCKED * DAY <= event.end_earliest <= START + (BLOCKED + 1) * DAY
    assert event.end_latest <= START + (BLOCKED + 2) * DAY


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("telegram", "whatsapp"),
    [
        ((190, 90), (100, 2)),  # A device that tests all day adds rows, and takes none away.
        ((100, 90), (100, 85)),  # Nothing works that day.
        ((100, 40), (100, 2)),
        ((8, 7), (8, 0)),
    ],
)
def test_one_day_that_something_else_explains_is_no_event(
    seed: int, telegram: Day, whatsapp: Day
) -> None:
    """A broken device, a country whose lines fail, a part of the tests, or hardly any tests."""
    assert not _events(
        _counts("telegram", _days(telegram[0] if telegram[0] < 10 else 100, seed, d40=telegram)),
        _counts("whatsapp", _days(whatsapp[0], seed + 10, d40=whatsapp)),
    )


def test_a_day_that_nothing_else_was_measured_on_is_no_event() -> None:
    """Whether the platform failed alone is not known."""
    assert not _events(_counts("telegram", _days(100, 1, d40=(100, 90))))


def test_a_block_of_six_days_that_half_of_the_tests_meet_is_confirmed() -> None:
    """Detected as soon as before, and not dismissed once it is over."""
    block = {f"d{day}": (12, 6) for day in range(BLOCKED, BLOCKED + 6)}
    (event,) = _events(
        _counts("telegram", _days(12, 4, **block)), _counts("whatsapp", _usual(12, 5))
    )
    assert event.confirmed_at is not None
    assert event.state is EventState.ENDED


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_failure_by_chance_after_a_block_does_not_move_its_end(after: int) -> None:
    """One test of two, days after all networks were open again."""
    last = BLOCKED + 20

    def of_network(number: int) -> Callable[[int], Day]:
        def of_day(day: int) -> Day:
            if BLOCKED <= day < last:
                return 2, 2
            return 2, int(number == 0 and day == last + after)

        return of_day

    (event,) = _events(
        *(_counts("telegram", of_network(n), asn=64512 + n, days=90) for n in range(3)),
        *(_counts("whatsapp", lambda _: (2, 0), asn=64512 + n, days=90) for n in range(3)),
    )
    assert event.end_earliest is not None
    assert START + (last - 2) * DAY <= event.end_earliest <= START + last * DAY
    assert event.end_latest is not None
    assert event.end_latest > START + last * DAY
