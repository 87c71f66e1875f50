"""A received cycle, put together with what controls measured, and judged.

An agent can ask for a control at once, and what controls measured for it is stored before it sends
its cycle. Where it could not ask, measurements that controls make by the clock serve, if they began
after the failure. They may arrive after the cycle does. So a cycle says which controls it still
lacks, and `monitor.collector.judging_queue` decides how long to wait. Where controls are agents,
one does not settle anything: it lacks as many as can be expected, up to those that decide a vote.

Of a cycle that lasted for hours, since its machine slept or since its sender says so, the controls
of its last hours count (`monitor.collector.control_parts`), and those that measured for it. What
failed before that time is held against the latter alone: what gets through hours later may have
been down for everybody.

All that is computed here is computed in a thread, one cycle at a time: the event loop answers
agents meanwhile.

Cycles are judged by their end time on the collectors' clock, even when they arrive late, so the
verdicts depend on nothing but what was measured.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.judge.second_attempt import needs_comparison, suspicious
from monitor.analysis.judge.siblings import sampled_out
from monitor.analysis.seen import Seen
from monitor.analysis.trust import Trust, Voice, network_key
from monitor.analysis.vantage.health import HOPELESS, assess
from monitor.analysis.verdict import VantageHealth
from monitor.collector.control_parts import ControlParts
from monitor.config.settings import Settings
from monitor.judging.from_stored import StoredCycles, early_health, vantage_of
from monitor.judging.judge_cycle import judge_cycle
from monitor.judging.stored_controls import (
    Surroundings,
    control_rounds,
    patience_of,
    references_of,
)
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import FleetStore
from storage.values.cycle import Cycle
from storage.values.fleet import WaitingCycle

CONTROLS_HEARD = timedelta(hours=1)
"""A control that reported so recently is expected to measure again."""
REMEMBERED = timedelta(hours=6)
"""How long a control's own cycles are remembered, to know them from rounds made for others."""


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """A failure without enough control measurements after it."""

    endpoint: str
    ended_at: float
    """POSIX seconds."""
    trust: Trust
    heard: tuple[Voice, ...] = ()
    """Controls that are expected to measure it: those that reported of late."""
    at: datetime
    """UTC; when they are weighed."""

    def met_by(self, controls: Iterable[Measurement]) -> bool:
        """Whether these measurements of controls have what was missing: one of an own control, or
        agents' that decide a vote, or one of every control that is expected."""
        after = [
            one
            for one in controls
            if one.endpoint == self.endpoint and one.started_at.timestamp() >= self.ended_at
        ]
        if any(self.trust.is_own(one.vantage) for one in after):
            return True
        if not after or any(self.trust.is_own(one.vantage) for one in self.heard):
            return False
        sides = [
            self.trust.total(map(_voice, (m for m in after if m.reached is reached)), self.at)
            for reached in (True, False)
        ]
        decided = max(sides) >= self.trust.agreement and sides[0] != sides[1]
        return decided or {one.vantage for one in self.heard} <= {one.vantage for one in after}


