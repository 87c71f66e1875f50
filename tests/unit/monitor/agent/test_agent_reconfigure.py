"""What collectors order, and what the host writes, holds while the agent runs; nothing looks in
these tests, for no schedule is started."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.agent.ask_controls import RemoteControls
from monitor.agent.batch_body import BatchMaker
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock
from monitor.agent.consent import consent_of
from monitor.agent.ordered_catalog import Allowed
from monitor.agent.ordered_status import ordered_of
from monitor.agent.paths import AgentFiles, files_of
from monitor.agent.pause_and_clock import AgentCycles
from monitor.agent.reconfigure import AgentReconfiguration
from monitor.agent.run_agent import _restored
from monitor.agent.spooling import LogCounter, SpoolRecorder
from monitor.agent.upload_traffic import DayTraffic
from monitor.agent.what_orders_may_change import Orders, follow
from monitor.app.cycle_runners import CycleRunners, cycle_runner
from monitor.app.measuring_setup import Measuring
from monitor.app.schedule import Schedule
from monitor.budget.budget import Allotment
from monitor.budget.ledger import Ledger
from monitor.config.load import LARGEST_CATALOG
from monitor.config.settings import Settings
from monitor.keys.keys import public_text
from monitor.logs import LogSettings, configure
from probes.measure.ordered_addresses import OrderedLimits
from storage.agent.spool import Spool
from tests.unit.monitor.agent.test_agent_orders import AT, OURS, TOLD, own, signed
from tests.unit.monitor.agent.test_hostile_orders import TRUSTED, order, proven
from tests.worlds.agent_collector import AGENT_KEY, KEY
from tests.worlds.agent_world import VANTAGE, Time

MANY = "[platform.telegram.function.chat]\nsample = 0\n" + "".join(
    f'[platform.x.function.f{n}]\ncore = true\nendpoints = ["https://x.com/"]\n' for n in range(999)
)
"""A catalogue that has more tested than an agent's file allows."""
MIRRORS = (
    '[platform.x.function.mirrors]\nneed = "any"\nsample = 1\nendpoints = ['
    + ", ".join(f'"https://n{n}.ours.example/"' for n in range(40))
    + "]\n[platform.telegram.function.chat]\nsample = 0\n"
)
"""The same, unless the host allows those 40, of which each cycle tests one."""


def at_noon() -> Time:
    """Clocks that say noon: how much of a day's bytes may be used depends on the hour."""
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    return Time(behind=(now - noon).total_seconds())


@asynccontextmanager
async def agent(
    mine: Settings, folder: Path
) -> AsyncIterator[tuple[AgentReconfiguration, AgentCycles]]:
    """An agent's parts as `monitor.agent.run_agent` puts them together."""
    assert mine.agent is not None
    clock = AgentClock(at_noon().machine)
    orders = Orders(folder / "spool.db.settings", public_text(KEY))
    ledger = Ledger(mine, now=clock.now)
    spool = Spool(folder / "spool.db", limit=10**7)
    chance = random.Random(1)
    async with CollectorClient(mine.agent, VANTAGE, AGENT_KEY, clock, chance) as line:
        controls = RemoteControls(line, clock)
        traffic = DayTraffic(VANTAGE, ledger, lambda: line.carried, clock.now)
        how = partial(cycle_runner, ledger=ledger, controls=controls, clock=clock)
        async with CycleRunners(partial(how, scheduled_controls=True)) as runners:
            maker = BatchMaker(VANTAGE, mine.agent.sealing_key, clock, bytes(32))
            recorder = SpoolRecorder(mine, spool, maker, clock, traffic.today, lambda: None)
            jobs = AgentCycles(await runners.begin(mine, ()), recorder, LogCounter(), ledger)
            schedule = Schedule(mine, jobs)
            measuring = Measuring(runners, schedule)
            files = AgentFiles(
                config=folder / "agent.toml", key=folder / "k.pem", spool=folder / "spool.db"
            )
            consent = consent_of(mine, files, clock.latest_now)
            consent.accept(OURS.endpoints, ())
            change = AgentReconfiguration(
                *(mine, orders, measuring, jobs, recorder, mine),
                *(consent, OrderedLimits(clock.now), clock.best_now),
            )
            yield change, jobs
            # Earlier runners are let go of by tasks, which are to have begun.
            await asyncio.sleep(0.05)


