"""What the conditions of all vantages mean: one is silent, a country is offline or cut off from
abroad, only a list of sites passes, or the fault is ours.

* **Shutdown**: every field vantage of a country is dark or nameless, on two networks or more, while
  a vantage elsewhere is well. Suspected once that vantage has reported since; confirmed when each
  was dark for `SURE` cycles or silent, and where agents are judged, when they weigh enough
  (`monitor.analysis.trust`).
* **International cut**: every field vantage of a country is dark or cut, and at least one is cut.
  Confirmed likewise, from two networks on that are cut, or were lost together.
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
lost vantages is back, and a login page or an unknown exit does not say that.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.events.vantage_reports import (
    DARK,
    SILENT_FLOOR,
    SURE,
    Connectivity,
    Reachability,
    VantageReport,
    at_moment,
    sure,
)
from monitor.analysis.trust import Trust, Voice

TOGETHER = timedelta(hours=1)
OUTVOTING = 4
"""Vantages lost together that outvote one that is not."""
OUTVOTING_NETWORKS = 3
"""Networks they must be on: a power cut in one building is no country."""
REMEMBERED = timedelta(days=1)
"""A vantage that was dark for longer when the others were lost does not count for its country."""

_NATIONAL = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
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


class View:
    """The vantages at one moment: those that are lost, and the others when they are asked for."""

    def __init__(self, state: Connectivity, now: datetime, interval: float) -> None:
        self._state, self._interval = state, interval
        self.now = now
        concerned = [state.reports[name] for name in sorted(state.lost | state.silent)]
        reports = [at_moment(report, now, state, interval) for report in concerned]
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
    national: dict[str, list[Event]] = {}
    for event in active:
        if event.kind in _NATIONAL:
            national.setdefault(event.country, []).append(event)
    # A confirmed event of a country stays so when others are lost later.
    held = {c for c, events in national.items() if any(map(_is_confirmed, events))}
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
                sure=sure(ours),
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
        dark = report.condition is Reachability.DARK and sure([report])
        if dark and report.vantage not in explained:
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
    confirmed = any(map(_is_confirmed, active))
    if view.able(country) > 1 and not confirmed:
        return None  # At most one can be outvoted.
    here = view.here(country)
    if confirmed:
        # A login page, or a VPN left on, does not show that it is over.
        here = [one for one in here if one.condition is not Reachability.UNCLEAR]
    last_loss = max(s.since for s in here if s.lost)
    loss = min((event.onset_latest for event in active), default=last_loss)
    counting = [s for s in here if s.condition not in DARK or loss - s.since <= REMEMBERED]
    agreed = _agreed(counting)
    if agreed is None:
        return None
    lost, against = agreed
    networks = len({report.key for report in lost})
    cut = {report.key for report in lost if report.condition is Reachability.CUT}
    if cut:
        return Finding(
            kind=EventKind.INTERNATIONAL_CUT,
            country=country,
            vantage="",
            reports=lost,
            sure=networks > 1 and sure(lost) and (len(cut) > 1 or _together(lost)),
            against=against,
        )
    if not confirmed and (networks < 2 or not _together(lost)):
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
    return Finding(
        kind=EventKind.SHUTDOWN,
        country=country,
        vantage="",
        reports=lost,
        sure=sure(lost),
        against=against,
        witnessed=any(_witnessed(lost, by) for by in well),
    )


def _listed(country: str, view: View, active: Collection[Event]) -> Finding | None:
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
    return Finding(
        kind=EventKind.ALLOWLIST,
        country=country,
        vantage="",
        reports=affected,
        sure=len({report.key for report in affected}) > 1 and sure(affected),
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
    for conditions in (DARK, (*DARK, Reachability.CUT)):
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


def _is_confirmed(event: Event) -> bool:
    return event.state is EventState.CONFIRMED


def _together(reports: Iterable[VantageReport]) -> bool:
    """Whether at least the last two of them were lost within a short time."""
    since = sorted(report.since for report in reports)
    return len(since) > 1 and since[-1] - since[-2] <= TOGETHER
