"""Replays what this installation stored, in the order it was received."""

from collections.abc import AsyncIterator, Sequence

from monitor.analysis.events.detection import CountryPlatformKey
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import PlatformVerdict, VantageHealth
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.replay.replay import Replay, Replayed
from storage.store import Store
from storage.values.selection import Selection


async def replay_store(
    store: Store, selection: Selection, settings: EventSettings, quarantined: Quarantined = NOBODY
) -> Replayed:
    """Events from the stored platform verdicts and vantage health, without what is `quarantined`.
    The store must be open; raises StorageError.

    The whole history gives the stored events again; a part of it may lack what came before. Without
    a platform in the selection, shutdowns and cuts are included.
    """
    replay = Replay(settings)
    received: set[str] = set()
    async for cycle, health, verdicts in _cycles(store, selection):
        received.add(cycle)
        wanted = not selection.platform and selection.covers(health.at)
        believed = [verdict for verdict in verdicts if verdict not in quarantined]
        stands = quarantined.covers(health.vantage, health.at)
        late = replay.take(believed, health if wanted and not stands else None)
        for place in late:
            await _again(replay, store, selection, place, received, quarantined)
    return replay.finish()


async def _cycles(
    store: Store, selection: Selection
) -> AsyncIterator[tuple[str, VantageHealth, Sequence[PlatformVerdict]]]:
    """Every cycle with its selected verdicts, possibly none."""
    listed = _one_by_one(store.received_platforms(selection))
    ahead = await anext(listed, None)
    async for batch in store.received_cycles(selection.country):
        for cycle in batch:
            verdicts: list[PlatformVerdict] = []
            while ahead is not None and (ahead.country, ahead.cycle) == (cycle.country, cycle.id):
                verdicts.append(ahead)
                ahead = await anext(listed, None)
            yield cycle.id, cycle.health, verdicts


async def _one_by_one(
    batches: AsyncIterator[Sequence[PlatformVerdict]],
) -> AsyncIterator[PlatformVerdict]:
    async for batch in batches:
        for verdict in batch:
            yield verdict


async def _again(
    replay: Replay,
    store: Store,
    selection: Selection,
    place: CountryPlatformKey,
    received: set[str],
    quarantined: Quarantined,
) -> None:
    """Fold one country and platform anew from all that was received by then, as the monitor did."""
    country, platform = place
    wanted = Selection(
        since=selection.since, until=selection.until, country=country, platform=platform
    )
    with replay.again(place) as rebuild:
        async for batch in store.platforms(wanted):
            rebuild.take(
                verdict
                for verdict in batch
                if verdict.cycle in received and verdict not in quarantined
            )
