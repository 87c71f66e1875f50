"""Timetables of blocks that come and go by the clock."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.analysis.events.event import Stretch
from monitor.analysis.events.recurring_hours import pattern_of

MONDAY = datetime(2023, 11, 6, tzinfo=UTC)


def stretch(day: int, start: float, end: float) -> Stretch:
    """Blocked from `start` to `end` (hours UTC) of a day counted from a Monday."""
    begun, over = (MONDAY + timedelta(days=day, hours=hours) for hours in (start, end))
    return Stretch(
        onset_earliest=begun - timedelta(minutes=5),
        onset_latest=begun,
        end_earliest=over,
        end_latest=over + timedelta(minutes=5),
    )


def each(days: Iterable[int], *hours: tuple[float, float]) -> list[Stretch]:
    """The same hours on several days."""
    return [stretch(day, *span) for day in days for span in hours]


def test_exam_hours_on_weekdays() -> None:
    """Mornings and afternoons of two working weeks are told with their days."""
    weeks = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    found = pattern_of(each(weeks, (4, 8), (10, 14)))
    assert found == "Mon-Fri 04:00-08:00, 10:00-14:00 UTC"


def test_nights_run_past_midnight() -> None:
    """A nightly block is one run of hours, though the date changes in the middle of it."""
    assert pattern_of(each(range(8), (22, 26))) == "22:00-02:00 UTC"


def test_some_days_of_the_week() -> None:
    """Days that were lived through and left out are not named."""
    assert pattern_of(each((1, 3, 8, 10), (6, 9))) == "Tue/Thu 06:00-09:00 UTC"


def test_a_little_irregular_is_still_a_habit() -> None:
    """Half an hour more or less, and a day left out, do not hide the timetable."""
    days = [stretch(day, 4 + 0.4 * (day % 2), 8 - 0.4 * (day % 3)) for day in range(10) if day != 4]
    assert pattern_of(days).endswith("UTC")
    assert "04:30-07:30" in pattern_of(days)


@pytest.mark.parametrize(
    "stretches",
    [
        [],
        each((0, 1), (4, 8)),
        [stretch(0, 4, 30), *each((2, 3, 4), (4, 8))],
        [stretch(0, 0, 4), stretch(1, 5, 9), stretch(2, 10, 14), stretch(3, 15, 19)],
        [Stretch(onset_earliest=None, onset_latest=MONDAY)],
    ],
    ids=["none", "two days", "more than a day long", "every day another hour", "still going on"],
)
def test_no_timetable(stretches: list[Stretch]) -> None:
    """Too few days, no common hours, or no end: nothing is made of it."""
    assert pattern_of(stretches) == ""
