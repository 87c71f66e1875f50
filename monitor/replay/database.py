"""What this installation stored, once more through the fold, in the order it was received."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from monitor.analysis.events.fold import Place
from monitor.analysis.verdict import PlatformVerdict, VantageHealth
from monitor.config.settings import EventSettings
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.replay.replay import Replay, Replayed
from storage.store import Selection, Store


async def replay_store(
    store: Store, selection: Selection, settings: EventSettings, left_out: Quarantined = NOBODY
) -> Replayed:
    """Events from the stored platform verdicts and the health of vantages, without what is
    `left_out`. The store must be open; StorageError from it.

    The whole history gives the stored events again; a part of it may lack what came before.
    Without a platform in the selection, shutdowns and cuts come out as well.
    """
    replay = Replay(settings)
    received: set[str] = set()
    async for cycle, health, verdicts in _cycles(store, selection):
        received.add(cycle)
        wanted = not selection.platform and _within(selection, health.at)
        believed = [verdict for verdict in verdicts if verdict not in left_out]
        stands = left_out.covers(health.vantage, health.at)
        late = replay.take(believed, health if wanted and not stands else None)
        for place in late:
            await _again(replay, store, selection, place, received, left_out)
    return replay.finish()


async def _cycles(
    store: Store, selection: Selection
) -> AsyncIterator[tuple[str, VantageHealth, Sequence[PlatformVerdict]]]:
    """Every cycle with its verdicts that are selected, which may be none."""
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
    place: Place,
    received: set[str],
    left_out: Quarantined,
) -> None:
    """Conclude a place anew from all that had been received by then, as the monitor did."""
    country, platform = place
    wanted = Selection(
        since=selection.since, until=selection.until, country=country, platform=platform
    )
    with replay.again(place) as rebuild:
        async for batch in store.platforms(wanted):
            rebuild.take(
                verdict
                for verdict in batch
                if verdict.cycle in received and verdict not in left_out
            )


def _within(selection: Selection, moment: datetime) -> bool:
    after = selection.since is None or moment >= selection.since
    return after and (selection.until is None or moment < selection.until)
