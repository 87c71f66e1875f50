"""Takes new settings into use while the agent runs: from its own file, or from collectors within
what its host allows."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from monitor.agent.consent import Consent
from monitor.agent.ordered_catalog import Allowed
from monitor.agent.pause_and_clock import AgentCycles
from monitor.agent.signed_answer import Signed
from monitor.agent.spooling import SpoolRecorder
from monitor.agent.what_orders_may_change import Orders, follow
from monitor.app.measuring_setup import Measuring
from monitor.config.settings import Settings
from monitor.logs import configure, logger
from monitor.wire.answers import AgentSettings
from probes.measure.ordered_addresses import OrderedLimits

log = logger(__name__)

REVIEW_EVERY = 3600.0
"""Seconds."""


class AgentReconfiguration:
    """Goes over from one set of settings to the next."""

    def __init__(
        self,
        own: Settings,
        orders: Orders,
        measuring: Measuring,
        jobs: AgentCycles,
        recorder: SpoolRecorder,
        in_use: Settings,
        consent: Consent,
        limits: OrderedLimits,
        now: Callable[[], datetime],
    ) -> None:
        """`own` are the settings of the agent's file, `in_use` those the rest was made with. `now`
        gives UTC by the collectors' clock, if that is known."""
        self._now = now
        self._consent = consent
        self._limits = limits
        self._turn = asyncio.Lock()
        self._own = own
        self._orders = orders
        self._measuring = measuring
        self._jobs = jobs
        self._recorder = recorder
        self._in_use = in_use
        self._apply_pause()

    async def ordered(self, new: AgentSettings, signed: Signed) -> None:
        """Use settings that a collector gave."""
        async with self._turn:
            await self._ordered(new, signed)

    async def _ordered(self, new: AgentSettings, signed: Signed) -> None:
        if not self._orders.take(new, self._now()):
            log.warning("settings of the collector not taken, it has given newer ones before")
            return
        self._orders.keep(signed)
        self._apply_pause()
        in_use = self._followed(self._own)
        self._consent.remember(new)
        await self._use(in_use)

    async def reloaded(self, old: Settings, new: Settings) -> None:
        """Use a changed file of the agent's own, and what its host accepted meanwhile."""
        async with self._turn:
            self._own = new
            await self._use(self._followed(new))
        if new.log != old.log:
            configure(new.log)

    async def review(self) -> None:
        """Follow the orders in force anew: what their signing key allowed may have ended."""
        async with self._turn:
            await self._use(self._followed(self._own))

    async def run(self) -> None:
        """Review the orders every hour, until cancelled; also where no collector can be reached."""
        while True:
            await asyncio.sleep(REVIEW_EVERY)
            await self.review()

    def _followed(self, own: Settings) -> Settings:
        return settings_by(own, self._orders.current, self._consent, self._limits)

    def _apply_pause(self) -> None:
        self._jobs.paused_by_collector = self._orders.paused

    async def _use(self, new: Settings) -> None:
        before = self._jobs.runner
        runner = await self._measuring.prepare(self._in_use, new)
        self._recorder.use(new)
        self._measuring.use(new, runner)
        self._in_use = new
        if runner is not before:
            log.info(
                "settings changed",
                interval=new.interval,
                platforms=len(new.catalog.platforms),
                daily_bytes=new.probe.daily_bytes,
            )


def settings_by(
    own: Settings, new: AgentSettings | None, consent: Consent, limits: OrderedLimits
) -> Settings:
    """The settings to use by an order; what of it is not used is logged."""
    allowed = Allowed() if new is None else consent.allowed(new)
    followed = follow(own, new, allowed, limits.admit)
    for one in followed.unused:
        log.warning("part of the collector's order not used", part=one.name, reason=one.why)
    return followed.settings