def changed(capsys: pytest.CaptureFixture[str]) -> list[tuple[float, int, int]]:
    """Interval, number of platforms and bytes of a day, each time others came into use."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [
        (line["interval"], line["platforms"], line["daily_bytes"])
        for line in lines
        if line["event"] == "settings changed"
    ]


async def test_orders_hold_at_once_and_within_what_the_file_allows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interval, platforms and bytes; to rest and to go on; and older orders change nothing."""
    configure(LogSettings(format="json"), sys.stdout)
    async with agent(own(tmp_path), tmp_path) as (change, jobs):
        assert jobs.ledger.affords(VANTAGE, Allotment.SUSPICION, 50_000_000)
        first = jobs.runner
        await change.ordered(TOLD, signed(TOLD))
        assert changed(capsys) == [(600.0, 3, 100_000_000)]
        assert jobs.runner is not first
        assert not jobs.ledger.affords(VANTAGE, Allotment.SUSPICION, 50_000_000)
        assert not jobs.paused_by_collector
        rest = replace(TOLD, version="2", paused=True)
        await change.ordered(rest, signed(rest))
        assert jobs.paused_by_collector
        older = replace(
            TOLD, version="0", issued_at=TOLD.issued_at.replace(year=2025), interval=900
        )
        await change.ordered(older, signed(older))
        assert jobs.paused_by_collector
        await change.ordered(replace(TOLD, version="3"), signed(TOLD))
        assert not jobs.paused_by_collector
        assert changed(capsys) == []


async def test_what_the_host_accepts_is_measured_without_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`accept` has the agent read its files again; consent that is taken back ends it as well."""
    configure(LogSettings(format="json"), sys.stdout)
    mine = own(tmp_path)
    async with agent(mine, tmp_path) as (change, _):
        consent = change._consent
        consent.forget()
        await change.ordered(TOLD, signed(TOLD))
        consent.accept(OURS.endpoints, ())
        await change.reloaded(mine, mine)
        consent.forget()
        await change.reloaded(mine, mine)
    assert [platforms for _, platforms, _ in changed(capsys)] == [2, 3, 2]


async def test_attack_a_signing_key_that_ended_allows_nothing_while_no_collector_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever keeps an agent from its collectors keeps no catalogue in force beyond its days."""
    configure(LogSettings(format="json"), sys.stdout)
    now = datetime.now(UTC)
    told = replace(proven(begins=now, made_at=now, days=1), issued_at=now)
    mine = own(tmp_path)
    async with agent(mine, tmp_path) as (change, _):
        change._consent.forget()
        change._consent._trusted = (TRUSTED,)
        change._consent._now = lambda: now
        await change.ordered(told, signed(told))
        await change.review()
        now += timedelta(days=2)
        await change.review()
    assert [platforms for _, platforms, _ in changed(capsys)] == [1, 0]


