"""What others published of the same time, put beside events: never evidence.

| file | told by | says |
|---|---|---|
| OONI's `/detector/changepoints`, JSON or CSV | `change_dir` | blocking begins or ends on an AS |
| IODA's events and alerts, JSON or CSV | `location`, or `entity` | a country or network is cut |
| Cloudflare Radar's outages, JSON or CSV | `locations`, `startDate` | the same, with a cause |

OONI's detector reads the rows that a replay reads, so it is no second witness; IODA and Cloudflare
see whole networks and say nothing about a platform.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from monitor.analysis.events.event import Event
from monitor.replay.imported_row import ReplayError
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.row_files import json_in, lines_of, table_in, text_of
from storage.values.times import TimesInUtc

OONI, IODA, RADAR = "OONI's detector", "IODA", "Cloudflare Radar"
CREDITS = {
    IODA: "Outages: IODA, Georgia Institute of Technology, all rights reserved",
    RADAR: "Outages: Cloudflare Radar, CC BY-NC 4.0, https://radar.cloudflare.com",
}
_IODA_LINK = "https://ioda.inetintel.cc.gatech.edu"
_RADAR_LINK = "https://radar.cloudflare.com/outage-center"
_EXPLORER = "https://explorer.ooni.org/chart/mat"
_SIGNALS = {
    "bgp": "BGP",
    "ping-slash24": "active probing",
    "merit-nt": "traffic to unused addresses",
    "gtr": "Google's traffic",
}
_LEFTOVER = timedelta(days=13)
"""An outage of IODA's that is open for this long is one whose end was not noticed."""
_NEAR = timedelta(days=1)
"""Time before and after an event that is shown with it."""

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**32)]
"""Since 1970, until 2106; or from a time to another one."""
_T = TypeVar("_T")
_Entries = Sequence[tuple[str, Mapping[str, Any]]]
"""Where each stands in its file, and what it says."""


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    country: str = ""
    """ISO 3166-1 alpha-2; empty when only a network is known."""
    asn: int = 0
    """0: the whole country."""
    platform: str = ""
    """Empty: everything there."""
    start: datetime
    end: datetime | None = None
    """None: it goes on, or is a moment."""
    text: str
    link: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether it is an outage without an end."""
        return self.end is None and self.source != OONI


class _Changepoint(TimesInUtc, frozen=True):
    probe_asn: int
    probe_cc: str
    domain: str
    start_time: datetime
    change_dir: Literal["up", "down"]
    block_type: str = ""


class _Entity(msgspec.Struct, frozen=True):
    type: str
    code: str


class _Outage(msgspec.Struct, frozen=True):
    """IODA's, in the format that other programs read (codf)."""

    location: str
    start: _Seconds
    duration: _Seconds
    datasource: str | None = None
    overlaps_window: str | bool | None = None


class _EntityOutage(msgspec.Struct, frozen=True, rename={"since": "from"}):
    """The same, in IODA's own format."""

    entity: _Entity
    since: _Seconds
    until: _Seconds
    datasource: str | None = None


class _Alert(msgspec.Struct, frozen=True):
    entity: _Entity
    time: _Seconds
    level: str
    datasource: str


class _Noted(TimesInUtc, frozen=True, kw_only=True):
    """Cloudflare's, by the names of its fields without case and blanks."""

    startdate: datetime
    enddate: datetime | None = None
    locations: list[str] | str
    asns: list[int | str] | str | int | None = None
    outagetype: str | None = None
    outagecause: str | None = None
    outage: dict[str, str | None] = msgspec.field(default_factory=dict)
    linkedurl: str | None = None


def annotations_in(path: Path, lookup: PlatformLookup) -> list[Annotation]:
    """Everything in a file, by time. Raises ReplayError naming file, entry and field."""
    names, entries = _entries(path)
    first = {_bare(name) for name in names}
    found: Iterable[Annotation]
    if not names:
        found = ()
    elif "changedir" in first:
        found = _changepoints(entries, lookup)
    elif {"location", "duration"} <= first:
        found = _outages(entries)
    elif {"entity", "from"} <= first:
        found = _own_outages(entries)
    elif {"entity", "level"} <= first:
        found = _alerts(entries)
    elif {"locations", "startdate"} <= first:
        found = _noted(entries)
    else:
        raise ReplayError(
            f"{path}: nothing to put beside events: changepoints have a column `change_dir`,"
            " IODA's outages `location` and `duration`, Cloudflare's `locations` and `startDate`"
        )
    return sorted(found, key=lambda one: (one.start, one.source, one.asn, one.text))


def about(event: Event, annotations: Iterable[Annotation]) -> list[Annotation]:
    """Those of an event's time and place, also of networks that it is not known to affect."""
    begun = (event.onset_earliest or event.onset_latest) - _NEAR
    over = None if event.active else (event.end_latest or event.end_earliest or event.updated_at)
    return [
        one
        for one in annotations
        if one.platform in ("", event.platform)
        and (one.country == event.country or (not one.country and _affects(event, one.asn)))
        and (one.goes_on or (one.end or one.start) >= begun)
        and (over is None or one.start <= over + _NEAR)
    ]


def _affects(event: Event, asn: int) -> bool:
    return any(network.asn == asn for network in event.networks)


