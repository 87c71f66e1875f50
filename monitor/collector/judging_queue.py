"""Goes through what waits for judgement, in the order it was received, about.

A cycle in which something failed that no control looked at afterwards waits: for those looks,
which controls make by the clock, or until `control_wait` after it was received. Cycles of its
vantage wait behind it, so that each vantage is judged in order; other vantages go on. Nothing waits
where no control was heard of for an hour, nor what came long after it was seen: what controls saw
then has come in, or never will.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from monitor.collector.judge_cycle import Judge, Lack, Opened
from monitor.config.settings import Settings
from monitor.logs import logger
from probes.measurement import Measurement
from storage.store import StorageError
from storage.values.cycle import Cycle
from storage.values.fleet import WaitingCycle

log = logger(__name__)

AT_ONCE = 200
"""Cycles read in one step; so many that came late are taken in together, too."""
CONTROLS_HEARD = timedelta(hours=1)
"""A control that was heard of so recently is expected to look again."""


def wait_of(settings: Settings) -> float:
    """Seconds after its reception for which a cycle waits for a control to look."""
    wait = settings.collector.control_wait
    return wait if wait >= 0 else 2 * settings.interval


class CycleRecorder(Protocol):
    """Who keeps judged cycles: `monitor.recording.recorder.Recorder`. StorageError when one is not
    durable."""

    async def record(self, cycle: Cycle) -> None:
        """One that tells of now."""

    async def record_late(self, cycles: Sequence[Cycle]) -> None:
        """Some that tell of the past."""


class Waiting(Protocol):
    """Where cycles wait: a part of `storage.values.fleet.FleetStore`. StorageError from each."""

    async def waiting(self, limit: int, skip: Sequence[str] = ()) -> list[WaitingCycle]:
        """As there."""

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """As there."""

    async def latest_control_measurements(self, since: datetime) -> list[Measurement]:
        """As there."""


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """The cycle that a vantage is held up by."""

    lacking: tuple[Lack, ...]
    until: datetime


def _ended(waiting: WaitingCycle) -> tuple[datetime, str]:
    """As events take things in."""
    return (waiting.finished_at, waiting.id)


class JudgingQueue:
    """Judges what waits, and has it kept."""

    def __init__(
        self,
        store: Waiting,
        judge: Judge,
        keeper: CycleRecorder,
        *,
        control_wait: float,
        now: Callable[[], datetime],
        settle: float = 0.0,
    ) -> None:
        """`control_wait` and `settle` are in seconds; `now` gives UTC.

        What comes in within `settle` is judged in the order it ended: two agents that finish
        together must not begin an event twice, once for each order in which they may come.
        """
        self._store = store
        self._judge = judge
        self._keeper = keeper
        self._wait = timedelta(seconds=control_wait)
        self._now = now
        self._settle = timedelta(seconds=settle)
        self._held: dict[str, _Held] = {}

    @property
    def held(self) -> int:
        """Vantages that wait for a control."""
        return len(self._held)

    def use(self, control_wait: float) -> None:
        """Wait so many seconds from now on."""
        self._wait = timedelta(seconds=control_wait)

    async def empty(self) -> int:
        """Judge all that need not wait; how many that were. StorageError from the store, of which
        what was judged and not stored waits still."""
        controlled = await self._heard_of_controls()
        await self._let_go(controlled=controlled)
        done = 0
        while True:
            found = await self._store.waiting(AT_ONCE, tuple(self._held))
            settled = sorted(filter(self._is_settled, found), key=_ended)
            if not settled:
                return done
            # These brought looks of controls along, maybe after others of this pass were judged.
            self._judge.new_step()
            done += await self._take(settled, controlled=controlled)

    def _is_settled(self, waiting: WaitingCycle) -> bool:
        # One from the future was received by a collector whose clock is ahead.
        return not timedelta(0) <= self._now() - waiting.received_at < self._settle

    async def _heard_of_controls(self) -> bool:
        return bool(await self._store.latest_control_measurements(self._now() - CONTROLS_HEARD))

    async def _let_go(self, *, controlled: bool) -> None:
        """Let those go on whose controls have looked, or who waited long enough."""
        now = self._now()
        since = min(
            (lack.ended_at for held in self._held.values() for lack in held.lacking),
            default=None,
        )
        looks: list[Measurement] = []
        if since is not None:
            begun = datetime.fromtimestamp(since, tz=now.tzinfo)
            looks = await self._store.control_measurements(begun, now)
        self._held = {
            vantage: held
            for vantage, held in self._held.items()
            if controlled
            and now < held.until
            and not all(any(map(lack.met_by, looks)) for lack in held.lacking)
        }

    async def _take(self, found: Sequence[WaitingCycle], *, controlled: bool) -> int:
        late: list[Cycle] = []
        done = 0
        for waiting in found:
            if waiting.vantage in self._held:
                continue
            if late and not waiting.backfilled:
                await self._keeper.record_late(late)
                late = []
            cycle = await self._judged(waiting, controlled=controlled)
            if cycle is None:
                continue
            done += 1
            if waiting.backfilled:
                late.append(cycle)
            else:
                await self._keeper.record(cycle)
        if late:
            await self._keeper.record_late(late)
        return done

    async def _judged(self, waiting: WaitingCycle, *, controlled: bool) -> Cycle | None:
        """What came of it; None when it is to wait."""
        try:
            opened = await self._judge.open(waiting)
            if controlled and self._must_wait(opened):
                self._hold(opened)
                return None
            return self._judge.conclude(opened)
        except StorageError:
            raise
        except Exception:
            # One that our rules break on must neither end the judging of all others nor wait for
            # ever: it is kept without a verdict, and `rejudge` gives it one when they are mended.
            log.exception("cycle cannot be judged", cycle=waiting.id, vantage=waiting.vantage)
            return self._judge.unjudged(waiting)

    def _must_wait(self, opened: Opened) -> bool:
        waiting = opened.waiting
        return (
            bool(opened.lacking)
            and not waiting.backfilled
            and self._now() < waiting.received_at + self._wait
        )

    def _hold(self, opened: Opened) -> None:
        waiting = opened.waiting
        self._held[waiting.vantage] = _Held(
            lacking=opened.lacking, until=waiting.received_at + self._wait
        )
        log.info(
            "cycle waits for a control to look",
            cycle=waiting.id,
            vantage=waiting.vantage,
            endpoints=len(opened.lacking),
        )
