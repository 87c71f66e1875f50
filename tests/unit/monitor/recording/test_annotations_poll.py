"""What people noted of the world around is shown in the metrics, apart from what was detected."""

from collections.abc import AsyncIterator

import pytest

from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.recording.annotations_poll import BACK, MOST, show_annotations
from tests.contract.cycles import START, annotation
from tests.prometheus import world
from tests.prometheus.world import FIELD, Clock
from tests.worlds.memory_store import MemoryStore

DAY = 86_400.0
FAMILY = "shutwatch_annotation_since_timestamp_seconds"


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """An open, empty store."""
    store = MemoryStore()
    await store.open()
    yield store
    await store.close()


def _shown(publisher: Publisher) -> dict[str, float]:
    """Id of each annotation in the metrics, and its value."""
    return {
        sample.labels["annotation"]: sample.value
        for family in create_registry(publisher).collect()
        for sample in family.samples
        if sample.name == FAMILY
    }


async def test_what_is_imported_shows_and_what_is_removed_does_not(store: MemoryStore) -> None:
    """With the moment it began as the value, from one round to the next, and no sooner."""
    clock = Clock(START)
    publisher = Publisher(FIELD, world.catalog(["x"]), clock)
    await show_annotations(store, publisher, now=clock)
    assert _shown(publisher) == {}
    made = annotation(60, text="General election")
    await store.add_annotations([made])
    assert _shown(publisher) == {}
    await show_annotations(store, publisher, now=clock)
    assert _shown(publisher) == {made.id: made.since.timestamp()}
    await store.remove_annotations([made.id])
    await show_annotations(store, publisher, now=clock)
    assert _shown(publisher) == {}


async def test_only_so_much_is_shown(store: MemoryStore) -> None:
    """Of long ago nothing, of very many the newest."""
    clock = Clock(START)
    publisher = Publisher(FIELD, world.catalog(["x"]), clock)
    old = annotation(-BACK.total_seconds() - DAY, text="long ago")
    still = annotation(-BACK.total_seconds() - DAY, until=-DAY, text="until yesterday")
    await store.add_annotations([old, still])
    await show_annotations(store, publisher, now=clock)
    assert set(_shown(publisher)) == {still.id}
    many = [annotation(float(n), text=f"Number {n}") for n in range(MOST + 50)]
    await store.add_annotations(many)
    await show_annotations(store, publisher, now=clock)
    shown = _shown(publisher)
    assert len(shown) == MOST
    assert min(shown.values()) == many[50].since.timestamp()


async def test_no_word_of_it_is_in_a_label(store: MemoryStore) -> None:
    """Attack: an imported text names a person, or turns a dashboard around. Labels are kept for
    years and copied to other servers, so what people write stays on the page."""
    clock = Clock(START)
    publisher = Publisher(FIELD, world.catalog(["x"]), clock)
    made = annotation(text="a\u202eb, as Jane Doe told us")
    await store.add_annotations([made])
    await show_annotations(store, publisher, now=clock)
    scrape, _ = create_registry(publisher).scrape("")
    (line,) = (one for one in scrape.decode().splitlines() if one.startswith(f"{FAMILY}{{"))
    assert made.id in line
    assert "Jane" not in scrape.decode()


async def test_a_store_that_fails_changes_nothing(store: MemoryStore) -> None:
    """What was shown stays, and the failure is counted."""
    clock = Clock(START)
    publisher = Publisher(FIELD, world.catalog(["x"]), clock)
    made = annotation(text="Protests")
    await store.add_annotations([made])
    await show_annotations(store, publisher, now=clock)
    await store.close()
    await show_annotations(store, publisher, now=clock)
    assert list(_shown(publisher)) == [made.id]
    assert publisher.snapshot.storage_errors["read"] == 1
    await store.open()
