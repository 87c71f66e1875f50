"""Dates of the Solar Hijri calendar."""

from datetime import date, timedelta

import pytest

from monitor.wording.solar_hijri import solar_hijri


@pytest.mark.parametrize(
    ("gregorian", "solar"),
    [
        ("1964-03-21", (1343, 1, 1)),
        ("1979-02-11", (1357, 11, 22)),
        ("1996-03-20", (1375, 1, 1)),
        ("1997-03-20", (1375, 12, 30)),
        ("2009-06-12", (1388, 3, 22)),
        ("2019-11-16", (1398, 8, 25)),
        ("2020-03-20", (1399, 1, 1)),
        ("2021-03-21", (1400, 1, 1)),
        ("2022-09-16", (1401, 6, 25)),
        ("2024-03-19", (1402, 12, 29)),
        ("2024-03-20", (1403, 1, 1)),
        ("2025-03-20", (1403, 12, 30)),
        ("2026-01-08", (1404, 10, 18)),
        ("2094-03-19", (1472, 12, 29)),
    ],
)
def test_dates_that_people_know(gregorian: str, solar: tuple[int, int, int]) -> None:
    """New years, leap days, and days of which people in Iran have both dates by heart."""
    assert solar_hijri(date.fromisoformat(gregorian)) == solar


def test_no_day_is_missing_or_twice() -> None:
    """Each day follows the one before it, for all 130 years; outside of them nothing is said."""
    before, day = (1342, 12, 29), date(1964, 3, 21)
    while (found := solar_hijri(day)) is not None:
        year, month, number = before
        assert found in {(year, month, number + 1), (year, month + 1, 1), (year + 1, 1, 1)}
        assert found[2] != 1 or number >= 29
        before, day = found, day + timedelta(days=1)
    assert before == (1472, 12, 29)
    assert solar_hijri(date(1964, 3, 20)) is None
