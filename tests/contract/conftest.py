"""Every test here runs on every store."""

import shutil
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


def url_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Of an empty database of that kind, which has this version's tables."""
    if kind == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.url(request.getfixturevalue("database"))
    empty: Path = request.getfixturevalue("empty_file")
    shutil.copy(empty, folder / "store.db")
    return f"sqlite:///{folder / 'store.db'}"


@pytest.fixture(params=KINDS)
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Makes stores that are not open yet."""
    url = url_of(request.param, request, tmp_path)
    return lambda clock=utc_now: sql_store(url, page=PAGE, clock=clock)


@pytest.fixture
async def store(make_store: MakeStore) -> AsyncIterator[CollectorStore]:
    """An open, empty store."""
    store = make_store()
    await store.open()
    yield store
    await store.close()
