"""Reading a whole store, to compare it with what was put in or with itself later."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from storage.store import Store
from storage.values.selection import Selection

T = TypeVar("T")
EVERYTHING = Selection()


async def flat(batches: AsyncIterator[Sequence[T]]) -> list[T]:
    """All values of a listing."""
    return [value async for batch in batches for value in batch]


async def contents(store: Store, *events: str) -> dict[str, list[Any]]:
    """Everything that can be read from a store, with the logs of the events named."""
    return {
        "measurements": await flat(store.measurements(EVERYTHING)),
        "verdicts": await flat(store.verdicts(EVERYTHING)),
        "events": await flat(store.events(EVERYTHING)),
        "log": [entry for event in events for entry in await flat(store.event_log(event))],
        "active": await store.active_events(),
        "latest_platforms": await store.latest_platforms(),
        "latest_verdicts": await store.latest_verdicts(),
        "latest_health": await store.latest_health(),
    }
