"""When messages go out."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.notice_kinds import LOUD, NoticeKind
from monitor.notify.settings import Quiet, Route
from monitor.notify.timing import (
    FIRST_RETRY,
    JITTER,
    LONGEST_RETRY,
    due_at,
    goes_along,
    quiet_until,
    ready_at,
    retry_after,
)
from tests.worlds.notify_world import ONSET, notice, route

NIGHT = Quiet(start=22 * 60, end=7 * 60)
ZONES = (
    "Asia/Karachi",
    "America/Sao_Paulo",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
)

minutes = st.integers(0, 24 * 60 - 1)
moments = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001 # made UTC
    lambda moment: moment.replace(tzinfo=UTC)
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Any quiet hours, anywhere, with or without a daily hour."""
    start, end = draw(st.lists(minutes, min_size=2, max_size=2, unique=True))
    return route(
        timezone=draw(st.sampled_from(ZONES)),
        quiet=draw(st.sampled_from([None, Quiet(start=start, end=end)])),
        wake=draw(st.booleans()),
        gather=draw(st.floats(0, 3600)),
        digest=draw(st.floats(0, 86400)),
        daily=draw(st.none() | minutes),
    )


def local(moment: datetime, watched: Route) -> str:
    """What a clock there shows."""
    return f"{moment.astimezone(ZoneInfo(watched.timezone)):%Y-%m-%d %H:%M}"


def in_quiet(moment: datetime, watched: Route) -> bool:
    """Whether a clock there shows an hour that is quiet, told without the code under test."""
    if watched.quiet is None:
        return False
    there = moment.astimezone(ZoneInfo(watched.timezone))
    shown = there.hour * 60 + there.minute
    if watched.quiet.start < watched.quiet.end:
        return watched.quiet.start <= shown < watched.quiet.end
    return not watched.quiet.end <= shown < watched.quiet.start


@given(routes(), moments, st.sampled_from(NoticeKind))
def test_nothing_is_due_before_it_is_made_nor_in_quiet_hours(
    watched: Route, made: datetime, occasion: NoticeKind
) -> None:
    """But for what may wake people; and nothing waits for more than three days."""
    due = due_at(occasion, made, watched)
    assert made <= due <= made + timedelta(days=3)
    assert due.tzinfo is UTC
    if not (watched.wake and occasion in LOUD):
        assert not in_quiet(due, watched)


@given(routes(), moments, st.sampled_from(NoticeKind))
def test_quiet_lasts_until_its_end_and_no_longer(
    watched: Route, moment: datetime, occasion: NoticeKind
) -> None:
    """Outside quiet hours nothing is held; within, until the clock shows their end."""
    until = quiet_until(occasion, moment, watched)
    held = in_quiet(moment, watched) and not (watched.wake and occasion in LOUD)
    assert (until is not None) == held
    if until is not None:
        assert moment < until <= moment + timedelta(hours=26)
        assert not in_quiet(until, watched)


def test_at_once_is_after_a_moment_s_wait() -> None:
    """What is urgent waits for its like, a further network for longer."""
    watched = route(gather=30.0, digest=3600.0)
    assert due_at(NoticeKind.CONFIRMED, ONSET, watched) == ONSET + timedelta(seconds=30)
    assert due_at(NoticeKind.SPREAD, ONSET, watched) == ONSET + timedelta(hours=1)


@pytest.mark.parametrize(
    ("occasion", "wake", "shown"),
    [
        (NoticeKind.CONFIRMED, False, "2024-02-18 07:00"),
        (NoticeKind.CONFIRMED, True, "2024-02-17 23:12"),
        (NoticeKind.WITHDRAWN, True, "2024-02-17 23:12"),
        (NoticeKind.DOUBTED, True, "2024-02-17 23:12"),
        (NoticeKind.SUSPECTED, True, "2024-02-18 07:00"),
        (NoticeKind.ENDED, True, "2024-02-18 07:00"),
    ],
)
def test_quiet_hours_hold_what_may_not_wake_people(
    occasion: NoticeKind, wake: bool, shown: str
) -> None:
    """It is 23:12 in Karachi. What is taken back comes as loudly as it was said."""
    watched = route(timezone="Asia/Karachi", quiet=NIGHT, wake=wake)
    assert local(due_at(occasion, ONSET, watched), watched) == shown


