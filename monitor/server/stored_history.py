"""The counts that histories are drawn from, as their reader may see them."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from monitor.export.kinds import Kind
from monitor.export.public_view import PublicView
from monitor.logs import logger
from monitor.server.history import SPANS, HistoryAsked
from monitor.server.page import Reader
from storage.store import StorageError, Store
from storage.values.history_cell import HistoryCell
from storage.values.selection import Selection

log = logger(__name__)


class StoredHistory:
    """Reads counts from the store."""

    def __init__(
        self, store: Store | None, view: Callable[[], PublicView], now: Callable[[], datetime]
    ) -> None:
        """`view` is what readers see who are no operators, `now` gives the time (UTC)."""
        self._store = store
        self._view = view
        self._now = now

    @property
    def stored(self) -> bool:
        """Whether there is a store at all."""
        return self._store is not None

    def until(self, reader: Reader) -> datetime:
        """The end of what this reader may see: what is not public yet is not unknown either. Counts
        are public by whole hours, so that is where an hour ends."""
        at = self._now()
        if reader.operator:
            return at
        return self._view().selection(Kind.AVAILABILITY, Selection(), at).until or at

    async def rows(
        self,
        reader: Reader,
        asked: HistoryAsked,
        at: datetime,
        *,
        country: str = "",
        platform: str = "",
    ) -> tuple[list[HistoryCell], bool]:
        """The counts of a country, a platform, or one in the other, in the span that ends at `at`,
        and whether they cannot be read."""
        span = SPANS[asked.span]
        wanted = Selection(
            country=country,
            platform=platform,
            since=span.since(at),
            until=span.until(at),
            by_network=asked.by_network,
        )
        if not reader.operator:
            shown = self._view().selection(Kind.AVAILABILITY, wanted, self._now())
            wanted = msgspec.structs.replace(wanted, until=shown.until)
        if self._store is None:
            return [], False
        try:
            return await self._store.cells(wanted, span.cell), False
        except StorageError as error:
            log.error("the history cannot be read", error=str(error))
            return [], True
