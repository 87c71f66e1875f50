"""Has the publisher show people's annotations.

Another process adds annotations, so `monitor.app` calls this every minute.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from storage.store import StorageError, Store

log = logger(__name__)

BACK = timedelta(days=90)
"""How long ago an annotation that is shown may have ended."""
MOST = 200
"""Annotations shown: the newest. Each is a series of its own in the metrics."""


async def show_annotations(
    store: Store, publisher: Publisher, *, now: Callable[[], datetime]
) -> None:
    """Show the newest annotations; `now` gives UTC. A store that fails is counted, and what was
    shown before stays."""
    try:
        found = await store.annotations(since=now() - BACK)
    except StorageError as error:
        publisher.storage_error("read")
        log.error("annotations not read", error=str(error))
        return
    publisher.annotated(found[-MOST:])
