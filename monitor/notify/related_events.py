"""Events that continue as another event: to a reader they are one.

The relation is read from the lines of their logs, so that it is the same after a restart and in
another process.
"""

from collections.abc import Iterable, Mapping, Sequence

from monitor.analysis.events.continuation import continued_by, continued_events
from monitor.analysis.events.event import Event, EventLogEntry
from storage.values.outbox import Notice


def relatives(log: Iterable[EventLogEntry]) -> list[str]:
    """The ids that the log of one event names: what it continues as, and what continues as it."""
    return [
        named
        for entry in log
        for named in (continued_by(entry), *continued_events(entry))
        if named and named != entry.event
    ]


class RelatedEvents:
    """Which events belong together. An event whose log is not given stands alone."""

    def __init__(self, entries: Iterable[EventLogEntry] = ()) -> None:
        self._logs: dict[str, dict[int, EventLogEntry]] = {}
        for entry in entries:
            self._logs.setdefault(entry.event, {})[entry.sequence] = entry
        self._of = self._joined()

    def name(self, event: str) -> str:
        """The same for all events of one family."""
        return self._of.get(event, event)

    def line(self, notice: Notice) -> EventLogEntry | None:
        """The line of the log that a notice is about; None when it is not known."""
        return self._logs.get(notice.event, {}).get(notice.sequence)

    def latest(self, event: str) -> Event | None:
        """An event as it is now; None when that is not known."""
        log = self._logs.get(event)
        return log[max(log)].snapshot if log else None

    def successor(self, event: str) -> Event | None:
        """The event that an event continues as, as it is now; None when there is none."""
        log = self._logs.get(event)
        return self.latest(continued_by(log[max(log)])) if log else None

    def in_order(self, notices: Iterable[Notice]) -> list[Notice]:
        """In the order of what happened. Notices of one event go by its log, those of several by
        their time; at the same time, first those of an event that continues as another."""
        by_event: dict[str, list[Notice]] = {}
        for notice in sorted(notices, key=lambda one: one.sequence):
            by_event.setdefault(notice.event, []).append(notice)
        placed = []
        for event, own in by_event.items():
            left, made = self._still_to_come(event), own[0].created_at
            for notice in own:
                # Clocks of two processes may differ: the log of an event is in order all the same.
                made = max(made, notice.created_at)
                placed.append(((made, -left, event, notice.sequence), notice))
        return [notice for _, notice in sorted(placed, key=lambda one: one[0])]

    def _still_to_come(self, event: str) -> int:
        """How many events it continues as, one after the other, itself included."""
        seen = {event}
        while (log := self._logs.get(event)) and (event := continued_by(log[max(log)])) not in seen:
            if not event:
                break
            seen.add(event)
        return len(seen)

    def _joined(self) -> Mapping[str, str]:
        names: dict[str, str] = {}
        members: dict[str, Sequence[str]] = {}
        for event, log in self._logs.items():
            together = {event, *relatives(log.values())}
            together |= {other for one in together for other in members.get(names.get(one, ""), ())}
            name = min(together)
            members[name] = sorted(together)
            names |= dict.fromkeys(together, name)
        return names
