"""Fills a database with the rows of months, as fast as SQLite takes them.

The rows are the store's own (its codecs, its tables, its indexes), made from looks with
observations of the usual size; only ids and times differ from one to the next. What matters for
reading is their number and their order, and both are as a monitor leaves them.
"""

import itertools
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.analysis.verdict import Evidence, PlatformVerdict, RoleVerdict, State, Verdict
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Look,
    Measurement,
    TcpObservation,
    TlsObservation,
)
from storage import codecs
from storage.rollup import COUNTS
from storage.sql import SqlStore
from storage.summary import Summary, summarise
from storage.times import time_text

END = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 90
INTERVAL = timedelta(minutes=5)
COUNTRIES = ("BR", "IR", "PK", "RU")
PLATFORMS = (
    *("facebook", "instagram", "messenger", "signal", "telegram"),
    *("threads", "whatsapp", "wikipedia", "x", "youtube"),
)
ENDPOINTS = 2
"""Of each platform."""
NETWORKS = 5
"""In each country, with one vantage each."""
PER_CYCLE = len(COUNTRIES) * NETWORKS * len(PLATFORMS) * ENDPOINTS
"""Looks of all vantages in one interval: 400."""
_BATCH = 100
"""Intervals in one transaction."""


class Place(msgspec.Struct, frozen=True):
    """A vantage, its network and its country."""

    country: str
    asn: int
    vantage: str


PLACES = tuple(
    Place(country, 64500 + 10 * number + network, f"{country.lower()}-{network}")
    for number, country in enumerate(COUNTRIES)
    for network in range(NETWORKS)
)


def observations(platform: str, number: int) -> tuple[AnyObservation, ...]:
    """What a healthy look over both address families leaves."""
    name = f"{number}.{platform}.example"
    found: list[AnyObservation] = []
    for rtype, address in (("A", f"203.0.113.{number + 1}"), ("AAAA", f"2001:db8::{number + 1}")):
        found.append(
            DnsObservation(
                start=0.0,
                duration=0.021 + number / 1000,
                name=name,
                rtype=rtype,
                resolver="192.0.2.53:53",
                answers=(DnsAnswer(delay=0.021, rcode="NOERROR", addresses=(address,)),),
            )
        )
        found.append(TcpObservation(start=0.03, duration=0.05, address=address, port=443))
        found.append(
            TlsObservation(
                start=0.08,
                duration=0.1,
                address=address,
                port=443,
                server_name=name,
                version="TLSv1.3",
                cipher="TLS_AES_128_GCM_SHA256",
                alpn="h2",
                chain_sha256=f"{number:02x}" * 32,
            )
        )
    found.append(
        HttpObservation(
            start=0.2,
            duration=0.2,
            url=f"https://{name}/",
            address="203.0.113.1",
            status=200,
            title=f"{platform} - the page of it",
            headers=(("content-type", "text/html"), ("server", "made-up")),
            body_length=16384,
            body_sha256="cd" * 32,
        )
    )
    return tuple(found)


def look(place: Place, platform: str, number: int) -> Measurement:
    """One look of that kind; every one of them differs in id and time alone."""
    return Measurement(
        id="",
        cycle="",
        vantage=place.vantage,
        country=place.country,
        asn=place.asn,
        network=f"Network {place.asn}",
        vantage_role="field",
        platform=platform,
        role="web",
        endpoint=f"https://{number}.{platform}.example/",
        look=Look.SCHEDULED,
        started_at=END,
        duration=0.4,
        observations=observations(platform, number),
        reached=True,
    )


def verdict(of: Measurement, state: State) -> Verdict:
    """What the look means."""
    blocked = state is State.BLOCKED
    return Verdict(
        measurement="",
        cycle="",
        controls=("control-a", "control-b") if blocked else (),
        vantage=of.vantage,
        country=of.country,
        asn=of.asn,
        network=of.network,
        vantage_role="field",
        platform=of.platform,
        role=of.role,
        endpoint=of.endpoint,
        state=state,
        method="tls" if blocked else "",
        sub_method="reset" if blocked else "",
        rule_id="tls.reset" if blocked else "reached",
        evidence=Evidence.STRONG if blocked else Evidence.NONE,
        llr=2.0794 if blocked else -0.105,
        failures={"tls": "connection_reset"} if blocked else {},
        judged_at=END,
        rules_version="2",
    )


def platform_verdict(of: Verdict) -> PlatformVerdict:
    """The same of the whole platform."""
    shared = {
        name: getattr(of, name)
        for name in PlatformVerdict.__struct_fields__
        if name in Verdict.__struct_fields__
    }
    role = RoleVerdict(role=of.role, core=True, state=of.state)
    return PlatformVerdict(roles=(role,), started_at=END, **shared)


MEASUREMENT = (*codecs.MEASUREMENT.names, "received_at", *Summary.__struct_fields__)
MADE = {
    "id": "'019c' || printf('%08x', i.number * 400 + t.number) || '-7000-8000-000000000000'",
    "measurement": "printf('look-%012d', i.number * 400 + t.number)",
    "cycle": "printf('%s-%06d', t.vantage, i.number)",
    "started_at": "i.minute || t.seconds",
    "judged_at": "i.minute || t.seconds",
    "received_at": "i.minute || t.seconds",
}
"""Columns that differ from row to row, from the number of an interval and of a template."""


