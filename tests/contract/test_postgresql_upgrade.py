"""A PostgreSQL database of an older release keeps every row through a migration."""

import zlib

import pytest
from sqlalchemy import MetaData, Table, create_engine

from storage.open_store import sql_store
from storage.postgresql import partitions
from storage.values.compression import unpack
from tests.unit.storage.test_upgrade import (
    TIME,
    at_revision,
    hurried_after_an_upgrade,
    seen_in_many_ways,
)
from tests.worlds.postgresql import Cluster


def _then(column: str) -> str:
    """What a column was called in the releases of before."""
    return "role" if column == "function" else column


@pytest.mark.postgres
async def test_what_is_shown_is_filled_in(cluster: Cluster, database: str) -> None:
    """More rows than it has in memory at a time."""
    now, old = (
        cluster.url(name).replace("postgresql:", "postgresql+psycopg:")
        for name in (database, cluster.new_database())
    )
    store = sql_store(now)
    await store.open()
    await store.save(seen_in_many_ways(1100))
    await store.close()
    at_revision(old, "0009")
    there, here = create_engine(now), create_engine(old)
    with there.connect() as connection:
        table = Table("measurement", MetaData(), autoload_with=connection)
        expected = [
            {
                **{_then(name): value for name, value in row.items()},
                "observations": zlib.compress(unpack(row["observations"])),
            }
            for row in connection.execute(table.select().order_by(table.c.id)).mappings()
        ]
    with here.begin() as connection:
        partitions.ensure(connection, "measurement", [TIME[:7]])
        before = Table("measurement", MetaData(), autoload_with=connection)
        kept = [{name: row[name] for name in before.c.keys()} for row in expected]  # noqa: SIM118
        connection.execute(before.insert(), kept)
    assert len(before.c) < len(table.c)
    at_revision(old, "0010")
    with here.connect() as connection:
        after = Table("measurement", MetaData(), autoload_with=connection)
        found = connection.execute(after.select().order_by(after.c.id)).mappings()
        assert [dict(row) for row in found] == expected
        nullable = {column.name: column.nullable for column in after.c}
        assert nullable == {_then(column.name): column.nullable for column in table.c}
    there.dispose()
    here.dispose()


@pytest.mark.postgres
def test_extra_cycles_are_told_by_how_little_they_measured(cluster: Cluster) -> None:
    """As in SQLite."""
    url = cluster.url(cluster.new_database()).replace("postgresql:", "postgresql+psycopg:")
    found = hurried_after_an_upgrade(url)
    assert [id_ for id_, hurried in found.items() if hurried] == ["extra"]
