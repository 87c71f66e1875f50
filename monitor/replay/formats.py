"""The formats of rows that can be imported, recognised by their column names."""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.platform_of import WEB_TEST, PlatformLookup, PlatformPart, domain_of
from monitor.replay.strict_cells import Line

COLUMNS = {
    "uid": ("measurement_uid",),
    "time": ("measurement_start_time", "measurement_start_day", "t", "test_start_time", "day"),
    "test": ("test_name",),
    "asn": ("probe_asn",),
    "country": ("probe_cc", "cc"),
    "network": ("probe_as_org_name",),
    "input": (),
    "domain": (),
    "anomaly": (),
    "confirmed": (),
    "failure": ("msm_failure",),
    "blocking": (),
    "total": ("measurement_count",),
    "ok_count": (),
    "anomaly_count": (),
    "confirmed_count": (),
    "failure_count": (),
    "discard": (),
    **{f"{layer}_{what}": () for layer in ("dns", "tcp", "tls") for what in ("blocked", "down")},
    **{f"{layer}_ok": () for layer in ("dns", "tcp", "tls")},
    **{f"top_{layer}_failure": () for layer in ("dns", "tcp", "tls")},
}
"""Our name of a column → its other spellings."""

_SPELLINGS = {other: name for name, several in COLUMNS.items() for other in (name, *several)}


class UnsaidError(ReplayError):
    """A web measurement without a site, in data that names it nowhere."""


_UID = re.compile(r"^\d{14}\.\d+_([A-Z]{2})_([a-z0-9]+)_")
_TESTS = {"webconnectivity": "web_connectivity", "facebookmessenger": "facebook_messenger"}
"""Spelling of tests in measurement ids → test."""

_BLOCKING = {
    "dns": "dns.inconsistent",
    "tcp_ip": "tcp.failure",
    "tcp_all": "tcp.failure",
    "http-failure": "http.failure",
    "http-diff": "http.different",
    "web": "http.failure",
}
"""OONI's `blocking` → our method."""

_FAILURES = (
    ("reset", "reset"),
    ("timeout", "timeout"),
    ("timed_out", "timeout"),
    ("nxdomain", "nxdomain"),
    ("bogon", "bogon"),
    ("refused", "refused"),
    ("servfail", "servfail"),
    ("no_answer", "no_answer"),
    ("eof", "eof"),
    ("unreachable", "unreachable"),
    ("ssl_", "certificate"),
)
"""Part of a failure string → our sub-method."""