def _changepoints(entries: _Entries, lookup: PlatformLookup) -> Iterator[Annotation]:
    for one in _read(entries, _Changepoint):
        part = lookup.of_domain(one.domain)
        if part is None:
            continue
        layer = one.block_type.removesuffix("ed").removesuffix("_block").replace("_", " ")
        begins = "begins" if one.change_dir == "up" else "ends"
        yield Annotation(
            source=OONI,
            country=one.probe_cc.upper(),
            asn=one.probe_asn,
            platform=part.platform,
            start=one.start_time,
            text=f"blocking of {one.domain} {begins} on AS{one.probe_asn} ({layer or 'any layer'})",
            link=f"{_EXPLORER}?probe_cc={one.probe_cc}&probe_asn=AS{one.probe_asn}"
            f"&domain={one.domain}",
        )


def _outages(entries: _Entries) -> Iterator[Annotation]:
    for one in _read(entries, _Outage):
        kind, _, code = one.location.partition("/")
        start = _moment(one.start)
        lasted = timedelta(seconds=one.duration)
        goes_on = str(one.overlaps_window).lower() in ("true", "1", "t")
        if goes_on and lasted >= _LEFTOVER:
            continue
        end = None if goes_on else start + lasted
        yield from _of_ioda(_Entity(type=kind, code=code), start, end, one.datasource or "")


def _own_outages(entries: _Entries) -> Iterator[Annotation]:
    for one in _read(entries, _EntityOutage):
        yield from _of_ioda(
            one.entity, _moment(one.since), _moment(one.until), one.datasource or ""
        )


def _alerts(entries: _Entries) -> Iterator[Annotation]:
    """From an alert to the one that says that all is normal."""
    open_now: dict[tuple[_Entity, str], float] = {}
    for one in sorted(_read(entries, _Alert), key=lambda alert: alert.time):
        key = (one.entity, one.datasource)
        if one.level != "normal":
            open_now.setdefault(key, one.time)
        elif key in open_now:
            yield from _of_ioda(
                one.entity, _moment(open_now.pop(key)), _moment(one.time), one.datasource
            )
    for (entity, datasource), since in open_now.items():
        yield from _of_ioda(entity, _moment(since), None, datasource)


def _of_ioda(
    entity: _Entity, start: datetime, end: datetime | None, datasource: str
) -> Iterator[Annotation]:
    signal = _SIGNALS.get(datasource, datasource) or "a signal"
    code = entity.code.upper()
    link = f"{_IODA_LINK}/{entity.type}/{entity.code}"
    if entity.type == "country":
        yield Annotation(
            source=IODA, country=code, start=start, end=end, text=f"{signal} falls", link=link
        )
    elif entity.type in ("asn", "geoasn") and (asn := _asn(code.partition("-")[0])):
        country = code.partition("-")[2]
        yield Annotation(
            source=IODA,
            country=country if len(country) == 2 else "",
            asn=asn,
            start=start,
            end=end,
            text=f"{signal} falls on AS{asn}",
            link=link,
        )


def _noted(entries: _Entries) -> Iterator[Annotation]:
    bare = [
        (place, {_bare(name): value for name, value in entry.items()}) for place, entry in entries
    ]
    for one in _read(bare, _Noted):
        kind = one.outagetype or one.outage.get("outageType") or "outage"
        cause = one.outagecause or one.outage.get("outageCause") or "cause unknown"
        text = f"{kind}, {cause}".lower().replace("_", " ")
        networks = [asn for word in _several(one.asns) if (asn := _asn(word))] or [0]
        for country in _several(one.locations):
            for asn in networks:
                yield Annotation(
                    source=RADAR,
                    country=country.upper(),
                    asn=asn,
                    start=one.startdate,
                    end=one.enddate,
                    text=f"{text} on AS{asn}" if asn else text,
                    link=one.linkedurl or _RADAR_LINK,
                )


# -- reading -----------------------------------------------------------------------------------


def _entries(path: Path) -> tuple[list[str], _Entries]:
    """Names of columns, none for an answer without entries, and the entries."""
    with text_of(path) as text:
        is_json, lines = lines_of(text)
        if not is_json:
            table = table_in(lines, path)
            _, header = next(table, ("", [""]))
            return header, [
                (place, {name: cell for name, cell in zip(header, cells, strict=True) if cell})
                for place, cells in table
            ]
        document = json_in("".join(lines), str(path))
    if isinstance(document, dict):
        if document.get("error"):
            raise ReplayError(f"{path}: refused: {document['error']}")
        document = document.get("results", document.get("data", document.get("result")))
    if isinstance(document, dict):
        document = document.get("annotations")
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise ReplayError(f"{path}: neither a list of objects nor an answer that holds one")
    numbered = [(f"{path}: entry {number}", entry) for number, entry in enumerate(document, 1)]
    return list(document[0]) if document else [], numbered


def _read(entries: _Entries, kind: type[_T]) -> Iterator[_T]:
    for place, entry in entries:
        try:
            yield msgspec.convert(entry, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ReplayError(f"{place}: {error}") from error


def _several(value: Sequence[int | str] | str | int | None) -> list[str]:
    listed = value if isinstance(value, list) else [value or ""]
    return [word for one in listed for word in re.findall(r"\w+", str(one))]


def _asn(word: str) -> int:
    """The number of a network, with or without AS in front of it; 0 for what is none."""
    found = re.fullmatch(r"(?:AS)?([0-9]{1,10})", word, re.IGNORECASE)
    return int(found[1]) if found else 0


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
