"""Filters that a reader wrote, checked the same way for every surface.

A name is known when the catalogue or the configuration has it, or when anything is stored under it.
A filter that is not known, or a time of which nothing can be known yet, is an error: an empty
answer would read as "nothing happened".
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from monitor.config.catalog import shipped_catalog
from monitor.config.country_code import probable_code
from monitor.config.settings import Settings
from monitor.config.toml_node import close_to
from monitor.wording.filters import Fault, WrongFilter
from probes.catalog.catalog import Catalog
from probes.catalog.countries import COUNTRIES
from probes.catalog.host import is_literal
from probes.vantage import VantagePoint
from storage.values.names import Names
from storage.values.periods import zone_named
from storage.values.rollup import UTC as UTC_NAME
from storage.values.selection import Selection

_LARGEST_ASN = 2**32 - 1
_ASN = re.compile(r"(?:AS)?(\d{1,10})", re.IGNORECASE | re.ASCII)
_LOOKED_UP = (Fault.COUNTRY, Fault.PLATFORM, Fault.NETWORK, Fault.VANTAGE)
"""Faults that stored names may mend."""


class FilterError(Exception):
    """A filter cannot be used."""

    def __init__(self, wrong: WrongFilter) -> None:
        super().__init__(f"{wrong.filter}: {wrong.fault}")
        self.wrong = wrong


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader wrote; empty for everything."""

    country: str = ""
    platform: str = ""
    asn: str = ""
    vantage: str = ""
    since: str = ""
    until: str = ""
    timezone: str = ""
    """IANA name. Times without an offset are of this zone, and so are periods of availability."""


def names_of(catalog: Catalog, vantages: Iterable[VantagePoint]) -> Names:
    """The names of a configuration, and the platforms that shutwatch comes with."""
    points = tuple(vantages)
    platforms = (*shipped_catalog().platforms, *catalog.platforms)
    return Names(
        countries=frozenset(one.country for one in points),
        platforms=frozenset(one.name for one in platforms),
        networks=frozenset((one.asn, one.network) for one in points),
        vantages=frozenset(one.id for one in points),
    )


def configured_names(settings: Settings) -> Names:
    """The names of these settings."""
    return names_of(settings.catalog, settings.vantages)


def platform_titles(settings: Settings) -> dict[str, str]:
    """Name → the platform's own name, in any catalogue; the operator's comes first."""
    every = (*shipped_catalog().platforms, *settings.catalog.platforms)
    return {platform.name: platform.title for platform in every}


async def selection_of(
    asked: Filters,
    known: Names,
    now: datetime,
    stored: Callable[[], Awaitable[Names]] | None = None,
    *,
    ahead: bool = False,
) -> Selection:
    """What the filters select. A name that is not known is looked up among the `stored` ones.

    `ahead` allows times after `now`: people date facts in advance. Raises FilterError, and
    StorageError from `stored`.
    """
    try:
        return checked(asked, known, now, ahead=ahead)
    except FilterError as error:
        if stored is None or error.wrong.fault not in _LOOKED_UP:
            raise
    return checked(asked, known | await stored(), now, ahead=ahead)


def checked(asked: Filters, known: Names, now: datetime, *, ahead: bool = False) -> Selection:
    """What the filters select, by these names alone. Raises FilterError for the first wrong one."""
    zone = _zone(asked.timezone)
    since, until = _moment("since", asked.since, zone), _moment("until", asked.until, zone)
    if since is not None and since > now and not ahead:
        raise _wrong("since", Fault.FUTURE, asked.since)
    if since is not None and until is not None and since >= until:
        raise _wrong("since", Fault.ORDER, asked.since, end=asked.until)
    return Selection(
        country=_country(asked.country, known),
        platform=_platform(asked.platform, known),
        asn=_asn(asked.asn, known),
        vantage=_vantage(asked.vantage, known),
        since=since,
        until=until,
        timezone=zone.key,
    )


def moment_of(text: str, zone: tzinfo = UTC) -> datetime:
    """The time that a person wrote, of `zone` by default. ValueError when it is none."""
    if len(text) > 64 or not text.isascii() or not text[:4].isdigit() or text[4:5] != "-":
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_named(name or UTC_NAME)
    except ValueError as error:
        called = _zones()
        meant = called.get(close_to(name, called), "")
        raise _wrong("timezone", Fault.ZONE, name, meant=meant) from error


def _moment(name: str, text: str, zone: tzinfo) -> datetime | None:
    try:
        return moment_of(text, zone) if text else None
    except ValueError as error:
        raise _wrong(name, Fault.TIME, text) from error


def _country(text: str, known: Names) -> str:
    code = text.upper()
    if code and code not in COUNTRIES | known.countries:
        raise _wrong("country", Fault.COUNTRY, text, meant=probable_code(text))
    return code


def _platform(text: str, known: Names) -> str:
    if not text or text in known.platforms:
        return text
    called = {**_called(), **{name: name for name in known.platforms}}
    meant = called.get(close_to(text, called), "")
    raise _wrong(
        "platform", Fault.PLATFORM, text, meant=meant, known=tuple(sorted(known.platforms))
    )


def _asn(text: str, known: Names) -> int | None:
    if not text:
        return None
    numbers = {asn for asn, _ in known.networks}
    found = _ASN.fullmatch(text)
    if found and int(found[1]) <= _LARGEST_ASN and int(found[1]) in numbers:
        return int(found[1])
    named = {name: asn for asn, name in sorted(known.networks, reverse=True) if name}
    name = "" if found else close_to(text, named)
    raise _wrong(
        "asn",
        Fault.NETWORK,
        text,
        meant=f"AS{named[name]}" if name else "",
        meant_name=name,
        known=tuple(f"AS{number}" for number in sorted(numbers)),
    )


def _vantage(text: str, known: Names) -> str:
    if text and text not in known.vantages:
        meant = close_to(text, known.vantages)
        every = tuple(sorted(known.vantages))
        raise _wrong("vantage", Fault.VANTAGE, text, meant=meant, known=every)
    return text


def _wrong(
    name: str,
    fault: Fault,
    given: str,
    *,
    meant: str = "",
    meant_name: str = "",
    end: str = "",
    known: tuple[str, ...] = (),
) -> FilterError:
    return FilterError(
        WrongFilter(
            filter=name,
            fault=fault,
            given=given,
            meant=meant,
            meant_name=meant_name,
            end=end,
            known=known,
        )
    )


@cache
def _zones() -> dict[str, str]:
    """What people call time zones, by name and by city → name. Reading the names takes long."""
    names = sorted(available_timezones())
    return {name.rpartition("/")[2]: name for name in names} | {name: name for name in names}


@cache
def _called() -> dict[str, str]:
    """What people call the platforms of the shipped catalogue, by title and by domain → name."""
    called: dict[str, str] = {}
    for platform in shipped_catalog().platforms:
        hosts = [one.host for function in platform.functions for one in function.endpoints]
        domains = [host.split(".")[-2] for host in hosts if not is_literal(host)]
        called = dict.fromkeys([platform.title, *domains], platform.name) | called
    return called
