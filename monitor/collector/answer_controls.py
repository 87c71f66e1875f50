"""Measurements of this collector's own controls, on an agent's request, stored first.

A collector measures only what its own catalogue lists, by its own definition of it: a stolen key of
an agent cannot send the controls anywhere.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.throttling.objects import objects_of
from monitor.budget.ledger import BudgetSpentError
from monitor.collector.batch_checks import is_id, read_json
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.controls import Controls
from monitor.measuring.transfers import plan_for_control
from monitor.wire.answers import ControlAnswer, ControlRequest, ControlState
from monitor.wire.refusal import malformed
from probes.catalog.catalog import Catalog
from probes.measure.transfer import TransferPlan
from probes.measurement import Measurement
from probes.target import Reduction, Target
from storage.store import FleetStore

log = logger(__name__)

_FAMILIES = ("", "ipv4", "ipv6")
_MOST_ADDRESSES = 64

_decode = msgspec.json.Decoder(ControlRequest).decode


class ControlRequests:
    """Answers agents' requests for controls."""

    def __init__(
        self,
        store: FleetStore,
        settings: Callable[[], Settings],
        controls: Callable[[], Controls | None],
        now: Callable[[], datetime],
    ) -> None:
        """`settings` and `controls` give those in use, `now` the time, UTC."""
        self._store = store
        self._settings = settings
        self._controls = controls
        self._now = now

    async def answer(self, body: bytes) -> ControlAnswer:
        """What the controls see of what an unpacked body asks for, begun from now on; nothing at
        once without controls. Refused; raises StorageError when it could not be stored."""
        asked = _asked(body)
        controls = self._controls()
        if controls is None or not controls.available:
            return ControlAnswer(at=self._now())
        made = await self._measure(controls, asked)
        checks = await self._check(controls, asked.cycle) if asked.health else ()
        seen = [*made, *(one for check in checks for one in check.measurements)]
        if seen:
            await self._store.add_control_measurements(seen)
        return ControlAnswer(at=self._now(), looks=tuple(made), checks=tuple(checks))

    async def _measure(self, controls: Controls, asked: ControlRequest) -> Sequence[Measurement]:
        settings = self._settings()
        if asked.speed:
            plan = asked.target and listed_transfer(settings, asked.target)
            return await controls.transfer(plan, cycle=asked.cycle) if plan else ()
        target = asked.target and listed(settings.catalog, asked.target)
        if target is None:
            return ()
        try:
            return await controls.measure(
                target,
                after=self._now().timestamp(),
                cycle=asked.cycle,
                quic=asked.quic,
                reduction=asked.reduction,
            )
        except BudgetSpentError:
            log.warning("no control, the day's bytes are spent", endpoint=target.endpoint.id)
            return ()

    async def _check(self, controls: Controls, cycle: str) -> Sequence[ControlState]:
        try:
            return await controls.health(after=self._now().timestamp(), cycle=cycle)
        except BudgetSpentError:
            log.warning("no check of the controls, the day's bytes are spent")
            return ()


def listed(catalog: Catalog, target: Target) -> Target | None:
    """The target of that place and endpoint as the catalogue has it; None when it has none."""
    place = (target.platform, target.function, target.endpoint.id)
    for platform in catalog.platforms:
        for function in platform.functions:
            for endpoint in function.endpoints:
                if (platform.name, function.name, endpoint.id) == place:
                    return Target(platform=platform.name, function=function.name, endpoint=endpoint)
    return None


def listed_transfer(settings: Settings, target: Target) -> TransferPlan | None:
    """A fetch of the object of that place and address, as the catalogue has it; None when it has
    none."""
    for platform in settings.catalog.platforms:
        for one in objects_of(platform) if platform.name == target.platform else ():
            if (one.function, one.endpoint.id) == (target.function, target.endpoint.id):
                return plan_for_control(settings, one, one.endpoint)
    return None


def _asked(body: bytes) -> ControlRequest:
    asked = read_json(_decode, body, "request for controls")
    if not is_id(asked.cycle):
        raise malformed("a cycle's id is no UUID")
    reduction = asked.reduction or Reduction()
    if reduction.family not in _FAMILIES or not 1 <= reduction.addresses <= _MOST_ADDRESSES:
        raise malformed("reduction holds what cannot be")
    return asked
