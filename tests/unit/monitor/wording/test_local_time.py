"""Times as people in a country read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.wording.local_time import (
    has_several_times,
    local_text,
    utc_text,
    zone_of,
)
from monitor.wording.times import between, moment
from monitor.wording.words import words_in
from probes.catalog.countries import COUNTRIES, INVENTED
from tests.contract.cycles import at

UNINHABITED = {"BV", "HM"}
"""Islands without a clock."""


def test_every_country_has_a_zone_that_is_there() -> None:
    """No country that can be configured is without a local time, and every zone can be loaded."""
    with_zone = {country: zone_of(country) for country in COUNTRIES if zone_of(country)}
    assert set(with_zone) == set(COUNTRIES) - UNINHABITED - INVENTED
    for name in with_zone.values():
        assert name
        assert _offsets(name)


@pytest.mark.parametrize(
    ("country", "zone"),
    [
        ("AU", "Australia/Sydney"),
        ("BR", "America/Sao_Paulo"),
        ("CD", "Africa/Kinshasa"),
        ("KZ", "Asia/Almaty"),
        ("PK", "Asia/Karachi"),
        ("PS", "Asia/Hebron"),
        ("RU", "Europe/Moscow"),
        ("UA", "Europe/Kyiv"),
        ("US", "America/New_York"),
        ("XK", "Europe/Belgrade"),
    ],
)
def test_the_zone_is_the_capital_s(country: str, zone: str) -> None:
    """Where the database lists an outlying zone first, the capital's is taken all the same."""
    assert zone_of(country) == zone


def test_countries_with_several_times_of_day_are_named() -> None:
    """China and Ukraine, where the other time is not the country's own, and a German village are
    left out."""
    expected = {
        *("AQ", "AU", "BR", "CA", "CD", "CL", "EC", "ES", "FM", "GL", "ID", "KI", "MN", "MX"),
        *("NZ", "PF", "PG", "PT", "RU", "UM", "US"),
    }
    assert {country for country in COUNTRIES if has_several_times(country, 2026)} == expected


def _offsets(zone: str) -> tuple[timedelta | None, ...]:
    """In winter and in summer."""
    winter, summer = (datetime(2026, month, 15, tzinfo=ZoneInfo(zone)) for month in (1, 7))
    return winter.utcoffset(), summer.utcoffset()


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("PK", "2024-02-17 23:12 local time (UTC+05:00)"),
        ("BR", "2024-02-17 15:12 in the capital (America/Sao_Paulo, UTC-03:00)"),
        ("NP", "2024-02-17 23:57 local time (UTC+05:45)"),
        ("GB", "2024-02-17 18:12 local time (UTC)"),
        ("", ""),
        ("BV", ""),
    ],
)
def test_local_time_is_the_country_s_own(country: str, text: str) -> None:
    """One time of day is local time, one of several is the capital's and says so, none is empty."""
    assert local_text(datetime(2024, 2, 17, 18, 12, 59, tzinfo=UTC), country) == text


def test_old_moments_keep_the_offset_of_their_day() -> None:
    """Brazil put its clocks forward until 2019; Kyiv still does."""
    assert "UTC-02:00" in local_text(datetime(2018, 12, 1, tzinfo=UTC), "BR")
    assert "UTC+03:00" in local_text(datetime(2024, 7, 1, tzinfo=UTC), "UA")
    assert "UTC+02:00" in local_text(datetime(2024, 12, 1, tzinfo=UTC), "UA")


def test_both_times_of_a_moment() -> None:
    """UTC and the country's own time, whatever zone the moment was given in."""
    moment = datetime(2024, 2, 18, 1, 0, tzinfo=ZoneInfo("Asia/Karachi"))
    assert utc_text(moment) == "2024-02-17 20:00 UTC"
    assert local_text(moment, "PK") == "2024-02-18 01:00 local time (UTC+05:00)"
    assert local_text(moment, "") == ""


def test_bounds_are_given_on_both_clocks() -> None:
    """With the date where it differs, the city whose clocks are meant, and seconds where the
    bounds are near."""
    words = words_in()
    assert between(words, at(7 * 3600), at(7 * 3600 + 60), "PK", exact=True) == (
        "between 19:00:00 and 19:01:00 UTC on 17 Feb 2024 "
        "(18 Feb 2024, 00:00:00–00:01:00 in Karachi)"
    )
    assert "(09:00–09:10 in Sao Paulo)" in between(words, at(0), at(600), "BR", exact=True)
    assert between(words, at(0), at(600), "ZZ", exact=True).endswith("UTC on 17 Feb 2024")


@pytest.mark.parametrize(
    ("country", "first", "last", "said"),
    [
        ("PK", "17T18:58", "17T19:02", "(23:58–18 Feb 2024, 00:02 in Karachi)"),
        ("BR", "17T02:58", "17T03:02", "(16 Feb 2024, 23:58–17 Feb 2024, 00:02 in Sao Paulo)"),
        ("IN", "17T18:20", "17T18:25", "(23:50–23:55 in Kolkata)"),
        ("NP", "17T18:20", "17T18:25", "(18 Feb 2024, 00:05–00:10 in Kathmandu)"),
        ("NP", "17T18:14", "17T18:16", "(23:59–18 Feb 2024, 00:01 in Kathmandu)"),
    ],
)
def test_the_day_stands_where_it_is_another_one(
    country: str, first: str, last: str, said: str
) -> None:
    """Than that of UTC, or than that of the first bound; moments are written as bounds are."""
    earliest, latest = (datetime.fromisoformat(f"2024-02-{one}Z") for one in (first, last))
    told = between(words_in(), earliest, latest, country)
    assert told.endswith(f"UTC on 17 Feb 2024 {said}")
    one = moment(words_in(), earliest, country)
    there, _, city = said.partition(" in ")
    assert one.endswith(f"UTC on 17 Feb 2024 {there.partition('–')[0]} in {city}")


def test_clocks_that_change_between_two_bounds_are_right_at_each() -> None:
    """Berlin's went from two to three."""
    earliest, latest = (
        datetime(2024, 3, 31, hour, minute, tzinfo=UTC) for hour, minute in ((0, 59), (1, 1))
    )
    assert between(words_in(), earliest, latest, "DE").endswith(
        "(01:59 UTC+01:00–03:01 UTC+02:00 in Berlin)"
    )


def test_clocks_that_go_back_say_which_of_two_hours_is_meant() -> None:
    """Without the offsets the second bound would be before the first, or the same."""
    earliest = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    words = words_in()
    assert between(words, earliest, earliest + timedelta(minutes=15), "DE").endswith(
        "(02:50 UTC+02:00–02:05 UTC+01:00 in Berlin)"
    )
    assert between(words, earliest, earliest + timedelta(hours=1), "DE").endswith(
        "(02:50 UTC+02:00–02:50 UTC+01:00 in Berlin)"
    )
