"""The last condition of every vantage, from its health and from missing reports.

A vantage is *dark* when it lost all its references, its own proxy fails, or it has not reported for
`SILENT` intervals. It is *nameless* when its network works and no name resolves, *cut* when only
domestic references answer, and *listed* when only a list of sites does.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.analysis.events.event import Event
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.trust import network_key
from monitor.analysis.vantage.health import ALLOWLIST_BY_NAME, RESOLVER_DOWN
from monitor.analysis.verdict import VantageHealth, VantageState
from probes.vantage import VantageRole

SILENT = 3
"""Intervals without a report after which a vantage counts as silent."""
SILENT_FLOOR = 180.0
"""The same in seconds, at least: a cycle full of timeouts may exceed its interval."""
SURE = 2
"""Dark cycles in a row that are no coincidence."""


class Reachability(StrEnum):
    WELL = "well"
    LISTED = "listed"
    """Only a list of sites answers."""
    CUT = "cut"
    NAMELESS = "nameless"
    """The network works, and no name resolves."""
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
_LOST = (*DARK, Reachability.CUT, Reachability.LISTED)


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
    sure_at: datetime | None = None
    """When the `SURE`th report in a row came; None before."""
    by_name: bool = False
    """Of a listed one: connections are made, and go silent once a name is sent."""
    answered: tuple[str, ...] = ()
    """Of a listed one: the hosts that answered in the last report."""
    passing: tuple[str, ...] = ()
    """Those of them that also did in the one before."""

    @property
    def lost(self) -> bool:
        """Whether it reaches nothing, nothing abroad, or only a list of sites."""
        return self.condition in _LOST

    @property
    def key(self) -> tuple[int, str]:
        return network_key(self.asn, self.network or self.vantage)

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
    lost: frozenset[str] = frozenset()
    """Vantages whose last report says that they are."""
    silent: frozenset[str] = frozenset()
    """Vantages that have not reported for so long that they count as silent."""
    quiet_until: datetime | None = None
    """No other falls silent before this moment; None: not known."""


def only_vantages(state: Connectivity, vantages: Collection[str]) -> Connectivity:
    """The state with only these vantages: removed ones are not silent. What follows from all of
    them is found anew, as it must be after the state was stored."""
    reports = {name: report for name, report in state.reports.items() if name in vantages}
    fields: dict[str, tuple[str, ...]] = {}
    for name, report in reports.items():
        if report.field:
            fields[report.country] = (*fields.get(report.country, ()), name)
    return msgspec.structs.replace(
        state,
        reports=SharedMap(reports),
        newest_at=max((report.at for report in reports.values()), default=None),
        fields=fields,
        lost=frozenset(name for name, report in reports.items() if report.lost),
        silent=frozenset(),
        quiet_until=None,
    )


def reported(
    state: Connectivity, known: VantageReport | None, health: VantageHealth, interval: float
) -> Connectivity:
    """The state with one more report, and those counted that fell silent by then."""
    listening = _listening_since(state, health.at, interval)
    report = _report(known, health, listening, interval)
    fields = state.fields
    before = known.country if known is not None and known.field else ""
    now = report.country if report.field else ""
    if before != now:
        fields = dict(fields)
        if before:
            fields[before] = tuple(name for name in fields[before] if name != report.vantage)
        if now:
            fields[now] = (*fields.get(now, ()), report.vantage)
    silent, quiet_until = state.silent - {report.vantage}, state.quiet_until
    if listening != state.listening_since:
        silent, quiet_until = frozenset(), listening + _longest_pause(interval)
    lost = state.lost - {report.vantage}
    after = msgspec.structs.replace(
        state,
        reports=state.reports.with_entry(report.vantage, report),
        listening_since=listening,
        newest_at=health.at if state.newest_at is None else max(state.newest_at, health.at),
        fields=fields,
        lost=lost | {report.vantage} if report.lost else lost,
        silent=silent,
        quiet_until=quiet_until,
    )
    if quiet_until is None or health.at > quiet_until:
        after = _with_silent(after, listening, health.at, interval)
    return after


def _with_silent(
    state: Connectivity, listening: datetime, now: datetime, interval: float
) -> Connectivity:
    """The state with those counted that are silent at `now`."""
    pause = _longest_pause(interval)
    counts = {name: max(one.at, listening) + pause for name, one in state.reports.items()}
    return msgspec.structs.replace(
        state,
        silent=frozenset(name for name, at in counts.items() if now > at),
        quiet_until=min((at for at in counts.values() if now <= at), default=now + pause),
    )


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
    if health.rule_id == RESOLVER_DOWN:
        condition = Reachability.NAMELESS
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
        by_name=health.rule_id == ALLOWLIST_BY_NAME,
        answered=health.passing,
    )
    if known is None:
        return new
    before = _at(known, health.at, listening, interval)
    if not health.references_total:
        # A turn that was skipped, as to save bytes, says nothing of the line.
        return msgspec.structs.replace(before, at=health.at)
    if before.condition is not condition:
        return new
    count = before.count + 1
    sure_at = before.sure_at or (health.at if count >= SURE else None)
    return msgspec.structs.replace(
        new,
        since=before.since,
        before=before.before,
        known_at=before.known_at,
        count=count,
        sure_at=sure_at,
        # In the cycle in which a list begins or ends, sites answer that it keeps out.
        passing=tuple(host for host in health.passing if host in before.answered),
    )


def at_moment(
    report: VantageReport, now: datetime, state: Connectivity, interval: float
) -> VantageReport:
    return _at(report, now, state.listening_since or report.at, interval)


def _at(
    report: VantageReport, now: datetime, listening: datetime, interval: float
) -> VantageReport:
    """The condition at `now`: a vantage that no longer reports is dark since its last report."""
    counts = max(report.at, listening) + _longest_pause(interval)
    if now <= counts:
        return report
    if report.condition is Reachability.DARK:
        return msgspec.structs.replace(report, at=now, count=SURE)
    return msgspec.structs.replace(
        report,
        condition=Reachability.DARK,
        since=report.at,
        before=report.began_at or report.at,
        known_at=counts,
        at=now,
        count=SURE,
        sure_at=now,
    )


def sure(reports: Iterable[VantageReport]) -> bool:
    return all(report.count >= SURE for report in reports)
