"""Cycles: what goes in comes out, once, in order, and as selected."""

import itertools
import random
from datetime import datetime

import msgspec
import pytest

from monitor.analysis.verdict import State
from probes.measurement import LAYER_OF, Layer, Measurement, Purpose
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.conftest import PAGE
from tests.contract.cycles import (
    AWKWARD,
    EVERY_OBSERVATION,
    HUGE,
    PLAIN,
    at,
    cycle,
    measurement,
    verdict,
)
from tests.contract.listing import EVERYTHING, contents, flat


async def test_an_empty_store_gives_nothing(store: Store) -> None:
    """Every listing of an empty store is empty, not an error."""
    assert all(values == [] for values in (await contents(store, "no-such-event")).values())
    assert await store.recent_platforms(at(0)) == []


async def test_a_measurement_comes_back_exactly(store: Store) -> None:
    """Every kind of observation, empty, awkward or huge, decodes to the value that was stored."""
    looks = (
        measurement("m-1", observations=EVERY_OBSERVATION, reached=False),
        measurement(
            "m-2",
            1.000001,
            observations=(),
            look=Purpose.CONTROL,
            not_observed=(Layer.DNS, Layer.TCP),
            asn=2**32 - 1,
            network=PLAIN,
        ),
        msgspec.structs.replace(measurement("m-3", 2), duration=0.1 + 0.2, network="", asn=0),
        measurement("m-4", 3, network="x" * HUGE),
    )
    await store.save(cycle(1, measurements=looks))
    assert await flat(store.measurements(EVERYTHING)) == list(looks)


def test_no_kind_of_observation_is_left_out() -> None:
    """The values above hold each kind there is."""
    assert {type(observation) for observation in EVERY_OBSERVATION} == set(LAYER_OF)


async def test_verdicts_come_back_exactly(store: Store) -> None:
    """Verdicts, platform verdicts and health survive with every field, blocked or not."""
    saved = cycle(1, state=State.BLOCKED)
    awkward = msgspec.structs.replace(
        saved.verdicts[0], failures={"tls": f"unknown_failure: {AWKWARD}"}, llr=float("-inf")
    )
    saved = msgspec.structs.replace(saved, verdicts=(awkward, *saved.verdicts[1:]))
    await store.save(saved)
    by_endpoint = sorted(saved.verdicts, key=lambda v: (v.platform, v.endpoint))
    assert await flat(store.verdicts(EVERYTHING)) == by_endpoint
    assert await store.latest_verdicts() == by_endpoint
    by_platform = sorted(saved.platforms, key=lambda p: p.platform)
    assert await store.latest_platforms() == by_platform
    assert await store.recent_platforms(at(0)) == by_platform
    assert await store.latest_health() == [saved.health]


async def test_text_that_is_not_unicode_costs_only_its_odd_characters(store: Store) -> None:
    """A lone surrogate, which no database stores, becomes U+FFFD and the cycle is kept."""
    broken = measurement("m-1", endpoint="https://x.com/\ud800", network="\udfffPTCL")
    await store.save(cycle(1, measurements=(broken, measurement("m-2", 1))))
    stored = await flat(store.measurements(EVERYTHING))
    assert [(m.endpoint, m.network) for m in stored] == [
        ("https://x.com/\ufffd", "\ufffdPTCL"),
        ("https://x.com/", "PTCL"),
    ]


@pytest.mark.parametrize("endpoints", [1, 40])
async def test_a_null_character_costs_at_most_itself(store: Store, endpoints: int) -> None:
    """U+0000 comes back as it is, or as U+FFFD where the database cannot hold it, whether few rows
    are written or many; what was observed keeps it everywhere, and no question fails over it."""
    looks = tuple(
        measurement(
            f"m-{n:03}",
            n,
            network="PT\0CL",
            observations=EVERY_OBSERVATION if n == 0 else (),
        )
        for n in range(endpoints)
    )
    await store.save(cycle(1, measurements=looks))
    stored = await flat(store.measurements(EVERYTHING))
    assert {one.network for one in stored} in ({"PT\0CL"}, {"PT\ufffdCL"})
    assert stored[0].observations == EVERY_OBSERVATION
    assert len(stored) == len({one.id for one in stored}) == endpoints
    assert await flat(store.measurements(Selection(country="P\0K"))) == []


