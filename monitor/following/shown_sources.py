"""Has the publisher show how the sources are and what they have.

Whichever process follows them, all read it from the store, once a minute.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from monitor.config.settings import Settings, SourceSettings
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.metrics.source_view import COUNTED, SourceView
from monitor.sources.terms import ASIDE, TERMS
from monitor.sources.witnesses import witnesses_of
from storage.store import SourceStore, StorageError
from storage.values.sourced import SourceState

log = logger(__name__)

_ENDED_SHOWN = timedelta(days=7)
"""How long events that are over are shown."""


async def show_sources(
    store: SourceStore,
    publisher: Publisher,
    settings: Callable[[], Settings],
    *,
    now: Callable[[], datetime],
) -> None:
    """Show them as they are now; `now` gives UTC. A store that fails is counted, and what was shown
    before stays."""
    in_use = settings()
    try:
        states = await store.source_states() if in_use.sources else {}
        views = [await _view(one, in_use, store, states, now()) for one in in_use.sources]
        snapshot = publisher.snapshot
        active = (*snapshot.events.values(), *snapshot.circumstances) if views else ()
        witnesses = snapshot.witnesses
        if {one.id for one in active} != set(witnesses) or _brought(views) != _brought(
            snapshot.sources
        ):
            witnesses = await witnesses_of(store, active, now())
    except StorageError as error:
        publisher.storage_error("read")
        log.error("sources not read", error=str(error))
        return
    publisher.sources_seen(tuple(views), witnesses)


def _brought(views: Sequence[SourceView]) -> list[tuple[object, ...]]:
    """What of the sources changes what they have of an event: to ask that again each minute would
    cost much during a block of months."""
    return [
        (
            one.kind,
            one.state.asked,
            one.state.rows,
            one.state.judged,
            one.state.signals,
            one.state.answered_at,
            one.aside.answered_at,
        )
        for one in views
    ]


async def _view(
    source: SourceSettings,
    settings: Settings,
    store: SourceStore,
    states: Mapping[str, SourceState],
    at: datetime,
) -> SourceView:
    terms = TERMS[source.kind]
    kind = str(source.kind)
    counts = [
        (country, count)
        for country in source.countries
        for count in await store.sourced_counts(country, "", [(at - COUNTED, at)])
        if count.source == kind
    ]
    events = await store.sourced_events(kind, since=at - _ENDED_SHOWN)
    return SourceView(
        kind=kind,
        title=terms.title,
        credit=terms.credit,
        home=terms.home,
        countries=source.countries,
        platforms=source.platforms or tuple(one.name for one in settings.catalog.platforms),
        every=source.every,
        budget=source.budget,
        state=states.get(kind, SourceState()),
        aside=states.get(ASIDE.get(source.kind, ""), SourceState()),
        events=tuple(one for one in events if one.country in source.countries),
        counts=tuple(counts),
    )
