"""Has the publisher show how large the database is. `monitor.app` calls this every minute."""

from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from storage.store import StorageError, Store

log = logger(__name__)


async def show_database_size(store: Store, publisher: Publisher) -> None:
    """A store that fails is counted, and what was shown before stays."""
    try:
        size = await store.size()
    except StorageError as error:
        publisher.storage_error("read")
        log.error("size of the database not read", error=str(error))
        return
    publisher.database_sized(size)
