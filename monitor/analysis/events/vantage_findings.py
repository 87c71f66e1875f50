"""What the conditions of all vantages mean: one is silent, a country is offline or cut off from
abroad, only a list of sites passes, or the fault is ours.

* **Shutdown**: every field vantage of a country is dark or nameless, on two networks or more, while
  a vantage elsewhere is well. Suspected once that vantage has reported since; confirmed when each
  was dark for `SURE` cycles or silent, and where agents are judged, when they weigh enough
  (`monitor.analysis.trust`).
* **International cut**: every field vantage of a country is dark or cut, and at least one is cut.
  Confirmed when each was so for `SURE` cycles, from two networks on that are cut, or were lost
  together.
* **Allowlist**: a field vantage of a country is listed for `SURE` cycles, whatever the others are.
  Confirmed from two networks on, listed or cut: one network alone may have lost a line abroad and
  have caches of popular sites, or a filter of its own site.
* **Vantage silent**: one vantage alone is dark. It accuses nobody, and a control's has no country.
  One that is nameless alone has a faulty resolver, which its health says.
* **Instrument**: all vantages, controls included, went dark within `TOGETHER`. No government does
  that in several places; our own line or fault does.

Lines may be lost in turns in one way and another. So an event stays what it is until another kind
is as sure: a cut until all were dark for `SURE` cycles, a confirmed shutdown until one was cut for
as many, an allowlist until no vantage was listed for as many.

A vantage that was dark long before the others does not count: it is broken. Nor does one that alone
contradicts `OUTVOTING` others, on `OUTVOTING_NETWORKS` networks or more, that were lost together:
it lies, has a line of its own (a satellite's), or is somewhere else. Its network is listed as not
affected. Nor does one whose own interval is longer than the collector's, while it has not reported
since the others were lost: it is not silent yet, and knows nothing of the loss.

Vantages report one after the other, so losses look uneven for a moment. A vantage is therefore dark
only next to a *witness*: a vantage that is well, has reported so since the loss, and had done so
`SURE` times in a row before the last dark report. And it is silent only while others report: a
stopped monitor is not their silence. A confirmed event needs no witness: it ends when one of the
lost networks is back, and a login page or an unknown exit does not say that, be it at all of them.
Nor does one network that it never lost, as where a host joins by satellite; with a second one the
country is no longer lost as a whole, and the end is unknown.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.events.vantage_reports import (
    DARK,
    NOTHING_ABROAD,
    SILENT_FLOOR,
    SURE,
    Connectivity,
    Reachability,
    VantageReport,
    at_moment,
    slow_in,
    sure,
    unheard,
)
from monitor.analysis.trust import Network, Trust, Voice

TOGETHER = timedelta(hours=1)
OUTVOTING = 4
"""Vantages lost together that outvote one that is not."""
OUTVOTING_NETWORKS = 3
"""Networks they must be on: a power cut in one building is no country."""
REMEMBERED = timedelta(days=1)
"""A vantage that was dark for longer when the others were lost does not count for its country."""

_NATIONAL = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT)
COUNTRYWIDE = (*_NATIONAL, EventKind.ALLOWLIST)
"""Of these a country has one at a time."""
_LISTED = (Reachability.LISTED,)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that holds now."""

    kind: EventKind
    country: str
    vantage: str
    reports: tuple[VantageReport, ...]
    """The lost vantages."""
    sure: bool
    against: tuple[VantageReport, ...] = ()
    """The vantages that contradict it in vain."""
    witnessed: bool = True
    """A witness exists; needed to open an event, not to continue it."""

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.country} {self.vantage}"


class View:
    """The vantages at one moment: those that are lost, and the others when they are asked for."""

    def __init__(self, state: Connectivity, now: datetime, interval: float) -> None:
        self._state, self._interval = state, interval
        self.now = now
        concerned = [state.reports[name] for name in sorted(state.lost | state.silent)]
        reports = [at_moment(report, now, state, interval) for report in concerned]
        self.lost = [report for report in reports if report.lost]
        self._fast_lost = Counter(s.country for s in self.lost if s.field and not slow_in(s))
        self._last_loss: dict[str, datetime] = {}
        for one in self.lost:
            if one.field:
                before = self._last_loss.get(one.country, one.since)
                self._last_loss[one.country] = max(before, one.since)

    def __len__(self) -> int:
        return len(self._state.reports)

    def field_vantages(self, countries: Iterable[str]) -> int:
        """How many there are in these countries."""
        return sum(len(self._state.fields.get(country, ())) for country in countries)

    def able(self, country: str) -> int:
        """How many of its field vantages are not lost, at least. Of those with an interval of their
        own two count at most, and only if they reported since the last loss."""
        state, loss = self._state, self._last_loss.get(country)
        slow = [state.reports[name] for name in state.heard.get(country, ())]
        heard = sum(
            (loss is None or one.at > loss)
            and slow_in(one) == country
            and not (one.lost or one.vantage in state.silent)
            for one in slow
        )
        fast = self.field_vantages((country,)) - len(state.slow.get(country, ()))
        return fast - self._fast_lost[country] + heard

    def unheard(self, report: VantageReport) -> bool:
        """Whether it has not reported lately."""
        return unheard(report, self.now, self._state, self._interval)

    def here(self, country: str) -> list[VantageReport]:
        """Its field vantages."""
        return [self._report(name) for name in self._state.fields.get(country, ())]

    def everywhere(self) -> list[VantageReport]:
        """All vantages."""
        return [self._report(name) for name in self._state.reports]

    def _report(self, name: str) -> VantageReport:
        return at_moment(self._state.reports[name], self.now, self._state, self._interval)


