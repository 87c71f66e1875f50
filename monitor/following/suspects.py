"""What strangers' probes may be asked about: what our own vantages or volunteers suspect since
lately, and where it has a page."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from monitor.analysis.events.event import EventKind, EventState
from monitor.config.settings import Settings, SourceSettings
from monitor.following.opinion_row import Suspect
from monitor.sources.round_cost import REFERENCES
from probes.catalog.catalog import Endpoint, Function, Platform, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from storage.store import Store
from storage.values.selection import Selection

LATELY = timedelta(days=1)
_SUSPICIOUS = (EventState.SUSPECTED, EventState.CONFIRMED)


class NothingToAskError(Exception):
    """No probe could test what is asked about."""


class Suspects:
    """Of one `[[source]]`."""

    def __init__(self, source: SourceSettings, settings: Settings, store: Store) -> None:
        self._source = source
        self._settings = settings
        self._store = store

    async def lately(self, now: datetime) -> list[Suspect]:
        """What our own vantages suspect since lately, then what volunteers do; the newest first.
        StorageError."""
        places: dict[tuple[str, str], tuple[str, ...]] = {}
        since = now - LATELY
        own = [
            event
            for country in self._source.countries
            async for page in self._store.events(Selection(country=country, since=since))
            for event in page
            if event.kind is EventKind.BLOCK
            and event.state in _SUSPICIOUS
            and event.detected_at >= since
        ]
        for event in sorted(own, key=lambda one: one.detected_at, reverse=True):
            places.setdefault((event.country, event.platform), event.functions)
        others = await self._store.sourced_events(since=since)
        for one in sorted(others, key=lambda one: one.first_seen_at, reverse=True):
            if one.event.state in _SUSPICIOUS and one.first_seen_at >= since:
                places.setdefault((one.country, one.platform), one.event.functions)
        return self.named(places)

    def one(self, country: str, platform: str) -> Suspect:
        """What to ask about, suspected or not. Raises NothingToAskError."""
        found = self.named({(country, platform): ()})
        if not found:
            raise NothingToAskError(f"{platform} has no page that a probe could fetch")
        return found[0]

    def named(self, places: Mapping[tuple[str, str], tuple[str, ...]]) -> list[Suspect]:
        """Country and platform, with the functions that are blocked → what to ask about."""
        platforms = {one.name: one for one in self._settings.catalog.platforms}
        wanted = self._source.platforms or tuple(platforms)
        return [
            Suspect(country=country, platform=platforms[name], function=where, endpoint=page)
            for (country, name), functions in places.items()
            if country in self._source.countries and name in wanted and name in platforms
            for where, page in _page_of(platforms[name], functions)
        ]


def _page_of(platform: Platform, functions: tuple[str, ...]) -> Iterator[tuple[Function, Endpoint]]:
    """The page to fetch: of a function that is blocked if it has one, else of a core one. Nothing
    for a platform without a page."""
    pages = [
        (function, endpoint)
        for function in platform.functions
        for endpoint in function.endpoints[:1]
        if endpoint.kind is EndpointKind.HTTPS and endpoint.verify
    ]
    blocked = [one for one in pages if one[0].name in functions]
    core = [one for one in pages if one[0].core]
    yield from (blocked or core)[:1]


def references_of(settings: Settings) -> tuple[Endpoint, ...]:
    """References abroad that have a page."""
    return tuple(
        one.endpoint
        for one in settings.catalog.references
        if one.scope is ReferenceScope.INTERNATIONAL and one.endpoint.kind is EndpointKind.HTTPS
    )[:REFERENCES]