_LAYERS = ("dns", "tcp", "tls")
_BLOCKED_FROM = 0.5
"""Share of a layer's score from which it is blocked (or down, or ok)."""
_SURE_DNS = 0.85
"""DNS score that a verified handshake does not outweigh. Answers that merely differ from the
control's score less, and a verified certificate shows that they were right."""
_GRAINS = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=31))


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to read, and what they leave out. Empty: everything."""

    country: str = ""
    platform: str = ""
    since: datetime | None = None
    """Inclusive, UTC."""
    until: datetime | None = None
    """Exclusive, UTC."""
    site: str = ""
    """Platform of web measurements that do not name their site."""


class RowCounts(msgspec.Struct):
    """How many rows were read and skipped."""

    rows: int = 0
    kept: int = 0
    unknown: int = 0
    """About tests and sites of no platform in the catalogue."""
    silent: int = 0
    """Without a result: the test failed, or the site was down for everyone."""
    site: str = ""
    """Platform assumed for web measurements that do not name their site."""


def columns_of(header: Iterable[str]) -> dict[str, str]:
    """Our names of the known columns → their spelling there."""
    return {
        _SPELLINGS[name.strip().lower()]: name
        for name in header
        if name.strip().lower() in _SPELLINGS
    }


Reader = Callable[[Line, PlatformLookup, RowFilter, RowCounts], Row | None]


def reader_for(columns: Iterable[str], place: str) -> Reader:
    """The reader of rows with these columns (our names). Raises ReplayError when there is none."""
    have = frozenset(columns)
    if "dns_blocked" in have:
        _need(have, ("time", "asn", "country"), (("domain", "input"),), "analysis", place)
        return analysis_row
    if "anomaly_count" in have:
        _need(have, ("time", "total"), (("test", "domain", "input"),), "aggregation", place)
        return counted_row
    if "anomaly" in have:
        _need(have, ("time", "asn"), (("test", "domain", "input", "uid"),), "measurement", place)
        return measured_row
    raise ReplayError(
        f"{place}: no rows that can be replayed: a list of measurements has a column `anomaly`, "
        "counts have `anomaly_count`, analysis rows have `dns_blocked`"
    )


def _need(
    have: frozenset[str],
    every: Sequence[str],
    any_of: Sequence[Sequence[str]],
    kind: str,
    place: str,
) -> None:
    missing = [_spelled(name) for name in every if name not in have]
    missing += [" or ".join(some) for some in any_of if not have.intersection(some)]
    if missing:
        raise ReplayError(f"{place}: {kind} rows without a column {', '.join(missing)}")


def _spelled(name: str) -> str:
    return "/".join((name, *COLUMNS[name]))


# -- one row each ------------------------------------------------------------------------------


def measured_row(
    line: Line, lookup: PlatformLookup, wanted: RowFilter, counts: RowCounts
) -> Row | None:
    """A row of a list of measurements: OONI's own result, anomaly or not."""
    uid = line.text("uid")
    match = _UID.match(uid)
    test = line.text("test") or (_TESTS.get(match[2], match[2]) if match else WEB_TEST)
    country = line.country("country") or (match[1] if match else "") or wanted.country
    if not country:
        raise line.wrong("country", "names no country, nor does the id: give one with --country")
    subject = _subject(line, test, lookup, wanted)
    row = _kept(line, subject, country, wanted, counts)
    if row is None:
        return None
    if line.text("failure").lower() not in ("", "f", "false", "0"):
        counts.silent += 1
        return None
    confirmed = line.flag("confirmed")
    failed = line.flag("anomaly") or confirmed
    return msgspec.structs.replace(
        row,
        test=test,
        failed=1.0 if failed else 0.0,
        confirmed=int(confirmed),
        methods=_methods(line.text("blocking")) if failed else (),
        uid=uid,
    )


def analysis_row(
    line: Line, lookup: PlatformLookup, wanted: RowFilter, counts: RowCounts
) -> Row | None:
    """A row with the scores that OONI's pipeline gave each layer."""
    country = _country(line, wanted)
    test = line.text("test") or WEB_TEST
    row = _kept(line, _subject(line, test, lookup, wanted), country, wanted, counts)
    scores = {layer: _shares(line, layer) for layer in _LAYERS}
    if row is None:
        return None
    failed, layer = _failed(scores)
    if failed is None:
        counts.silent += 1
        return None
    return msgspec.structs.replace(
        row,
        test=test,
        network=line.text("network"),
        failed=failed,
        methods=(f"{layer}.{_sub_method(line.text(f'top_{layer}_failure'))}",) if layer else (),
        uid=line.text("uid"),
    )


def counted_row(
    line: Line, lookup: PlatformLookup, wanted: RowFilter, counts: RowCounts
) -> Row | None:
    """A line of counts of a country or network, for an hour, a day or longer."""
    country = _country(line, wanted)
    test = line.text("test") or WEB_TEST
    subject = _subject(line, test, lookup, wanted)
    row = _kept(line, subject, country, wanted, counts)
    total, failures = line.count("total"), line.count("failure_count")
    anomalies, confirmed = line.count("anomaly_count"), line.count("confirmed_count")
    if anomalies + confirmed > total:
        raise line.wrong("anomaly_count", f"and {confirmed} confirmed are more than {total} in all")
    if row is None:
        return None
    useful = max(total - failures, anomalies + confirmed)
    if not useful or line.flag("discard"):
        counts.silent += 1
        return None
    return msgspec.structs.replace(
        row,
        test=test,
        total=useful,
        failed=float(anomalies + confirmed),
        confirmed=confirmed,
        counts=True,
        methods=("http.known_blockpage",) if confirmed else (),
        uid=f"{country}:{test}:{row.asn}:{row.at.isoformat()}",
    )


