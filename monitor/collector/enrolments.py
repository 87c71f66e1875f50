"""Which key may speak for which vantage: the enrolments in the database, cached for a few seconds.

A newly enrolled key works at once, for an unknown key makes the cache refresh. A revoked key stops
within `FRESH` seconds at every collector. While the database cannot be read, known keys stay valid.
"""

import asyncio
from collections.abc import Callable

from monitor.logs import logger
from monitor.wire.answers import Reason
from monitor.wire.refusal import DOWN_FOR, Refused
from storage.store import FleetStore, StorageError
from storage.values.fleet import Enrolment

log = logger(__name__)

FRESH = 5.0
"""Seconds for which the cache is used."""
MISSES = 1.0
"""Seconds between two refreshes for unknown keys: anybody can send one."""

Keys = dict[tuple[str, str], Enrolment]


class EnrolledKeys:
    """Enrolments by vantage and fingerprint."""

    def __init__(self, store: FleetStore, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self._store = store
        self._clock = clock
        self._keys: Keys | None = None
        self._keys_changed = False
        self._tried_at = 0.0
        self._reading = asyncio.Lock()

    async def find(self, vantage: str, fingerprint: str) -> Enrolment:
        """The enrolment of a key that speaks for the vantage, or did until it was revoked. Refused
        when there is none."""
        known = await self._read(FRESH)
        found = known.get((vantage, fingerprint))
        if found is None:
            found = (await self._read(MISSES)).get((vantage, fingerprint))
        if found is None:
            raise Refused(Reason.UNKNOWN_KEY, "no vantage of that name has that key")
        return found

    def changed(self) -> None:
        """A key was enrolled here: read all keys again for the next request."""
        self._keys_changed = True

    async def _read(self, believed: float) -> Keys:
        """All keys, read again when what is known is older than `believed` seconds."""
        async with self._reading:
            stale = self._clock() - self._tried_at >= believed
            if self._keys is None or self._keys_changed or stale:
                try:
                    listed = await self._store.enrolments()
                except StorageError as error:
                    if self._keys is None:
                        raise Refused(
                            Reason.STORAGE, "the database cannot be read", retry_after=DOWN_FOR
                        ) from error
                    log.warning("enrolments cannot be read, using the known ones", error=str(error))
                else:
                    self._keys = {(one.vantage, one.fingerprint): one for one in listed}
                    self._keys_changed = False
                self._tried_at = self._clock()
            return self._keys
