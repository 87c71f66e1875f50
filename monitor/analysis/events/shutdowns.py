"""Events of the vantages themselves: one silent vantage, a shutdown, cut international lines, a
list of sites that pass, a fault of our own.

They come from the health of every vantage and from missing reports. A vantage is *dark* when it
lost all its references, its own proxy fails, or it has not reported for `SILENT` intervals. It is
*nameless* when its network works and no name resolves, *cut* when only domestic references answer,
and *listed* when only a list of sites does.

* **Shutdown**: every field vantage of a country is dark or nameless, on two networks or more, while
  a vantage elsewhere is well. Suspected once that vantage has reported since; confirmed when each
  was dark for `SURE` cycles or silent, and where agents are judged, when they weigh enough
  (`monitor.analysis.trust`).
* **International cut**: every field vantage of a country is dark or cut, and at least one is cut.
  Confirmed likewise, from two networks on.
* **Allowlist**: a field vantage of a country is listed for `SURE` cycles, whatever the others are.
  Confirmed from two networks on, listed or cut: one network alone may have lost a line abroad and
  have caches of popular sites, or a filter of its own site.
* **Vantage silent**: one vantage alone is dark. It accuses nobody, and a control's has no country.
  One that is nameless alone has a faulty resolver, which its health says.
* **Instrument**: all vantages, controls included, went dark within `TOGETHER`. No government does
  that in several places; our own line or fault does.

A vantage that was dark long before the others does not count: it is broken. Nor does one that alone
contradicts `OUTVOTING` others, on `OUTVOTING_NETWORKS` networks or more, that were lost together:
it lies, has a line of its own (a satellite's), or is somewhere else. Its network is listed as not
affected.

Vantages report one after the other, so losses look uneven for a moment. A vantage is therefore dark
only next to a *witness*: a vantage that is well, has reported so since the loss, and had done so
`SURE` times in a row before the last dark report. And it is silent only while others report: a
stopped monitor is not their silence. A confirmed event needs no witness: it ends when one of the
lost vantages is back.

**Bounds** are of measurements, from the start of a vantage's last references in one condition to
the end of its first in another. One that does not report was lost, at the latest, when its silence
counts. The onset is that of the first vantage among those lost together, as a block's is that of
its first network; but all are lost only since the last of them was. An event whose vantages go on
to be lost as part of another ends without a latest bound: nobody measured an end.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.analysis.events.event import (
    Change,
    Event,
    EventKind,
    EventState,
    NetworkStatus,
    closed,
    confirmed,
    event_id,
    label_of,
)
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.events.stretches import onset_of
from monitor.analysis.trust import OWN_ALONE, Trust, Voice, network_key
from monitor.analysis.vantage.health import ALLOWLIST_BY_NAME, MOST_PASSING, RESOLVER_DOWN
from monitor.analysis.verdict import Evidence, VantageHealth, VantageState
from probes.vantage import VantageRole

SILENT = 3
"""Intervals without a report after which a vantage counts as silent."""
SILENT_FLOOR = 180.0
"""The same in seconds, at least: a cycle full of timeouts may exceed its interval."""
SURE = 2
"""Dark cycles in a row that are no coincidence."""
TOGETHER = timedelta(hours=1)
OUTVOTING = 4
"""Vantages lost together that outvote one that is not."""
OUTVOTING_NETWORKS = 3
"""Networks they must be on: a power cut in one building is no country."""
REMEMBERED = timedelta(days=1)
"""A vantage that was dark for longer when the others were lost does not count for its country."""


_NATIONAL = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT)


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
_DARK = (Reachability.DARK, Reachability.NAMELESS)
_LOST = (*_DARK, Reachability.CUT, Reachability.LISTED)


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


class _Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that holds now."""

    kind: EventKind
    country: str
    vantage: str
    reports: tuple[VantageReport, ...]
    """The lost vantages."""
    sure: bool
    against: tuple[VantageReport, ...] = ()
    """The outvoted vantage."""
    witnessed: bool = True
    """A witness exists; needed to open an event, not to continue it."""

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.country} {self.vantage}"


def take_in(
    state: Connectivity, health: VantageHealth, interval: float, trust: Trust = OWN_ALONE
) -> tuple[Connectivity, tuple[Change, ...]]:
    """The state after one more report, and the changes to events, in order.

    `interval` is the number of seconds between reports of a vantage, `trust` tells what the word of
    each weighs.
    """
    known = state.reports.get(health.vantage)
    if known is not None and health.at <= known.at:
        return state, ()
    state = _reported(state, known, health, interval)
    findings = {
        finding.subject: finding
        for finding in _findings(state, health.at, interval, trust)
        if finding.subject in state.events or finding.witnessed
    }
    events = dict(state.events)
    changes: list[Change] = []
    for subject, finding in findings.items():
        if finding.vantage not in ("", health.vantage) and subject in events:
            continue  # One vantage's own silence: nothing is new of it.
        for change in _update(events.get(subject), finding, health.at):
            events[subject] = change.event
            changes.append(change)
    for subject in sorted(events.keys() - findings.keys()):
        view = _View(state, health.at, interval)
        changes.append(_close(events.pop(subject), view.everywhere(), health.at))
    return (msgspec.structs.replace(state, events=events) if changes else state), tuple(changes)


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


