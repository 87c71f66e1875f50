"""Phrases for lengths of time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil, floor

from monitor.wording.words import Words

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
"""The longest first, with their seconds."""


def interval(words: Words, seconds: float) -> str:
    """A configured time in the unit that suits it: `5 minutes`, `90 seconds`."""
    for unit, length in _UNITS:
        if seconds >= length and seconds % length == 0:
            return _counted(words, int(seconds // length), unit)
    return _counted(words, round(seconds, 3), "second")


def duration(words: Words, span: timedelta) -> str:
    """A measured time in its two largest units: `3 hours 20 minutes`."""
    return _in_words(words, _two_largest(round(span.total_seconds())))


def duration_at_least(words: Words, span: timedelta) -> str:
    """As `duration`, and no longer than the time."""
    return _in_words(words, _two_largest(floor(span.total_seconds())))


def duration_at_most(words: Words, span: timedelta) -> str:
    """As `duration`, and no shorter than the time."""
    seconds = ceil(span.total_seconds())
    parts = _two_largest(seconds)
    shown = sum(number * size for number, _, size in parts)
    return _in_words(words, _two_largest(shown + parts[-1][2]) if shown < seconds else parts)


def _two_largest(seconds: int) -> list[tuple[int, str, int]]:
    """Of the units that this time has, the largest two: the number, the unit and its seconds."""
    parts = []
    for unit, size in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append((number, unit, size))
    return parts[:2]


def _in_words(words: Words, parts: Sequence[tuple[int, str, int]]) -> str:
    shown = [_counted(words, number, unit) for number, unit, _ in parts]
    if len(shown) < 2:
        return "".join(shown) or words.gettext("less than a second")
    return words.gettext("%(longer)s %(shorter)s", longer=shown[0], shorter=shown[1])


def ago(words: Words, then: datetime, at: datetime) -> str:
    """How long before `at`, in one unit; nothing is ever in the future."""
    seconds = (at - then).total_seconds()
    for unit, length in _UNITS[:-1]:
        # Two of a unit say more than one of the next: 90 minutes, not 1 hour.
        if seconds >= (length if unit == "minute" else 2 * length):
            time = _counted(words, int(seconds // length), unit)
            return words.gettext("%(time)s ago", time=time)
    return words.gettext("just now")


def _counted(words: Words, number: float, unit: str) -> str:
    # Messages of our own: Babel has no forms of some units in some languages.
    n = int(number) if number == int(number) else words.language.fraction_as
    shown = words.number(number)
    match unit:
        case "day":
            return words.ngettext("%(n)s day", "%(n)s days", n, n=shown)
        case "hour":
            return words.ngettext("%(n)s hour", "%(n)s hours", n, n=shown)
        case "minute":
            return words.ngettext("%(n)s minute", "%(n)s minutes", n, n=shown)
    return words.ngettext("%(n)s second", "%(n)s seconds", n, n=shown)
