"""A cycle ends before the next is due, with the shipped settings, whatever is silent or slow."""

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import pytest

from monitor.app.cycle_job import measure_and_judge
from monitor.config.catalog import select_platforms, shipped_catalog
from monitor.config.settings import Settings
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.probers import Probers
from monitor.measuring.transfers import NEXT_DUE, Transfers
from probes.measurement import Purpose
from probes.settings import ProbeSettings
from probes.testing import HANG, DnsReply, Peer, ScriptedNetwork, VirtualClockLoop
from probes.vantage import Profile, Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.worlds.build import START

LOOP = VirtualClockLoop
INTERVAL = 300.0
"""Seconds, as shipped."""
RESOLVER = "192.0.2.53"
FIELD = VantagePoint(id="khi-ptcl", country="PK", asn=17557, resolver=Resolver(address=RESOLVER))
QUIET = msgspec.structs.replace(FIELD, profile=Profile.QUIET)
CONTROL = msgspec.structs.replace(FIELD, id="ctl", country="NL", role=VantageRole.CONTROL)
CATALOG = select_platforms(
    shipped_catalog(), ("x", "youtube", "tiktok", "instagram", "facebook", "wikipedia")
)
PAGE = (b"HTTP/1.1 200 OK\r\nContent-Length: 262144\r\n\r\n", *[bytes(2048)] * 128)
WELL = Peer(connect_delay=0.05, tls_delay=0.05, replies=PAGE, reply_delay=0.001)
SILENT = Peer(connect_delay=0.05, tls=HANG)
SLOW = Peer(connect_delay=0.05, tls_delay=2.5, replies=PAGE, reply_delay=1.0)
"""At 16 kbit/s."""


def now() -> datetime:
    """The event loop's time."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


async def cycles(field: VantagePoint, peers: Mapping[str, Peer]) -> list[Cycle]:
    """Three cycles of that vantage; `peers` are the servers of platforms that are not well."""
    # Waiting for a turn takes no time that counts here, and confuses the loop's clock.
    probe = ProbeSettings(rate=10_000, bogon_allow=("198.51.100.0/24", "192.0.2.0/24"))
    settings = Settings(vantages=(field, CONTROL), catalog=CATALOG, probe=probe)
    platforms = {
        endpoint.host: platform.name
        for platform in CATALOG.platforms
        for function in platform.functions
        for endpoint in function.endpoints
    }
    hosts = dict.fromkeys((*platforms, *(one.endpoint.host for one in CATALOG.references)))
    networks = {v.id: ScriptedNetwork(families=("ipv4",)) for v in settings.vantages}
    for name, network in networks.items():
        for number, host in enumerate(hosts):
            address = f"198.51.100.{number}"
            network.resolver(RESOLVER).answers(host, "A", DnsReply(addresses=(address,)))
            peer = peers.get(platforms.get(host, ""), WELL) if name == field.id else WELL
            network.peer(address, 443, peer)
            network.peer(address, 80, WELL)
    done = []
    async with Probers(settings, now=now, make_network=lambda v: networks[v.id]) as probers:
        rng, asked = random.Random(1), LocalControls(probers, (CONTROL,))
        transfers = Transfers(settings, probers, asked, rng)
        runner = CycleRunner(settings, probers, asked, rng, transfers=transfers)
        for _ in range(3):
            done.append(await measure_and_judge(runner, field.id))
            await asyncio.sleep(60.0)
    return done


@pytest.mark.parametrize(
    ("field", "slow", "share", "turns"),
    [(FIELD, (), NEXT_DUE, 3), (FIELD, ("instagram", "facebook"), NEXT_DUE, 1), (QUIET, (), 1, 0)],
    ids=["normal", "normal-and-slow", "quiet"],
)
async def test_what_is_silent_is_given_time_while_there_is_some(
    field: VantagePoint, slow: tuple[str, ...], share: float, turns: int
) -> None:
    """Three platforms are dropped by name, and others slow under any: a cycle with both took 275
    s. A quiet vantage spreads its tests over most of the interval, and took 341 s."""
    silent = ("x", "youtube", "tiktok")
    made = await cycles(field, dict.fromkeys(silent, SILENT) | dict.fromkeys(slow, SLOW))
    for one in made:
        states = {verdict.platform: verdict.state for verdict in one.platforms}
        assert {states[name] for name in silent} == {"blocked"}
        assert (one.finished_at - one.started_at).total_seconds() < share * INTERVAL
    speeds = [m for one in made for m in one.measurements if m.look is Purpose.TRANSFER]
    given_time = {m.platform for m in speeds if m.vantage == field.id} & set(silent)
    assert len(given_time) >= turns
