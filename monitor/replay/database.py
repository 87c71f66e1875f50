"""What this installation stored, once more through the fold, in the order it was received."""

from monitor.analysis.verdict import PlatformVerdict
from monitor.replay.run import Replay, Replayed
from monitor.settings import EventSettings
from storage.store import Selection, Store


async def replay_store(store: Store, selection: Selection, settings: EventSettings) -> Replayed:
    """Events from the stored platform verdicts. The store must be open; StorageError from it.

    The whole history gives the stored events again; a part of it may lack what came before.
    """
    replay = Replay(settings)
    cycle: list[PlatformVerdict] = []
    async for batch in store.received_platforms(selection):
        for verdict in batch:
            if cycle and (verdict.country, verdict.cycle) != (cycle[0].country, cycle[0].cycle):
                replay.take(cycle)
                cycle = []
            cycle.append(verdict)
    if cycle:
        replay.take(cycle)
    return replay.finish()
