"""Dates of the Solar Hijri calendar, by which people in Iran and Afghanistan live."""

from datetime import date

MONTHS = (
    *("فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور"),
    *("مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"),
)
"""Names of the months in Persian."""

_LEAP = frozenset((1, 5, 9, 13, 17, 22, 26, 30))
"""Years of 366 days, by their remainder of 33: so the years that the calendar's astronomers found
from 1343 to 1472."""
_FIRST, _LAST = 1343, 1472
_FIRST_DAY = date(1964, 3, 21).toordinal()
"""Of the year 1343."""


def solar_hijri(day: date) -> tuple[int, int, int] | None:
    """Year, month and day of month; None before 21 March 1964 and after 19 March 2094, for which
    the short rule of leap years is not sure."""
    left = day.toordinal() - _FIRST_DAY
    if left < 0:
        return None
    for year in range(_FIRST, _LAST + 1):
        length = 366 if year % 33 in _LEAP else 365
        if left < length:
            # Six months of 31 days, then months of 30; the last is shorter in most years.
            month, rest = divmod(left, 31) if left < 186 else divmod(left - 186, 30)
            return year, month + (1 if left < 186 else 7), rest + 1
        left -= length
    return None
