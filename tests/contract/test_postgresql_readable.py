"""A database on PostgreSQL is tried by the ends of its tables: one that is gone is named."""

import asyncio

import pytest

from storage.open_store import agents_in, sql_store, try_reading
from storage.store import StorageError
from tests.contract.agents import enrolment
from tests.contract.cycles import cycle, event
from tests.worlds.postgresql import Cluster


@pytest.mark.postgres
async def test_a_table_that_is_gone_is_named(cluster: Cluster, database: str) -> None:
    """As in SQLite, though never all of it is read."""
    url = cluster.url(database)
    store = sql_store(url)
    await store.open()
    await store.save(cycle(1), [event()])
    await store.enrol(enrolment())
    await store.close()
    assert await asyncio.to_thread(try_reading, url) is False
    enrolments, invitations = await asyncio.to_thread(agents_in, url)
    assert ([one.vantage for one in enrolments], invitations) == (["khi-ptcl"], [])
    cluster.execute("DROP TABLE mute", database)
    with pytest.raises(StorageError, match="lacks the table mute: stop shutwatch"):
        await asyncio.to_thread(try_reading, url)
