"""Reads what sources have about an event of our own."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.second_witness import OnNetwork, OutsideWitness, Witness
from monitor.sources.terms import TERMS, SourceKind, Terms
from storage.store import SourceStore
from storage.values.sourced import OutsideSignal, SourcedCount, SourceState

_OF_COUNTRIES = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT)
_BEFORE = timedelta(hours=1)
"""A drop may be seen from outside that much before all our vantages are silent."""


async def second_witnesses(
    store: SourceStore, event: Event, now: datetime
) -> tuple[Witness | OutsideWitness, ...]:
    """What every source that is followed has about an event, also when that is nothing: of blocks
    what volunteers measured, of shutdowns what was seen from outside; of a block that too, where
    something was. Empty for other kinds of events. `now` is UTC. Raises StorageError."""
    if event.kind is not EventKind.BLOCK and event.kind not in _OF_COUNTRIES:
        return ()
    known = {str(kind): kind for kind in SourceKind}
    states = {
        known[name]: state for name, state in (await store.source_states()).items() if name in known
    }
    until = now if event.active else event.end_latest or event.end_earliest or event.updated_at
    found: list[Witness | OutsideWitness] = []
    if event.kind is EventKind.BLOCK and SourceKind.OONI in states:
        counts = await store.sourced_counts(
            event.country, event.platform, event.onset_latest, until
        )
        found.append(_volunteers(TERMS[SourceKind.OONI], counts))
    if SourceKind.IODA in states:
        outside = _outside(TERMS[SourceKind.IODA], states[SourceKind.IODA], event, until)
        if outside.drops or event.kind in _OF_COUNTRIES:
            found.append(outside)
    return tuple(found)


def _volunteers(terms: Terms, counts: list[SourcedCount]) -> Witness:
    return Witness(
        source=str(SourceKind.OONI),
        title=terms.title,
        credit=terms.credit,
        home=terms.home,
        networks=tuple(
            OnNetwork(asn=one.asn, total=one.total, failed=one.failed)
            for one in counts
            if one.source == SourceKind.OONI
        ),
    )


def _outside(terms: Terms, state: SourceState, event: Event, until: datetime) -> OutsideWitness:
    answered = state.answered_at
    asked = event.country in state.asked.split(",")
    return OutsideWitness(
        source=str(SourceKind.IODA),
        title=terms.title,
        credit=terms.credit,
        home=f"{terms.home}country/{event.country}",
        read=asked and answered is not None and answered >= event.onset_latest,
        drops=tuple(sorted(_worst(state.signals, event, until).items())),
    )


def _worst(
    signals: tuple[OutsideSignal, ...], event: Event, until: datetime
) -> Mapping[str, float]:
    """Datasource → the largest drop that overlaps the event."""
    begins = (event.onset_earliest or event.onset_latest) - _BEFORE
    found: dict[str, float] = {}
    for one in signals:
        overlaps = one.began_at <= until and (one.ended_at is None or one.ended_at >= begins)
        if one.country == event.country and overlaps:
            found[one.datasource] = max(one.drop, found.get(one.datasource, 0.0))
    return found
