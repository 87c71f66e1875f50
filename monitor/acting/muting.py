"""Mutes: no messages about an event, or about all events of a country, for a time."""

from datetime import datetime, timedelta

from monitor.acting.acts import ActError, act_of
from storage.store import Store
from storage.values.acts import ActKind, Mute

LONGEST = timedelta(days=30)
"""Nobody is forgotten for ever by a mistake."""


async def mute(
    store: Store, country: str, event: str, lasting: timedelta, *, who: str, now: datetime
) -> Mute:
    """Send no messages about a country, or one event, for that long. What waits then goes out as
    one message of the newest state. Raises ActError and StorageError."""
    if not timedelta() < lasting <= LONGEST:
        raise ActError(f"a mute lasts up to {LONGEST.days} days")
    made = Mute(country=country, event=event, until=now + lasting, at=now)
    detail = f"until {made.until:%Y-%m-%d %H:%M} UTC"
    await store.mute(made, act_of(who, now, ActKind.MUTE, _target(country, event), detail))
    return made


async def unmute(store: Store, country: str, event: str, *, who: str, now: datetime) -> None:
    """End a mute at once. Raises ActError and StorageError."""
    act = act_of(who, now, ActKind.UNMUTE, _target(country, event))
    if not await store.unmute(country, event, act):
        raise ActError("it is not muted")


def _target(country: str, event: str) -> str:
    return f"event {event}" if event else f"country {country}"
