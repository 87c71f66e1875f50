"""Control on demand: the same endpoint from the control vantages, after a field look failed.

An older "ok" is no control, or a platform that goes down worldwide between two looks would be
called blocked everywhere. So each request says after which moment the look must start. Requests
that come together, from several networks, share one look.
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
"""Seconds a look waits for further requests to share it."""

T = TypeVar("T")


class ControlHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one control, and the looks at references that tell it."""

    health: VantageHealth
    looks: tuple[Measurement, ...]


class Shared(Generic[T]):
    """One piece of work that several requests wait for; it ends when nobody waits any more."""

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
    """Whoever can be asked for control looks: `LocalControls`, or a collector far away."""

    @property
    def staffed(self) -> bool:
        """True when there is any control to ask."""

    def known(self, target: Target) -> tuple[Measurement, ...]:
        """What controls saw of it before. It may decide what else to ask where no control can be
        asked now; as a control of a failure it is worth nothing, being older."""

    async def look(
        self,
        target: Target,
        *,
        after: float,
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
    ) -> tuple[Measurement, ...]:
        """The endpoint from controls, each look begun at or after `after` (POSIX seconds)."""

    async def health(self, *, after: float, cycle: str) -> tuple[ControlHealth, ...]:
        """How controls are, from looks begun at or after `after` (POSIX seconds)."""


class LocalControls:
    """Answers requests for control looks: the desk of controls in this process."""

    def __init__(self, looking: Probers, controls: Sequence[VantagePoint]) -> None:
        self._looking = looking
        self._controls = tuple(controls)
        self._looks: dict[tuple[str, str, bool, Reduction | None], Shared[Measurement]] = {}
        self._checks: dict[str, Shared[ControlHealth]] = {}

    @property
    def staffed(self) -> bool:
        """True when any control vantage is configured."""
        return bool(self._controls)

    async def look(
        self,
        target: Target,
        *,
        after: float,
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
    ) -> tuple[Measurement, ...]:
        """The endpoint from every control, each look begun at or after `after` (POSIX seconds).

        With `quic` over HTTP/3 too; a control behind a proxy, which passes no datagrams on, says
        in `not_observed` that it could not. `reduction` says what to leave out.
        """
        wanted = [
            self._shared_look(control, target, after, cycle, quic=quic, reduction=reduction)
            for control in self._controls
        ]
        return tuple(await asyncio.gather(*(shared.result() for shared in wanted)))

    def known(self, target: Target) -> tuple[Measurement, ...]:  # noqa: ARG002 # of Controls
        """Nothing: these can be asked."""
        return ()

    async def health(self, *, after: float, cycle: str) -> tuple[ControlHealth, ...]:
        """The health of every control, from looks begun at or after `after` (POSIX seconds)."""
        wanted = [self._shared_check(control, after, cycle) for control in self._controls]
        return tuple(await asyncio.gather(*(shared.result() for shared in wanted)))

    def _shared_look(
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
        shared = self._looks.get(key)
        if shared is None or not shared.serves(after):
            shared = self._looks[key] = Shared(
                lambda: self._looking.at(
                    control.id,
                    target,
                    cycle=cycle,
                    look=Purpose.CONTROL,
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
        await self._looking.exits.look(control.id)
        looks = await self._looking.at_references(control.id, cycle=cycle)
        return ControlHealth(
            health=assess(control, looks, (), self._looking.now(), self._looking.exits.of(control)),
            looks=tuple(look for _, look in looks),
        )

    def _now(self) -> float:
        return self._looking.now().timestamp()