def findings_in(
    state: Connectivity, now: datetime, interval: float, trust: Trust
) -> Iterator[Finding]:
    if not state.lost and not state.silent:
        return
    view = View(state, now, interval)
    lost = view.lost
    active = list(state.events.values())
    explained: set[str] = set()
    of_country: dict[str, list[Event]] = {}
    for event in active:
        if event.kind in COUNTRYWIDE:
            of_country.setdefault(event.country, []).append(event)
    # A confirmed event of a country stays so when others are lost later.
    held = {country for country, events in of_country.items() if _lost_for_sure(events)}
    free = len(view) - view.field_vantages(held)
    ours = [s for s in lost if s.condition in DARK and not (s.field and s.country in held)]
    if len(ours) == free > 1:
        everywhere = any(not s.field for s in ours) or len({s.country for s in ours}) > 1
        if everywhere and _together(ours):
            explained |= {report.vantage for report in ours}
            yield Finding(
                kind=EventKind.INSTRUMENT,
                country="",
                vantage="",
                reports=tuple(ours),
                sure=sure(ours, DARK),
            )
    for country in sorted({s.country for s in lost if s.field and s.vantage not in explained}):
        events = of_country.get(country, ())
        finding = _national(country, view, events, interval)
        if finding is not None and _hardly_off_a_list(finding, events):
            explained |= {report.vantage for report in finding.reports}
            finding = None
        finding = finding or _listed(country, view, events)
        if finding is not None and not _weighty(finding.reports, now, trust):
            finding = msgspec.structs.replace(finding, sure=False)
        if finding is not None:
            explained |= {report.vantage for report in finding.reports}
            yield finding
    for report in lost:
        if report.twice((Reachability.DARK,)) and report.vantage not in explained:
            finding = Finding(
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
    country: str, view: View, active: Collection[Event], interval: float
) -> Finding | None:
    """Whether all of a country is lost, as far as it is measured; `active` are its events."""
    confirmed = _lost_for_sure(active)
    active_kinds = {event.kind for event in active}
    if view.able(country) > 1 and not confirmed:
        return None  # At most one can be outvoted.
    here = view.here(country)
    if confirmed:
        # A login page, or a VPN left on, does not show that it is over.
        here = [one for one in here if one.condition is not Reachability.UNCLEAR]
    last_loss = max(s.since for s in here if s.lost)
    here = [s for s in here if s.lost or s.at > last_loss or not view.unheard(s)]
    loss = min((e.onset_latest for e in active if e.kind in _NATIONAL), default=last_loss)
    counting = [s for s in here if s.condition not in DARK or loss - s.since <= REMEMBERED]
    agreed = _agreed(counting, _lost_networks(active) if confirmed else None)
    if agreed is None:
        return None
    lost, against = agreed
    networks = len({report.known_network for report in lost})
    cut = {report.known_network for report in lost if report.condition is Reachability.CUT}
    together = _together(lost)
    cut_off = Finding(
        kind=EventKind.INTERNATIONAL_CUT,
        country=country,
        vantage="",
        reports=lost,
        sure=networks > 1
        and (len(cut) > 1 or (bool(cut) and together))
        and sure(lost, NOTHING_ABROAD),
        against=against,
    )
    if _is_cut(lost, active_kinds, shut_down=confirmed and EventKind.SHUTDOWN in active_kinds):
        return cut_off
    if not confirmed and (networks < 2 or not together):
        return None
    recent = timedelta(seconds=max(2 * interval, SILENT_FLOOR))
    well = [
        one
        for one in view.everywhere()
        if one.condition is Reachability.WELL
        and view.now - one.at <= recent
        and not (one.field and one.country == country)
    ]
    witnessed = any(_witnessed(lost, by) for by in well)
    if EventKind.INTERNATIONAL_CUT in active_kinds and not witnessed:
        return cut_off
    if not confirmed and not well:
        return None
    return Finding(
        kind=EventKind.SHUTDOWN,
        country=country,
        vantage="",
        reports=lost,
        sure=sure(lost, DARK),
        against=against,
        witnessed=witnessed,
    )


