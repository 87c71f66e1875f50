"""A store with rows of every kind, and a client without a socket."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State
from monitor.server.api import create_api
from storage.open_store import sql_store
from storage.store import Store
from tests.contract.cycles import AWKWARD, cycle, event, log_entry, measurement, withheld
from tests.worlds.http_client import httpx


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with these rows, made once: migrating takes longer than most tests."""
    file = tmp_path_factory.mktemp("api") / "store.db"

    async def make() -> None:
        made = sql_store(f"sqlite:///{file}")
        await made.open()
        await fill(made)
        await made.close()

    asyncio.run(make())
    return file


@pytest.fixture
async def store(filled_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store with cycles of two vantages in two countries, and three events."""
    copy = tmp_path / "store.db"
    shutil.copy(filled_file, copy)
    made = sql_store(f"sqlite:///{copy}", page=7)
    await made.open()
    yield made
    await made.close()


async def fill(store: Store) -> None:
    """Store the rows."""
    await store.save_withheld([withheld()])
    for number in range(4):
        await store.save(cycle(number))
        await store.save(
            cycle(number, country="BR", vantage="gru-claro", state=State.BLOCKED),
        )
    odd = measurement("m-odd", 4000, endpoint=f"https://x.com/{AWKWARD}", asn=45669, vantage="odd")
    over = event("event-2", platform="facebook", state=EventState.ENDED, end_latest=700)
    awkward = event("event-3", platform="whatsapp", country="BR", detected=800, methods=(AWKWARD,))
    await store.save(
        cycle(13, measurements=(odd,), vantage="odd"),
        [event(), over, awkward],
        [log_entry(1, event())],
    )


def client(store: Store, *, operator: bool = True, interval: float = 0.0) -> httpx.AsyncClient:
    """A client of the API over this store, as an operator or as the public."""
    api = create_api(store, lambda _: operator, interval=lambda: interval)
    app = Starlette(routes=[Mount("/api/v1", api)])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://monitor/api/v1/"
    )


@pytest.fixture
async def operator(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sees everything."""
    async with client(store) as made:
        yield made


@pytest.fixture
async def anybody(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sees nothing finer than a network."""
    async with client(store, operator=False) as made:
        yield made
