"""Reviews and annotations as CSV, selected as everything else is."""

import csv
import io
from collections.abc import AsyncIterator

import pytest

from monitor.export.csv import write_csv
from monitor.export.kinds import Kind
from storage.store import Store
from storage.values.reviews import Mark
from storage.values.selection import Selection
from tests.contract.cycles import annotation, at, cycle, event, log_entry, review
from tests.worlds.memory_store import MemoryStore


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """Two events, three reviews, three annotations."""
    store = MemoryStore()
    await store.open()
    here, there = event("event-1"), event("event-2", country="BR", platform="whatsapp")
    await store.save(cycle(1), [here, there], [log_entry(1, here), log_entry(1, there)])
    await store.add_review(review("1", 100, Mark.NOTE, note="=1+1\u202e", reviewer="@asma"))
    await store.add_review(review("2", 200, Mark.CONFIRMED, of="event-2", country="BR"))
    await store.add_review(review("3", 300, Mark.REJECTED, note="", reviewer=""))
    await store.add_annotations(
        [annotation(0, 50), annotation(60, platform="x"), annotation(60, country="BR")]
    )
    yield store
    await store.close()


async def _rows(store: Store, kind: Kind, **wanted: object) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    await write_csv(kind, store, Selection(**wanted), out)  # type: ignore[arg-type]
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline=""), strict=True))


async def test_a_review_is_a_row_that_does_no_harm(store: Store) -> None:
    """Whatever somebody wrote, no spreadsheet runs it."""
    first, _, third = await _rows(store, Kind.REVIEWS)
    assert first == {
        "review_id": "1",
        "event_id": "event-1",
        "country": "PK",
        "reviewed_at": "2024-02-17T12:01:40.000000Z",
        "mark": "note",
        "reviewer": "'@asma",
        "note": "'=1+1\\u202e",
    }
    assert (third["mark"], third["reviewer"], third["note"]) == ("rejected", "", "")


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"country": "PK"}, ["1", "3"]),
        ({"platform": "whatsapp"}, ["2"]),
        ({"platform": "tiktok"}, []),
        ({"since": at(200), "until": at(300)}, ["2"]),
        ({"event": "event-1"}, ["1", "3"]),
    ],
)
async def test_reviews_of_a_selection(
    store: Store, wanted: dict[str, object], ids: list[str]
) -> None:
    """By country, the event's platform, and when they were given."""
    assert [row["review_id"] for row in await _rows(store, Kind.REVIEWS, **wanted)] == ids


async def test_annotations_of_a_selection(store: Store) -> None:
    """By country, time and platform; those about no platform in particular with every one."""
    whole, _, moment = await _rows(store, Kind.ANNOTATIONS)
    assert (whole["since"], whole["until"]) == (
        "2024-02-17T12:00:00.000000Z",
        "2024-02-17T12:00:50.000000Z",
    )
    assert (moment["platform"], moment["until"], moment["kind"]) == ("x", "", "election")
    assert len(await _rows(store, Kind.ANNOTATIONS, country="PK", platform="facebook")) == 1
    assert len(await _rows(store, Kind.ANNOTATIONS, since=at(55))) == 2
