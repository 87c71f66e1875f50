"""Narrower selections, and listings that go on behind a place."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State, Verdict
from probes.measurement import Measurement
from storage.sql.store import SqlStore
from storage.store import Store
from storage.values.cursor import LENGTHS, place_of
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event, measurement
from tests.contract.listing import EVERYTHING, flat
from tests.properties import examples
from tests.worlds.store_without_threads import use_no_threads


async def _filled(store: Store) -> None:
    for number in range(3):
        await store.save(cycle(number))
        await store.save(cycle(number, vantage="khi-jazz", state=State.BLOCKED))
    other = measurement("m-other", 5, asn=45669, vantage="isb", network="Jazz")
    await store.save(cycle(9, measurements=(other,), vantage="isb"))


def _fits(value: Measurement | Verdict, narrow: Mapping[str, Any]) -> bool:
    return all(getattr(value, name) == wanted for name, wanted in narrow.items())


async def test_network_vantage_and_state_select(store: Store) -> None:
    """Each of them alone, and together, keeps exactly what is of it."""
    await _filled(store)
    looks = await flat(store.measurements(EVERYTHING))
    verdicts = await flat(store.verdicts(EVERYTHING))
    narrowed: list[dict[str, Any]] = [
        {"asn": 45669},
        {"vantage": "khi-jazz"},
        {"asn": 17557, "vantage": "khi-ptcl"},
    ]
    for narrow in narrowed:
        found = await flat(store.measurements(Selection(**narrow)))
        assert found == [look for look in looks if _fits(look, narrow)]
        assert 0 < len(found) < len(looks)
        judged = await flat(store.verdicts(Selection(**narrow)))
        assert judged == [one for one in verdicts if _fits(one, narrow)]
    blocked = await flat(store.verdicts(Selection(state="blocked")))
    assert blocked == [one for one in verdicts if one.state is State.BLOCKED]
    assert await flat(store.verdicts(Selection(state="no-such-state"))) == []


async def test_events_are_selected_by_id_state_and_network_that_blocked(store: Store) -> None:
    """A network that was seen and did not block does not find the event."""
    over = event("event-2", platform="facebook", state=EventState.ENDED, end_latest=900)
    await store.save(cycle(1), [event(), over])
    ids = [one.id for one in await flat(store.events(Selection(asn=17557)))]
    assert ids == ["event-1", "event-2"]
    assert await flat(store.events(Selection(asn=135407))) == []
    assert [e.id for e in await flat(store.events(Selection(event="event-2")))] == ["event-2"]
    assert [e.id for e in await flat(store.events(Selection(state="ended")))] == ["event-2"]
    assert await flat(store.events(Selection(event="event-2", state="suspected"))) == []


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_batches_have_the_size_asked_for(store: Store, size: int) -> None:
    """No batch is larger, and none but the last smaller."""
    await _filled(store)
    sizes = [len(batch) async for batch in store.verdicts(Selection(batch=size))]
    assert all(one == size for one in sizes[:-1])
    assert sizes[-1] <= size


async def test_a_listing_goes_on_behind_any_place(store: Store) -> None:
    """From every value on, what follows is what followed, also with a time to begin at."""
    await _filled(store)
    await store.save(cycle(4), [event(), event("event-2", platform="facebook", detected=700)])
    listings: list[Callable[[Selection], AsyncIterator[Sequence[Any]]]] = [
        store.measurements,
        store.verdicts,
        store.events,
    ]
    for listing in listings:
        everything = await flat(listing(EVERYTHING))
        assert len(everything) > 1
        for position, value in enumerate(everything, 1):
            place = place_of(value)
            assert len(place) == LENGTHS[type(value)]
            assert await flat(listing(Selection(after=place))) == everything[position:]
    looks = await flat(store.measurements(EVERYTHING))
    late = Selection(after=place_of(looks[0]), since=at(600))
    assert await flat(store.measurements(late)) == [v for v in looks if v.started_at >= at(600)]
    early = Selection(after=place_of(looks[-2]), since=at(0))
    assert await flat(store.measurements(early)) == looks[-1:]


@pytest.fixture
async def stored(store: Store) -> list[Measurement]:
    """All measurements of the store."""
    await store.save(cycle(0))
    return await flat(store.measurements(EVERYTHING))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30))
@given(place=st.lists(st.none() | st.text(max_size=30), min_size=3, max_size=3), near=st.integers())
async def test_any_text_is_a_place(
    store: SqlStore, stored: list[Measurement], place: list[str | None], near: int
) -> None:
    """Places come from outside: whatever they say, a listing is only shorter. Parts of some are
    those of a measurement."""
    use_no_threads(store)
    own = place_of(stored[near % len(stored)])
    after = tuple(known if part is None else part for part, known in zip(place, own, strict=True))
    found = await flat(store.measurements(Selection(after=after)))
    assert found == [look for look in stored if place_of(look) > after]


def test_a_place_needs_what_orders_its_listing() -> None:
    """Two looks of one moment have places of their own."""
    first = measurement("m-1")
    assert place_of(first) < place_of(msgspec.structs.replace(first, id="m-2"))


async def test_names_are_those_of_everything_stored(store: Store) -> None:
    """Vantages without a verdict and networks that only an event knows among them, and references
    not: they are no platform."""
    await _filled(store)
    await store.save(cycle(4), [event("e-1", platform="orkut", country="BR", detected=800)])
    names = await store.names()
    assert {"khi-jazz", "isb"} <= names.vantages
    assert {"PK", "BR"} <= names.countries
    assert {"x", "orkut"} <= names.platforms
    assert "reference" not in names.platforms
    assert {(17557, "PTCL")} <= names.networks
    assert 9541 in {asn for asn, _ in names.networks}
