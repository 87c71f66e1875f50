"""Which references a cycle measures: few while all is well, all of them once one fails."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from monitor.analysis.vantage.health import ReferenceMeasurements
from monitor.analysis.verdict import VantageState
from monitor.app.cycle_job import measure_and_judge
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.probers import Probers
from monitor.measuring.references import alarming, failed, first_of
from probes.catalog.catalog import Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import Purpose
from probes.testing import DnsReply, Peer, VirtualClockLoop, bad_certificate, reset_by_peer
from storage.values.cycle import Cycle
from tests.unit.monitor.measuring.test_cycle import (
    ADDRESS,
    FIELD,
    RESOLVER,
    SITES,
    World,
    now,
    page,
)
from tests.worlds.build import look, reference

LOOP = VirtualClockLoop

UPLINK = reference("uplink.example", ReferenceScope.UPLINK, EndpointKind.HTTP)
UNLISTED = tuple(reference(f"far{number}.example") for number in range(6))
POPULAR = tuple(reference(f"big{number}.example", ReferenceScope.POPULAR) for number in range(3))
LITERAL = reference("203.0.113.99", ReferenceScope.ADDRESS)
HOME = tuple(reference(f"home{number}.example", ReferenceScope.DOMESTIC) for number in range(2))
CALLS = reference("stun.example", ReferenceScope.UDP, EndpointKind.STUN)
ALL = (UPLINK, *UNLISTED, *POPULAR, LITERAL, *HOME, CALLS)
NAMED = (*UNLISTED, *POPULAR)
PLACE = {one: f"203.0.113.{200 + number}" for number, one in enumerate(NAMED)}


def made(*failing: Reference, of: tuple[Reference, ...] = ALL) -> ReferenceMeasurements:
    """One measurement of each, of which these failed."""
    return tuple((one, look(reached=one not in failing)) for one in of)


def test_a_round_has_all_of_most_kinds_and_some_of_what_is_abroad() -> None:
    """Two that no list names, one that lists name, no literal address, nothing over UDP; in
    another cycle others, and in the end all."""
    first = first_of(ALL, "one")
    assert first == first_of(ALL, "one")
    scopes = Counter(one.scope for one in first)
    assert scopes == {"uplink": 1, "international": 2, "popular": 1, "domestic": 2}
    chosen = {one for cycle in range(60) for one in first_of(ALL, f"cycle {cycle}")}
    assert chosen == set(ALL) - {LITERAL, CALLS}
    assert first_of(ALL[:2], "one") == ALL[:2]


@pytest.mark.parametrize(
    ("failing", "alarms"),
    [((), False), (UNLISTED[:1], True), (HOME[:1], False), (HOME, True), ((UPLINK,), True)],
    ids=["none", "a foreign one", "one of two at home", "both at home", "the check for portals"],
)
def test_a_failure_that_others_do_not_stand_for_asks_for_all(
    failing: tuple[Reference, ...], *, alarms: bool
) -> None:
    """Many domestic sites are down at times, and tell nothing about what is abroad."""
    assert alarming(made(*failing)) is alarms


def test_only_the_latest_failures_are_measured_again_and_no_literal_address() -> None:
    """What answers by now needs no further question."""
    found = (*made(*UNLISTED[:2], LITERAL), *made(of=UNLISTED[:1]))
    assert failed(found) == (UNLISTED[1],)


class Line:
    """A world whose references abroad are many; some of them are reset."""

    def __init__(self) -> None:
        self.world = World()
        settings = self.world.settings
        known = [one for one in settings.catalog.references if one.scope is ReferenceScope.UPLINK]
        catalog = msgspec.structs.replace(
            settings.catalog, references=(*known, *UNLISTED, *POPULAR)
        )
        self.world.settings = msgspec.structs.replace(settings, catalog=catalog)
        for network in self.world.networks.values():
            for one, address in PLACE.items():
                reply = DnsReply(addresses=(address,))
                network.resolver(RESOLVER).answers(one.endpoint.host, "A", reply)
                network.peer(address, 443, page())

    def reset(self, *several: Reference, sites: bool = False) -> None:
        """From now on connections to these from the field are reset; without any, to none."""
        for one, address in PLACE.items():
            self.world.own.peer(address, 443, _peer(reset=one in several))
        for host in SITES:
            self.world.own.peer(ADDRESS[host], 443, _peer(reset=sites))

    @asynccontextmanager
    async def runner(self) -> AsyncIterator[CycleRunner]:
        """Cycles of the field vantage."""
        async with Probers(
            self.world.settings,
            now=now,
            make_network=lambda vantage: self.world.networks[vantage.id],
        ) as probers:
            controls = LocalControls(probers, self.world.controls)
            yield CycleRunner(self.world.settings, probers, controls, random.Random(1))


def _peer(*, reset: bool) -> Peer:
    return Peer(tls=reset_by_peer()) if reset else page()


def foreign(cycle: Cycle) -> set[str]:
    """The hosts of foreign references that the field measured."""
    hosts = {one.endpoint.id: one.endpoint.host for one in NAMED}
    return {
        hosts[m.endpoint]
        for m in cycle.measurements
        if m.look is Purpose.REFERENCE and m.vantage == FIELD.id and m.endpoint in hosts
    }


async def test_a_cycle_measures_all_once_one_fails_and_in_the_cycle_after_a_list() -> None:
    """Few while all is well; all where the few fail; and all again after a list was in force,
    since the few of that cycle may be on it."""
    line = Line()
    everything = {one.endpoint.host for one in NAMED}
    async with line.runner() as runner:
        assert len(foreign(await measure_and_judge(runner, FIELD.id))) == 3
        line.reset(*UNLISTED)
        listed = await measure_and_judge(runner, FIELD.id)
        assert listed.health.state is VantageState.ALLOWLIST
        assert foreign(listed) == everything
        assert set(listed.health.passing) >= {one.endpoint.host for one in POPULAR}
        line.reset()
        after = await measure_and_judge(runner, FIELD.id)
        assert (after.health.state, foreign(after)) == (VantageState.OK, everything)
        assert len(foreign(await measure_and_judge(runner, FIELD.id))) == 3


@pytest.mark.parametrize("forged", [False, True])
async def test_a_forged_certificate_asks_for_all_references(*, forged: bool) -> None:
    """A device at the vantage's own site may exempt the few that a cycle measures; one platform
    that is reset says nothing of the kind."""
    line = Line()
    async with line.runner() as runner:
        how = bad_certificate(20, "no issuer") if forged else reset_by_peer()
        line.world.own.peer(ADDRESS["www.facebook.com"], 443, Peer(tls=how))
        cycle = await measure_and_judge(runner, FIELD.id)
        assert len(foreign(cycle)) == (len(NAMED) if forged else 3)


async def test_platforms_that_fail_together_ask_for_all_references() -> None:
    """The few that a cycle measures may be on a list while all that it watches is not: nobody is
    accused before the others were measured."""
    line = Line()
    async with line.runner() as runner:
        line.reset(sites=True)
        blocked = await measure_and_judge(runner, FIELD.id)
        assert len(foreign(blocked)) == len(NAMED)
        assert blocked.health.state is VantageState.OK
        assert {one.state for one in blocked.platforms if one.platform != "telegram"} == {"blocked"}
