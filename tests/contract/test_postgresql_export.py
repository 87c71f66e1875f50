"""Files made of PostgreSQL's rows are, byte for byte, those that would be made of values."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.export.kinds import Kind
from storage.open_store import sql_store
from storage.sql.store import SqlStore
from storage.values.cycle import Cycle
from storage.values.selection import Selection
from tests.contract.cycles import cycle, measurement
from tests.properties import examples
from tests.unit.monitor.export.test_export_rows import (
    PILED_UP,
    crowded,
    cycles,
    http,
    of_rows,
    of_values,
    some_begins,
)
from tests.worlds.emptied_store import forget_cycles
from tests.worlds.postgresql import Cluster
from tests.worlds.store_without_threads import use_no_threads

pytestmark = pytest.mark.postgres


@pytest.fixture
async def kept(cluster: Cluster, database: str) -> AsyncIterator[SqlStore]:
    """An open store with pages of one row, and rows of another country."""
    store = sql_store(cluster.url(database), page=1)
    await store.open()
    use_no_threads(store)
    await store.save(cycle(0, country="BR"))
    yield store
    await store.close()


@given(
    made=cycles(),
    kind=st.sampled_from(PILED_UP),
    wanted=st.sampled_from((Selection(country="PK"), Selection(country="PK", platform="x"))),
)
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_postgresql_makes_the_same_file(
    kept: SqlStore, made: Cycle, kind: Kind, wanted: Selection
) -> None:
    """Whatever is stored: the same bytes come from rows as from values."""
    await forget_cycles(kept, "PK")
    await kept.save(made)
    expected = await of_values(kept, kind, wanted)
    assert await of_rows(kept, kind, wanted) == expected
    assert expected.count("\r\n") > 1 or wanted.platform


@pytest.mark.parametrize("page", [1, 3, 6, 20])
async def test_no_row_is_lost_or_told_twice_between_pages(
    cluster: Cluster, database: str, page: int
) -> None:
    """Whether a page holds fewer rows than a moment has, or more."""
    made = crowded()
    store = sql_store(cluster.url(database), page=page)
    await store.open()
    await store.save(made)
    for kind in PILED_UP:
        for since in some_begins(made):
            wanted = Selection(since=since)
            assert await of_rows(store, kind, wanted) == await of_values(store, kind, wanted)
    assert (await of_rows(store, Kind.MEASUREMENTS, Selection())).count("\r\n") == 131
    await store.close()


async def test_nobody_elses_encoding_matters(
    cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are UTF-8 also where programs speak something else to the server."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    title = "Anmelden – Grüße"
    look = measurement("m", 0.0, cycle="c", observations=(http(title, "https://x.com", 200, 0.1),))
    store = sql_store(cluster.url(database))
    await store.open()
    await store.save(cycle(1, measurements=(look,)))
    assert title in await of_rows(store, Kind.MEASUREMENTS, Selection())
    await store.close()
