"""A cycle that was handed in → its verdicts, against what controls saw of the same endpoints.

An agent can ask for a look of a control at once, and what controls saw for it is stored before it
hands its cycle in. Where it could not, looks that controls make by the clock serve, as long as they
began after the failure. They may come in after the cycle does, so a cycle says what it still lacks,
and its keeper (`monitor.collector.judging_queue`) decides how long to wait.

What comes out depends on what was measured and on nothing else: the moment of judging is the end of
the cycle, whenever it comes in and whoever judges it.
"""

from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from monitor.analysis.judge.suspicion import suspicious
from monitor.analysis.seen import Seen
from monitor.analysis.vantage.health import HOPELESS, assess
from monitor.analysis.verdict import VantageHealth
from monitor.config.settings import Settings
from monitor.judging.from_stored import StoredCycles, early_health, vantage_of
from monitor.judging.judge import judge_cycle
from monitor.judging.stored_controls import (
    Surroundings,
    control_rounds,
    patience_of,
    references_of,
)
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import Cycle, StoredCycle
from storage.values.fleet import WaitingCycle

REMEMBERED = timedelta(hours=6)
"""How long controls' own cycles are told from rounds they made for others."""


class ControlSource(Protocol):
    """Where looks are stored: a part of `storage.values.fleet.FleetStore`. StorageError from
    each."""

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        """As there."""

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """As there."""


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that no control looked at afterwards."""

    endpoint: str
    ended_at: float
    """POSIX seconds."""

    def met_by(self, look: Measurement) -> bool:
        """Whether that look of a control is what was missing."""
        return look.endpoint == self.endpoint and look.started_at.timestamp() >= self.ended_at


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle on the table: everything that bears on it, and no verdict yet."""

    waiting: WaitingCycle
    seen: Seen
    lacking: tuple[Lack, ...] = ()


class Judge:
    """Judges the cycles of all vantages; those of one in the order they were made."""

    def __init__(self, settings: Settings, looks: ControlSource) -> None:
        self._settings = settings
        self._looks = looks
        self._stored = StoredCycles(settings)
        self._around: dict[tuple[datetime, datetime], list[Measurement]] = {}
        self._own: dict[str, datetime] = {}
        """Cycles of controls, by id, and when they ended."""
        self._controls: dict[str, VantageHealth] = {}

    def use(self, settings: Settings) -> None:
        """Go by other settings from now on. Standing verdicts on speed are measured anew."""
        self._settings = settings
        self._stored = StoredCycles(settings)

    def new_step(self) -> None:
        """Forget what controls were known to have seen: more may have come in."""
        self._around.clear()

    def learn(self, id_: str, finished_at: datetime, health: VantageHealth) -> None:
        """Take note of a judged cycle: those of controls tell how the controls are."""
        if health.vantage_role != VantageRole.CONTROL:
            return
        self._own[id_] = finished_at
        known = self._controls.get(health.vantage)
        if known is None or known.at <= health.at:
            self._controls[health.vantage] = health
        newest = max(self._own.values())
        self._own = {one: at for one, at in self._own.items() if newest - at <= REMEMBERED}

    async def open(self, waiting: WaitingCycle) -> Opened:
        """Put everything about it on the table."""
        looks = await self._looks.measurements_of(waiting)
        cycle = _stored(waiting)
        own = [look for look in looks if look.vantage == waiting.vantage]
        early = early_health(cycle, references_of(own, self._settings.catalog, cycle.country))
        failed = [
            look
            for look in own
            if look.look in (Purpose.SCHEDULED, Purpose.RETRY) and suspicious(look, early.families)
        ]
        around = Surroundings()
        if failed and early.state not in HOPELESS:
            around = await self._surroundings(waiting)
        seen = self._stored.seen(
            cycle, looks, around, waiting.finished_at, out_of_turn=waiting.hurried
        )
        hopeless = early.state in HOPELESS
        return Opened(
            waiting=waiting,
            seen=seen,
            lacking=() if hopeless else _lacking(seen, early.families),
        )

    def conclude(self, opened: Opened) -> Cycle:
        """Its verdicts. To be asked once for each cycle."""
        judged = judge_cycle(opened.seen, self._settings)
        self._stored.learn(opened.seen, judged)
        self.learn(judged.id, judged.finished_at, judged.health)
        return judged

    def unjudged(self, waiting: WaitingCycle) -> Cycle:
        """The cycle without a verdict: nothing is known of it, not even how the vantage was."""
        cycle = _stored(waiting)
        return Cycle(
            id=waiting.id,
            vantage=waiting.vantage,
            country=waiting.country,
            started_at=waiting.started_at,
            finished_at=waiting.finished_at,
            health=assess(vantage_of(cycle), (), (), waiting.finished_at),
            measurements=(),
            verdicts=(),
            platforms=(),
            hurried=waiting.hurried,
        )

    async def _surroundings(self, waiting: WaitingCycle) -> Surroundings:
        """What controls saw from their last rounds before it on, as long as it can count."""
        patience = patience_of(self._settings)
        step = self._settings.interval
        # In whole steps, so that cycles of the same time share one answer.
        since = _floor(waiting.started_at - patience, step)
        until = _floor(waiting.finished_at + patience, step) + timedelta(seconds=step)
        looks = self._around.get((since, until))
        if looks is None:
            looks = await self._looks.control_measurements(since, until)
            self._around[since, until] = looks
        controls: dict[str, list[Measurement]] = {}
        for look in looks:
            if look.look is Purpose.CONTROL:
                controls.setdefault(look.endpoint, []).append(look)
        references = [look for look in looks if look.look is Purpose.REFERENCE]
        rounds = control_rounds(references, self._own)
        return Surroundings(controls=controls, rounds=rounds, health=self._controls)


def _stored(waiting: WaitingCycle) -> StoredCycle:
    return StoredCycle(
        id=waiting.id,
        vantage=waiting.vantage,
        country=waiting.country,
        started_at=waiting.started_at,
        finished_at=waiting.finished_at,
        health=waiting.health,
    )


def _lacking(seen: Seen, families: tuple[str, ...]) -> tuple[Lack, ...]:
    found = []
    for one in seen.endpoints:
        failed = one.attempts[-1]
        lack = Lack(endpoint=one.endpoint, ended_at=failed.ended_at)
        if suspicious(failed, families) and not any(map(lack.met_by, one.controls)):
            found.append(lack)
    return tuple(found)


def _floor(moment: datetime, step: float) -> datetime:
    seconds = moment.timestamp() // step * step
    return datetime.fromtimestamp(seconds, tz=moment.tzinfo)