async def test_measurements_are_listed_by_start_in_full(store: Store) -> None:
    """Whatever the order of arrival, and with many of the same moment, none is lost or doubled."""
    looks = [
        measurement(f"m-{n:03}", n // 20, country=("PK", "BR", "DE")[n % 3]) for n in range(100)
    ]
    random.Random(1).shuffle(looks)
    for number, part in enumerate(_parts(looks, 9)):
        await store.save(cycle(number, measurements=part))
    batches = [list(batch) async for batch in store.measurements(EVERYTHING)]
    listed = [look for batch in batches for look in batch]
    assert listed == sorted(looks, key=lambda m: (m.started_at, m.country, m.id))
    assert max(map(len, batches)) == PAGE


def _parts(looks: list[Measurement], size: int) -> list[tuple[Measurement, ...]]:
    return [tuple(looks[n : n + size]) for n in range(0, len(looks), size)]


MOMENTS = [None, at(0), at(300), at(300.000001), at(2000), at(10**7)]


@pytest.mark.parametrize("since", MOMENTS)
async def test_a_selection_gives_what_it_says(store: Store, since: datetime | None) -> None:
    """`since` is inclusive, `until` exclusive, and country and platform narrow both listings."""
    for number in range(4):
        await store.save(cycle(number))
        await store.save(cycle(number, country="BR", vantage="gru-vivo"))
    everything = await contents(store)
    choices = (MOMENTS, ("", "PK", "BR", "ZZ"), ("", "x", "tiktok"))
    for until, country, platform in itertools.product(*choices):
        wanted = Selection(since=since, until=until, country=country, platform=platform)

        def selected(
            moment: datetime,
            of_country: str,
            of_platform: str,
            wanted: Selection = wanted,
        ) -> bool:
            return (
                (wanted.since is None or moment >= wanted.since)
                and (wanted.until is None or moment < wanted.until)
                and wanted.country in ("", of_country)
                and wanted.platform in ("", of_platform)
            )

        assert await flat(store.measurements(wanted)) == [
            m for m in everything["measurements"] if selected(m.started_at, m.country, m.platform)
        ]
        assert await flat(store.verdicts(wanted)) == [
            v for v in everything["verdicts"] if selected(v.judged_at, v.country, v.platform)
        ]


async def test_recent_platforms_begin_at_the_moment_asked_for(store: Store) -> None:
    """Platform verdicts judged exactly at `since` are in, a microsecond earlier they are out."""
    for number in (3, 1, 2):
        await store.save(cycle(number, platforms=("x",)))
    judged = cycle(2, platforms=("x",)).platforms[0].judged_at
    assert [p.cycle for p in await store.recent_platforms(judged)] == [
        "cycle-khi-ptcl-000002",
        "cycle-khi-ptcl-000003",
    ]
    assert len(await store.recent_platforms(judged.replace(microsecond=1))) == 1
    assert len(await store.recent_platforms(at(0))) == 3


async def test_platform_verdicts_are_listed_as_they_were_received(store: Store) -> None:
    """A cycle that arrives late stands where it arrived, and a cycle's verdicts stand together."""
    for number in (3, 1, 2, *range(4, 4 + PAGE)):
        await store.save(cycle(number))
    listed = [one.cycle for one in await flat(store.received_platforms(EVERYTHING))]
    saved = [cycle(number) for number in (3, 1, 2, *range(4, 4 + PAGE))]
    assert listed == [one.id for one in saved for _ in one.platforms]
    assert [one.id for one in await flat(store.received_cycles(""))] == [one.id for one in saved]
    assert [one.health for one in await flat(store.received_cycles("PK"))] == [
        one.health for one in saved
    ]
    assert await flat(store.received_cycles("BR")) == []
    selected = Selection(since=at(0), until=at(0))
    assert await flat(store.received_platforms(selected)) == []


async def test_saving_a_cycle_again_changes_nothing(store: Store) -> None:
    """Neither history nor latest changes, even when the same cycle was judged again later."""
    saved = cycle(1)
    await store.save(saved)
    await store.save(cycle(2))
    before = await contents(store)
    await store.save(saved)
    rejudged = tuple(verdict(look, 9999, state=State.BLOCKED) for look in saved.measurements)
    await store.save(msgspec.structs.replace(saved, verdicts=rejudged))
    assert await contents(store) == before


async def test_a_control_look_shared_by_two_cycles_is_stored_once(store: Store) -> None:
    """One control look can serve the cycles of several vantages."""
    shared = measurement("control-1", 5, country="DE", vantage="fra", look=Purpose.CONTROL)
    first = cycle(1, measurements=(measurement("m-1"), shared))
    second = cycle(1, vantage="khi-nayatel", measurements=(measurement("m-2"), shared))
    await store.save(first)
    await store.save(second)
    stored = await flat(store.measurements(EVERYTHING))
    assert [look.id for look in stored] == ["m-1", "m-2", "control-1"]
