"""The life of a store: opening, closing, being read while written, being cancelled."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from storage.store import StorageError, Store
from tests.contract.cycles import annotation, at, cycle, event, log_entry
from tests.contract.listing import EVERYTHING, contents, flat

USES: list[Callable[[Store], Awaitable[object]]] = [
    lambda store: store.save(cycle(1)),
    lambda store: store.latest_platforms(),
    lambda store: store.latest_health(),
    lambda store: store.latest_verdicts(),
    lambda store: store.recent_platforms(at(0)),
    lambda store: store.active_events(),
    lambda store: flat(store.measurements(EVERYTHING)),
    lambda store: flat(store.verdicts(EVERYTHING)),
    lambda store: flat(store.events(EVERYTHING)),
    lambda store: flat(store.event_log("event-1")),
    lambda store: store.reviews(),
    lambda store: store.annotations(),
    lambda store: store.add_annotations([annotation()]),
    lambda store: store.remove_annotations(["1"]),
]


@pytest.mark.parametrize("use", USES)
async def test_a_store_that_is_not_open_says_so(
    make_store: Callable[[], Store], use: Callable[[Store], Awaitable[object]]
) -> None:
    """Before opening and after closing, every method raises StorageError."""
    store = make_store()
    with pytest.raises(StorageError, match="is not open"):
        await use(store)
    await store.open()
    await use(store)
    await store.close()
    with pytest.raises(StorageError, match="is not open"):
        await use(store)


async def test_reopening_finds_everything(make_store: Callable[[], Store]) -> None:
    """What was stored before closing is there after opening again; both may be done twice."""
    store = make_store()
    await store.open()
    await store.open()
    await store.save(cycle(1), [event()], [log_entry(1, event())])
    before = await contents(store, "event-1")
    await store.close()
    await store.close()
    again = make_store()
    await again.open()
    assert await contents(again, "event-1") == before
    await again.save(cycle(2))
    await again.close()


async def test_reading_goes_on_while_writing(store: Store) -> None:
    """Readers beside a writer always see whole cycles' worth of latest rows, and no error."""
    await store.save(cycle(0))
    reads = 0

    async def write() -> int:
        number = 0
        while number < 24 or reads < 3:
            number += 1
            await store.save(cycle(number))
        return number

    writing = asyncio.create_task(write())
    while not writing.done():
        latest, listed = await asyncio.gather(
            store.latest_platforms(), flat(store.measurements(EVERYTHING))
        )
        assert len({platform.cycle for platform in latest}) == 1
        assert len({look.id for look in listed}) == len(listed)
        reads += 1
    assert len(await flat(store.measurements(EVERYTHING))) == (await writing + 1) * 4


async def test_saves_at_once_are_all_kept(store: Store) -> None:
    """Many cycles saved concurrently are all stored."""
    await asyncio.gather(*(store.save(cycle(number)) for number in range(20)))
    stored = await flat(store.measurements(EVERYTHING))
    assert len(stored) == 20 * 4
    assert (await store.latest_health())[0].at == cycle(19).health.at


async def test_a_cancelled_save_leaves_the_store_usable(store: Store) -> None:
    """Cancelled at any moment, a cycle is stored whole or not at all, and can be saved again."""
    chance = random.Random(7)
    for number in range(40):
        saving = asyncio.create_task(store.save(cycle(number)))
        await asyncio.sleep(chance.random() * 0.004)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
    counts: dict[str, int] = {}
    for look in await flat(store.measurements(EVERYTHING)):
        counts[look.cycle] = counts.get(look.cycle, 0) + 1
    assert set(counts.values()) <= {4}
    for number in range(40):
        await store.save(cycle(number))
    assert len(await flat(store.measurements(EVERYTHING))) == 40 * 4


async def test_a_listing_may_be_left_early(store: Store) -> None:
    """A reader that stops in the middle holds nothing: the store writes, reads and closes on."""
    await store.save(cycle(1, endpoints=20))
    async for _batch in store.measurements(EVERYTHING):
        break
    await store.save(cycle(2))
    assert len(await flat(store.measurements(EVERYTHING))) == 44


async def test_closing_waits_for_what_is_under_way(make_store: Callable[[], Store]) -> None:
    """Saves begun before closing are finished, not lost, also those that wait their turn."""
    store = make_store()
    await store.open()
    saving = [asyncio.create_task(store.save(cycle(number))) for number in range(8)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*saving)
    await store.open()
    assert len(await flat(store.measurements(EVERYTHING))) == 8 * 4
    await store.close()