def _measurement(of: Measurement) -> list[Any]:
    found = summarise(of)
    summary = [getattr(found, name) for name in Summary.__struct_fields__]
    return [*codecs.MEASUREMENT.encode(of), "", *summary]


async def make(file: str) -> None:
    """An empty database, as opening a store makes it."""
    store = SqlStore(f"sqlite:///{file}")
    await store.open()
    await store.close()


def fill(file: str, measurements: int) -> float:
    """Write that many measurements, oldest first; returns the seconds it took."""
    begun = time.monotonic()
    with closing(_opened(file)) as database:
        templates = [_measurement(one) for one in _looks()]
        _multiply(database, "measurement", MEASUREMENT, templates, measurements)
    return time.monotonic() - begun


def fill_verdicts(file: str, verdicts: int) -> None:
    """The newest endpoint verdicts, and the state that everything is in now."""
    made = [verdict(one, _state(one)) for one in _looks()]
    rows = [codecs.VERDICT.encode(one) for one in made]
    now = time_text(END)
    with closing(_opened(file)) as database, database:
        _multiply(database, "verdict", codecs.VERDICT.names, rows, verdicts)
        latest = (*codecs.VERDICT.names, "cycle_started_at", "received_at")
        database.executemany(_insert("latest_verdict", latest), [(*row, now, now) for row in rows])
        newest = {(one.vantage, one.platform): platform_verdict(one) for one in made}
        latest = (*codecs.PLATFORM.names, "cycle_started_at", "received_at")
        database.executemany(
            _insert("latest_platform", latest),
            [(*codecs.PLATFORM.encode(one), now, now) for one in newest.values()],
        )


def _looks() -> list[Measurement]:
    """One of each kind: what is looked at in one interval."""
    return [
        look(place, platform, number)
        for place in PLACES
        for platform in PLATFORMS
        for number in range(ENDPOINTS)
    ]


def _multiply(
    database: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    templates: Sequence[Sequence[Any]],
    rows: int,
) -> None:
    """Fill a table with every template once in each interval, oldest interval first."""
    intervals = -(-rows // len(templates))
    database.execute("DROP TABLE IF EXISTS temp.template")
    database.execute("DROP TABLE IF EXISTS temp.interval")
    database.execute(f"CREATE TEMP TABLE template (number, seconds, {', '.join(names)})")
    database.executemany(
        f"INSERT INTO template VALUES ({', '.join('?' * (len(names) + 2))})",  # noqa: S608 # as above
        [
            (number, time_text(END + timedelta(milliseconds=37 * number))[17:], *cells)
            for number, cells in enumerate(templates)
        ],
    )
    database.execute("CREATE TEMP TABLE interval (number INTEGER PRIMARY KEY, minute)")
    database.executemany(
        "INSERT INTO interval VALUES (?, ?)",
        [(n, time_text(END - (intervals - n) * INTERVAL)[:17]) for n in range(intervals)],
    )
    cells = ", ".join(MADE.get(name, f"t.{name}") for name in names)
    for first in range(0, intervals, _BATCH):
        with database:
            database.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {cells} "  # noqa: S608 # our own words
                "FROM interval AS i CROSS JOIN template AS t WHERE i.number BETWEEN ? AND ?",
                (first, first + _BATCH - 1),
            )


def _insert(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 # our own words


def fill_availability(file: str) -> None:
    """Counts by the hour and by the day, as ninety days of cycles leave them."""
    key = ("country", "platform", "starts_at", "asn", "network")
    names = (*key, *COUNTS)
    with closing(_opened(file)) as database, database:
        insert = _insert("availability_hour", names)
        for place, platform in itertools.product(PLACES, PLATFORMS):
            state = _state(look(place, platform, 0))
            rows = []
            for hour in range(DAYS * 24):
                at = time_text(END - timedelta(hours=DAYS * 24 - hour))
                counts = dict.fromkeys(COUNTS, 0)
                counts[state] = 11
                counts[State.INSUFFICIENT] += hour % 2
                whose = (place.country, platform, at, place.asn, f"Network {place.asn}")
                rows.append((*whose, *counts.values()))
            database.executemany(insert, rows)
        database.execute(
            "INSERT INTO availability_day SELECT country, platform, "
            "substr(starts_at, 1, 10) || 'T00:00:00.000000Z', asn, network, sum(ok), "
            "sum(degraded), sum(throttled), sum(blocked), sum(down), sum(insufficient), count(*) "
            "FROM availability_hour GROUP BY country, platform, substr(starts_at, 1, 10), asn, "
            "network"
        )


def _state(of: Measurement) -> State:
    return State.BLOCKED if (of.platform, of.country) == ("x", "PK") else State.OK


def _opened(file: str) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    # A power cut would cost a file that can be made again.
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -200000")
    return database
