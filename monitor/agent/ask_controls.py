"""Asks a collector for measurements of its controls, as if they were in this process.

A cycle never waits for it longer than a moment: where no collector answers in time there is no
control, and for a while no collector is asked again. The times of an answer are converted to the
agent's own clock, and never begin before the question, however well the clocks were compared.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from monitor.agent.collector_client import CollectorClient, RefusedError
from monitor.agent.collector_clock import AgentClock
from monitor.agent.signed_answer import UnreachableError
from monitor.analysis.judge.second_attempt import answered
from monitor.logs import logger
from monitor.wire.answers import CONTROLS, ControlAnswer, ControlRequest, ControlState
from probes.measure.transfer import TransferPlan
from probes.measurement import Measurement
from probes.target import Dial, Reduction, Target
from probes.vantage import VantageRole

log = logger(__name__)

DEADLINE = 15.0
"""Seconds to wait for an answer."""
AWAY = 60.0
"""Seconds for which no collector is asked after none could be reached, or one refused without
saying when to come back."""
AT_ONCE = 4
"""Requests under way; more wait."""

_encode = msgspec.json.Encoder().encode


class RemoteControls:
    """The controls of collectors. A `monitor.measuring.controls.Controls`."""

    available = True

    def __init__(
        self,
        client: CollectorClient,
        clock: AgentClock,
        *,
        deadline: float = DEADLINE,
        addresses_dialled: bool = False,
    ) -> None:
        """No collector is asked before its clock is known; `deadline` is in seconds.

        `addresses_dialled` is whether the host lets the agent dial addresses that only collectors
        name: they could be anybody's.
        """
        self.addresses_dialled = addresses_dialled
        self._client = client
        self._clock = clock
        self._deadline = deadline
        self._few = asyncio.Semaphore(AT_ONCE)
        self._away_until = 0.0
        self._known: dict[str, list[Measurement]] = {}
        self.allowed = True
        """Whether anything may be sent."""

    def use(self, known: Sequence[Measurement]) -> None:
        """Replace the newest measurements of controls that a collector gave."""
        self._known = {}
        for one in known:
            # That it failed elsewhere some time ago is no reason not to follow up now.
            if answered(one):
                self._known.setdefault(one.endpoint, []).append(one)

    def known(self, target: Target) -> tuple[Measurement, ...]:
        """Earlier measurements of the endpoint by controls that got an answer."""
        return tuple(self._known.get(target.endpoint.id, ()))

    async def measure(
        self,
        target: Target,
        *,
        after: float,  # noqa: ARG002 # of Controls; what is asked now begins later
        cycle: str,
        quic: bool = False,
        reduction: Reduction | None = None,
        also: Dial | None = None,  # noqa: ARG002 # an agent sends a collector's controls nowhere
    ) -> tuple[Measurement, ...]:
        """The endpoint from the collectors' controls, from now on; none when none can be asked."""
        request = ControlRequest(cycle=cycle, target=target, quic=quic, reduction=reduction)
        return await self._of(target, request)

    async def transfer(self, plan: TransferPlan, *, cycle: str) -> tuple[Measurement, ...]:
        """The speed of an object from the collectors' controls, from now on; none when none can be
        asked, or where the collector's catalogue has no such object."""
        target = Target(platform=plan.platform, function=plan.function, endpoint=plan.object)
        return await self._of(target, ControlRequest(cycle=cycle, target=target, speed=True))

    async def _of(self, target: Target, request: ControlRequest) -> tuple[Measurement, ...]:
        answer = await self._ask(request)
        return tuple(
            one
            for one in (() if answer is None else answer.looks)
            if one.endpoint == target.endpoint.id and one.vantage_role == VantageRole.CONTROL
        )

    async def health(
        self,
        *,
        after: float,  # noqa: ARG002 # as above
        cycle: str,
    ) -> tuple[ControlState, ...]:
        """The health of the controls, from now on; nothing when none can be asked."""
        answer = await self._ask(ControlRequest(cycle=cycle, health=True))
        return () if answer is None else answer.checks

    async def _ask(self, request: ControlRequest) -> ControlAnswer | None:
        loop = asyncio.get_running_loop()
        if not self.allowed or self._clock.anchor is None or loop.time() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._deadline), self._few:
                if loop.time() < self._away_until:
                    return None
                return await self._ask_each(request)
        except TimeoutError:
            log.info("no controls, no answer in time")
        return None

    async def _ask_each(self, request: ControlRequest) -> ControlAnswer | None:
        body = self._client.sealed(_encode(request))
        for collector in self._client.collectors():
            asked = self._clock.now_in_cycles().timestamp()
            try:
                answer = await self._client.ask(collector, "POST", CONTROLS, body=body)
                return self._in_own_time(answer.read(ControlAnswer), asked)
            except RefusedError as error:
                log.info("no controls", reason=str(error))
                if error.retry_after is None:
                    self._away_until = asyncio.get_running_loop().time() + AWAY
                return None
            except UnreachableError as error:
                log.info("no controls", reason=str(error))
        self._away_until = asyncio.get_running_loop().time() + AWAY
        return None

    def _in_own_time(self, answer: ControlAnswer, asked: float) -> ControlAnswer:
        """The answer with times of the agent's own clock, `asked` being POSIX seconds of it."""
        made = (*answer.looks, *(one for check in answer.checks for one in check.measurements))
        if not made:
            return answer
        shift = -(self._clock.offset_in_cycles() or 0.0)
        earliest = min(one.started_at.timestamp() for one in made) + shift
        by = timedelta(seconds=shift + max(0.0, asked - earliest))
        return ControlAnswer(
            at=answer.at + by,
            looks=tuple(_moved(one, by) for one in answer.looks),
            checks=tuple(
                ControlState(
                    health=msgspec.structs.replace(check.health, at=check.health.at + by),
                    measurements=tuple(_moved(one, by) for one in check.measurements),
                )
                for check in answer.checks
            ),
        )


def _moved(one: Measurement, by: timedelta) -> Measurement:
    return msgspec.structs.replace(one, started_at=one.started_at + by)
