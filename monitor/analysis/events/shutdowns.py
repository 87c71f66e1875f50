"""Events of the vantages themselves: one silent vantage, a shutdown, cut international lines, a
list of sites that pass, a fault of our own.

**Bounds** are of measurements, from the start of a vantage's last references in one condition to
the end of its first in another. One that does not report was lost, at the latest, when its silence
counts. The onset is that of the first vantage among those lost together, as a block's is that of
its first network; but all are lost only since the last of them was. An event whose vantages go on
to be lost as part of another ends without a latest bound: nobody measured an end.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

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
from monitor.analysis.events.stretches import onset_of
from monitor.analysis.events.vantage_findings import (
    COUNTRYWIDE,
    TOGETHER,
    Finding,
    View,
    findings_in,
)
from monitor.analysis.events.vantage_reports import (
    Connectivity,
    Reachability,
    VantageReport,
    reported,
)
from monitor.analysis.trust import OWN_ALONE, Trust
from monitor.analysis.vantage.health import MOST_PASSING
from monitor.analysis.verdict import Evidence, VantageHealth


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
    state = reported(state, health, interval)
    findings = {
        finding.subject: finding
        for finding in findings_in(state, health.at, interval, trust)
        if finding.subject in state.events or finding.witnessed
    }
    events, over = dict(state.events), state.over
    changes: list[Change] = []
    closings: list[Change] = []
    for subject, finding in findings.items():
        if finding.vantage not in ("", health.vantage) and subject in events:
            continue  # One vantage's own silence: nothing is new of it.
        before = events.get(subject)
        event = before or _new(finding, health.at, state)
        for change in _update(before, event, finding, health.at):
            events[subject] = change.event
            changes.append(change)
    for subject in sorted(events.keys() - findings.keys()):
        view = View(state, health.at, interval)
        event = events.pop(subject)
        other = _countrywide(event, events)
        concerned = _concerned(event, view)
        if other is None and _unclear(event, concerned):
            events[subject] = unobserved = _unobserved(event, concerned)
            if unobserved != event:
                changes.append(Change(name="", event=unobserved))
            continue
        change = _close(event, concerned, health.at, other)
        closings.append(change)
        ended = change.event.end_latest or change.event.end_earliest
        if _claims(event) and ended is not None:
            over = {**over, event.country: ended}
    made = (*closings, *changes)
    after = msgspec.structs.replace(state, events=events, over=over) if made else state
    return after, made


def _claims(event: Event) -> bool:
    """Whether it is about a country and confirmed."""
    return event.kind in COUNTRYWIDE and event.confirmed_at is not None


def _countrywide(event: Event, active: Mapping[str, Event]) -> Event | None:
    """The event of its country, if it is another one."""
    if event.kind not in COUNTRYWIDE:
        return None
    others = (e for e in active.values() if e.kind in COUNTRYWIDE and e.country == event.country)
    return next((other for other in others if other.id != event.id), None)


def _floor(state: Connectivity, finding: Finding) -> datetime | None:
    """The moment before which a new event of a country did not begin: the last one ended then, or
    another that goes over into it began."""
    if finding.kind not in COUNTRYWIDE:
        return None
    active = (e for e in state.events.values() if _claims(e) and e.country == finding.country)
    known = [event.onset_latest for event in active]
    if finding.country in state.over:
        known.append(state.over[finding.country])
    return max(known, default=None)


NO_NAMES = "shutdown.no_names"
"""Method of a shutdown in which the networks work and no name resolves."""
_METHODS = {
    EventKind.SHUTDOWN: "shutdown.offline",
    EventKind.INTERNATIONAL_CUT: "shutdown.international_cut",
    EventKind.ALLOWLIST: "shutdown.allowlist",
    EventKind.VANTAGE_SILENT: "shutdown.vantage",
    EventKind.INSTRUMENT: "shutdown.instrument",
}


def _update(
    before: Event | None, event: Event, finding: Finding, now: datetime
) -> Iterator[Change]:
    """The changes that a finding makes to its event, which is new without one `before`."""
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


def _dating(finding: Finding, state: Connectivity) -> Sequence[VantageReport]:
    """The reports that date a new event. Of a list, and of a cut that follows a shutdown, those in
    which less answers may be older: what they show is not new."""
    follows = any(_claims(e) and e.country == finding.country for e in state.events.values())
    shows = {EventKind.ALLOWLIST: Reachability.LISTED}
    if follows:
        shows[EventKind.INTERNATIONAL_CUT] = Reachability.CUT
    new = [r for r in finding.reports if r.condition is shows.get(finding.kind)]
    return new or finding.reports


def _new(finding: Finding, now: datetime, state: Connectivity) -> Event:
    """A new event, which did not begin before the last one of its country ended."""
    floor, dating = _floor(state, finding), _dating(finding, state)
    # With the last one lost, all were; it began with the first of those lost together.
    last = max(dating, key=lambda report: (report.since, report.vantage))
    together = [r for r in dating if last.since - r.since <= TOGETHER]
    earliest, latest = onset_of(together)
    if finding.kind is EventKind.INSTRUMENT:
        seen = [one.onset_earliest for one in together if one.onset_earliest is not None]
        earliest, latest = max(seen, default=None), max(one.onset_latest for one in together)
    if floor is not None:
        together = [one for one in together if one.since > floor]
        earliest, latest = onset_of(together) if together else (floor, now)
        if finding.kind is not EventKind.ALLOWLIST:
            # Each network gets its own list: one may get it before the last of the others is back.
            earliest = max(earliest or floor, floor)
    # Two moments of each vantage, to the microsecond: who knows one cannot guess the others.
    moments = sorted(f"{one.since.isoformat()} {one.before}" for one in together) or [str(floor)]
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


def _method(finding: Finding) -> str:
    listed = [s for s in finding.reports if s.condition is Reachability.LISTED]
    if listed and all(report.by_name for report in listed):
        return "shutdown.allowlist_by_name"
    if all(report.condition is Reachability.NAMELESS for report in finding.reports):
        return NO_NAMES
    return _METHODS[finding.kind]


def _passing(finding: Finding, before: Iterable[str]) -> tuple[str, ...]:
    """What passes, in the order first seen: pools are sampled, so two cycles do not show all."""
    hosts = (host for report in finding.reports for host in report.passing)
    return tuple(dict.fromkeys((*before, *hosts)))[:MOST_PASSING]


def _networks(finding: Finding, before: Iterable[NetworkStatus]) -> tuple[NetworkStatus, ...]:
    statuses = {(n.asn, n.network): _past(n) for n in before}
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


def _past(network: NetworkStatus, *, unobserved: bool = False) -> NetworkStatus:
    return msgspec.structs.replace(network, blocked_now=False, unobserved=unobserved)


def _unobserved(event: Event, concerned: Iterable[VantageReport]) -> Event:
    """An event of which nobody can tell whether it is over. It was last known to be so when it was
    last updated."""
    unclear = {(s.asn, s.network) for s in concerned if s.condition is Reachability.UNCLEAR}
    networks = (
        _past(n, unobserved=n.affected and (n.asn, n.network) in unclear) for n in event.networks
    )
    return msgspec.structs.replace(event, networks=tuple(networks))


def _concerned(event: Event, view: View) -> list[VantageReport]:
    """The reports of the vantages that an event is about."""
    if event.vantage:
        return [s for s in view.everywhere() if s.vantage == event.vantage]
    reports = view.here(event.country) if event.country else view.everywhere()
    lost = {(network.asn, network.network) for network in event.networks if network.affected}
    return [s for s in reports if (s.asn, s.network) in lost]


def _unclear(event: Event, concerned: Collection[VantageReport]) -> bool:
    """Whether nobody can tell if a confirmed event of a country is over: all who were lost now say
    nothing. Of a list one suffices, since each network has its own."""
    unclear = [
        s for s in concerned if s.condition is Reachability.UNCLEAR and s.lost_until is not None
    ]
    if not unclear or not _claims(event):
        return False
    if event.kind is EventKind.ALLOWLIST:
        return not any(s.lost for s in concerned)
    return len(unclear) == len(concerned)


def _close(
    event: Event, concerned: Sequence[VantageReport], now: datetime, other: Event | None
) -> Change:
    """Close an event whose condition no longer holds: a vantage is back, it became the `other`
    event, or its vantages were removed. In the last two cases its end stays unknown."""
    back = [s for s in concerned if s.since > event.onset_latest and _is_back(s, event)]
    first = min(back, key=lambda report: report.since, default=None)
    still = [s.last_lost for s in concerned if s.lost]
    bounds: tuple[datetime | None, datetime | None] = (event.updated_at, None)
    if event.kind is EventKind.ALLOWLIST and back and not still:
        # Its networks are lost each for itself: it is over when the last of them is back.
        last = max(back, key=lambda report: report.since)
        known = last.lost_until if last.previous is Reachability.UNCLEAR else None
        bounds = (known or last.before or event.onset_latest, last.since)
    elif first is not None:
        # Another may have been back before it, since its last report.
        others = [at for at in still if at > event.onset_latest]
        known = first.before or event.onset_latest
        if first.previous is Reachability.UNCLEAR and not others:
            # When it last reported none was lost any more, as far as they could tell.
            known = max((s.lost_until for s in concerned if s.lost_until), default=known)
        bounds = (min((known, *others)), first.since)
    elif still:
        known = max(still)
        if other is not None:
            # Two kinds of loss do not overlap.
            known = max(event.onset_latest, min(known, other.onset_earliest or known))
        bounds = (known, None)
    networks = tuple(map(_past, event.networks))
    change = closed(msgspec.structs.replace(event, networks=networks), *bounds, now)
    if first is None or change.name != "ended":
        return change
    return msgspec.structs.replace(change, detail=_not_back(event, concerned))


def _not_back(event: Event, reports: Iterable[VantageReport]) -> str:
    """The networks all of whose vantages were lost when last heard of, as log lines name them. The
    first vantage that is back ends a shutdown: others may still be lost."""
    lost: dict[tuple[int, str], bool] = {}
    for report in reports:
        place = (report.asn, report.network)
        lost[place] = lost.get(place, True) and report.lost
    return ", ".join(label_of(n) for n in event.networks if lost.get((n.asn, n.network)))


def _is_back(report: VantageReport, event: Event) -> bool:
    """Whether it shows that the event is over. One alone is back once it is no longer offline."""
    unclear = report.condition is Reachability.UNCLEAR and not event.vantage
    return not (report.lost or unclear)


def _lost(event: Event) -> str:
    """The lost networks as log lines name them: everybody reads these, so no vantage is named."""
    return ", ".join(label_of(network) for network in event.networks if network.blocked_now)
