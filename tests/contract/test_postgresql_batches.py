"""PostgreSQL keeps every batch of agents as its vantage signed it, and a change is found."""

import asyncio

import pytest

from monitor.wire.proof import fault_of
from storage.open_store import sql_store
from storage.postgresql.integrity import check_postgresql
from tests.worlds.postgresql import Cluster
from tests.worlds.report_batches_world import hand_in


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE batch SET body = body || '\\x00'::bytea", "SHA-256"),
        # No signature covers it, but the log has it.
        (
            "UPDATE batch SET received_at = '2020-03-01T12:00:01.000000Z'",
            "not what the append-only log has",
        ),
    ],
)
async def test_a_changed_batch_is_named(
    cluster: Cluster, database: str, change: str, said: str
) -> None:
    """As in SQLite, though rows come from there a few at a time."""
    url = cluster.url(database)
    store = sql_store(url)
    await hand_in(store)
    await store.close()
    assert await asyncio.to_thread(check_postgresql, url, fault_of) == []
    cluster.execute(change, database)
    problems = await asyncio.to_thread(check_postgresql, url, fault_of)
    assert len(problems) == 2
    assert all("khi-ptcl" in one and said in one for one in problems)
