"""Adds to the append-only log, and has its head stamped as often as the configuration says."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from msgspec.structs import replace

from monitor.config.settings import TimestampSettings
from monitor.logs import logger
from monitor.stamps.requests import ask_authority, ask_calendar, complete
from monitor.stamps.time_authority import StampError, roots_in
from probes.sockets.http_client import httpx
from storage.store import LogStore, StorageError
from storage.values.log import HeadStamp, LogHead

log = logger(__name__)

EVERY = 600.0
"""Seconds between two rounds."""
SOON = 90.0
"""Seconds after the start until the first round: the first cycles matter more."""
_AUTHORITY, _CALENDAR = "rfc3161", "opentimestamps"
_GIVEN_UP = timedelta(days=30)
"""After this long a calendar will not complete its promise any more."""


class Stamping:
    """Rounds of stamping, for as long as the process lives."""

    def __init__(
        self,
        settings: Callable[[], TimestampSettings],
        store: LogStore,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`settings` gives those in use; each round asks anew."""
        self._settings = settings
        self._store = store
        self._now = now

    async def run(self) -> None:
        """A round soon, then one every ten minutes, until cancelled."""
        await asyncio.sleep(SOON)
        while True:
            await self.round()
            await asyncio.sleep(EVERY)

    async def round(self) -> None:
        """Add what was noted to the log, stamp its head where that is due, and complete promises.
        What fails is logged, and tried again in the next round."""
        settings = self._settings()
        try:
            head = await self._store.append_to_log()
            stamps = await self._store.head_stamps()
            async with httpx.AsyncClient() as client:
                await self._complete(client, stamps)
                await self._stamp(client, settings, head, stamps)
        except StorageError as error:
            log.error("log not stamped", error=str(error))

    async def _stamp(
        self,
        client: httpx.AsyncClient,
        settings: TimestampSettings,
        head: LogHead,
        stamps: Sequence[HeadStamp],
    ) -> None:
        roots = await asyncio.to_thread(read_roots, settings)
        wanted = [
            *((_AUTHORITY, url) for url in settings.authorities),
            *((_CALENDAR, url) for url in settings.calendars),
        ]
        for kind, url in wanted:
            before = [one for one in stamps if (one.kind, one.authority) == (kind, url)]
            if not head.size or not self._is_due(before, head, settings.every):
                continue
            try:
                proof = (
                    await ask_authority(client, url, head.text, roots)
                    if kind == _AUTHORITY
                    else await ask_calendar(client, url, head.text)
                )
            except StampError as error:
                log.warning("no stamp of the log", authority=url, reason=str(error))
                continue
            stamp = HeadStamp(
                size=head.size,
                root=head.root,
                kind=kind,
                authority=url,
                at=self._now(),
                proof=proof,
            )
            await self._store.add_head_stamp(stamp)
            log.info("log stamped", authority=url, entries=head.size)

    def _is_due(self, before: Sequence[HeadStamp], head: LogHead, every: float) -> bool:
        if not before:
            return True
        newest = max(before, key=lambda one: one.size)
        # A clock that was set back must not stop the stamps.
        age = abs((self._now() - newest.at).total_seconds())
        return newest.size < head.size and age >= every

    async def _complete(self, client: httpx.AsyncClient, stamps: Sequence[HeadStamp]) -> None:
        for stamp in stamps:
            if stamp.kind != _CALENDAR or self._now() - stamp.at > _GIVEN_UP:
                continue
            text = LogHead(size=stamp.size, root=stamp.root).text
            try:
                proof = await complete(client, stamp.proof, text, stamp.authority)
            except StampError as error:
                log.warning("stamp not completed", authority=stamp.authority, reason=str(error))
                continue
            if proof is not None:
                await self._store.add_head_stamp(replace(stamp, proof=proof))


def read_roots(settings: TimestampSettings) -> list[x509.Certificate]:
    """The certificates that `timestamps.roots` names. OSError and ValueError where a file changed
    since the configuration was read."""
    return [root for file in settings.roots for root in roots_in(Path(file))]
