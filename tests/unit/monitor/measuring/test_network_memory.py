"""What the vantages learnt of their networks, from one start of the program to the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from monitor.config.load import default_settings
from monitor.measuring.network_memory import EVERY, NetworkMemory, restore
from monitor.measuring.probers import Probers
from probes.testing import VirtualClockLoop
from probes.vantage import VantagePoint
from storage.store import StorageError
from storage.values.steady_clock import utc_now
from storage.values.verified_before import VerifiedBefore

LOOP = VirtualClockLoop
FIELD = VantagePoint(id="khi-ptcl", country="PK", asn=17557)
CACHE, EDGE = "10.9.8.7", "192.0.2.1"


@asynccontextmanager
async def _probers(point: VantagePoint = FIELD) -> AsyncIterator[Probers]:
    settings = msgspec.structs.replace(default_settings(), vantages=(point,))
    async with Probers(settings, now=utc_now) as probers:
        yield probers


async def test_the_next_start_goes_on_with_it_in_its_order() -> None:
    """What one process kept, another one knows."""
    kept: list[VerifiedBefore] = []

    async def keep(one: VerifiedBefore) -> None:
        kept.append(one)

    async with _probers() as probers:
        prober = probers.prober(FIELD.id)
        for name, address in (("t.co", EDGE), ("x.com", EDGE), ("x.com", CACHE)):
            prober.verified_addresses.add(name, address)
        await NetworkMemory(keep).after_cycle(prober)
    async with _probers() as probers:
        restore(probers, kept)
        known = probers.prober(FIELD.id).verified_addresses
        assert known.among("x.com", [CACHE, EDGE]) == (CACHE, EDGE)
        assert list(known.known.items()) == [("t.co", (EDGE,)), ("x.com", (EDGE, CACHE))]


@pytest.mark.parametrize("changed", [{"asn": 45595}, {"country": "BR"}, {"id": "khi-zong"}])
async def test_of_another_network_it_says_nothing(changed: dict[str, object]) -> None:
    """A vantage that was given another network, country or name begins anew."""
    kept = VerifiedBefore(vantage=FIELD.id, country="PK", asn=17557, addresses={"x.com": (CACHE,)})
    point = msgspec.structs.replace(FIELD, **changed)
    async with _probers(point) as probers:
        restore(probers, [kept])
        assert probers.prober(point.id).verified_addresses.known == {}


async def test_each_vantage_is_kept_once_an_hour() -> None:
    """The first time after the first cycle: a program may end soon."""
    kept: list[str] = []

    async def keep(one: VerifiedBefore) -> None:
        kept.append(one.vantage)

    memory = NetworkMemory(keep)
    async with _probers() as probers:
        prober = probers.prober(FIELD.id)
        await memory.after_cycle(prober)
        await asyncio.sleep(EVERY - 1)
        await memory.after_cycle(prober)
        assert kept == [FIELD.id]
        await asyncio.sleep(1)
        await memory.after_cycle(prober)
        assert kept == [FIELD.id, FIELD.id]


async def test_storage_that_takes_nothing_ends_no_cycle() -> None:
    """The cycle is complete, whatever is known at the next start."""

    async def keep(_: VerifiedBefore) -> None:
        raise StorageError("the disk is full")

    async with _probers() as probers:
        await NetworkMemory(keep).after_cycle(probers.prober(FIELD.id))
