"""The last condition of every vantage, from its health and from missing reports.

A vantage is *dark* when it lost all its references, its own proxy fails, or it has not reported for
`SILENT` intervals: the collector's, or its own where that is longer. It is *nameless* when its
network works and no name resolves, *cut* when only domestic references answer, and *listed* when
only a list of sites does.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.analysis.events.event import Event
from monitor.analysis.events.pace import SILENT, UNKNOWN, Pace
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.trust import Network, network_key
from monitor.analysis.vantage.health import ALLOWLIST_BY_NAME, RESOLVER_DOWN
from monitor.analysis.verdict import VantageHealth, VantageState
from probes.vantage import VantageRole

SILENT_FLOOR = 180.0
"""`SILENT` in seconds, at least: a cycle full of timeouts may exceed its interval."""
SURE = 2
"""Dark cycles in a row that are no coincidence."""


class Reachability(StrEnum):
    WELL = "well"
    LISTED = "listed"
    """Only a list of sites answers."""
    CUT = "cut"
    NAMELESS = "nameless"
    """The network works, and its own resolver resolves no name."""
    DARK = "dark"
    UNCLEAR = "unclear"
    """A login page or an unknown exit: neither lost nor well."""


_REACHABILITY: Mapping[VantageState, Reachability] = {
    VantageState.OK: Reachability.WELL,
    VantageState.LOSSY: Reachability.WELL,
    VantageState.OFFLINE: Reachability.DARK,
    VantageState.INTERNATIONAL_CUT: Reachability.CUT,
    VantageState.ALLOWLIST: Reachability.LISTED,
}
DARK = (Reachability.DARK, Reachability.NAMELESS)
NOTHING_ABROAD = (*DARK, Reachability.CUT)
LOST = (*NOTHING_ABROAD, Reachability.LISTED)


class VantageReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last known condition of one vantage."""

    vantage: str
    country: str
    asn: int
    network: str
    field: bool
    condition: Reachability
    since: datetime
    """When the first report of the present condition came."""
    before: datetime | None
    """When the last references in another condition began; None without such."""
    known_at: datetime | None = None
    """When the present condition was first certain: the first report came, or silence counted."""
    at: datetime
    """Of the last report."""
    began_at: datetime | None = None
    """When the references of the last report began."""
    count: int = 1
    """Reports in a row of this condition."""
    previous: Reachability | None = None
    """The condition in the report before; None where there is none."""
    pace: Pace = Pace()
    sure_at: datetime | None = None
    """When the `SURE`th report in a row came; None before."""
    by_name: bool = False
    """Of a listed one: connections are made, and go silent once a name is sent."""
    lost_until: datetime | None = None
    """Of one that was lost and is unclear since, or was until this report: the last moment at which
    it is known to be lost."""
    answered: tuple[str, ...] = ()
    """Of a listed one: the hosts that answered in the last report."""
    passing: tuple[str, ...] = ()
    """Those of them that also did in the one before."""

    @property
    def lost(self) -> bool:
        """Whether it reaches nothing, nothing abroad, or only a list of sites."""
        return self.condition in LOST

    def twice(self, conditions: Collection[Reachability]) -> bool:
        """Whether it was in one of these `SURE` times in a row, not always in the same."""
        known = self.count >= SURE or self.previous in conditions
        return known and self.condition in conditions

    @property
    def listed_lately(self) -> bool:
        """Whether it is listed, or lost in another way for one report only."""
        return self.lost and Reachability.LISTED in (self.condition, self.previous)

    @property
    def key(self) -> tuple[int, str]:
        return network_key(self.asn, self.network or self.vantage)

    @property
    def known_network(self) -> Network:
        """Its network, as far as it is known: those without number and name may share one."""
        return network_key(self.asn, self.network)

    @property
    def onset_earliest(self) -> datetime | None:
        return self.before

    @property
    def onset_latest(self) -> datetime:
        return self.known_at or self.since

    @property
    def last_lost(self) -> datetime:
        """The last moment at which a lost vantage is known to be lost."""
        began = self.began_at or self.at
        # One that fell silent is not known to be lost by its last report, but by its silence.
        return began if self.before is None or began > self.before else self.onset_latest