def _voice(seen: Measurement | VantageHealth) -> Voice:
    return Voice(vantage=seen.vantage, network=network_key(seen.asn, seen.network))


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A received cycle with all that bears on its verdicts."""

    waiting: WaitingCycle
    seen: Seen
    lacking: tuple[Lack, ...] = ()


class ReceivedCycles:
    """Opens and judges the cycles of all vantages; those of one in the order they were made."""

    def __init__(self, settings: Settings, store: FleetStore) -> None:
        self._settings = settings
        self._store = store
        self._stored = StoredCycles(settings)
        self._controls_read = ControlParts(store, settings.interval)
        self._own: dict[str, datetime] = {}
        """Controls' own cycles, by id, and when they ended."""
        self._controls: dict[str, VantageHealth] = {}

    def use(self, settings: Settings) -> None:
        """Use other settings from now on. Verdicts on speed that still hold are forgotten."""
        self._settings = settings
        self._stored = StoredCycles(settings)
        self._controls_read = ControlParts(self._store, settings.interval)

    def believe(self, settings: Settings) -> None:
        """Weigh the word of controls by these settings from now on; all else stays."""
        self._stored.trust = settings.events.trust

    @property
    def patience(self) -> timedelta:
        """How long after a failure a measurement of a control may end and still count."""
        return patience_of(self._settings)

    def refresh(self) -> None:
        """Read what controls measured anew: more may have arrived."""
        self._controls_read.forget()

    def learn(self, id_: str, finished_at: datetime, health: VantageHealth) -> None:
        """Remember a judged cycle: those of controls show their health."""
        if health.vantage_role != VantageRole.CONTROL:
            return
        self._own[id_] = finished_at
        known = self._controls.get(health.vantage)
        if known is None or known.at <= health.at:
            self._controls[health.vantage] = health
        newest = max(self._own.values())
        self._own = {one: at for one, at in self._own.items() if newest - at <= REMEMBERED}

    async def open(self, waiting: WaitingCycle) -> Opened:
        """Read all that bears on it. StorageError."""
        measurements = await self._store.measurements_of(waiting)
        early, failed = await asyncio.to_thread(self._early, waiting, measurements)
        # From their last rounds before it until they no longer count.
        until = waiting.finished_at + self.patience
        earliest = self._controls_read.earliest(waiting.finished_at)
        since = max(waiting.started_at - self.patience, earliest)
        controls = await self._controls_read.between(since, until) if failed else None
        return await asyncio.to_thread(self._opened, waiting, measurements, early, controls, since)

    def _early(
        self, waiting: WaitingCycle, measurements: Sequence[Measurement]
    ) -> tuple[VantageHealth, bool]:
        """The health before any endpoint was measured, and whether anything failed after it that
        controls can tell about."""
        own = [one for one in measurements if one.vantage == waiting.vantage]
        references = references_of(own, self._settings.catalog, waiting.country)
        early = early_health(waiting, references, own)
        attempts = (one for one in own if one.look in (Purpose.SCHEDULED, Purpose.RETRY))
        hopeless = early.state in HOPELESS
        return early, not hopeless and any(suspicious(one, early.families) for one in attempts)

    def _opened(
        self,
        waiting: WaitingCycle,
        measurements: Sequence[Measurement],
        early: VantageHealth,
        controls: Sequence[Measurement] | None,
        since: datetime,
    ) -> Opened:
        """`controls` are what controls measured from `since` on; None when nothing failed."""
        surroundings = Surroundings()
        if controls is not None:
            surroundings = self._surroundings(waiting, measurements, controls, since)
        seen = self._stored.seen(
            waiting, measurements, surroundings, waiting.finished_at, out_of_turn=waiting.hurried
        )
        lacking = () if early.state in HOPELESS else self._lacking(seen, early.families)
        return Opened(waiting=waiting, seen=seen, lacking=lacking)

    async def judge(self, opened: Opened) -> Cycle:
        """The cycle with its verdicts. Call it once for each."""
        judged = await asyncio.to_thread(self._stored.judge, opened.seen)
        self.learn(judged.id, judged.finished_at, judged.health)
        return judged

    def unjudged(self, waiting: WaitingCycle) -> Cycle:
        """The cycle without a verdict: nothing is known of it, not even the vantage's health."""
        vantage, at = vantage_of(waiting), waiting.finished_at
        nothing = Seen(
            cycle=waiting.id,
            vantage=vantage,
            started_at=waiting.started_at,
            finished_at=at,
            judged_at=at,
            health=assess(vantage, (), (), at),
            out_of_turn=waiting.hurried,
        )
        return judge_cycle(nothing, self._settings.catalog, ())

    def _lacking(self, seen: Seen, families: tuple[str, ...]) -> tuple[Lack, ...]:
        at = seen.finished_at
        heard = tuple(
            _voice(one) for one in self._controls.values() if at - one.at <= CONTROLS_HEARD
        )
        found = []
        stood_for = sampled_out(seen.endpoints)
        for one in seen.endpoints:
            if (one.platform, one.function, one.endpoint) in stood_for:
                continue
            lack = Lack(
                endpoint=one.endpoint,
                ended_at=one.attempts[-1].ended_at,
                trust=self._stored.trust,
                heard=heard,
                at=at,
            )
            if needs_comparison(one.attempts, families) and not lack.met_by(one.controls):
                found.append(lack)
        return tuple(found)

    def _surroundings(
        self,
        waiting: WaitingCycle,
        measurements: Sequence[Measurement],
        read: Sequence[Measurement],
        since: datetime,
    ) -> Surroundings:
        """What controls measured from `since` on, and for this cycle before."""
        for_it = [
            one
            for one in measurements
            if one.vantage_role == VantageRole.CONTROL and one.started_at < since
        ]
        if for_it:
            for_it.sort(key=lambda one: (one.started_at, one.id))
            read = [*for_it, *(one for one in read if one.started_at >= since)]
        begun = since.timestamp()
        long_ago = {
            one.endpoint
            for one in measurements
            if one.look in (Purpose.SCHEDULED, Purpose.RETRY) and one.ended_at < begun
        }
        controls: dict[str, list[Measurement]] = {}
        for one in read:
            if one.look is Purpose.CONTROL and (
                one.cycle == waiting.id or one.endpoint not in long_ago
            ):
                controls.setdefault(one.endpoint, []).append(one)
        references = [one for one in read if one.look is Purpose.REFERENCE]
        rounds = control_rounds(references, self._own)
        return Surroundings(controls=controls, rounds=rounds, health=self._controls)
