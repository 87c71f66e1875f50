"""Whether a platform's tests fail in other followed countries in the time of an event too.

A test that broke fails everywhere at once, and our rules excuse such rows where they make events of
them. So they do not agree with an event of our own either. A country that blocked the platform long
before this one is no sign of a broken test.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.analysis.events.event import Event
from storage.store import SourceStore

Span = tuple[datetime, datetime]
"""From when to before when, UTC."""
_FEWEST = 2
"""Tests that say how a country does."""
_FAILS, _MOST = 0.5, 0.5
"""Share of its tests from which on a country fails; share of countries."""
_BEFORE = timedelta(days=7)
"""Time before an event that tells how a country did until then."""


def asked_with(digest: str, countries: Iterable[str]) -> str:
    """What a source is asked for, as its state has it: a digest, and the countries."""
    return f"{digest} {','.join(countries)}"


def digest_in(asked: str) -> str:
    """Of what is asked for."""
    return asked.partition(" ")[0]


def countries_in(asked: str) -> tuple[str, ...]:
    """Those that are asked for; empty where a state was written before they were named."""
    return tuple(filter(None, asked.partition(" ")[2].split(",")))


async def fails_elsewhere(
    store: SourceStore, source: str, event: Event, spans: Sequence[Span], countries: Iterable[str]
) -> bool:
    """Whether tests fail in half of these countries or more in the `spans` of the event, where the
    event is aside. Raises StorageError."""
    begins = event.onset_earliest or event.onset_latest

    async def fails(country: str, within: Sequence[Span]) -> bool | None:
        """None where too few were measured."""
        counts = await store.sourced_counts(country, event.platform, within)
        own = [one for one in counts if one.source == source]
        total = sum(one.total for one in own)
        return sum(one.failed for one in own) >= total * _FAILS if total >= _FEWEST else None

    before = [(begins - _BEFORE, begins)]
    failed_here = await fails(event.country, before)
    voices = []
    for country in dict.fromkeys(countries):
        if country == event.country:
            continue
        fails_now = await fails(country, spans)
        if fails_now is None:
            continue
        if fails_now and not failed_here and await fails(country, before):
            continue
        voices.append(fails_now)
    return bool(voices) and sum(voices) >= len(voices) * _MOST
