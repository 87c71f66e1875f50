"""A database that a test used goes to the next one as good as new, or not at all."""

import pytest

from storage.open_store import sql_store
from tests.contract.cycles import cycle, event, log_entry
from tests.contract.listing import contents
from tests.worlds.postgresql import Cluster, Emptied

pytestmark = pytest.mark.postgres


@pytest.fixture
def emptied(cluster: Cluster) -> Emptied:
    """None was used before."""
    return Emptied(cluster, "empty")


async def test_what_was_stored_is_gone(cluster: Cluster, emptied: Emptied) -> None:
    """Rows, also of logs that only grow, months, and numbers that were given out."""
    name = emptied.take()
    used = sql_store(cluster.url(name))
    await used.open()
    nothing = await contents(used)
    for _ in range(2):
        await used.save(cycle(1), [event("e-1")], [log_entry(0, event("e-1"))])
        assert await contents(used) != nothing
        await used.close()
        emptied.give_back(name)
        assert emptied.take() == name
        used = sql_store(cluster.url(name))
        await used.open()
        assert await contents(used) == nothing
    await used.close()
    emptied.give_back(name)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE cycle ADD COLUMN more text",
        "DROP TRIGGER event_log_refuses_update ON event_log",
        "UPDATE alembic_version SET version_num = '0001'",
        "DROP TABLE annotation",
        "CREATE INDEX another ON cycle (vantage)",
    ],
)
def test_what_has_other_tables_is_dropped(cluster: Cluster, emptied: Emptied, change: str) -> None:
    """Nobody gets it again."""
    name = emptied.take()
    cluster.execute(change, name)
    emptied.give_back(name)
    known = cluster.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'")  # noqa: S608
    assert known == []


def test_what_somebody_still_uses_is_dropped(cluster: Cluster, emptied: Emptied) -> None:
    """A program that goes on may write at any time."""
    name = emptied.take()
    with cluster.connect(name):
        emptied.give_back(name)
    assert emptied.take() != name
