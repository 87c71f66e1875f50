"""Every test here runs on every store."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest

from storage.open_store import sql_store
from storage.store import CollectorStore
from storage.values.steady_clock import utc_now
from tests.worlds.postgresql import Cluster

PAGE = 7
"""Small, so that every listing of more than a handful of rows needs several pages."""
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


class MakeStore(Protocol):
    """Makes stores that are not open yet; all of the same file or database."""

    def __call__(self, clock: Callable[[], datetime] = ...) -> CollectorStore:
        """One of them, on a clock of the test's own."""


@pytest.fixture(params=KINDS)
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Makes stores that are not open yet."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(request.getfixturevalue("database"))
    return lambda clock=utc_now: sql_store(url, page=PAGE, clock=clock)


@pytest.fixture
async def store(make_store: MakeStore) -> AsyncIterator[CollectorStore]:
    """An open, empty store."""
    store = make_store()
    await store.open()
    yield store
    await store.close()
