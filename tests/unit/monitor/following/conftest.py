"""What tests of following OONI share."""

from collections.abc import AsyncIterator

import pytest

from storage.open_store import sql_store
from tests.unit.monitor.following.test_follow_ooni import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty one."""
    store = sql_store("memory:")
    await store.open()
    made = World(store)
    yield made
    if made.job is not None:
        await made.job.close()
    await store.close()
