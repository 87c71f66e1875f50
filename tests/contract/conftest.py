"""Every test here runs on every store."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from storage.memory import MemoryStore
from storage.sql import SqlStore
from storage.store import Store

PAGE = 7
"""Small, so that every listing of more than a handful of rows needs several pages."""


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes stores that are not open yet; on SQLite, all of the same file."""
    if request.param == "memory":
        only = MemoryStore(page=PAGE)
        return lambda: only
    return lambda: SqlStore(f"sqlite:///{tmp_path / 'store.db'}", page=PAGE)


@pytest.fixture
async def store(make_store: Callable[[], Store]) -> AsyncIterator[Store]:
    """An open, empty store."""
    store = make_store()
    await store.open()
    yield store
    await store.close()
