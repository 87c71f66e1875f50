"""Asks a collector for measurements of its controls, as if they were in this process.

A cycle never waits for it longer than a moment: where no collector answers in time there is no
control, and for a while no collector is asked again. The times of an answer are converted to the
agent's own clock, and never begin before the question, however well the clocks were compared.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from monitor.agent.collector_client import RefusedError, Signed, UnreachableError
from monitor.agent.collector_clock import AgentClock
from monitor.analysis.judge.suspicion import answered
from monitor.logs import logger
from monitor.measuring.controls import ControlHealth
from monitor.wire.answers import CONTROLS, ControlAnswer, ControlRequest, ControlState
from probes.measurement import Measurement
from probes.target import Reduction, Target
from probes.vantage import VantageRole

log = logger(__name__)

DEADLINE = 15.0
"""Seconds after which an answer is no longer waited for."""
AWAY = 60.0
"""Seconds for which nobody is asked once no collector could be reached."""
AT_ONCE = 4
"""Requests under way; more wait."""

_encode = msgspec.json.Encoder().encode


class AsksCollectors(Protocol):
    """What `monitor.agent.collector_client.CollectorClient` does."""

    def collectors(self) -> Sequence[str]:
        """All of them, in some order."""

    async def ask(self, collector: str, method: str, path: str, *, body: bytes) -> Signed:
        """The answer to a request. Raises UnreachableError or RefusedError."""


class RemoteControls:
    """A `monitor.measuring.controls.Controls` whose controls stand elsewhere."""

    available = True

    def __init__(
        self, line: AsksCollectors, clock: AgentClock, *, deadline: float = DEADLINE
    ) -> None:
        """Nobody is asked before the collectors' clock was heard; `deadline` is in seconds."""
        self._line = line
        self._clock = clock
        self._deadline = deadline
        self._few = asyncio.Semaphore(AT_ONCE)
        self._away_until = 0.0
        self._known: dict[str, list[Measurement]] = {}
        self.allowed = True
        """Whether anything may be sent."""

    def use(self, known: Sequence[Measurement]) -> None:
        """What controls saw last, as a collector told it, in place of what it told before."""
        self._known = {}
        for look in known:
            # That it failed elsewhere some time ago is no reason not to look closely now.
            if answered(look):
                self._known.setdefault(look.endpoint, []).append(look)

    def known(self, target: Target) -> tuple[Measurement, ...]:
        """Looks of controls at the endpoint that met an answer, made before."""
        return tuple(self._known.get(target.endpoint.id, ()))

    async def measure(
        self,
        target: Target,
        *,
        after: float,  # noqa: ARG002 # of Controls; what is asked now begins later
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
    ) -> tuple[Measurement, ...]:
        """The endpoint from the collectors' controls, begun from now on; nothing when none can be
        asked."""
        request = ControlRequest(cycle=cycle, target=target, quic=quic, reduction=reduction)
        answer = await self._ask(request)
        if answer is None:
            return ()
        return tuple(
            look
            for look in answer.looks
            if look.endpoint == target.endpoint.id and look.vantage_role == VantageRole.CONTROL
        )

    async def health(
        self,
        *,
        after: float,  # noqa: ARG002 # as above
        cycle: str,
    ) -> tuple[ControlHealth, ...]:
        """How the controls are, from looks begun from now on; nothing when none can be asked."""
        answer = await self._ask(ControlRequest(cycle=cycle, health=True))
        if answer is None:
            return ()
        return tuple(
            ControlHealth(health=one.health, measurements=one.looks) for one in answer.checks
        )

    async def _ask(self, request: ControlRequest) -> ControlAnswer | None:
        loop = asyncio.get_running_loop()
        if not self.allowed or self._clock.anchor is None or loop.time() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._deadline), self._few:
                if loop.time() < self._away_until:
                    return None
                return await self._ask_one_after_the_other(request)
        except TimeoutError:
            log.info("no control looks, no answer in time")
        return None

    async def _ask_one_after_the_other(self, request: ControlRequest) -> ControlAnswer | None:
        body = _encode(request)
        for collector in self._line.collectors():
            asked = self._clock.now().timestamp()
            try:
                answer = await self._line.ask(collector, "POST", CONTROLS, body=body)
                return self._in_own_time(answer.read(ControlAnswer), asked)
            except RefusedError as error:
                log.info("no control looks", reason=str(error))
                return None
            except UnreachableError as error:
                log.info("no control looks", reason=str(error))
        self._away_until = asyncio.get_running_loop().time() + AWAY
        return None

    def _in_own_time(self, answer: ControlAnswer, asked: float) -> ControlAnswer:
        """The answer with times of the agent's own clock, `asked` being POSIX seconds of it."""
        looks = (*answer.looks, *(look for check in answer.checks for look in check.looks))
        if not looks:
            return answer
        shift = -(self._clock.offset() or 0.0)
        earliest = min(look.started_at.timestamp() for look in looks) + shift
        by = timedelta(seconds=shift + max(0.0, asked - earliest))
        return ControlAnswer(
            at=answer.at + by,
            looks=tuple(_moved(look, by) for look in answer.looks),
            checks=tuple(
                ControlState(
                    health=msgspec.structs.replace(check.health, at=check.health.at + by),
                    looks=tuple(_moved(look, by) for look in check.looks),
                )
                for check in answer.checks
            ),
        )


def _moved(look: Measurement, by: timedelta) -> Measurement:
    return msgspec.structs.replace(look, started_at=look.started_at + by)
