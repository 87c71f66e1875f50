"""What others measured is kept apart, once, and with how far it was read."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from storage.store import CollectorStore
from storage.values.prunable import Prunable
from storage.values.sourced import SourcedRow, SourceState

AT = datetime(2024, 2, 17, 12, tzinfo=UTC)


def row(number: int, *, failed: float = 0.0, **more: object) -> SourcedRow:
    """A measurement, so many minutes after the first."""
    at = AT + timedelta(minutes=number)
    made = SourcedRow(
        country="PK",
        source="ooni",
        uid=f"u{number}",
        measured_at=at,
        received_at=at,
        asn=17557,
        platform="x",
        test="web_connectivity",
        failed=failed,
        licence="CC BY-NC-SA 4.0",
    )
    return replace(made, **more)


async def _rows(store: CollectorStore) -> list[SourcedRow]:
    return [one async for page in store.sourced_rows("ooni", AT) for one in page]


async def test_a_row_is_kept_once_with_the_state(store: CollectorStore) -> None:
    """Pages overlap: the same measurement again changes nothing, not even what was judged."""
    state = SourceState(asked="a", cursors={"apps": AT}, units=9)
    assert await store.add_sourced([row(0), row(1)], "ooni", state) == 2
    judged = row(1, failed=1.0, judged="blocked", methods=("tls.reset",))
    await store.replace_sourced([judged], "ooni", state)
    after = replace(state, units=12)
    assert await store.add_sourced([row(1), row(2)], "ooni", after) == 1
    assert await _rows(store) == [row(0), judged, row(2)]
    assert await store.source_states() == {"ooni": after}


async def test_rows_are_counted_by_network(store: CollectorStore) -> None:
    """What is left out counts for nothing; another time and country do not count either."""
    rows = [
        row(0, failed=1.0),
        row(1, failed=0.3),
        row(2, failed=1.0, left_out="vpn"),
        row(3, asn=9541, failed=1.0),
        row(4, country="IN"),
        row(90),
    ]
    await store.add_sourced(rows, "ooni", SourceState())
    hour = [(AT, AT + timedelta(hours=1))]
    counts = await store.sourced_counts("PK", "x", hour)
    assert [(one.asn, one.total, one.failed) for one in counts] == [(9541, 1, 1), (17557, 2, 1)]
    assert counts[1].newest_at == AT + timedelta(minutes=1)
    assert await store.sourced_counts("PK", "telegram", hour) == []


async def test_rows_are_counted_in_several_spans(store: CollectorStore) -> None:
    """Not between them, and once where they overlap; without a span nothing is."""
    await store.add_sourced([row(number) for number in range(10)], "ooni", SourceState())
    minute = timedelta(minutes=1)
    spans = [(AT, AT + 2 * minute), (AT + 7 * minute, AT + 9 * minute)]
    (count,) = await store.sourced_counts("PK", "x", spans)
    assert (count.total, count.newest_at) == (4, AT + 8 * minute)
    (count,) = await store.sourced_counts("PK", "x", [*spans, (AT + minute, AT + 3 * minute)])
    assert count.total == 5
    assert await store.sourced_counts("PK", "x", []) == []


async def test_old_rows_are_deleted(store: CollectorStore) -> None:
    """As long as raw measurements are kept, and no longer."""
    await store.add_sourced([row(0), row(5)], "ooni", SourceState())
    gone = [n async for n in store.prune(Prunable.SOURCED_ROW, AT + timedelta(minutes=2))]
    assert sum(gone) == 1
    assert await _rows(store) == [row(5)]
