"""Which form of an event is its current one."""

from collections.abc import Iterable

from monitor.analysis.events.event import Event, EventLogEntry


def current_events(events: Iterable[Event], log: Iterable[EventLogEntry]) -> list[Event]:
    """The events to store: those given, and for any other in the log its last snapshot there."""
    current = {entry.event: entry.snapshot for entry in sorted(log, key=lambda e: e.sequence)}
    current.update((event.id, event) for event in events)
    return list(current.values())
