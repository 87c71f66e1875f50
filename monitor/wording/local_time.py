"""Times on a country's own clocks.

A country whose clocks differ gets the time of its capital, and the text says so: a bare hour would
be wrong for many. Zones and offsets come from the IANA time zone database, as of the moment that is
written, so old moments keep the offset of their day.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

_CAPITALS = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "FM": "Pacific/Pohnpei",
    "PS": "Asia/Hebron",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UM": "Pacific/Wake",
    "UZ": "Asia/Tashkent",
    "XK": "Europe/Belgrade",
}
"""Country code → zone of its capital, where the database lists another zone first, or none."""

_ONE_TIME = frozenset(("CN", "UA"))
"""Countries with one official time, although the database lists zones that differ."""


@cache
def _zones() -> Mapping[str, tuple[str, ...]]:
    """Country code → its zones, the capital's first. tzdata's table, read once when needed."""
    zones = {country: (zone,) for country, zone in _CAPITALS.items()}
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones[country] = (*zones.get(country, ()), zone)
    return zones


def zone_of(country: str) -> str | None:
    """The IANA zone of the country's capital; None for a country without one, and for none."""
    zones = _zones().get(country)
    return zones[0] if zones else None


@cache
def has_several_times(country: str, year: int) -> bool:
    """Whether clocks in the country differed from each other that year, in winter or in summer."""
    if country in _ONE_TIME:
        return False
    zones = map(ZoneInfo, _zones().get(country, ()))
    offsets = {tuple(datetime(year, m, 15, tzinfo=z).utcoffset() for m in (1, 7)) for z in zones}
    return len(offsets) > 1


def utc_text(moment: datetime) -> str:
    """`2024-02-17 18:12 UTC`, of an aware moment."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class LocalOffset(NamedTuple):
    """How a country's clocks stand at a moment."""

    ahead: timedelta
    """Of UTC."""
    zone: str
    """The capital's, where clocks in the country differ; else empty."""


def local_offset(moment: datetime, country: str) -> LocalOffset | None:
    """The clocks of the country's capital; None for a country without a zone, and for none."""
    name = zone_of(country)
    if name is None:
        return None
    ahead = moment.astimezone(ZoneInfo(name)).utcoffset() or timedelta()
    return LocalOffset(ahead, name if has_several_times(country, moment.year) else "")


def local_text(moment: datetime, country: str) -> str:
    """The moment on the country's clocks, `2024-02-17 23:12 local time (UTC+05:00)`.

    Where clocks differ the zone is named. Empty for a country without a zone, and for none.
    """
    local = local_offset(moment, country)
    if local is None:
        return ""
    shown = f"{moment.astimezone(UTC) + local.ahead:%Y-%m-%d %H:%M}"
    offset = offset_text(local.ahead)
    if local.zone:
        return f"{shown} in the capital ({local.zone}, {offset})"
    return f"{shown} local time ({offset})"


def offset_text(offset: timedelta) -> str:
    """`UTC+05:45`; zones without an offset are plain `UTC`."""
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours:02}:{rest:02}"
