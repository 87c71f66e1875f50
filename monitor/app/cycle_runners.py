"""The CycleRunner of the settings in use, and older ones for as long as a cycle needs them."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from monitor.analysis.verdict import Verdict
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.controls import Controls, LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.hellos import SHARE, Hellos
from monitor.measuring.http3 import Http3
from monitor.measuring.probers import MakeNetwork, MakeRunner, Probers
from monitor.measuring.scheduled_controls import ScheduledControls
from monitor.measuring.transfers import Transfers
from probes.measure.ordered_addresses import OrderedLimits
from probes.measure.runner import Runner
from probes.vantage import VantageRole
from storage.values.steady_clock import PROCESS_CLOCK, SteadyClock


@asynccontextmanager
async def cycle_runner(
    settings: Settings,
    *,
    make_network: MakeNetwork | None = None,
    on_endpoint: Callable[[str], None] | None = None,
    force_transfers: bool = False,
    force_quic: bool = False,
    force_hellos: bool = False,
    latest: Sequence[Verdict] = (),
    ledger: Ledger | None = None,
    controls: Controls | None = None,
    scheduled_controls: bool = False,
    limits: OrderedLimits | None = None,
    clock: SteadyClock = PROCESS_CLOCK,
    make_runner: MakeRunner = Runner,
) -> AsyncIterator[CycleRunner]:
    """A CycleRunner with all it needs, for as long as the context lasts.

    `force_transfers` measures the speed of every platform in every cycle, `force_quic` tests
    HTTP/3 wherever it is offered, `force_hellos` greets every endpoint in another form too.
    `latest` are the newest verdicts of an earlier process, if any. Without `ledger` nothing limits
    the bytes that are used. Without `controls` they are those of the settings; with
    `scheduled_controls` they measure every endpoint by the clock. `limits` are those on ordered
    endpoints. `clock` dates what is measured. `make_runner` is for tests in virtual time.
    """
    probers = Probers(
        settings,
        now=clock.now_in_cycles,
        clock_ahead=lambda: clock.ahead,
        make_network=make_network,
        ledger=ledger,
        limits=limits,
        make_runner=make_runner,
    )
    async with probers:
        own = [v for v in settings.vantages if v.role is VantageRole.CONTROL]
        asked = controls or LocalControls(probers, own)
        rng = random.Random()  # noqa: S311 # orders tests, guards nothing
        http3 = Http3(settings.probe.quic_share, rng, forced=force_quic)
        runner = CycleRunner(
            settings,
            probers,
            asked,
            rng,
            on_endpoint,
            Transfers(settings, probers, asked, rng, forced=force_transfers),
            http3,
            ScheduledControls(probers, rng, settings.interval) if scheduled_controls else None,
            Hellos(rng, 1.0 if force_hellos else SHARE),
        )
        runner.remember(latest)
        yield runner


class CycleRunners:
    """The runner of the settings in use, and those of earlier ones until their cycles end.

    Use as an async context manager: all runners end with it.
    """

    def __init__(self, make: Callable[..., AbstractAsyncContextManager[CycleRunner]]) -> None:
        """`make` is `cycle_runner` with all but the settings and the newest verdicts."""
        self._make = make
        self._open: dict[CycleRunner, AsyncExitStack] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "CycleRunners":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        async with AsyncExitStack() as stack:
            for one in self._open.values():
                stack.push_async_callback(one.aclose)
        self._open.clear()

    async def begin(self, settings: Settings, latest: Sequence[Verdict]) -> CycleRunner:
        """A runner for these settings; `latest` are the newest verdicts stored."""
        stack = AsyncExitStack()
        runner = await stack.enter_async_context(self._make(settings, latest=latest))
        self._open[runner] = stack
        return runner

    def end(self, runner: CycleRunner, unused: Coroutine[None, None, None]) -> None:
        """Close it as soon as it is unused."""

        async def wait() -> None:
            await unused
            await self._open.pop(runner).aclose()

        task = asyncio.create_task(wait())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
