"""One pass over all endpoints from one vantage: as it is saved, and as it is read back."""

from datetime import datetime

import msgspec

from monitor.analysis.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """A judged cycle with all that was measured in it."""

    id: str
    """UUIDv7."""
    vantage: str
    country: str
    started_at: datetime
    finished_at: datetime
    health: VantageHealth
    measurements: tuple[Measurement, ...]
    """Of this vantage, and the control measurements made for it."""
    verdicts: tuple[Verdict, ...]
    platforms: tuple[PlatformVerdict, ...]
    hurried: bool = False
    """An extra cycle that measured only suspicious endpoints. Availability does not count it."""
    transfers: tuple[TransferVerdict, ...] = ()
    """Speeds measured in this cycle. Not stored: measurements and verdicts hold them."""


class StoredCycle(msgspec.Struct, frozen=True, kw_only=True):
    """The cycle itself. Its measurements and verdicts are listed separately."""

    id: str
    vantage: str
    country: str
    started_at: datetime
    finished_at: datetime
    health: VantageHealth
    """Of the vantage, as it was judged then."""
