"""A revoked agent falls silent at once and for good; nobody but the collectors can silence one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.agent.ask_controls import RemoteControls
from monitor.agent.collector_clock import AgentClock
from monitor.agent.paths import AgentFiles, files_of
from monitor.agent.revocation import RevokedKeyError, end_when_revoked, is_revoked
from monitor.agent.run_agent import run
from monitor.keys.keys import fingerprint, load_or_make, public_text
from monitor.wire.answers import CONTROLS
from tests.lab.certificates import authority
from tests.unit.monitor.agent.test_agent_orders import own
from tests.unit.monitor.agent.test_ask_controls import CYCLE, TARGET
from tests.worlds.agent_collector import AGENT_KEY, Collector, collecting
from tests.worlds.agent_world import World, until, world

OWN = fingerprint(public_text(AGENT_KEY))


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[tuple[World, Collector]]:
    """An agent with ten cycles to send, and a collector."""
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        await one.spool.open()
        yield one, collector
        await one.spool.close()


def files(folder: Path) -> AgentFiles:
    """In that folder."""
    return AgentFiles(config=folder / "a.toml", key=folder / "k.pem", spool=folder / "spool.db")


async def test_attack_a_revoked_agent_asks_once_and_never_again(
    agent: tuple[World, Collector],
) -> None:
    """Revoked, it made 926 requests in five and a half minutes: each shows the collector's name on
    a line whose host may be in danger. It hears it with one request, notes it, and ends."""
    one, collector = agent
    clock = AgentClock(one.time.machine)
    await one.fill(3, clock)
    collector.revoked = True
    async with one.courier(clock) as courier:
        client = courier._client
        ending = asyncio.create_task(end_when_revoked(client, files(one.folder), OWN))
        with pytest.raises(RevokedKeyError):
            await asyncio.wait_for(ending, 15)
        asked = collector.paths.total()
        one.time.skipped += 3600
        controls = RemoteControls(client, clock)
        assert await controls.measure(TARGET, after=0.0, cycle=CYCLE) == ()
        one.woken.set()
        await asyncio.sleep(0.5)
        assert collector.paths.total() == asked
    assert asked == 2  # for the time, which needs no key, and for settings
    assert is_revoked(files(one.folder), OWN)
    assert not is_revoked(files(one.folder), "ab" * 32)


async def test_attack_whoever_is_on_the_way_cannot_silence_an_agent(
    agent: tuple[World, Collector],
) -> None:
    """Without the collectors' signature, the news that a key was revoked is a refusal like others:
    the agent tries again, and its batches arrive."""
    one, collector = agent
    collector.revoked, collector.signs_refusals = True, False
    clock = AgentClock(one.time.machine)
    await one.fill(1, clock)
    async with one.courier(clock) as courier:
        await until(lambda: one.backoff.failures > 2)
        assert not courier._client.revoked.is_set()
        collector.revoked = False
        await until(lambda: collector.batches)


async def test_a_revoked_key_does_not_start_again(tmp_path: Path) -> None:
    """The next start, after a power cut or by a service manager, sends nothing at all."""
    settings = own(tmp_path)
    paths = files_of(settings)
    key = load_or_make(paths.key)
    paths.revoked.write_text(fingerprint(public_text(key)))
    with pytest.raises(RevokedKeyError, match="shutwatch agent wipe"):
        await asyncio.wait_for(run(settings), 10)
    assert not paths.spool.exists()


async def test_a_refusal_is_not_asked_for_again_with_every_failure(
    agent: tuple[World, Collector],
) -> None:
    """Whatever refuses a question for controls, the next failures do not ask at once again."""
    one, collector = agent
    collector.revoked, collector.signs_refusals = True, False
    clock = AgentClock(one.time.machine)
    async with one.courier(clock) as courier:
        await until(lambda: clock.anchor)
        controls = RemoteControls(courier._client, clock)
        for _ in range(10):
            assert await controls.measure(TARGET, after=0.0, cycle=CYCLE) == ()
    assert collector.paths[CONTROLS] == 1
