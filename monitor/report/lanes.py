"""What each network showed over the time of a report, from verdicts or from counts by the hour."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.coverage import Cause, Tallies
from monitor.analysis.verdict import PlatformVerdict, State
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.report.findings import Lane, Network, Wanted
from monitor.report.time_slots import Slots
from probes.vantage import VantageRole
from storage.store import Store
from storage.values.rollup import COUNTS, Availability
from storage.values.selection import Selection

_HOUR = timedelta(hours=1)


class Lanes:
    """Counts of platform verdicts by network."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.states: dict[Network, Counter[State]] = {}
        self.all_the_same: Counter[Network] = Counter()
        """Undecided verdicts by which a function is blocked all the same."""
        self.vantages: dict[Network, set[str]] = {}
        self.times: dict[Network, tuple[datetime, datetime]] = {}
        self.gaps: dict[Network, timedelta] = {}
        self.by_hour: Counter[Network] = Counter()
        self.kept_from: datetime | None = None
        """The first verdict that is left."""
        self.versions: set[str] = set()
        self.tallies = Tallies()

    def add(
        self, network: Network, at: datetime, verdict: PlatformVerdict, *, quarantined: bool
    ) -> None:
        """One verdict; of a vantage in quarantine it decides nothing."""
        self.tallies.add(verdict, quarantined=quarantined)
        state = State.INSUFFICIENT if quarantined else verdict.state
        gap = at - self.times[network][1] if network in self.gaps else timedelta()
        self.gaps[network] = max(self.gaps.get(network, timedelta()), gap)
        self.kept_from = self.kept_from or at
        self._count(network, (at, at), {state: 1})
        if verdict.blocked_all_the_same and not quarantined:
            self.all_the_same[network] += 1
            self.slots.count_blocked_all_the_same(network, at)

    def _count(
        self, network: Network, span: tuple[datetime, datetime], states: Mapping[State, int]
    ) -> None:
        self.slots.count(network, span[0], states)
        self.states.setdefault(network, Counter()).update(states)
        first, last = self.times.get(network, span)
        self.times[network] = (min(first, span[0]), max(last, span[1]))

    def add_hour(self, hour: Availability) -> None:
        """The counts of one network in one hour whose verdicts were deleted."""
        states: dict[State, int] = {state: getattr(hour, state.value) for state in COUNTS}
        if any(states.values()):
            at = hour.counted_from or hour.starts_at
            network = (hour.asn or 0, hour.network)
            until = hour.counted_until or hour.starts_at + _HOUR
            self._count(network, (at, until), states)
            self.by_hour[network] += sum(states.values())
            place = (hour.country, hour.platform, *network)
            undecided = states.pop(State.INSUFFICIENT)
            self.tallies.add_counts(place, at, states, {Cause.UNKNOWN: undecided})

    def found(self, unwell: Counter[Network]) -> tuple[Lane, ...]:
        return tuple(
            Lane(
                network=network,
                slots=self.slots.of(network),
                verdicts=states.total(),
                blocked=states[State.BLOCKED],
                throttled=states[State.THROTTLED],
                in_part=states[State.DEGRADED] + states[State.PARTIAL] + self.all_the_same[network],
                undecided=states[State.INSUFFICIENT],
                vantages=frozenset(self.vantages.get(network, ())),
                by_hour=self.by_hour[network],
                first=self.times[network][0],
                last=self.times[network][1],
                longest_gap=self.gaps.get(network),
                unwell=unwell[network],
            )
            for network, states in sorted(self.states.items())
        )


async def lanes_of(
    store: Store, wanted: Wanted, interval: float, quarantined: Quarantined = NOBODY
) -> Lanes:
    """From verdicts where they are still stored, none of which decides anything that is
    `quarantined`; before that from counts by the hour, which are kept longer."""
    selection = wanted.selection
    # Half as long again as the time between cycles, so that hardly a slot is empty by chance.
    width = timedelta(seconds=max(1.0, 1.5 * interval))
    lanes: Lanes | None = None
    async for batch in store.platforms(selection):
        lanes = lanes or await _counted(store, selection, batch[0].started_at, width)
        for one in batch:
            if one.vantage_role == VantageRole.FIELD:
                network = (one.asn, one.network)
                # The time of the measurement, not of the verdict: events go by that clock.
                lanes.add(network, one.started_at, one, quarantined=one in quarantined)
                lanes.vantages.setdefault(network, set()).add(one.vantage)
                lanes.versions.add(one.rules_version)
    return lanes or await _counted(store, selection, wanted.until, width)


async def _counted(store: Store, selection: Selection, before: datetime, width: timedelta) -> Lanes:
    """Lanes of the whole hours before `before`; later verdicts are added to them."""
    hour = before.replace(minute=0, second=0, microsecond=0)
    lanes: Lanes | None = None
    if selection.since is None or hour > selection.since:
        async for batch in store.availability(msgspec.structs.replace(selection, until=hour)):
            # Slots of whole hours: else the counts of an hour would lie in one that ends before it.
            origin = min(one.starts_at for one in batch)
            lanes = lanes or Lanes(Slots(origin, _HOUR * max(1, -(-width // _HOUR))))
            for one in batch:
                lanes.add_hour(one)
    return lanes or Lanes(Slots(before, width))