class Connectivity(msgspec.Struct, frozen=True, kw_only=True, rename={"reports": "sights"}):
    """The last condition of every vantage, and the active events about them. Never changed in
    place.

    Most vantages of a fleet are well. So what a report changes follows from those that are not, and
    from counts; all reports are read only to find who fell silent, which is seldom, and where a
    country may be lost.
    """

    reports: SharedMap[VantageReport] = SharedMap()
    events: dict[str, Event] = {}
    """By subject: kind and country or vantage."""
    listening_since: datetime | None = None
    """Since when vantages have reported without a pause; None before the first report."""
    newest_at: datetime | None = None
    """Of the last report of any vantage; None before the first."""
    fields: dict[str, tuple[str, ...]] = {}
    """Country → its field vantages."""
    slow: dict[str, tuple[str, ...]] = {}
    """Those of them that report less often than the collector's interval."""
    heard: dict[str, tuple[str, ...]] = {}
    """Those two of these that reported last that they are not lost."""
    lost: frozenset[str] = frozenset()
    """Vantages whose last report says that they are."""
    silent: frozenset[str] = frozenset()
    """Vantages that have not reported for so long that they count as silent."""
    quiet_until: datetime | None = None
    """No other falls silent before this moment; None: not known."""
    over: dict[str, datetime] = {}
    """Country → the end of its last confirmed event."""


def only_vantages(state: Connectivity, vantages: Collection[str]) -> Connectivity:
    """The state with only these vantages: removed ones are not silent. What follows from all of
    them is found anew, as it must be after the state was stored."""
    reports = {name: report for name, report in state.reports.items() if name in vantages}
    fields: dict[str, tuple[str, ...]] = {}
    slow: dict[str, tuple[str, ...]] = {}
    for report in reports.values():
        fields = _listed_by_country(fields, report.vantage, "", _country(report))
        slow = _listed_by_country(slow, report.vantage, "", slow_in(report))
    return msgspec.structs.replace(
        state,
        reports=SharedMap(reports),
        newest_at=max((report.at for report in reports.values()), default=None),
        fields=fields,
        slow=slow,
        heard={},
        lost=frozenset(name for name, report in reports.items() if report.lost),
        silent=frozenset(),
        quiet_until=None,
    )


def reported(state: Connectivity, health: VantageHealth, interval: float) -> Connectivity:
    """The state with one more report, and those counted that fell silent by then."""
    listening = _listening_since(state, health.at, interval)
    if listening != state.listening_since:
        state = _still_silent(state, interval)
    known = state.reports.get(health.vantage)
    report = _report(known, health, listening, interval)
    silent, quiet_until = state.silent - {report.vantage}, state.quiet_until
    if listening != state.listening_since:
        silent, quiet_until = frozenset(), listening + _longest_pause(interval)
    lost = state.lost - {report.vantage}
    heard, country = state.heard, slow_in(report)
    if country and not report.lost:
        others = (name for name in heard.get(country, ()) if name != report.vantage)
        heard = {**heard, country: (report.vantage, *others)[:2]}
    after = msgspec.structs.replace(
        state,
        reports=state.reports.with_entry(report.vantage, report),
        listening_since=listening,
        newest_at=health.at if state.newest_at is None else max(state.newest_at, health.at),
        fields=_listed_by_country(state.fields, report.vantage, _country(known), _country(report)),
        slow=_listed_by_country(state.slow, report.vantage, slow_in(known), country),
        heard=heard,
        lost=lost | {report.vantage} if report.lost else lost,
        silent=silent,
        quiet_until=quiet_until,
    )
    if quiet_until is None or health.at > quiet_until:
        after = _with_silent(after, listening, health.at, interval)
    return after


def _still_silent(state: Connectivity, interval: float) -> Connectivity:
    """The state before a pause of all, kept for after it: who was silent by then is dark until it
    reports. Only the silence of the others may be the monitor's."""
    reports, lost = state.reports, state.lost
    for name, report in state.reports.items():
        dark = at_moment(report, state.newest_at or report.at, state, interval)
        if dark is not report:
            reports = reports.with_entry(name, msgspec.structs.replace(dark, at=report.at))
            lost |= {name}
    return msgspec.structs.replace(state, reports=reports, lost=lost)


def _with_silent(
    state: Connectivity, listening: datetime, now: datetime, interval: float
) -> Connectivity:
    """The state with those counted that are silent at `now`."""
    counts = {
        name: max(one.at, listening) + _longest_pause(one.pace.interval(interval))
        for name, one in state.reports.items()
    }
    # One that reports from now on may be silent before those whose interval is longer.
    soonest = now + _longest_pause(interval)
    return msgspec.structs.replace(
        state,
        silent=frozenset(name for name, at in counts.items() if now > at),
        quiet_until=min((at for at in counts.values() if now <= at < soonest), default=soonest),
    )


