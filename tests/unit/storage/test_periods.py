"""Hours, days and months of time zones, held against the clocks of the zones themselves."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.values.periods import Period, Span, span_of, spans, zone_named

ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
# Since 1973, when the last zones left offsets of odd seconds.
MOMENTS = st.integers(0, 64 * 365 * 86400 * 10**6).map(
    lambda microseconds: datetime(1973, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
TICK = timedelta(microseconds=1)


def label(moment: datetime, period: Period, zone: ZoneInfo) -> object:
    """What the clocks of the zone show, as far as the period goes."""
    local = moment.astimezone(zone)
    if period is Period.MONTH:
        return (local.year, local.month)
    return local.date() if period is Period.DAY else (local.date(), local.hour, local.utcoffset())


@given(MOMENTS, st.sampled_from(Period), ZONES)
def test_a_period_is_all_the_time_with_one_name(
    moment: datetime, period: Period, name: str
) -> None:
    """Periods hold the moment asked for, follow each other without a gap, and end exactly where the
    clocks show another hour, date or month."""
    zone = ZoneInfo(name)
    some = list(islice(spans(moment, period, zone), 4))
    assert some[0].start <= moment < some[0].end
    for before, after in pairwise(some):
        assert before.end == after.start
    for span in some:
        assert span_of(span.start, period, zone) == span == span_of(span.end - TICK, period, zone)
        inside = [span.start + n * (span.end - span.start) / 7 for n in range(7)]
        shown = {label(at, period, zone) for at in (*inside, span.end - TICK)}
        assert len(shown) == 1
        assert label(span.end, period, zone) not in shown


def of(text: str, period: Period, zone: str) -> Span:
    return span_of(datetime.fromisoformat(text), period, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "moment", "hours"),
    [
        ("Asia/Karachi", "2024-02-17T20:00Z", 24),
        ("Europe/Lisbon", "2024-03-31T12:00Z", 23),
        ("Europe/Lisbon", "2024-10-27T12:00Z", 25),
        ("Africa/Cairo", "2024-04-26T12:00Z", 23),
        ("Australia/Lord_Howe", "2024-04-07T00:00Z", 24.5),
        ("Asia/Kathmandu", "2024-02-17T20:00Z", 24),
    ],
)
def test_days_are_as_long_as_their_clocks_make_them(zone: str, moment: str, hours: float) -> None:
    """A day on which clocks change has 23, 24.5 or 25 hours; Cairo skips midnight itself."""
    start, end = of(moment, Period.DAY, zone)
    assert end - start == timedelta(hours=hours)


def test_hours_begin_where_clocks_show_them() -> None:
    """Those of Nepal begin a quarter past, an hour that clocks repeat is two, and where clocks move
    by half an hour one is that short."""
    assert of("2024-02-17T12:00Z", Period.HOUR, "Asia/Kathmandu").start.minute == 15
    first = of("2024-10-27T00:30Z", Period.HOUR, "Europe/Lisbon")
    again = of("2024-10-27T01:30Z", Period.HOUR, "Europe/Lisbon")
    assert first.end == again.start
    short = of("2024-10-05T15:30Z", Period.HOUR, "Australia/Lord_Howe")
    assert short.end - short.start == timedelta(minutes=30)


@pytest.mark.parametrize("name", ["", "Karachi", "asia", "Asia", "../etc/passwd", "UTC+5", "\0"])
def test_other_names_are_refused(name: str) -> None:
    """Nothing is read that is not a time zone."""
    with pytest.raises(ValueError, match="not the name of a time zone"):
        zone_named(name)
