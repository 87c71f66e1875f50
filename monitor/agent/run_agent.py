"""`shutwatch agent run`: all parts of an agent, wired together."""

import asyncio
import os
import random
from contextlib import AsyncExitStack
from functools import partial

from monitor.agent.ask_controls import RemoteControls
from monitor.agent.batch_body import BatchMaker
from monitor.agent.batch_delivery import Backoff, BatchDelivery
from monitor.agent.boot_key import boot_key, boot_key_file
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock, Anchor, Machine, this_machine
from monitor.agent.consent import Consent, consent_of
from monitor.agent.encrypted_memory import EncryptedMemory
from monitor.agent.paths import files_of, running
from monitor.agent.pause_and_clock import AgentCycles, PauseAndClock
from monitor.agent.reconfigure import AgentReconfiguration, settings_by
from monitor.agent.revocation import RevokedKeyError, end_when_revoked, is_revoked
from monitor.agent.saved_state import ANCHOR, TRAFFIC, TrafficOfDay, recalled
from monitor.agent.spooling import LogCounter, SpoolRecorder
from monitor.agent.upload_traffic import DayTraffic
from monitor.agent.what_orders_may_change import Orders
from monitor.app.cycle_runners import CycleRunners, cycle_runner
from monitor.app.measuring_setup import Measuring
from monitor.app.run_until_stopped import keep_running, run_until_stopped
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.config.load import load_config
from monitor.config.reload import Reloader
from monitor.config.settings import Settings
from monitor.keys.keys import fingerprint, load, public_text
from monitor.logs import logger
from monitor.measuring.network_memory import NetworkMemory, restore
from probes.measure.ordered_addresses import OrderedLimits
from storage.agent.spool import Spool

log = logger(__name__)


async def run(settings: Settings, machine: Machine | None = None) -> None:
    """Measure and deliver until SIGTERM or SIGINT; `machine` is the one we run on unless given.

    Raises KeyFileError, RunsAlreadyError, StorageError or OSError when it cannot start, and
    RevokedKeyError once its key was revoked.
    """
    files, setup = files_of(settings), settings.agent
    assert setup is not None  # noqa: S101 # asked of agents alone
    machine = machine or this_machine()
    async with AsyncExitStack() as stack:
        stack.enter_context(running(files))
        key = load(files.key)
        own = fingerprint(public_text(key))
        if is_revoked(files, own):
            raise RevokedKeyError
        spool = Spool(files.spool, limit=setup.spool_limit, damaged=_log_damaged)
        stack.push_async_callback(spool.close)
        if not await spool.open():
            _log_damaged()
        (vantage,) = settings.vantages
        notes = await spool.notes()
        clock = AgentClock(machine, recalled(notes, ANCHOR, Anchor))
        orders = Orders(files.orders, setup.collector_key)
        consent = consent_of(settings, files, clock.latest_now)
        limits = OrderedLimits(clock.now)
        in_use = _restored(settings, orders, consent, limits)
        ledger = Ledger(in_use, now=clock.now)
        rng = random.Random()  # noqa: S311 # spreads requests, guards nothing
        client = await stack.enter_async_context(
            CollectorClient(setup, vantage.id, key, clock, rng)
        )
        traffic = DayTraffic(vantage.id, ledger, lambda: client.carried, clock.now)
        traffic.resume(recalled(notes, TRAFFIC, TrafficOfDay))
        controls = RemoteControls(client, clock, addresses_dialled=setup.addresses_of_controls)
        power_key = boot_key(boot_key_file(files.spool))
        maker = BatchMaker(vantage.id, setup.sealing_key, clock, power_key)
        how = partial(cycle_runner, ledger=ledger, controls=controls, limits=limits, clock=clock)
        runners = await stack.enter_async_context(
            CycleRunners(partial(how, scheduled_controls=True))
        )
        woken = asyncio.Event()
        recorder = SpoolRecorder(in_use, spool, maker, clock, traffic.today, woken.set)
        memory = EncryptedMemory(spool, power_key, machine.boot)
        runner = await runners.begin(in_use, ())
        restore(runner.probers, memory.read(notes))
        jobs = AgentCycles(
            *(runner, recorder, LogCounter(), ledger, clock), NetworkMemory(memory.keep)
        )
        schedule = Schedule(in_use, jobs)
        change = AgentReconfiguration(
            *(settings, orders, Measuring(runners, schedule), jobs, recorder),
            *(in_use, consent, limits, clock.best_now),
        )
        backoff = Backoff(rng)
        delivery = BatchDelivery(
            *(spool, maker, client, clock, orders, backoff),
            woken=woken,
            ordered=change.ordered,
            known=controls.use,
        )
        read = partial(load_config, environ=os.environ)
        # Of a file that is refused, the log says why.
        reloader = Reloader(settings, read, change.reloaded, lambda: None)
        watch = PauseAndClock(files, clock, schedule, jobs, controls, client)
        log.info("agent started")
        await run_until_stopped(
            reloader.ask,
            schedule.run(),
            watch.run(),
            reloader.run(),
            delivery.run(watch.allowed),
            keep_running(change.run),
            end_when_revoked(client, files, own),
        )


def _log_damaged() -> None:
    log.error("the spool was damaged; it was moved aside, and a new one holds what can be read")


def _restored(own: Settings, orders: Orders, consent: Consent, limits: OrderedLimits) -> Settings:
    """The settings to begin with."""
    orders.restore()
    return settings_by(own, orders.current, consent, limits)
