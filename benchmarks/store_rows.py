"""The rows of months: what `store_sqlite` and `store_postgresql` fill databases with.

They are the store's own, from its codecs, made from looks with observations of the usual size; ids,
times and lengths of time alone differ from one to the next. What matters for reading is their
number and their order, and both are as a monitor leaves them.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State, Verdict
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Measurement,
    Purpose,
    TcpObservation,
    TlsObservation,
)
from storage.values import codecs
from storage.values.rollup import COUNTS, KEY, counted_as
from storage.values.summary_columns import Summary, summarise
from storage.values.times import time_text

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
        function="web",
        endpoint=f"https://{number}.{platform}.example/",
        look=Purpose.SCHEDULED,
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
        function=of.function,
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
    function = FunctionVerdict(function=of.function, core=True, state=of.state)
    return PlatformVerdict(functions=(function,), started_at=END, **shared)


MEASUREMENT = (*codecs.MEASUREMENT.names, "received_at", *Summary.__struct_fields__)
Rows = tuple[str, Sequence[str], Iterable[Sequence[Any]]]
"""A table, columns of it, and cells."""


def made(eight: str, six: str, twelve: str) -> dict[str, str]:
    """Columns that differ from row to row, in SQL, from the number of an interval and of a
    template. Given is how to write the number of a row in eight hexadecimal and in twelve decimal
    digits, and that of the interval in six."""
    number = "(i.number * 400 + t.number)"
    moment = "i.minute || t.seconds"
    return {
        "id": f"'019c' || {eight} || '-7000-8000-000000000000'",
        "measurement": f"'look-' || {twelve}",
        "cycle": f"t.vantage || '-' || {six}",
        **dict.fromkeys(("started_at", "judged_at", "received_at"), moment),
        "duration": f"(200000 + {number} * 7919 % 400009) / 1000000.0",
        "dns_ms": f"(1000 + {number} * 6101 % 60013) / 1000.0",
        "tcp_ms": f"(9000 + {number} * 5003 % 90001) / 1000.0",
        "tls_ms": f"(20000 + {number} * 4001 % 130003) / 1000.0",
        "http_ms": f"(40000 + {number} * 3001 % 220009) / 1000.0",
    }


def seconds(number: int) -> str:
    """Of the template of that number, the end of its time."""
    return time_text(END + timedelta(milliseconds=37 * number))[17:]


def minute(before: int) -> str:
    """Of so many intervals before the end, the beginning of the times in it."""
    return time_text(END - before * INTERVAL)[:17]


def measurement(of: Measurement) -> list[Any]:
    """Its cells, in the order of MEASUREMENT."""
    found = summarise(of)
    summary = [getattr(found, name) for name in Summary.__struct_fields__]
    return [*codecs.MEASUREMENT.encode(of), "", *summary]


def looks() -> list[Measurement]:
    """One of each kind: what is looked at in one interval."""
    return [
        look(place, platform, number)
        for place in PLACES
        for platform in PLATFORMS
        for number in range(ENDPOINTS)
    ]


def lots() -> tuple[Rows, Rows]:
    """What is there once in each interval: measurements, and verdicts on them."""
    seen = looks()
    verdicts = [codecs.VERDICT.encode(verdict(one, _state(one))) for one in seen]
    return (
        ("measurement", MEASUREMENT, [measurement(one) for one in seen]),
        ("verdict", codecs.VERDICT.names, verdicts),
    )


def rest() -> Iterator[Rows]:
    """The state everything is in now, and counts by the hour, as ninety days of cycles leave
    them."""
    now = (time_text(END),) * 2
    verdicts = [verdict(one, _state(one)) for one in looks()]
    latest = ("cycle_started_at", "received_at")
    cells = [(*codecs.VERDICT.encode(one), *now) for one in verdicts]
    yield "latest_verdict", (*codecs.VERDICT.names, *latest), cells
    newest = {(one.vantage, one.platform): platform_verdict(one) for one in verdicts}
    cells = [(*codecs.PLATFORM.encode(one), *now) for one in newest.values()]
    yield "latest_platform", (*codecs.PLATFORM.names, *latest), cells
    yield "availability_hour", (*KEY, *COUNTS), hours(END)


def hours(end: datetime, days: int = DAYS) -> Iterator[tuple[Any, ...]]:
    """Counts of each hour of so many days."""
    for place, platform in itertools.product(PLACES, PLATFORMS):
        state = _state(look(place, platform, 0))
        for hour in range(days * 24):
            at = time_text(end - timedelta(hours=days * 24 - hour))
            counts: dict[State, int] = dict.fromkeys(COUNTS, 0)
            counts[counted_as(state)] = 11
            counts[State.INSUFFICIENT] += hour % 2
            whose = (place.country, platform, at, place.asn, f"Network {place.asn}")
            yield (*whose, *counts.values())


DAYS_OF_HOURS = (
    "INSERT INTO availability_day SELECT country, platform, "
    "substr(starts_at, 1, 10) || 'T00:00:00.000000Z', asn, network, sum(ok), "
    "sum(degraded), sum(throttled), sum(blocked), sum(down), sum(insufficient), count(*) "
    "FROM availability_hour GROUP BY country, platform, substr(starts_at, 1, 10), asn, network"
)
"""Counts by the day, from those by the hour."""


def _state(of: Measurement) -> State:
    return State.BLOCKED if (of.platform, of.country) == ("x", "PK") else State.OK
