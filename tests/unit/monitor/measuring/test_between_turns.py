"""Short tests half-way between two turns: slight, within the bytes, and no verdict on anybody."""

import asyncio
import random

import pytest

from monitor.budget.ledger import Ledger
from monitor.config.catalog import select_platforms, shipped_catalog
from monitor.config.settings import Settings
from monitor.measuring.between_turns import ShortTests, short_tests
from monitor.measuring.probers import Probers
from probes.measure.line_pace import FEWEST, FLOOR
from probes.settings import ProbeSettings
from probes.testing import HANG, Peer, ScriptedNetwork, VirtualClockLoop
from tests.worlds.build import START
from tests.worlds.dropped_world import (
    DroppingNetwork,
    Drops,
    addresses,
    network,
    vantages,
)
from tests.worlds.virtual_runner import VirtualRunner

LOOP = VirtualClockLoop
VANTAGE = vantages(1)[0]
CATALOG = select_platforms(shipped_catalog(), ["x", "facebook", "telegram"])
NAMES = frozenset(platform.name for platform in CATALOG.platforms)


async def round_of_tests(made: ScriptedNetwork, daily_bytes: int = 300_000_000) -> ShortTests:
    """What comes of one round, on a line whose handshakes are known to be fast."""
    probe = ProbeSettings(bogon_allow=("192.0.2.0/24",), daily_bytes=daily_bytes)
    settings = Settings(vantages=(VANTAGE,), catalog=CATALOG, probe=probe)
    probers = Probers(
        settings,
        now=lambda: START,
        make_network=lambda _: made,
        ledger=Ledger(settings, now=lambda: START),
        make_runner=VirtualRunner,
    )
    async with probers:
        for _ in range(FEWEST):
            probers.prober(VANTAGE.id).line.worked(0.05)
        return await short_tests(probers, VANTAGE, CATALOG.platforms, random.Random(1))


def blocked(platform: str, meets: Peer) -> DroppingNetwork:
    """A network on which connections to one platform meet this."""
    hosts, _ = addresses()
    functions = next(p for p in CATALOG.platforms if p.name == platform).functions
    silent = {a for f in functions for e in f.endpoints for a in hosts[e.host]}
    return network(Drops(frozenset(silent), 0.0, meets), 0.04)


async def test_each_platform_is_tested_once_and_slightly() -> None:
    """One connection each, to one address, and no page is asked for."""
    made = network(Drops(), 0.04)
    assert await round_of_tests(made) == ShortTests(at=START, answered=NAMES)
    assert len(made.connects) == len(NAMES)
    assert not any(b"GET" in stream.sent for stream in made.streams)


@pytest.mark.parametrize(
    "meets",
    [Peer(connect=HANG), Peer(connect_delay=0.04, tls=HANG, replies=(HANG,))],
    ids=["addresses dropped", "handshakes dropped"],
)
@pytest.mark.parametrize("platform", ["x", "telegram"])
async def test_what_does_not_answer_is_named_within_seconds(platform: str, meets: Peer) -> None:
    """The platform alone, however it is silenced."""
    found = await round_of_tests(blocked(platform, meets))
    assert found == ShortTests(at=START, silent=frozenset({platform}), answered=NAMES - {platform})
    assert asyncio.get_running_loop().time() < 2 * FLOOR


async def test_a_block_has_its_bytes_first() -> None:
    """Where few are kept for suspicion nothing is tested, and nobody called silent."""
    made = network(Drops(), 0.04)
    assert await round_of_tests(made, daily_bytes=100_000) == ShortTests(at=START)
    assert not made.connects
