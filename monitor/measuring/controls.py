"""Control on demand: the same endpoint from the control vantages, after a field attempt failed.

An older "ok" is no control, or a platform that goes down worldwide between two measurements would
be called blocked everywhere. So each request says after which moment the measurement must start.
Requests that come together, from several networks, share one measurement.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from monitor.analysis.vantage.health import assess
from monitor.analysis.verdict import VantageHealth
from monitor.measuring.probers import Probers
from probes.measurement import Measurement, Purpose
from probes.target import Reduction, Target
from probes.vantage import VantagePoint

GATHERING = 0.2
"""Seconds that a measurement waits for further requests to share it."""

T = TypeVar("T")


class ControlHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one control, and the measurements of references that show it."""

    health: VantageHealth
    measurements: tuple[Measurement, ...]


class Shared(Generic[T]):
    """One piece of work that several requests wait for; it is cancelled when none waits."""

    def __init__(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
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
    ) -> tuple[Measurement, ...]:
        """The endpoint from controls, each measurement begun at or after `after` (POSIX seconds).

        With `quic` over HTTP/3 too. `reduction` says what to leave out.
        """

    async def health(self, *, after: float, cycle: str) -> tuple[ControlHealth, ...]:
        """Health of the controls, from measurements begun at or after `after` (POSIX seconds)."""


class LocalControls:
    """The controls of this process. A `Controls`."""

    def __init__(self, probers: Probers, controls: Sequence[VantagePoint]) -> None:
        self._probers = probers
        self._controls = tuple(controls)
        self._measurements: dict[tuple[str, str, bool, Reduction | None], Shared[Measurement]] = {}
        self._checks: dict[str, Shared[ControlHealth]] = {}

    @property
    def available(self) -> bool:
        """True when any control vantage is configured."""
        return bool(self._controls)

    async def measure(
        self,
        target: Target,
        *,
        after: float,
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
    ) -> tuple[Measurement, ...]:
        """The endpoint from every control.

        A control behind a proxy, which passes no datagrams on, says in `not_observed` that it could
        not use HTTP/3.
        """
        wanted = [
            self._shared(control, target, after, cycle, quic=quic, reduction=reduction)
            for control in self._controls
        ]
        return tuple(await asyncio.gather(*(shared.result() for shared in wanted)))

    def known(self, target: Target) -> tuple[Measurement, ...]:  # noqa: ARG002 # of Controls
        """Nothing: these controls can always be asked."""
        return ()

    async def health(self, *, after: float, cycle: str) -> tuple[ControlHealth, ...]:
        """The health of every control."""
        wanted = [self._shared_check(control, after, cycle) for control in self._controls]
        return tuple(await asyncio.gather(*(shared.result() for shared in wanted)))

    def _shared(
        self,
        control: VantagePoint,
        target: Target,
        after: float,
        cycle: str,
        *,
        quic: bool,
        reduction: Reduction | None,
    ) -> Shared[Measurement]:
        key = (control.id, target.endpoint.id, quic, reduction)
        shared = self._measurements.get(key)
        if shared is None or not shared.serves(after):
            shared = self._measurements[key] = Shared(
                lambda: self._probers.measure(
                    control.id,
                    target,
                    cycle=cycle,
                    purpose=Purpose.CONTROL,
                    quic=quic,
                    reduction=reduction,
                ),
                self._now,
            )
        return shared

    def _shared_check(
        self, control: VantagePoint, after: float, cycle: str
    ) -> Shared[ControlHealth]:
        shared = self._checks.get(control.id)
        if shared is None or not shared.serves(after):
            shared = self._checks[control.id] = Shared(
                lambda: self._check(control, cycle), self._now
            )
        return shared

    async def _check(self, control: VantagePoint, cycle: str) -> ControlHealth:
        probers = self._probers
        await probers.exits.ask(control.id)
        references = await probers.measure_references(control.id, cycle=cycle)
        return ControlHealth(
            health=assess(control, references, (), probers.now(), probers.exits.of(control)),
            measurements=tuple(one for _, one in references),
        )

    def _now(self) -> float:
        return self._probers.now().timestamp()
