"""The state of a source that several processes ask: a monitor, and people by commands beside it.

A round takes minutes, and others note theirs meanwhile. So a state is never written as it was read
once: what changed here since is added to what is stored by now.
"""

from collections.abc import Sequence

import msgspec

from monitor.sources import rounds
from storage.store import SourceStore
from storage.values.sourced import SourcedRow, SourceState

_COUNTERS = ("requests", "rows", "repeated", "malformed", "judged")
_MOMENTS = ("polled_at", "answered_at", "newest_at")
"""Of which the later one holds."""


class KeptState:
    """Of one source."""

    def __init__(self, source: str, store: SourceStore) -> None:
        self._source = source
        self._store = store
        self._read = SourceState()
        """As it was stored when it was last read or written here."""
        self.now = SourceState()
        """As it is known here."""

    async def read(self) -> None:
        """Go on from what is stored, and forget what was not written. StorageError."""
        self._read = self.now = await self._stored()

    async def write(self, rows: Sequence[SourcedRow] = ()) -> int:
        """Store what changed here, with these rows, and know then what changed elsewhere. Returns
        how many rows are new. StorageError."""
        both = merged(self._read, self.now, await self._stored())
        added = await self._store.add_sourced(rows, self._source, both)
        self._read = self.now = both
        return added

    async def _stored(self) -> SourceState:
        return (await self._store.source_states()).get(self._source, SourceState())


def merged(read: SourceState, here: SourceState, stored: SourceState) -> SourceState:
    """What is stored by now, with what changed here since it was read."""
    changed = {
        name: getattr(here, name)
        for name in SourceState.__struct_fields__
        if getattr(here, name) != getattr(read, name)
    }
    for name in _COUNTERS:
        more = getattr(here, name) - getattr(read, name)
        changed[name] = getattr(stored, name) + more
    for name in _MOMENTS:
        known = [one for one in (getattr(here, name), getattr(stored, name)) if one is not None]
        changed[name] = max(known, default=None)
    changed["hour"], changed["units"] = _used(read, here, stored)
    changed["cursors"] = rounds.merged(read.cursors, here.cursors, stored.cursors)
    return msgspec.structs.replace(stored, **changed)


def _used(read: SourceState, here: SourceState, stored: SourceState) -> tuple[object, int]:
    """The hour whose units are counted, and how many."""
    if here.hour is None or (stored.hour is not None and stored.hour > here.hour):
        return stored.hour, stored.units
    if stored.hour != here.hour:
        return here.hour, here.units
    before = read.units if read.hour == here.hour else 0
    return here.hour, stored.units + here.units - before
