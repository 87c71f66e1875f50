"""Reads what sources have about an event of our own."""

from datetime import datetime

from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.second_witness import OnNetwork, Witness
from monitor.sources.terms import TERMS, SourceKind
from storage.store import SourceStore


async def second_witnesses(store: SourceStore, event: Event, now: datetime) -> tuple[Witness, ...]:
    """What every source that is followed has about a block, also when that is nothing; empty for
    other kinds of events, and where no source is followed. `now` is UTC. Raises StorageError."""
    if event.kind is not EventKind.BLOCK:
        return ()
    known = {str(kind): TERMS[kind] for kind in SourceKind}
    followed = [kind for kind in await store.source_states() if kind in known]
    if not followed:
        return ()
    until = now if event.active else event.end_latest or event.end_earliest or event.updated_at
    counts = await store.sourced_counts(event.country, event.platform, event.onset_latest, until)
    return tuple(
        Witness(
            source=kind,
            title=known[kind].title,
            credit=known[kind].credit,
            home=known[kind].home,
            networks=tuple(
                OnNetwork(asn=one.asn, total=one.total, failed=one.failed)
                for one in counts
                if one.source == kind
            ),
        )
        for kind in followed
    )
