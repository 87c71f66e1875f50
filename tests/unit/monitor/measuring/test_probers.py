"""What measures goes on knowing a vantage's network when only the settings change."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from monitor.app.cycle_runners import cycle_runner
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from monitor.measuring.cycle import CycleRunner
from probes.vantage import VantagePoint

STAYS, CHANGES = "khi-ptcl", "lhe-nayatel"
CACHE, OWN = "10.9.8.7", "151.101.1.69"


def _settings(interval: float, asn: int) -> Settings:
    vantages = (
        VantagePoint(id=STAYS, country="PK", asn=17557),
        VantagePoint(id=CHANGES, country="PK", asn=asn),
    )
    return msgspec.structs.replace(default_settings(), vantages=vantages, interval=interval)


@asynccontextmanager
async def _one_after_the_other(kept: Sequence[str]) -> AsyncIterator[CycleRunner]:
    """The runner of changed settings, after one that learnt the same of both vantages."""
    async with (
        cycle_runner(_settings(300, 23674)) as before,
        cycle_runner(_settings(600, 45595)) as after,
    ):
        for vantage in (STAYS, CHANGES):
            prober = before.probers.prober(vantage)
            prober.verified_addresses.add("x.com", CACHE)
            prober.heard_exit(OWN)
        after.inherit(before, kept)
        yield after


async def test_other_settings_forget_no_address_at_which_a_certificate_verified() -> None:
    """A provider's cache at a private address that dies after a reload would else look like a
    resolver that lies."""
    async with _one_after_the_other([STAYS]) as after:
        known = after.probers.prober(STAYS).verified_addresses
        assert known.among("x.com", [CACHE]) == (CACHE,)


async def test_other_settings_forget_no_public_address_of_the_vantage() -> None:
    """What a page says of it is removed from the very first measurement on."""
    async with _one_after_the_other([STAYS]) as after:
        assert list(after.probers.prober(STAYS).exits) == [OWN]
        assert list(after.probers.prober(STAYS).bootstrap.exits) == [OWN]


async def test_a_vantage_on_another_network_begins_anew() -> None:
    """What was learnt on the network before says nothing of this one."""
    async with _one_after_the_other([STAYS]) as after:
        moved = after.probers.prober(CHANGES)
        assert moved.verified_addresses.among("x.com", [CACHE]) == ()
        assert list(moved.exits) == []
