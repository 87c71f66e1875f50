"""What is shown of a source: how it is, and what it has."""

from datetime import datetime, timedelta

import msgspec

from monitor.sources.terms import SourceKind
from storage.values.sourced import SourcedCount, SourcedEvent, SourceState

COUNTED = timedelta(days=1)
"""Time whose rows are counted for the page."""
_LATE_POLLS = 3
"""Polls without a whole answer after which a source counts as silent."""
_LATE_AT_LEAST = timedelta(hours=2)


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """One configured source as it is now."""

    kind: str
    title: str
    """Its own name."""
    credit: str
    """The attribution that it asks for."""
    home: str
    """Where people can read its data."""
    countries: tuple[str, ...]
    platforms: tuple[str, ...]
    """Those that are watched through it."""
    every: float
    """Seconds between two polls."""
    budget: int
    """Units that may be used in an hour."""
    state: SourceState
    aside: SourceState = SourceState()
    """State of what is asked beside its rows: signals, or opinions of its own programs."""
    events: tuple[SourcedEvent, ...] = ()
    """Active ones, and those that ended lately, by the time they were first seen."""
    counts: tuple[tuple[str, SourcedCount], ...] = ()
    """Country → what was measured within `COUNTED`, by platform and network."""

    @property
    def outside(self) -> bool:
        """Whether it looks at countries from outside, and has no tests of platforms."""
        return self.kind == SourceKind.IODA

    def answers(self, at: datetime) -> bool:
        """Whether it was read as a whole lately; False too before it ever was."""
        answered = self.state.answered_at
        if answered is None or self.state.problem:
            return False
        late = max(_LATE_POLLS * timedelta(seconds=self.every), _LATE_AT_LEAST)
        return at - answered <= late