@pytest.mark.parametrize(
    ("catalog", "why"),
    [
        ("[platform.ours]\nof_a_later_version = 1\n", "cannot be read"),
        ("\ufeff" + TOLD.catalog, "cannot be read"),
        ("#" * (LARGEST_CATALOG + 1), "characters"),
        (MANY, "tests in a cycle"),
    ],
    ids=["of a later version", "byte order mark", "too large", "too many tests"],
)
async def test_what_asks_for_less_is_obeyed_whatever_the_catalogue_holds(
    tmp_path: Path, catalog: str, why: str
) -> None:
    """An operator paused an agent that was in danger, and it went on: it could not use the
    catalogue of that order, so it dropped the order, and a restart dropped the pause."""
    mine = own(tmp_path)
    told = replace(TOLD, catalog=catalog, paused=True)
    async with agent(mine, tmp_path) as (change, jobs):
        await change.ordered(told, signed(told))
        assert jobs.paused_by_collector
        found = change._in_use
        assert (found.interval, found.probe.daily_bytes) == (600.0, 100_000_000)
        assert [one.name for one in found.catalog.platforms] == ["x", "telegram"]
        assert not found.catalog.ordered
        assert change._orders.knows(told.version)
    files = files_of(mine)
    again = Orders(files.orders, public_text(KEY))
    consent = consent_of(mine, files, lambda: AT)
    begun = _restored(mine, again, consent, OrderedLimits(lambda: AT))
    assert again.paused
    assert begun.interval == 600.0
    shown = ordered_of(mine, files, consent)
    assert shown is not None
    (unused,) = shown.unused
    assert (unused.name, unused.acceptable) == ("catalogue", False)
    assert why in unused.why


async def test_attack_what_a_host_takes_back_is_not_measured_by_an_order_beyond_its_limits(
    tmp_path: Path,
) -> None:
    """Without the host's consent the order was over the limit of tests, so the agent dropped its
    next settings, not those in use: it went on measuring all that the host had taken back."""
    now = datetime.now(UTC)
    mine = own(tmp_path, more='[catalog]\nplatforms = ["x", "telegram"]\n')
    told = replace(order(MIRRORS, "x", "telegram"), issued_at=now, interval=600.0)
    whole, new = follow(mine, told, Allowed()).unused
    assert (whole.name, new.name, new.acceptable) == ("catalogue", "x", True)
    async with agent(mine, tmp_path) as (change, _):
        change._consent.forget()
        change._consent.accept(new.endpoints, ())
        await change.ordered(told, signed(told))
        assert len(change._in_use.catalog.ordered) == len(new.endpoints)
        change._consent.forget()
        await change.reloaded(mine, mine)
        assert not change._in_use.catalog.ordered
        assert change._in_use.catalog == mine.catalog
        assert change._in_use.interval == 600.0
        await change.review()


async def test_attack_a_signing_key_that_ended_allows_nothing_beyond_the_limits_either(
    tmp_path: Path,
) -> None:
    """The same where an offline key stood behind those endpoints, and its days are over."""
    now = datetime.now(UTC)
    mine = own(tmp_path, more='[catalog]\nplatforms = ["x", "telegram"]\n')
    made = proven(MIRRORS, begins=now, made_at=now, days=1)
    told = replace(made, issued_at=now, platforms=("x", "telegram"))
    async with agent(mine, tmp_path) as (change, _):
        change._consent.forget()
        change._consent._trusted = (TRUSTED,)
        change._consent._now = lambda: now
        await change.ordered(told, signed(told))
        assert change._in_use.catalog.ordered
        now += timedelta(days=2)
        await change.review()
        assert change._in_use.catalog == mine.catalog


async def test_a_file_that_is_read_again_goes_together_with_orders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stricter file wins over orders in force, and taken back it leaves them in force. What the
    host accepted is measured until it takes that back."""
    configure(LogSettings(format="json"), sys.stdout)
    mine = own(tmp_path)
    stricter = own(
        tmp_path, 'interval = "1h"', '[probe]\ndaily_bytes = "50MB"\n[catalog]\nplatforms = ["x"]'
    )
    async with agent(mine, tmp_path) as (change, _):
        await change.ordered(TOLD, signed(TOLD))
        await change.reloaded(mine, stricter)
        await change.reloaded(stricter, mine)
    assert changed(capsys) == [
        (600.0, 3, 100_000_000),
        (3600.0, 2, 50_000_000),
        (600.0, 3, 100_000_000),
    ]