def _reported(
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


def _now(
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


# -- what is so now ----------------------------------------------------------------------------


class _View:
    """The vantages at one moment: those that are lost, and the others when they are asked for."""

    def __init__(self, state: Connectivity, now: datetime, interval: float) -> None:
        self._state, self._interval = state, interval
        self.now = now
        concerned = [state.reports[name] for name in sorted(state.lost | state.silent)]
        reports = [_now(report, now, state, interval) for report in concerned]
        self.lost = [report for report in reports if report.lost]
        self._lost_of = Counter(one.country for one in self.lost if one.field)

    def __len__(self) -> int:
        return len(self._state.reports)

    def field_vantages(self, countries: Iterable[str]) -> int:
        """How many there are in these countries."""
        return sum(len(self._state.fields.get(country, ())) for country in countries)

    def able(self, country: str) -> int:
        """How many of its field vantages are not lost."""
        return self.field_vantages((country,)) - self._lost_of[country]

    def here(self, country: str) -> list[VantageReport]:
        """Its field vantages."""
        return [self._report(name) for name in self._state.fields.get(country, ())]

    def everywhere(self) -> list[VantageReport]:
        """All vantages."""
        return [self._report(name) for name in self._state.reports]

    def _report(self, name: str) -> VantageReport:
        return _now(self._state.reports[name], self.now, self._state, self._interval)


def _findings(
    state: Connectivity, now: datetime, interval: float, trust: Trust
) -> Iterator[_Finding]:
    if not state.lost and not state.silent:
        return
    view = _View(state, now, interval)
    lost = view.lost
    active = list(state.events.values())
    explained: set[str] = set()
    national: dict[str, list[Event]] = {}
    for event in active:
        if event.kind in _NATIONAL:
            national.setdefault(event.country, []).append(event)
    # A confirmed event of a country stays so when others are lost later.
    held = {c for c, events in national.items() if any(map(_is_confirmed, events))}
    free = len(view) - view.field_vantages(held)
    ours = [s for s in lost if s.condition in _DARK and not (s.field and s.country in held)]
    if len(ours) == free > 1:
        everywhere = any(not s.field for s in ours) or len({s.country for s in ours}) > 1
        if everywhere and _together(ours):
            explained |= {report.vantage for report in ours}
            yield _Finding(
                kind=EventKind.INSTRUMENT,
                country="",
                vantage="",
                reports=tuple(ours),
                sure=_sure(ours),
            )
    for country in sorted({s.country for s in lost if s.field and s.vantage not in explained}):
        finding = _national(country, view, national.get(country, ()), interval)
        finding = finding or _listed(country, view, active)
        if finding is not None and not _weighty(finding.reports, now, trust):
            finding = msgspec.structs.replace(finding, sure=False)
        if finding is not None:
            explained |= {report.vantage for report in finding.reports}
            yield finding
    for report in lost:
        dark = report.condition is Reachability.DARK and _sure([report])
        if dark and report.vantage not in explained:
            finding = _Finding(
                kind=EventKind.VANTAGE_SILENT,
                # A control is equipment: where it stands says nothing about that country.
                country=report.country if report.field else "",
                vantage=report.vantage,
                reports=(report,),
                sure=True,
            )
            if finding.subject not in state.events:
                finding = msgspec.structs.replace(finding, witnessed=_alone(report, view))
            yield finding


def _national(
    country: str, view: _View, active: Collection[Event], interval: float
) -> _Finding | None:
    """Whether all of a country is lost, as far as it is measured; `active` are its events."""
    if view.able(country) > 1:
        return None  # At most one can be outvoted.
    here = view.here(country)
    last_loss = max(s.since for s in here if s.lost)
    loss = min((event.onset_latest for event in active), default=last_loss)
    counting = [s for s in here if s.condition not in _DARK or loss - s.since <= REMEMBERED]
    agreed = _agreed(counting)
    if agreed is None:
        return None
    lost, against = agreed
    networks = len({report.key for report in lost})
    if any(report.condition is Reachability.CUT for report in lost):
        return _Finding(
            kind=EventKind.INTERNATIONAL_CUT,
            country=country,
            vantage="",
            reports=lost,
            sure=networks > 1 and _sure(lost),
            against=against,
        )
    confirmed = any(map(_is_confirmed, active))
    if networks < 2 or not (confirmed or _together(lost)):
        return None
    recent = timedelta(seconds=max(2 * interval, SILENT_FLOOR))
    well = [
        one
        for one in view.everywhere()
        if one.condition is Reachability.WELL
        and view.now - one.at <= recent
        and not (one.field and one.country == country)
    ]
    if not confirmed and not well:
        return None
    return _Finding(
        kind=EventKind.SHUTDOWN,
        country=country,
        vantage="",
        reports=lost,
        sure=_sure(lost),
        against=against,
        witnessed=any(_witnessed(lost, by) for by in well),
    )


def _listed(country: str, view: _View, active: Collection[Event]) -> _Finding | None:
    """Whether a network of a country has lost all but a list of sites."""
    lost = [one for one in view.lost if one.field and one.country == country]
    if not any(one.condition is Reachability.LISTED for one in lost):
        return None
    here = view.here(country)
    begun = any(e.kind is EventKind.ALLOWLIST and e.country == country for e in active)
    listed = [s for s in here if s.condition is Reachability.LISTED]
    if not (begun or any(report.count >= SURE for report in listed)):
        return None
    # Where not even the list answers, less does.
    less = [s for s in here if s.condition is Reachability.CUT]
    affected = (*listed, *less)
    return _Finding(
        kind=EventKind.ALLOWLIST,
        country=country,
        vantage="",
        reports=affected,
        sure=len({report.key for report in affected}) > 1 and _sure(affected),
        against=tuple(s for s in here if s.condition is Reachability.WELL),
    )


def _weighty(lost: Iterable[VantageReport], now: datetime, trust: Trust) -> bool:
    """Whether those that say so weigh enough: whoever holds two keys can make both fall silent."""
    voices = (Voice(vantage=one.vantage, network=one.key) for one in lost)
    return not trust.agents or trust.total(voices, now) >= trust.agreement


def _agreed(
    counting: Sequence[VantageReport],
) -> tuple[tuple[VantageReport, ...], tuple[VantageReport, ...]] | None:
    """The lost vantages and the outvoted one; None when the country is not lost."""
    for conditions in (_DARK, (*_DARK, Reachability.CUT)):
        lost = tuple(report for report in counting if report.condition in conditions)
        against = tuple(report for report in counting if report.condition not in conditions)
        if lost and (not against or (len(against) == 1 and _outvoting(lost))):
            return lost, against
    return None


def _outvoting(lost: Sequence[VantageReport]) -> bool:
    return any(
        len(together) >= OUTVOTING and len({s.key for s in together}) >= OUTVOTING_NETWORKS
        for last in lost
        for together in [[s for s in lost if timedelta() <= last.since - s.since <= TOGETHER]]
    )


def _alone(report: VantageReport, view: _View) -> bool:
    """Whether a dark vantage is dark while its neighbours are not; where all are, others count."""
    for near in (True, False):
        others = view.here(report.country) if near else view.everywhere()
        able = [s for s in others if not s.lost]
        if able:
            return any(_witnessed([report], by) for by in able)
    return True


def _witnessed(lost: Iterable[VantageReport], by: VantageReport) -> bool:
    """Whether `by` was well since these were lost, and surely so when they last were not."""
    return by.sure_at is not None and all(
        by.sure_at < report.at and report.since < by.at for report in lost
    )


def _is_confirmed(event: Event) -> bool:
    return event.state is EventState.CONFIRMED


def _together(reports: Iterable[VantageReport]) -> bool:
    """Whether at least the last two of them were lost within a short time."""
    since = sorted(report.since for report in reports)
    return len(since) > 1 and since[-1] - since[-2] <= TOGETHER


def _sure(reports: Iterable[VantageReport]) -> bool:
    return all(report.count >= SURE for report in reports)


# -- events ------------------------------------------------------------------------------------

NO_NAMES = "shutdown.no_names"
"""Method of a shutdown in which the networks work and no name resolves."""
_METHODS = {
    EventKind.SHUTDOWN: "shutdown.offline",
    EventKind.INTERNATIONAL_CUT: "shutdown.international_cut",
    EventKind.ALLOWLIST: "shutdown.allowlist",
    EventKind.VANTAGE_SILENT: "shutdown.vantage",
    EventKind.INSTRUMENT: "shutdown.instrument",
}


def _update(before: Event | None, finding: _Finding, now: datetime) -> Iterator[Change]:
    event = before or _new(finding, now)
    if before is None:
        yield Change(name="opened", detail=_lost(event), event=event)
    networks = _networks(finding, event.networks)
    passing = _passing(finding, event.passing)
    if passing != event.passing:
        event = msgspec.structs.replace(event, passing=passing, updated_at=now)
        if networks == event.networks:
            yield Change(name="", event=event)
    if networks != event.networks:
        known = {n.key for n in event.networks if n.affected}
        new = [label_of(n) for n in networks if n.affected and n.key not in known]
        event = msgspec.structs.replace(event, networks=networks, updated_at=now)
        for label in new or [""]:
            yield Change(name="network_affected" if new else "", detail=label, event=event)
    if finding.sure and event.state is EventState.SUSPECTED:
        yield confirmed(event, now, _lost(event))


def _new(finding: _Finding, now: datetime) -> Event:
    # With the last one lost, all were; it began with the first of those lost together.
    last = max(finding.reports, key=lambda report: (report.since, report.vantage))
    together = [r for r in finding.reports if last.since - r.since <= TOGETHER]
    earliest, latest = onset_of(together)
    if finding.kind is EventKind.INSTRUMENT:
        seen = [one.onset_earliest for one in together if one.onset_earliest is not None]
        earliest, latest = max(seen, default=None), max(one.onset_latest for one in together)
    # Two moments of each vantage, to the microsecond: who knows one cannot guess the others.
    moments = sorted(f"{one.since.isoformat()} {one.before}" for one in together)
    networks = _networks(finding, ())
    return Event(
        id=event_id(finding.subject, *moments),
        kind=finding.kind,
        country=finding.country,
        vantage=finding.vantage,
        state=EventState.SUSPECTED,
        methods=(_method(finding),),
        networks=networks,
        passing=_passing(finding, ()),
        onset_earliest=earliest,
        onset_latest=latest,
        detected_at=now,
        updated_at=now,
        evidence=(Evidence.STRONG if networks else Evidence.NONE).value,
    )


def _method(finding: _Finding) -> str:
    listed = [s for s in finding.reports if s.condition is Reachability.LISTED]
    if listed and all(report.by_name for report in listed):
        return "shutdown.allowlist_by_name"
    if all(report.condition is Reachability.NAMELESS for report in finding.reports):
        return NO_NAMES
    return _METHODS[finding.kind]


def _passing(finding: _Finding, before: Iterable[str]) -> tuple[str, ...]:
    """What passes, in the order first seen: pools are sampled, so two cycles do not show all."""
    hosts = (host for report in finding.reports for host in report.passing)
    return tuple(dict.fromkeys((*before, *hosts)))[:MOST_PASSING]


def _networks(finding: _Finding, before: Iterable[NetworkStatus]) -> tuple[NetworkStatus, ...]:
    statuses = {(n.asn, n.network): msgspec.structs.replace(n, blocked_now=False) for n in before}
    ours = finding.kind is EventKind.VANTAGE_SILENT
    for report in (r for r in finding.reports if r.field or not ours):
        statuses[report.asn, report.network] = NetworkStatus(
            asn=report.asn, network=report.network, affected=True, blocked_now=True
        )
    for report in finding.against:
        seen = NetworkStatus(
            asn=report.asn, network=report.network, affected=False, blocked_now=False
        )
        statuses.setdefault((report.asn, report.network), seen)
    return tuple(statuses[key] for key in sorted(statuses))


def _close(event: Event, reports: Iterable[VantageReport], now: datetime) -> Change:
    """Close an event whose condition no longer holds: a vantage is back, it became another event,
    or its vantages were removed. In the last two cases its end stays unknown."""
    lost = {(network.asn, network.network) for network in event.networks if network.affected}
    concerned = [
        s for s in reports if (s.asn, s.network) in lost and event.country in ("", s.country)
    ]
    if event.vantage:
        concerned = [s for s in reports if s.vantage == event.vantage]
    back = [s for s in concerned if s.since > event.onset_latest and not s.lost]
    first = min(back, key=lambda report: report.since, default=None)
    still = [s.last_lost for s in concerned if s.lost]
    bounds: tuple[datetime | None, datetime | None] = (event.updated_at, None)
    if event.kind is EventKind.ALLOWLIST and back and not still:
        # Its networks are lost each for itself: it is over when the last of them is back.
        last = max(back, key=lambda report: report.since)
        bounds = (last.before or event.onset_latest, last.since)
    elif first is not None:
        # Another may have been back before it, since its last report.
        others = (at for at in still if at > event.onset_latest)
        bounds = (min((first.before or event.onset_latest, *others)), first.since)
    elif still:
        bounds = (max(still), None)
    networks = tuple(msgspec.structs.replace(n, blocked_now=False) for n in event.networks)
    return closed(msgspec.structs.replace(event, networks=networks), *bounds, now)


def _lost(event: Event) -> str:
    """The lost networks as log lines name them: everybody reads these, so no vantage is named."""
    return ", ".join(label_of(network) for network in event.networks if network.blocked_now)