def counted_for(rows: Sequence[Row]) -> list[Row]:
    """Counts with the end of their interval, derived from the distance between them."""
    times = sorted({row.at for row in rows if row.counts})
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    apart = min(gaps, default=timedelta(days=1))
    whole_days = all(moment == moment.replace(hour=0, minute=0, second=0) for moment in times)
    grain = max((g for g in _GRAINS if g <= apart), default=_GRAINS[0])
    if whole_days:
        grain = max(grain, timedelta(days=1))
    return [
        msgspec.structs.replace(row, until=row.at + grain) if row.counts else row for row in rows
    ]


# -- parts -------------------------------------------------------------------------------------


def _country(line: Line, wanted: RowFilter) -> str:
    country = line.country("country") or wanted.country
    if not country:
        raise line.wrong("country", "names no country: give one with --country")
    return country


def _subject(
    line: Line, test: str, lookup: PlatformLookup, wanted: RowFilter
) -> PlatformPart | None:
    of_test = lookup.of_test(test)
    if of_test is not None:
        return of_test
    domain = line.text("domain") or domain_of(line.text("input"))
    if domain:
        return lookup.of_domain(domain)
    if test != WEB_TEST:
        return None
    site = wanted.platform or wanted.site
    if not site:
        raise UnsaidError(
            f"{line.place}: does not say which site was measured: name its platform with --platform"
        )
    return PlatformPart(site, "")


def _kept(
    line: Line, subject: PlatformPart | None, country: str, wanted: RowFilter, counts: RowCounts
) -> Row | None:
    """The common fields of a selected row."""
    counts.rows += 1
    at, asn = line.moment("time"), line.asn("asn")
    if subject is None:
        counts.unknown += 1
        return None
    if (wanted.platform and subject.platform != wanted.platform) or (
        wanted.country and country != wanted.country
    ):
        return None
    if (wanted.since and at < wanted.since) or (wanted.until and at >= wanted.until):
        return None
    counts.kept += 1
    return Row(
        at=at,
        until=at,
        country=country,
        asn=asn,
        platform=subject.platform,
        part=subject.part,
        test=WEB_TEST,
    )


def _methods(blocking: str) -> tuple[str, ...]:
    return (
        tuple(dict.fromkeys(_BLOCKING.get(word, "") for word in blocking.split("+")))
        if (blocking and blocking.lower() not in ("true", "false"))
        else ()
    )


def _shares(line: Line, layer: str) -> tuple[float, float, float]:
    """Shares of blocked, down and ok in a layer's score; all 0 without observations."""
    blocked, down, ok = (line.share(f"{layer}_{what}") for what in ("blocked", "down", "ok"))
    total = blocked + down + ok
    return (blocked / total, down / total, ok / total) if total > 0 else (0.0, 0.0, 0.0)


def _failed(
    scores: dict[str, tuple[float, float, float]],
) -> tuple[float | None, str]:
    """How surely a row shows a block (0 or 0.5 to 1) and at which layer; None: no result."""
    verified = scores["tls"][2] >= _BLOCKED_FROM
    accusing = [
        (scores[layer][0], layer)
        for layer in _LAYERS
        if scores[layer][0] >= _BLOCKED_FROM
        and not (layer == "dns" and verified and scores[layer][0] < _SURE_DNS)
    ]
    if accusing:
        return max(accusing, key=lambda found: found[0])
    if any(scores[layer][1] >= _BLOCKED_FROM for layer in _LAYERS):
        return None, ""
    reached = verified or (scores["tcp"][2] >= _BLOCKED_FROM and not any(scores["tls"]))
    return (0.0, "") if reached else (None, "")


def _sub_method(failure: str) -> str:
    text = failure.lower()
    return next((ours for part, ours in _FAILURES if part in text), "failure")
