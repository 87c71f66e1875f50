"""What controls measured, read in parts of one interval that cycles of the same time share.

A cycle may have lasted for days, since its machine slept, or since its sender says so. Only its
last hours are read, and what is remembered of all cycles has a limit.
"""

from datetime import datetime, timedelta

from probes.measurement import Measurement
from storage.store import FleetStore

LONGEST = timedelta(hours=2)
"""How long before a cycle's end anything is read, at most."""
_INTERVALS = 6
"""Intervals that are read in any case, where they are long: two before a cycle, and up to four that
it takes."""
_SHORTEST = 300.0
"""Seconds of a part, at least."""
_MOST = 30_000
"""Measurements that are remembered: some 90 MB."""


class ControlParts:
    """Reads and remembers the parts."""

    def __init__(self, store: FleetStore, interval: float, most: int = _MOST) -> None:
        """`interval` is in seconds; at most `most` measurements are remembered."""
        self._store = store
        self._step = max(interval, _SHORTEST)
        self._longest = max(LONGEST, timedelta(seconds=_INTERVALS * self._step))
        self._most = most
        self._parts: dict[datetime, list[Measurement]] = {}

    @property
    def remembered(self) -> int:
        """Measurements that are remembered; a part without any counts as one."""
        return sum(len(part) or 1 for part in self._parts.values())

    def forget(self) -> None:
        """Read all anew: more may have arrived."""
        self._parts.clear()

    def earliest(self, finished: datetime) -> datetime:
        """From when on to read for a cycle that ended then, at the earliest."""
        return finished - self._longest

    async def between(self, since: datetime, until: datetime) -> list[Measurement]:
        """Those that began from `since` to `until`, and some around them, by start.
        StorageError."""
        step = timedelta(seconds=self._step)
        seconds = since.timestamp() // self._step * self._step
        begun = datetime.fromtimestamp(seconds, tz=since.tzinfo)
        found: list[Measurement] = []
        while begun <= until:
            found += await self._part(begun, begun + step)
            begun += step
        return found

    async def _part(self, begun: datetime, ended: datetime) -> list[Measurement]:
        part = self._parts.get(begun)
        if part is None:
            part = await self._store.control_measurements(begun, ended)
            self._parts[begun] = part
            while self.remembered > self._most:
                del self._parts[next(iter(self._parts))]
        return part
