"""Moments on a time axis."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.charts.ticks import MOST, ticks

SPANS = st.timedeltas(timedelta(minutes=1), timedelta(days=20 * 366))
STARTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(since=STARTS, span=SPANS)
@example(since=datetime(2024, 2, 29, 23, 59, tzinfo=UTC), span=timedelta(minutes=1))
@example(since=datetime(2024, 2, 17, 20, tzinfo=UTC), span=timedelta(hours=4, minutes=30))
def test_any_span_has_three_to_nine_ticks(since: datetime, span: timedelta) -> None:
    """In order, inside, and round: the same distance apart, or as near as months are."""
    found, in_day = ticks(since, since + span)
    assert 3 <= len(found) <= MOST
    assert found[0] >= since
    assert found[-1] <= since + span
    steps = [later - sooner for sooner, later in pairwise(found)]
    assert min(steps) > timedelta(0)
    assert max(steps) <= min(steps) * 31 / 28
    assert in_day == (min(steps) < timedelta(days=1))
    if not in_day:
        assert {one.timetz() for one in found} == {datetime.min.time().replace(tzinfo=UTC)}


@given(since=STARTS, span=SPANS, most=st.integers(1, MOST))
def test_never_more_than_there_is_room_for(since: datetime, span: timedelta, most: int) -> None:
    """Labels may need so much room that few fit."""
    assert len(ticks(since, since + span, most)[0]) <= most


@pytest.mark.parametrize(
    ("since", "span", "first", "second"),
    [
        ((2024, 2, 17, 12, 3), timedelta(hours=2), (2024, 2, 17, 12, 15), timedelta(minutes=15)),
        ((2024, 2, 17, 12, 3), timedelta(days=3), (2024, 2, 18), timedelta(hours=12)),
        ((2024, 2, 14), timedelta(days=45), (2024, 2, 19), timedelta(days=7)),
        ((2024, 2, 14), timedelta(days=150), (2024, 3, 1), timedelta(days=31)),
        ((2019, 5, 1), timedelta(days=2200), (2020, 1, 1), timedelta(days=366)),
    ],
    ids=["hours", "days", "weeks begin on Monday", "months", "years"],
)
def test_ticks_are_round(
    since: tuple[int, int, int], span: timedelta, first: tuple[int, int, int], second: timedelta
) -> None:
    """Quarters of an hour, half days, Mondays, and firsts of a month or year."""
    start = datetime(*since, tzinfo=UTC)
    found, _ = ticks(start, start + span)
    assert found[0] == datetime(*first, tzinfo=UTC)
    assert found[1] - found[0] == second
