"""Moments, and moments between two bounds: in UTC, then on the country's own clocks."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.wording.local_time import offset_text, zone_of
from monitor.wording.words import Words

_NEAR = timedelta(minutes=5)
"""Bounds closer than this are given to the second where seconds are wanted at all."""


def moment(words: Words, at: datetime, country: str = "", *, seconds: bool = False) -> str:
    """`14:02 UTC on 17 Feb 2024 (19:02 in Karachi)`."""
    utc = words.gettext(
        "%(time)s UTC on %(day)s", time=_clock(words, at, seconds=seconds), day=words.day(at)
    )
    zone = _zone(country)
    if zone is None:
        return utc
    same_day = words.day(at, zone) == words.day(at)
    local = (_clock if same_day else _day_and_clock)(words, at, zone, seconds=seconds)
    return _with_local(words, utc, local, country)


def between(
    words: Words, earliest: datetime, latest: datetime, country: str = "", *, exact: bool = False
) -> str:
    """A moment between two bounds.

    Bounds within the same minute are shown as one moment, unless `exact` asks for seconds, which
    are shown where the bounds are less than five minutes apart.
    """
    seconds = exact and latest - earliest < _NEAR
    if earliest == latest or (not seconds and _minute(earliest) == _minute(latest)):
        return moment(words, latest, country, seconds=seconds)
    if words.day(earliest) == words.day(latest):
        utc = words.gettext(
            "between %(earliest)s and %(latest)s UTC on %(day)s",
            earliest=_clock(words, earliest, seconds=seconds),
            latest=_clock(words, latest, seconds=seconds),
            day=words.day(latest),
        )
    else:
        utc = words.gettext(
            "between %(earliest)s and %(latest)s UTC",
            earliest=_day_and_clock(words, earliest, seconds=seconds),
            latest=_day_and_clock(words, latest, seconds=seconds),
        )
    zone = _zone(country)
    if zone is None:
        return utc
    # The day stands where it differs from the one before it.
    same_day = words.day(earliest, zone) == words.day(earliest)
    first = (_clock if same_day else _day_and_clock)(words, earliest, zone, seconds=seconds)
    same_day = words.day(latest, zone) == words.day(earliest, zone)
    last = (_clock if same_day else _day_and_clock)(words, latest, zone, seconds=seconds)
    there = [at.astimezone(zone).utcoffset() or timedelta() for at in (earliest, latest)]
    if there[0] != there[1]:
        # The clocks changed in between, so one hour may have come twice.
        first, last = f"{first} {offset_text(there[0])}", f"{last} {offset_text(there[1])}"
    local = words.gettext("%(first)s–%(last)s", first=first, last=last)
    return _with_local(words, utc, words.ltr(local), country)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _with_local(words: Words, utc: str, local: str, country: str) -> str:
    return words.gettext(
        "%(utc)s (%(there)s in %(city)s)",
        utc=utc,
        there=local,
        city=words.city(zone_of(country) or ""),
    )


def _zone(country: str) -> ZoneInfo | None:
    name = zone_of(country)
    try:
        return ZoneInfo(name) if name else None
    except ZoneInfoNotFoundError:  # a machine without tzdata
        return None


def _clock(words: Words, at: datetime, zone: tzinfo = UTC, *, seconds: bool) -> str:
    return words.at(at, words.clock(at, zone, seconds=seconds))


def _day_and_clock(words: Words, at: datetime, zone: tzinfo = UTC, *, seconds: bool) -> str:
    shown = words.gettext(
        "%(day)s, %(time)s",
        day=words.day(at, zone),
        time=words.ltr(words.clock(at, zone, seconds=seconds)),
    )
    return words.at(at, shown)
