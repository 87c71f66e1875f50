"""Judges the received cycles that wait in the store, in the order they ended.

Agents send a cycle some seconds after its end. So each waits until `order_wait` after its end for
those that ended before it, and only what arrives later than that is judged out of order. Cycles
that arrive long after they were measured come last: however many an agent sends after a day without
a line, the present does not wait for them.

A cycle with a failure that no control measured afterwards waits: for the measurements that controls
make by the clock, or until `control_wait` after it was received. The later cycles of its vantage
wait too, so that each vantage is judged in order; other vantages continue. Nothing waits where no
control has reported for an hour. Late cycles do not wait either: what controls measured at that
time has arrived, or never will.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from monitor.collector.received_cycles import CONTROLS_HEARD, Lack, ReceivedCycles
from monitor.config.settings import Settings
from monitor.logs import logger
from probes.measurement import Measurement
from storage.store import FleetStore, StorageError
from storage.values.cycle import Cycle
from storage.values.fleet import WaitingCycle

log = logger(__name__)

AT_ONCE = 200
"""Cycles read in one step. At most so many late ones are recorded together."""
LIVE, LATE = False, True
"""Whether they are backfilled, in the order in which they are judged."""


def wait_of(settings: Settings) -> float:
    """Seconds after its reception for which a cycle waits for a control."""
    wait = settings.collector.control_wait
    return wait if wait >= 0 else 2 * settings.interval


class JudgedCycleRecorder(Protocol):
    """Records judged cycles: `monitor.recording.recorder.Recorder`. StorageError when one is not
    durable."""

    async def record(self, cycle: Cycle) -> None:
        """A current one."""

    async def record_late(self, cycles: Sequence[Cycle]) -> None:
        """Some late ones."""


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that waits, with those of its vantage behind it."""

    lacking: tuple[Lack, ...]
    since: datetime
    """UTC; what controls began before is not read again."""
    until: datetime


class JudgingQueue:
    """Judges what waits, and records it."""

    def __init__(
        self,
        store: FleetStore,
        received: ReceivedCycles,
        recorder: JudgedCycleRecorder,
        *,
        control_wait: float,
        order_wait: float,
        now: Callable[[], datetime],
    ) -> None:
        """`control_wait` and `order_wait` are in seconds; `now` gives UTC."""
        self._store = store
        self._received = received
        self._recorder = recorder
        self._wait = timedelta(seconds=control_wait)
        self._now = now
        self._order_wait = order_wait
        self._held: dict[str, _Held] = {}

    @property
    def held(self) -> int:
        """Vantages that wait for a control."""
        return len(self._held)

    def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._received.use(settings)
        self._wait = timedelta(seconds=wait_of(settings))
        self._order_wait = settings.collector.order_wait

    def believe(self, settings: Settings) -> None:
        """Weigh the word of controls by these settings from now on; all else stays."""
        self._received.believe(settings)

    async def judge_waiting(self) -> int:
        """Judge and record all that need not wait; returns how many. StorageError: then what was
        judged and not stored still waits."""
        if self._held:
            await self._release(controlled=await self._controlled())
        controlled: bool | None = None
        done = 0
        while found := await self._due(LIVE) or await self._due(LATE):
            # Whether controls report is a question for when something waits: mostly nothing does.
            controlled = await self._controlled() if controlled is None else controlled
            # These brought measurements of controls, maybe after others of this pass were judged.
            self._received.refresh()
            done += await self._record(found, controlled=controlled)
        return done

    async def _controlled(self) -> bool:
        """Whether a control reported of late."""
        recently = self._now() - CONTROLS_HEARD
        async for _ in self._store.latest_control_measurements(recently):
            return True
        return False

    async def _due(self, backfilled: bool) -> list[WaitingCycle]:
        return await self._store.waiting(
            AT_ONCE,
            tuple(self._held),
            backfilled=backfilled,
            now=self._now(),
            order_wait=self._order_wait,
        )

    async def _release(self, *, controlled: bool) -> None:
        """Release vantages whose controls have measured, or that waited long enough."""
        now = self._now()
        measurements: list[Measurement] = []
        if self._held:
            begun = min(held.since for held in self._held.values())
            measurements = await self._store.control_measurements(begun, now)
        self._held = {
            vantage: held
            for vantage, held in self._held.items()
            if controlled
            and now < held.until
            and not all(lack.met_by(measurements) for lack in held.lacking)
        }

    async def _record(self, found: Sequence[WaitingCycle], *, controlled: bool) -> int:
        late: list[Cycle] = []
        done = 0
        for waiting in found:
            if waiting.vantage in self._held:
                continue
            cycle = await self._judged(waiting, controlled=controlled)
            if cycle is None:
                continue
            done += 1
            if waiting.backfilled:
                late.append(cycle)
            else:
                await self._recorder.record(cycle)
        if late:
            await self._recorder.record_late(late)
        return done

    async def _judged(self, waiting: WaitingCycle, *, controlled: bool) -> Cycle | None:
        """The judged cycle; None when it must wait."""
        try:
            opened = await self._received.open(waiting)
            until = waiting.received_at + self._wait
            # More than that is left where a clock was ahead, maybe by months.
            may_wait = timedelta() < until - self._now() <= 2 * self._wait
            if controlled and opened.lacking and not waiting.backfilled and may_wait:
                failed = min(lack.ended_at for lack in opened.lacking)
                # A cycle may have lasted for days, or its sender says so.
                since = max(
                    datetime.fromtimestamp(failed, tz=until.tzinfo),
                    waiting.received_at - self._received.patience,
                )
                self._held[waiting.vantage] = _Held(
                    lacking=opened.lacking, since=since, until=until
                )
                log.info(
                    "cycle waits for a control",
                    cycle=waiting.id,
                    vantage=waiting.vantage,
                    endpoints=len(opened.lacking),
                )
                return None
            return await self._received.judge(opened)
        except StorageError:
            raise
        except Exception:
            # A cycle on which our rules fail must neither stop the judging of all others nor wait
            # for ever: it is recorded without a verdict, and `rejudge` gives it one later.
            log.exception("cycle cannot be judged", cycle=waiting.id, vantage=waiting.vantage)
            return self._received.unjudged(waiting)
