"""Control on demand: the same endpoint from the control vantages, after a field attempt failed.

An older "ok" is no control, or a platform that goes down worldwide between two measurements would
be called blocked everywhere. So each request says after which moment the measurement must start.
Requests that come together, from several networks, share one measurement.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from monitor.analysis.vantage.health import assess
from monitor.budget.budget import Allotment
from monitor.budget.bytes_used import fetch_bytes
from monitor.budget.ledger import BudgetSpentError
from monitor.measuring.probers import Probers
from monitor.wire.answers import ControlState
from probes.measure.follow_up_plan import plan_innocuous
from probes.measure.transfer import TransferPlan
from probes.measurement import Measurement, Purpose
from probes.target import Dial, Reduction, Target
from probes.vantage import VantagePoint

GATHERING = 0.2
"""Seconds that a measurement waits for further requests to share it."""
KEPT = 60.0
"""Seconds for which a finished measurement is kept, for those who failed before it began and have
not asked yet."""

K = TypeVar("K")
T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]
_Question = tuple[str, str, bool, Reduction | None, Dial | None]
"""Control, endpoint, and what else is asked: requests that share a measurement ask the same."""


class Shared(Generic[T]):
    """One piece of work that several requests wait for; it is cancelled when none waits."""

    def __init__(
        self,
        work: Work[T],
        now: Callable[[], float],
        gathering: float = GATHERING,
    ) -> None:
        """`now` gives POSIX seconds; `gathering` is how long to wait for further requests."""
        self._work = work
        self._now = now
        self._gathering = gathering
        self._begun_at: float | None = None
        self._waiting = 0
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> T:
        await asyncio.sleep(self._gathering)
        self._begun_at = self._now()
        return await self._work()

    def serves(self, after: float) -> bool:
        """True when it begins, or began, at or after `after` (POSIX seconds)."""
        if self.task.done() and (self.task.cancelled() or self.task.exception() is not None):
            return False
        return self._begun_at is None or self._begun_at >= after

    def is_past(self, before: float) -> bool:
        """True when it is over, and does not serve who asks for one begun at or after `before`
        (POSIX seconds)."""
        return self.task.done() and not self.serves(before)

    async def result(self) -> T:
        """Wait for it; raises what the work raised."""
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.task.cancel()


class Controls(Protocol):
    """Measures from controls: `LocalControls`, or a collector elsewhere."""

    @property
    def available(self) -> bool:
        """True when there is any control to ask."""

    @property
    def addresses_dialled(self) -> bool:
        """Whether field vantages may dial addresses that only these controls know."""

    def known(self, target: Target) -> tuple[Measurement, ...]:
        """Earlier measurements of it by controls. They may decide what else to test where no
        control can be asked now. They are no control of a failure: they are older."""

    async def measure(
        self,
        target: Target,
        *,
        after: float,
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
        also: Dial | None = None,
    ) -> tuple[Measurement, ...]:
        """The endpoint from controls, each measurement begun at or after `after` (POSIX seconds).

        With `quic` over HTTP/3 too. `reduction` says what to leave out, and `also` which addresses
        to connect to besides.
        """

    async def transfer(self, plan: TransferPlan, *, cycle: str) -> tuple[Measurement, ...]:
        """The speed of an object from controls, from now on."""

    async def health(self, *, after: float, cycle: str) -> tuple[ControlState, ...]:
        """Health of the controls, from measurements begun at or after `after` (POSIX seconds)."""


class LocalControls:
    """The controls of this process. A `Controls`."""

    def __init__(self, probers: Probers, controls: Sequence[VantagePoint]) -> None:
        self._probers = probers
        self._controls = tuple(controls)
        self.available = bool(controls)
        self.addresses_dialled = True
        self._measurements: dict[_Question, Shared[Measurement]] = {}
        self._checks: dict[str, Shared[ControlState]] = {}

    async def measure(
        self,
        target: Target,
        *,
        after: float,
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
        also: Dial | None = None,
    ) -> tuple[Measurement, ...]:
        """The endpoint from every control.

        A control behind a proxy, which passes no datagrams on, says in `not_observed` that it could
        not use HTTP/3.
        """

        def at(control: VantagePoint) -> Shared[Measurement]:
            how = partial(self._measure, control.id, target, cycle=cycle)
            work = partial(how, quic=quic, reduction=reduction, also=also)
            key = (control.id, target.endpoint.id, quic, reduction, also)
            return self._shared(self._measurements, key, after, work)

        return await _results(map(at, self._controls))

    async def _measure(
        self,
        control: str,
        target: Target,
        *,
        cycle: str,
        quic: bool,
        reduction: Reduction | None,
        also: Dial | None,
    ) -> Measurement:
        """One measurement; where the name was cut off, with an innocuous name at the same address
        as well: the control may be censored itself."""
        made = await self._probers.measure(
            control,
            target,
            cycle=cycle,
            purpose=Purpose.CONTROL,
            quic=quic,
            reduction=reduction,
            also=also,
        )
        plan = plan_innocuous(target, made)
        if plan is None:
            return made
        asked = await self._probers.follow_up(control, plan, cycle=cycle)
        later = asked.started_at.timestamp() - made.started_at.timestamp()
        return msgspec.structs.replace(
            made,
            duration=later + asked.duration,
            observations=(
                *made.observations,
                *(msgspec.structs.replace(o, start=o.start + later) for o in asked.observations),
            ),
        )

    def known(self, target: Target) -> tuple[Measurement, ...]:  # noqa: ARG002 # of Controls
        """Nothing: these controls can always be asked."""
        return ()

    async def transfer(self, plan: TransferPlan, *, cycle: str) -> tuple[Measurement, ...]:
        """The speed of an object from every control that has bytes for it."""
        cost, ledger = fetch_bytes(plan.bytes_wanted), self._probers.ledger
        made = []
        for control in self._controls:
            paid_from = (Allotment.SPEED, Allotment.SUSPICION)
            if any(ledger.affords(control.id, allotment, cost) for allotment in paid_from):
                made.append(await self._probers.transfer(control.id, plan, cycle=cycle))
        return tuple(made)

    async def health(self, *, after: float, cycle: str) -> tuple[ControlState, ...]:
        """The health of every control."""

        def at(control: VantagePoint) -> Shared[ControlState]:
            work = partial(self._check, control, cycle)
            return self._shared(self._checks, control.id, after, work)

        return await _results(map(at, self._controls))

    def _shared(self, known: dict[K, Shared[T]], key: K, after: float, work: Work[T]) -> Shared[T]:
        shared = known.get(key)
        if shared is None or not shared.serves(after):
            # Where the addresses of a name change, hardly a question comes twice.
            for old in [one for one, made in known.items() if made.is_past(after - KEPT)]:
                del known[old]
            shared = known[key] = Shared(work, self._now)
        return shared

    async def _check(self, control: VantagePoint, cycle: str) -> ControlState:
        probers = self._probers
        await probers.exits.ask(control.id)
        references = await probers.measure_references(control.id, cycle=cycle)
        return ControlState(
            health=assess(control, references, (), probers.now(), probers.exits.of(control)),
            measurements=tuple(one for _, one in references),
        )

    def _now(self) -> float:
        return self._probers.now().timestamp()


async def _results(several: Iterable[Shared[T]]) -> tuple[T, ...]:
    """What they came to, without controls whose bytes of the day are spent. Raises BudgetSpentError
    where those of all controls are."""
    waiting = (shared.result() for shared in several)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    made = tuple(one for one in found if not isinstance(one, BaseException))
    for error in found:
        if isinstance(error, BaseException) and not (made and isinstance(error, BudgetSpentError)):
            raise error
    return made
