"""What is stored, cycle by cycle in the order they ended, with no more in memory than is open."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from monitor.judging.stored_controls import Surroundings, control_rounds
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import Selection, Store, StoredCycle

LONGEST = timedelta(days=1)
"""A cycle that seems to have lasted longer met a clock that jumped."""
_TIDY_EVERY = 8
"""Cycles between two times of letting go of what no cycle will ask for."""

T = TypeVar("T")


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, in short."""

    cycles: int
    longest: timedelta
    """How long the longest cycle lasted."""


async def survey(store: Store) -> Survey:
    """Go through all cycles once. StorageError from the store."""
    count, longest = 0, timedelta(0)
    async for batch in store.cycles(Selection()):
        count += len(batch)
        longest = max(longest, *(one.finished_at - one.started_at for one in batch))
    return Survey(cycles=count, longest=min(longest, LONGEST))


class _Ahead(Generic[T]):
    """A listing that is read up to a moment, and later further."""

    def __init__(
        self, batches: AsyncIterator[Sequence[T]], moment: Callable[[T], datetime]
    ) -> None:
        self._batches = batches
        self._moment = moment
        self._held: list[T] = []
        self._over = False

    async def up_to(self, moment: datetime) -> AsyncIterator[T]:
        """Everything up to that moment, it included, that was not given before."""
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
    looks: tuple[Measurement, ...] = ()
    """All that carry its id: of its vantage, and of controls."""
    verdicts: tuple[Verdict, ...] = ()
    around: Surroundings = Surroundings()


class History:
    """Goes through a store once. StorageError from it."""

    def __init__(
        self,
        store: Store,
        longest: timedelta,
        since: datetime | None,
        until: datetime | None,
        patience: timedelta = timedelta(0),
    ) -> None:
        """`longest` is how long a cycle lasts at most. Looks and endpoint verdicts are read of
        cycles that end within `since` and `until` only, looks of controls until so much later."""
        self._store = store
        self._longest = longest
        self._since = since
        self._until = until
        begun = None if since is None else since - longest
        self._patience = patience
        wanted = Selection(since=begun, until=until)
        looks = Selection(since=begun, until=None if until is None else until + patience)
        self._looks = _Ahead(store.measurements(looks), lambda look: look.started_at)
        self._verdicts = _Ahead(store.verdicts(wanted), lambda verdict: verdict.judged_at)
        self._platforms = _Ahead(store.platforms(Selection()), lambda verdict: verdict.judged_at)
        self._open_looks: dict[str, list[Measurement]] = {}
        self._open_verdicts: dict[str, list[Verdict]] = {}
        self._open_platforms: dict[str, list[PlatformVerdict]] = {}
        self._controls: dict[str, list[Measurement]] = {}
        self._rounds: dict[tuple[str, str], list[Measurement]] = {}
        self._of_controls: set[str] = set()
        self._health: dict[str, VantageHealth] = {}

    async def walk(self) -> AsyncIterator[Past]:
        """Every cycle, in the order they ended; looks and verdicts only within the bounds."""
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
        async for look in self._looks.up_to(at + self._patience):
            self._sort_in(look)
        async for verdict in self._verdicts.up_to(at):
            self._open_verdicts.setdefault(verdict.cycle, []).append(verdict)
        return Past(
            cycle=cycle,
            platforms=platforms,
            looks=tuple(self._open_looks.pop(cycle.id, ())),
            verdicts=tuple(self._open_verdicts.pop(cycle.id, ())),
            around=Surroundings() if control else self._around(),
        )

    def _sort_in(self, look: Measurement) -> None:
        if look.look is Purpose.CONTROL:
            self._controls.setdefault(look.endpoint, []).append(look)
            return
        if look.look is Purpose.REFERENCE and look.vantage_role == VantageRole.CONTROL:
            self._rounds.setdefault((look.vantage, look.cycle), []).append(look)
        self._open_looks.setdefault(look.cycle, []).append(look)

    def _around(self) -> Surroundings:
        looks = [look for several in self._rounds.values() for look in several]
        rounds = control_rounds(looks, self._of_controls)
        return Surroundings(controls=self._controls, rounds=rounds, health=self._health)

    def _tidy(self, horizon: datetime) -> None:
        """Let go of what ended before any cycle that is still to come began."""
        for endpoint, looks in list(self._controls.items()):
            kept = [look for look in looks if look.started_at >= horizon]
            if kept:
                self._controls[endpoint] = kept
            else:
                del self._controls[endpoint]
        newest: dict[tuple[str, bool], datetime] = {}
        for (vantage, cycle), looks in self._rounds.items():
            key = (vantage, cycle in self._of_controls)
            newest[key] = max(newest.get(key, looks[0].started_at), looks[0].started_at)
        self._rounds = {
            (vantage, cycle): looks
            for (vantage, cycle), looks in self._rounds.items()
            if looks[0].started_at >= min(horizon, newest[vantage, cycle in self._of_controls])
        }
        self._of_controls &= {cycle for _, cycle in self._rounds}
        self._open_looks = {
            cycle: looks
            for cycle, looks in self._open_looks.items()
            if looks[-1].started_at >= horizon
        }
        self._open_verdicts = {
            cycle: verdicts
            for cycle, verdicts in self._open_verdicts.items()
            if verdicts[-1].judged_at >= horizon
        }
        self._open_platforms = {
            cycle: verdicts
            for cycle, verdicts in self._open_platforms.items()
            if verdicts[-1].judged_at >= horizon
        }
