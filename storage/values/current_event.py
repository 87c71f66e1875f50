"""The current form of each event."""

from collections.abc import Iterable

from monitor.analysis.events.event import Event, EventLogEntry


def current_events(events: Iterable[Event], log: Iterable[EventLogEntry]) -> list[Event]:
    """The events to store: those given, and the last snapshot of any other in the log."""
    current = {entry.event: entry.snapshot for entry in sorted(log, key=lambda e: e.sequence)}
    current.update((event.id, event) for event in events)
    return list(current.values())
