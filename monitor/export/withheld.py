"""What platforms withhold, selected like the rest."""

from collections.abc import AsyncIterator, Sequence

from storage.store import Store
from storage.values.selection import Selection
from storage.values.times import time_text
from storage.values.withheld import Withheld


async def withheld(store: Store, selection: Selection) -> AsyncIterator[Sequence[Withheld]]:
    """By when it was first seen, what overlaps the time selected."""
    found = [
        one
        for one in await store.withheld(selection.country, selection.since, selection.until)
        if selection.platform in ("", one.platform)
        and (time_text(one.since), one.country, one.url) > selection.after
    ]
    if found:
        yield found
