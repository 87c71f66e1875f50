"""Times as people in a country read them."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from monitor.wording.local_time import SEVERAL, ZONES, both_texts, local_text, utc_text
from probes.catalog.countries import COUNTRIES, INVENTED

ZONE_TABLE = files("tzdata") / "zoneinfo" / "zone.tab"
UNINHABITED = {"BV", "HM"}
"""Islands without a clock."""


def test_every_country_has_a_zone_that_is_there() -> None:
    """No country that can be configured is without a local time, and every zone can be loaded."""
    assert set(ZONES) == set(COUNTRIES) - UNINHABITED - INVENTED
    for name in ZONES.values():
        assert _offsets(name)


def test_countries_with_several_times_of_day_are_those_of_the_database() -> None:
    """Where the zones listed for a country differ, the zone is named; China, Ukraine, where the
    other time is not the country's own, and a German village are left out."""
    listed: dict[str, set[str]] = {}
    with ZONE_TABLE.open(encoding="utf-8") as table:
        for line in table:
            if not line.startswith("#"):
                country, _, zone = line.split("\t")[:3]
                listed.setdefault(country, set()).add(zone.strip())
    differing = {c for c, zones in listed.items() if len(set(map(_offsets, zones))) > 1}
    assert differing - {"CN", "UA"} == SEVERAL
    assert all(ZONES[country] in zones for country, zones in listed.items() if country in ZONES)


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


def test_utc_comes_first() -> None:
    """Both times of one moment, whatever zone it was given in."""
    moment = datetime(2024, 2, 18, 1, 0, tzinfo=ZoneInfo("Asia/Karachi"))
    assert utc_text(moment) == "2024-02-17 20:00 UTC"
    assert both_texts(moment, "PK") == (
        "2024-02-17 20:00 UTC, 2024-02-18 01:00 local time (UTC+05:00)"
    )
    assert both_texts(moment, "") == "2024-02-17 20:00 UTC"