def test_a_daily_digest_comes_at_its_hour() -> None:
    """Today's where that is to come, else tomorrow's, by the clock of its zone."""
    watched = route(timezone="Asia/Karachi", daily=8 * 60)
    early = datetime(2024, 2, 17, 2, 59, tzinfo=UTC)
    assert local(due_at(NoticeKind.CONFIRMED, early, watched), watched) == "2024-02-17 08:00"
    late = early + timedelta(minutes=1)
    assert local(due_at(NoticeKind.CONFIRMED, late, watched), watched) == "2024-02-18 08:00"


def test_the_hour_that_comes_twice_is_quiet_twice() -> None:
    """London, 2024-10-27: 01:00 to 02:00 comes twice, and quiet hours until 01:30 end in both."""
    watched = route(timezone="Europe/London", quiet=Quiet(start=22 * 60, end=90))
    first = datetime(2024, 10, 27, 0, 10, tzinfo=UTC)
    assert quiet_until(NoticeKind.ENDED, first, watched) == first + timedelta(minutes=20)
    second = datetime(2024, 10, 27, 1, 10, tzinfo=UTC)
    assert quiet_until(NoticeKind.ENDED, second, watched) == second + timedelta(minutes=20)


def test_the_hour_that_is_left_out_holds_nothing_back() -> None:
    """London, 2024-03-31: no clock shows 01:30, and what waited for it comes when it would be."""
    watched = route(timezone="Europe/London", quiet=Quiet(start=22 * 60, end=90))
    moment = datetime(2024, 3, 31, 0, 10, tzinfo=UTC)
    assert quiet_until(NoticeKind.ENDED, moment, watched) == datetime(
        2024, 3, 31, 1, 30, tzinfo=UTC
    )


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_retries_come_ever_later_up_to_a_bound_and_not_all_at_once(
    attempts: int, chance: float
) -> None:
    """Doubling from seconds to half an hour, give or take a fifth."""
    wait = retry_after(attempts, chance).total_seconds()
    middle = min(FIRST_RETRY * 2 ** min(attempts - 1, 50), LONGEST_RETRY)
    assert middle * (1 - JITTER) * 0.999 <= wait <= middle * (1 + JITTER) * 1.001


def test_two_days_of_retries_are_about_a_hundred() -> None:
    """Neither a storm nor silence."""
    waited, attempts = 0.0, 0
    while waited < 2 * 86400:
        attempts += 1
        waited += retry_after(attempts, 0.5).total_seconds()
    assert 90 < attempts < 120


def test_a_further_network_does_not_hold_back_what_may_wake_people() -> None:
    """What waits together goes as the state of the event, whatever came after it."""
    watched = route(timezone="Asia/Karachi", quiet=NIGHT, wake=True)
    waiting = [notice(NoticeKind.CONFIRMED, 1), notice(NoticeKind.SPREAD, 2)]
    assert ready_at(waiting, watched) == due_at(
        NoticeKind.CONFIRMED, waiting[0].created_at, watched
    )
    assert in_quiet(ready_at(waiting, watched), watched)
    assert goes_along(waiting, watched, ONSET)
    assert not goes_along(waiting[1:], watched, ONSET)


def test_quiet_hours_of_a_night_end_at_their_last_minute() -> None:
    """What is due at seven is not held until the next day."""
    watched = route(quiet=NIGHT, timezone="UTC")
    seven = datetime(2024, 2, 18, 7, tzinfo=UTC)
    assert quiet_until(NoticeKind.ENDED, seven, watched) is None
    assert quiet_until(NoticeKind.ENDED, seven - timedelta(seconds=1), watched) == seven
