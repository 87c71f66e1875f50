"""The formats of rows that can be imported, recognised by their column names."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from monitor.ooni.observations import SYSTEM_ENGINES
from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.platform_of import WEB_TEST, PlatformLookup, PlatformPart, domain_of
from monitor.replay.strict_cells import Line
from probes.catalog.countries import COUNTRIES

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
    "software_version": (),
    "test_version": (),
    "network_type": (),
    "verification_status": (),
    "total": ("measurement_count",),
    "ok_count": (),
    "anomaly_count": (),
    "confirmed_count": (),
    "failure_count": (),
    "discard": (),
    **{f"{layer}_{what}": () for layer in ("dns", "tcp", "tls") for what in ("blocked", "down")},
    **{f"{layer}_ok": () for layer in ("dns", "tcp", "tls")},
    "count": (),
    **{f"top_{layer}_failure": (f"{layer}_blocked_outcome",) for layer in ("dns", "tcp", "tls")},
    "hostname": (),
    "dns_engine": (),
    "http_response_status_code": (),
    "tls_cipher_suite": (),
    "tcp_success": (),
    **{f"{layer}_failure": () for layer in ("dns", "tcp", "tls", "http")},
}
"""Our name of a column → its other spellings. Of several in one file the first counts: a run of
many tests begins hours before its last measurement."""

_SPELLINGS = tuple(
    (spelling, name) for name, others in COLUMNS.items() for spelling in reversed((name, *others))
)
"""Every spelling and our name for it; the later one counts."""


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
OBSERVED = "observations"
"""In place of the test, of rows without an opinion."""
_BLOCKED_FROM = 0.5
"""Share of a layer's score from which it is blocked (or down, or ok)."""
_SURE_DNS = 0.85
"""DNS score that a verified handshake does not outweigh. Answers that merely differ from the
control's score less, and a verified certificate shows that they were right."""


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to read, and what they leave out. Empty: everything."""

    country: str = ""
    platform: str = ""
    since: datetime | None = None
    """Inclusive, UTC."""
    until: datetime | None = None
    """Exclusive, UTC."""


class RowCounts(msgspec.Struct):
    """How many rows were read and skipped."""

    rows: int = 0
    kept: int = 0
    unknown: int = 0
    """About tests and sites of no platform in the catalogue."""
    silent: int = 0
    """Without a result about a network of a country: the test failed, nobody judged it, it ran over
    a VPN, OONI could not verify it or tell where it was made, or the site was down for everyone."""
    site: str = ""
    """Platform assumed for web measurements that do not name their site."""


def columns_of(header: Iterable[str]) -> dict[str, str]:
    """Our names of the known columns → their spelling there."""
    given = {name.strip().lower(): name for name in header}
    return {ours: given[spelling] for spelling, ours in _SPELLINGS if spelling in given}


class RowReader:
    """Reads the selected rows of one source, and counts all of them."""

    def __init__(
        self,
        lookup: PlatformLookup,
        wanted: RowFilter,
        counts: RowCounts,
        *,
        any_site: bool = False,
    ) -> None:
        """`counts` is added to. With `any_site` a web measurement that does not name its site is
        no error: its row has no platform."""
        self._lookup = lookup
        self._wanted = wanted
        self._counts = counts
        self._any_site = any_site
        self.tested: set[str] = set()
        """Platforms whose application was tested, in any row."""
        self.begins: set[datetime] = set()
        """When the intervals of rows begin, wanted or not."""
        self.no_site: ReplayError | None = None
        """About the first row without a site."""

    def for_columns(self, columns: Iterable[str], place: str) -> Callable[[Line], Row | None]:
        """What reads rows with these columns (our names). Raises ReplayError for unknown ones."""
        have = frozenset(columns)
        if "dns_blocked" in have:
            _need(have, ("time", "asn", "country"), (("domain", "input"),), "analysis", place)
            return self._analysis
        if "anomaly_count" in have:
            _need(have, ("time", "total"), (), "aggregation", place)
            return self._counted
        if {"tcp_failure", "tls_failure"} & have:
            hosts = (("hostname", "domain", "input"), ("uid",))
            _need(have, ("time", "asn", "country"), hosts, "observation", place)
            return self._observed
        if "anomaly" in have:
            _need(have, ("time", "asn"), (), "measurement", place)
            return self._measured
        raise ReplayError(
            f"{place}: no rows that can be replayed: a list of measurements has a column `anomaly`,"
            " counts have `anomaly_count`, analysis rows have `dns_blocked`, observations have"
            " `tls_failure`; changepoints and outages of networks go with --annotate"
        )

    def _measured(self, line: Line) -> Row | None:
        """A row of a list of measurements: OONI's own result, anomaly or not."""
        uid = line.text("uid")
        match = _UID.match(uid)
        test = line.text("test") or (_TESTS.get(match[2], match[2]) if match else WEB_TEST)
        country = self._country(line, match[1] if match else "")
        row = self._kept(line, test, country)
        if row is None:
            return None
        confirmed = line.flag("confirmed")
        failed = line.flag("anomaly") or confirmed
        if (
            line.text("failure").lower() not in ("", "f", "false", "0")
            or (not failed and not line.text("anomaly"))
            or _over_vpn(line)
            or line.text("verification_status").lower() == "failed"
        ):
            self._counts.silent += 1
            return None
        return msgspec.structs.replace(
            row,
            failed=1.0 if failed else 0.0,
            confirmed=int(confirmed),
            methods=_methods(line.text("blocking")) if failed else (),
            uid=uid,
        )

    def _analysis(self, line: Line) -> Row | None:
        """A row with the scores that OONI's pipeline gave each layer."""
        test, country = line.text("test") or WEB_TEST, self._country(line)
        row = self._kept(line, test, country, interval=bool(line.count("count")))
        scores = {layer: _shares(line, layer) for layer in _LAYERS}
        if row is None:
            return None
        failed, layer = _failed(scores)
        if failed is None:
            self._counts.silent += 1
            return None
        sub_method = _sub_method(line.text(f"top_{layer}_failure"))
        return msgspec.structs.replace(
            row,
            network=line.text("network"),
            failed=failed,
            methods=(f"{layer}.{sub_method}",) if layer else (),
            uid=line.text("uid"),
        )

    def _observed(self, line: Line) -> Row | None:
        """A row of what one measurement saw of one host at one address, without an opinion."""
        row = self._kept(line, WEB_TEST, self._country(line))
        if row is None:
            return None
        failures = [(layer, line.text(f"{layer}_failure")) for layer in (*_LAYERS, "http")]
        layer, failure = next(((one, text) for one, text in failures if text), ("", ""))
        reached = line.text("http_response_status_code") or line.text("tls_cipher_suite")
        of_choice = line.text("dns_engine") not in ("", *SYSTEM_ENGINES)
        if _over_vpn(line) or (layer == "dns" and of_choice) or (not layer and not reached):
            self._counts.silent += 1
            return None
        return msgspec.structs.replace(
            row,
            test=OBSERVED,
            failed=1.0 if layer else 0.0,
            methods=(f"{layer}.{_sub_method(failure)}",) if layer else (),
            uid=line.text("uid"),
        )

    def _counted(self, line: Line) -> Row | None:
        """A line of counts of a country or network, for an hour, a day or longer."""
        test, country = line.text("test") or WEB_TEST, self._country(line)
        row = self._kept(line, test, country, interval=True)
        total, failures = line.count("total"), line.count("failure_count")
        anomalies, confirmed = line.count("anomaly_count"), line.count("confirmed_count")
        if anomalies + confirmed > total:
            why = f"and {confirmed} confirmed are more than {total} in all"
            raise line.wrong("anomaly_count", why)
        if row is None:
            return None
        useful = max(total - failures, anomalies + confirmed)
        if not useful or line.flag("discard"):
            self._counts.silent += 1
            return None
        return msgspec.structs.replace(
            row,
            total=useful,
            failed=float(anomalies + confirmed),
            confirmed=confirmed,
            counts=True,
            nationwide=not line.text("asn"),
            methods=("http.known_blockpage",) if confirmed else (),
            uid=f"{row.country}:{row.test}:{row.asn}:{row.at.isoformat()}",
        )

    def _country(self, line: Line, in_id: str | None = None) -> str:
        country = line.country("country") or in_id or self._wanted.country
        if not country:
            neither = "" if in_id is None else ", nor does the id"
            raise line.wrong("country", f"names no country{neither}: give one with --country")
        return country

    def _part(self, line: Line, test: str) -> PlatformPart | None:
        of_test = self._lookup.of_test(test)
        if of_test is not None:
            self.tested.add(of_test.platform)
            return of_test
        domain = line.text("hostname") or line.text("domain") or domain_of(line.text("input"))
        if domain:
            return self._lookup.of_domain(domain)
        if test != WEB_TEST:
            return None
        if not self._wanted.platform:
            error = ReplayError(
                f"{line.place}: does not say which site was measured: name its platform with"
                " --platform"
            )
            if not self._any_site:
                raise error
            self.no_site = self.no_site or error
        return PlatformPart(self._wanted.platform, "")

    def _kept(self, line: Line, test: str, country: str, *, interval: bool = False) -> Row | None:
        """The common fields of a selected row."""
        part, wanted = self._part(line, test), self._wanted
        self._counts.rows += 1
        at, asn = line.moment("time"), line.asn("asn")
        if interval:
            self.begins.add(at)
        if part is None:
            self._counts.unknown += 1
            return None
        if wanted.platform not in ("", part.platform) or wanted.country not in ("", country):
            return None
        if (wanted.since and at < wanted.since) or (wanted.until and at >= wanted.until):
            return None
        self._counts.kept += 1
        if country not in COUNTRIES:
            self._counts.silent += 1
            return None
        return Row(
            at=at,
            until=at,
            interval=interval,
            country=country,
            asn=asn,
            platform=part.platform,
            part=part.part,
            test=test,
            version=" ".join(
                filter(None, (line.text("software_version"), line.text("test_version")))
            ),
        )


def seen_together(rows: Iterable[Row]) -> list[Row]:
    """Rows with the observations of one measurement as one: it failed where a name failed, or where
    nothing else was reached. Without an id each is its own: nobody can tell which
    belong together."""
    found: dict[tuple[str, str, str], Row] = {}
    others = []
    for row in rows:
        if row.test != OBSERVED or not row.uid:
            others.append(row)
            continue
        key = (row.uid, row.platform, row.part)
        known = found.get(key, row)
        by_name = [one for one in (known, row) if one.methods and one.methods[0].startswith("dns.")]
        found[key] = by_name[0] if by_name else min(known, row, key=lambda one: one.failed)
    return [*others, *found.values()]


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


def _over_vpn(line: Line) -> bool:
    """Whether the network is that of a VPN, wherever the person is."""
    return line.text("network_type").lower() == "vpn"


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


def _failed(scores: dict[str, tuple[float, float, float]]) -> tuple[float | None, str]:
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