def _is_cut(
    lost: Collection[VantageReport], active: Collection[EventKind], *, shut_down: bool
) -> bool:
    """Whether a lost country is cut off from abroad, and not shut down; `active` are the kinds of
    its events."""
    cut = [report for report in lost if report.condition is Reachability.CUT]
    if shut_down:
        return any(report.count >= SURE for report in cut)
    return bool(cut) or (EventKind.INTERNATIONAL_CUT in active and not sure(lost, DARK))


def _hardly_off_a_list(finding: Finding, active: Iterable[Event]) -> bool:
    """Whether a lost country was on a list of sites a report ago; `active` are its events."""
    listed = any(event.kind is EventKind.ALLOWLIST for event in active)
    return listed and any(report.listed_lately for report in finding.reports)


def _listed(country: str, view: View, active: Collection[Event]) -> Finding | None:
    """Whether a network of a country has lost all but a list of sites."""
    lost = [one for one in view.lost if one.field and one.country == country]
    begun = any(event.kind is EventKind.ALLOWLIST for event in active)
    listed = [s for s in lost if s.condition is Reachability.LISTED or (begun and s.listed_lately)]
    if not listed or not (begun or any(report.count >= SURE for report in listed)):
        return None
    here = view.here(country)
    # Where not even the list answers, less does.
    less = [s for s in here if s.condition is Reachability.CUT and s not in listed]
    affected = (*listed, *less)
    return Finding(
        kind=EventKind.ALLOWLIST,
        country=country,
        vantage="",
        reports=affected,
        sure=len({report.known_network for report in affected}) > 1 and sure(affected),
        against=tuple(s for s in here if s.condition is Reachability.WELL),
    )


def _weighty(lost: Iterable[VantageReport], now: datetime, trust: Trust) -> bool:
    """Whether those that say so weigh enough: whoever holds two keys can make both fall silent."""
    voices = (Voice(vantage=one.vantage, network=one.known_network) for one in lost)
    return not trust.agents or trust.total(voices, now) >= trust.agreement


def _agreed(
    counting: Sequence[VantageReport], known: Collection[Network] | None
) -> tuple[tuple[VantageReport, ...], tuple[VantageReport, ...]] | None:
    """The lost vantages and those that contradict them in vain; None when the country is not lost.

    `known` are the networks that a confirmed event says it lost; None without such an event. Then
    one that was listed once is as lost as before, and one network that was not lost ends nothing.
    """
    once = [s for s in counting if known is not None and s.listed_lately and not s.twice(_LISTED)]
    for conditions in (DARK, NOTHING_ABROAD):
        lost = tuple(one for one in counting if one.condition in conditions or one in once)
        against = tuple(one for one in counting if one not in lost)
        apart = known is not None and _apart(known, lost, against)
        if lost and (not against or apart or (len(against) == 1 and _outvoting(lost))):
            return lost, against
    return None


def _apart(
    known: Collection[Network], lost: Iterable[VantageReport], against: Iterable[VantageReport]
) -> bool:
    """Whether one network alone is `against` it, none of the `known` ones, of which some still
    are lost."""
    still, spared = ({one.known_network for one in reports} for reports in (lost, against))
    return len(spared) == 1 and spared.isdisjoint(known) and not still.isdisjoint(known)


def _outvoting(lost: Sequence[VantageReport]) -> bool:
    return any(
        len(together) >= OUTVOTING
        and len({s.known_network for s in together}) >= OUTVOTING_NETWORKS
        for last in lost
        for together in [[s for s in lost if timedelta() <= last.since - s.since <= TOGETHER]]
    )


def _alone(report: VantageReport, view: View) -> bool:
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


def _lost_for_sure(events: Iterable[Event]) -> bool:
    """Whether one of these says for sure that a country is shut down or cut off."""
    return any(e.kind in _NATIONAL and e.state is EventState.CONFIRMED for e in events)


def _lost_networks(events: Iterable[Event]) -> set[Network]:
    """The networks that a confirmed shutdown or cut of a country lost."""
    return {
        network.key
        for event in events
        if _lost_for_sure([event])
        for network in event.networks
        if network.affected
    }


def _together(reports: Iterable[VantageReport]) -> bool:
    """Whether at least the last two of them were lost within a short time."""
    since = sorted(report.since for report in reports)
    return len(since) > 1 and since[-1] - since[-2] <= TOGETHER