def _listed_by_country(
    names: dict[str, tuple[str, ...]], vantage: str, before: str, now: str
) -> dict[str, tuple[str, ...]]:
    """The names by country, with one moved from the country `before` to that of `now`; empty: to
    none."""
    if before == now:
        return names
    after = dict(names)
    if before:
        after[before] = tuple(name for name in after[before] if name != vantage)
    if now:
        after[now] = (*after.get(now, ()), vantage)
    return after


def _country(report: VantageReport | None) -> str:
    return report.country if report is not None and report.field else ""


def slow_in(report: VantageReport | None) -> str:
    """Its country, if it is a field vantage with an interval of its own."""
    return _country(report) if report is not None and report.pace.usual else ""


def _longest_pause(interval: float) -> timedelta:
    return timedelta(seconds=max(SILENT * interval, SILENT_FLOOR))


def _listening_since(state: Connectivity, now: datetime, interval: float) -> datetime:
    newest, since = state.newest_at, state.listening_since
    if newest is None or since is None or now - newest > _longest_pause(interval):
        return now
    return since


def _report(
    known: VantageReport | None, health: VantageHealth, listening: datetime, interval: float
) -> VantageReport:
    condition = _REACHABILITY.get(health.state, Reachability.UNCLEAR)
    if health.rule_id == RESOLVER_DOWN and condition is Reachability.DARK:
        condition = Reachability.NAMELESS
    pace = known.pace if known is not None else Pace(pauses=(UNKNOWN,))
    new = VantageReport(
        vantage=health.vantage,
        country=health.country,
        asn=health.asn,
        network=health.network,
        field=health.vantage_role == VantageRole.FIELD,
        condition=condition,
        since=health.at,
        before=(known.began_at or known.at) if known is not None else None,
        known_at=health.at,
        at=health.at,
        began_at=health.since,
        pace=pace.reported(health.at, interval),
        by_name=health.rule_id == ALLOWLIST_BY_NAME,
        answered=health.passing,
    )
    if known is None:
        return new
    before = _at(known, health.at, listening, interval)
    if not health.references_total and condition is not Reachability.DARK:
        # A turn that was skipped, as to save bytes, says nothing of the line. Where the proxy in
        # front is lost no reference counts either, and the vantage is dark.
        return msgspec.structs.replace(before, at=health.at, pace=new.pace)
    if before.condition is not condition:
        return msgspec.structs.replace(
            new, previous=before.condition, lost_until=_lost_until(before)
        )
    count = before.count + 1
    sure_at = before.sure_at or (health.at if count >= SURE else None)
    return msgspec.structs.replace(
        new,
        since=before.since,
        before=before.before,
        known_at=before.known_at,
        count=count,
        previous=condition,
        sure_at=sure_at,
        lost_until=_lost_until(before),
        # In the cycle in which a list begins or ends, sites answer that it keeps out.
        passing=tuple(host for host in health.passing if host in before.answered),
    )


def _lost_until(before: VantageReport) -> datetime | None:
    """The same of the report after this one."""
    if before.lost:
        return before.last_lost
    return before.lost_until if before.condition is Reachability.UNCLEAR else None


def at_moment(
    report: VantageReport, now: datetime, state: Connectivity, interval: float
) -> VantageReport:
    return _at(report, now, state.listening_since or report.at, interval)


def _at(
    report: VantageReport, now: datetime, listening: datetime, interval: float
) -> VantageReport:
    """The condition at `now`: a vantage that no longer reports is dark since its last report."""
    heard = max(report.at, listening)
    counts = heard + _longest_pause(interval)
    if now > counts and report.pace.usual:
        counts = heard + _longest_pause(report.pace.interval(interval))
    if now <= counts:
        return report
    if report.condition is Reachability.DARK:
        return msgspec.structs.replace(report, at=now, count=SURE, previous=report.condition)
    return msgspec.structs.replace(
        report,
        condition=Reachability.DARK,
        since=report.at,
        before=report.began_at or report.at,
        known_at=counts,
        at=now,
        count=SURE,
        previous=Reachability.DARK,
        sure_at=now,
    )


def unheard(report: VantageReport, now: datetime, state: Connectivity, interval: float) -> bool:
    """Whether it has not reported for `SILENT` of the collector's intervals."""
    return now > max(report.at, state.listening_since or report.at) + _longest_pause(interval)


def sure(reports: Iterable[VantageReport], conditions: Collection[Reachability] = LOST) -> bool:
    """Whether all were in one of these conditions `SURE` times in a row."""
    return all(report.twice(conditions) for report in reports)
