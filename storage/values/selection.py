"""Which stored rows a reader asks for."""

from datetime import datetime

import msgspec

from storage.values.rollup import UTC, Period


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Empty fields select everything."""

    since: datetime | None = None
    """Inclusive, UTC."""
    until: datetime | None = None
    """Exclusive, UTC."""
    country: str = ""
    platform: str = ""
    asn: int | None = None
    """AS number; of events, a network that blocked."""
    vantage: str = ""
    state: str = ""
    """For rows that have a state; measurements have none."""
    event: str = ""
    """Id; for events alone."""
    period: Period = Period.HOUR
    """For availability alone, as are `timezone` and `by_network`."""
    timezone: str = UTC
    """IANA name of the zone whose hours, days and months are counted."""
    by_network: bool = True
    """False: all networks of a country together."""
    after: tuple[str, ...] = ()
    """Only rows listed after this place, as `storage.values.cursor.place_of` gives it."""
    batch: int = 0
    """Most values in a batch; 0: as many as suits the store."""

    def covers(self, moment: datetime) -> bool:
        """Whether a moment is within `since` and `until`."""
        after = self.since is None or moment >= self.since
        return after and (self.until is None or moment < self.until)
