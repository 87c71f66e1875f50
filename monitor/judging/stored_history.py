"""All stored cycles, in the order they ended, with only the open ones in memory."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from monitor.judging.stored_controls import Surroundings, control_rounds
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import Store
from storage.values.cycle import StoredCycle
from storage.values.selection import Selection

LONGEST = timedelta(days=1)
"""A cycle that seems to have lasted longer met a clock that jumped."""
_TIDY_EVERY = 8
"""Cycles after which what no further cycle can need is dropped."""

T = TypeVar("T")


async def survey(store: Store) -> tuple[int, timedelta]:
    """How many cycles are stored, and how long the longest took. Reads all. StorageError."""
    count, longest = 0, timedelta(0)
    async for batch in store.cycles(Selection()):
        count += len(batch)
        longest = max(longest, *(one.finished_at - one.started_at for one in batch))
    return count, min(longest, LONGEST)


class _Ahead(Generic[T]):
    """A listing that is read up to a moment, later up to the next."""

    def __init__(
        self, batches: AsyncIterator[Sequence[T]], moment: Callable[[T], datetime]
    ) -> None:
        self._batches = batches
        self._moment = moment
        self._held: list[T] = []
        self._over = False

    async def up_to(self, moment: datetime) -> AsyncIterator[T]:
        """Everything up to and including that moment that was not given before."""
        while True:
            due = 0
            while due < len(self._held) and self._moment(self._held[due]) <= moment:
                due += 1
            ready, self._held = self._held[:due], self._held[due:]
            for one in ready:
                yield one
            if self._held or self._over:
                return
            batch = await anext(self._batches, None)
            self._over = batch is None
            self._held = list(batch or ())


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle with what is stored of it."""

    cycle: StoredCycle
    platforms: tuple[PlatformVerdict, ...]
    measurements: tuple[Measurement, ...] = ()
    """All that carry its id: of its vantage, and of controls."""
    verdicts: tuple[Verdict, ...] = ()
    surroundings: Surroundings = Surroundings()


class History:
    """Goes through a store once. StorageError."""

    def __init__(
        self,
        store: Store,
        longest: timedelta,
        since: datetime | None,
        until: datetime | None,
        patience: timedelta = timedelta(0),
    ) -> None:
        """`longest` is how long a cycle lasts at most. Measurements and endpoint verdicts are read
        only for cycles that end within `since` and `until`, those of controls `patience` longer."""
        self._store = store
        self._longest = longest
        self._since = since
        self._until = until
        begun = None if since is None else since - longest
        self._patience = patience
        wanted = Selection(since=begun, until=until)
        longer = Selection(since=begun, until=None if until is None else until + patience)
        self._measurements = _Ahead(store.measurements(longer), lambda one: one.started_at)
        self._verdicts = _Ahead(store.verdicts(wanted), lambda verdict: verdict.judged_at)
        self._platforms = _Ahead(store.platforms(Selection()), lambda verdict: verdict.judged_at)
        self._open_measurements: dict[str, list[Measurement]] = {}
        self._open_verdicts: dict[str, list[Verdict]] = {}
        self._open_platforms: dict[str, list[PlatformVerdict]] = {}
        self._controls: dict[str, list[Measurement]] = {}
        self._rounds: dict[tuple[str, str], list[Measurement]] = {}
        self._of_controls: set[str] = set()
        self._health: dict[str, VantageHealth] = {}

    async def walk(self) -> AsyncIterator[Past]:
        """Every cycle, in the order they ended; all that is stored of it within the bounds."""
        count = 0
        async for batch in self._store.cycles(Selection()):
            for cycle in batch:
                count += 1
                yield await self._past(cycle)
                if count % _TIDY_EVERY == 0:
                    self._tidy(cycle.finished_at - self._longest)

    async def _past(self, cycle: StoredCycle) -> Past:
        at = cycle.finished_at
        async for rolled_up in self._platforms.up_to(at):
            self._open_platforms.setdefault(rolled_up.cycle, []).append(rolled_up)
        self._health[cycle.vantage] = cycle.health
        control = cycle.health.vantage_role == VantageRole.CONTROL
        if control:
            self._of_controls.add(cycle.id)
        platforms = tuple(self._open_platforms.pop(cycle.id, ()))
        too_early = self._since is not None and at < self._since
        too_late = self._until is not None and at >= self._until
        if too_early or too_late:
            return Past(cycle=cycle, platforms=platforms)
        async for one in self._measurements.up_to(at + self._patience):
            self._sort_in(one)
        async for verdict in self._verdicts.up_to(at):
            self._open_verdicts.setdefault(verdict.cycle, []).append(verdict)
        return Past(
            cycle=cycle,
            platforms=platforms,
            measurements=tuple(self._open_measurements.pop(cycle.id, ())),
            verdicts=tuple(self._open_verdicts.pop(cycle.id, ())),
            surroundings=Surroundings() if control else self._surroundings(),
        )

    def _sort_in(self, one: Measurement) -> None:
        if one.look is Purpose.CONTROL:
            self._controls.setdefault(one.endpoint, []).append(one)
            return
        if one.look is Purpose.REFERENCE and one.vantage_role == VantageRole.CONTROL:
            self._rounds.setdefault((one.vantage, one.cycle), []).append(one)
        self._open_measurements.setdefault(one.cycle, []).append(one)

    def _surroundings(self) -> Surroundings:
        measurements = [one for several in self._rounds.values() for one in several]
        rounds = control_rounds(measurements, self._of_controls)
        return Surroundings(controls=self._controls, rounds=rounds, health=self._health)

    def _tidy(self, horizon: datetime) -> None:
        """Drop what ended before any further cycle began."""
        for endpoint, measurements in self._controls.items():
            self._controls[endpoint] = [one for one in measurements if one.started_at >= horizon]
        _drop(self._controls, lambda kept: not kept)
        newest: dict[tuple[str, bool], datetime] = {}
        for (vantage, cycle), measurements in self._rounds.items():
            key, began = (vantage, cycle in self._of_controls), measurements[0].started_at
            newest[key] = max(newest.get(key, began), began)
        self._rounds = {
            (vantage, cycle): measurements
            for (vantage, cycle), measurements in self._rounds.items()
            if measurements[0].started_at
            >= min(horizon, newest[vantage, cycle in self._of_controls])
        }
        self._of_controls &= {cycle for _, cycle in self._rounds}
        _drop(self._open_measurements, lambda several: several[-1].started_at < horizon)
        _drop(self._open_verdicts, lambda several: several[-1].judged_at < horizon)
        _drop(self._open_platforms, lambda several: several[-1].judged_at < horizon)


def _drop(known: dict[str, list[T]], over: Callable[[list[T]], bool]) -> None:
    for key in [key for key, several in known.items() if over(several)]:
        del known[key]
