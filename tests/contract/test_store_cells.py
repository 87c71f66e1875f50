"""Cells of a history are the sums of the hours or days that lie in them, on every store."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product

import pytest
from msgspec.structs import replace

from monitor.analysis.verdict import State
from monitor.server.history import SPANS, strips
from storage.store import Store
from storage.values.history_cell import HistoryCell
from storage.values.rollup import COUNTS, Availability, Period
from storage.values.selection import Selection
from tests.contract.cycles import START, at
from tests.contract.listing import flat
from tests.contract.test_store_availability import judged
from tests.contract.test_store_tallies import DAY, HOUR, world

TODAY = START.replace(hour=0)
LENGTHS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7))
TIMES = (
    (TODAY, TODAY + timedelta(days=5)),
    (TODAY - timedelta(days=9), TODAY + timedelta(days=2)),
    (TODAY, TODAY + timedelta(days=2, hours=7)),
    (TODAY, TODAY + timedelta(hours=15)),
    (TODAY + timedelta(days=30), TODAY + timedelta(days=31)),
    (TODAY, TODAY),
)
WANTED = (Selection(), Selection(country="PK"), Selection(platform="x", asn=2))


def summed(rows: Sequence[Availability], since: datetime, length: timedelta) -> list[HistoryCell]:
    """Cells made of the rows of a listing, one by one, in order."""
    found: defaultdict[tuple[str, str, int, int, str], list[Availability]] = defaultdict(list)
    for row in rows:
        number = (row.starts_at - since) // length
        found[row.country, row.platform, number, row.asn or 0, row.network].append(row)
    return [
        HistoryCell(
            (country, platform, asn, network),
            number,
            max(one.networks for one in some),
            tuple(sum(getattr(one, name) for one in some) for name in ("hours", *COUNTS)),
        )
        for (country, platform, number, asn, network), some in sorted(found.items())
    ]


@pytest.mark.parametrize("by_network", [True, False])
async def test_a_cell_is_the_sum_of_what_lies_in_it(store: Store, *, by_network: bool) -> None:
    """Also where the end cuts a day, which the listing counts from its hours as well."""
    await world(store)
    for wanted, length, (since, until) in product(WANTED, LENGTHS, TIMES):
        period = Period.DAY if length >= timedelta(days=1) else Period.HOUR
        selection = replace(wanted, since=since, until=until, by_network=by_network, period=period)
        listed = summed(await flat(store.availability(selection)), since, length)
        assert await store.cells(selection, length) == listed, selection


async def test_a_strip_of_cells_is_the_strip_of_days_and_hours(store: Store) -> None:
    """Whatever its span: the same colours, heights and counts."""
    await world(store)
    now = at(3 * DAY + 5 * HOUR + 1200)
    places = {
        (country, platform, asn, f"AS{asn}"): 1
        for country, asn in (("PK", 1), ("PK", 2), ("BR", 3))
        for platform in ("x", "facebook")
    }
    for span in SPANS.values():
        selection = Selection(since=span.since(now), until=span.until(now), period=span.period)
        rows = await flat(store.availability(selection))
        listed = strips(summed(rows, span.since(now), span.cell), span, now, places)
        found = strips(await store.cells(selection, span.cell), span, now, places)
        assert found == listed, span
        assert any(strip.decided for strip in found)


async def test_a_network_may_have_any_name(store: Store) -> None:
    """Whatever the database needs to write names in."""
    named = '“Réseau” "\\1", [null]\x01\n\U0001f4f6'
    made = judged(1, State.OK)
    verdicts = tuple(replace(one, network=named) for one in made.platforms)
    await store.save(replace(made, platforms=verdicts))
    (since, until), *_ = TIMES
    found = await store.cells(Selection(since=since, until=until), timedelta(days=1))
    assert [one.place[3] for one in found] == [named] * len(verdicts)


async def test_cells_need_both_bounds(store: Store) -> None:
    """Without them there would be no first one, or no end of them."""
    for one in (Selection(since=TODAY), Selection(until=TODAY)):
        with pytest.raises(ValueError, match="both bounds"):
            await store.cells(one, timedelta(days=1))
