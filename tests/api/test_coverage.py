"""An answer without events says what that is worth."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from monitor.analysis.coverage import Cause
from monitor.analysis.verdict import State
from monitor.export.coverage import SCHEMA
from storage.store import Store
from storage.values.cycle import Cycle
from tests.api.conftest import client
from tests.contract.cycles import cycle
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

HOUR = {"since": "2024-02-17T12:00Z", "until": "2024-02-17T13:00Z"}


def judged(number: int, rule: str) -> Cycle:
    """A cycle whose verdicts that rule leaves undecided."""
    made = cycle(number, platforms=("x",), endpoints=1)
    verdicts = tuple(
        msgspec.structs.replace(one, state=State.INSUFFICIENT, rule_id=rule)
        for one in made.platforms
    )
    return msgspec.structs.replace(made, platforms=verdicts)


@pytest.fixture
async def mixed() -> AsyncIterator[Store]:
    """An hour of X in Pakistan: two cycles decided, ten without a control, and no event."""
    store = MemoryStore()
    await store.open()
    for number in range(12):
        if number < 2:
            await store.save(cycle(number, platforms=("x",), endpoints=1))
        else:
            await store.save(judged(number, "control.missing"))
    yield store
    await store.close()


async def asked(store: Store, path: str, **params: str) -> httpx.Response:
    """An answer to a reader who sees no vantages."""
    async with client(store, operator=False) as asking:
        answer = await asking.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer


async def test_no_event_comes_with_the_share_that_was_decided(mixed: Store) -> None:
    """The numbers, the causes and each network, as the schema describes them."""
    found = (await asked(mixed, "events", country="PK", platform="x", **HOUR)).json()
    assert found["data"] == []
    assert found["coverage"] == {
        "statement": "No block in the 2 cycles that were decided, of 12, on 1 network",
        "cycles": 12,
        "decided": 2,
        "signs": 0,
        "undecided": {"no_control": 10},
        "not_measured": None,
        "networks": [
            {
                "country": "PK",
                "asn": 17557,
                "network": "PTCL",
                "cycles": 12,
                "decided": 2,
                "undecided": {"no_control": 10},
            }
        ],
    }
    assert set(found["coverage"]) == set(SCHEMA["properties"]) == set(SCHEMA["required"])
    network = SCHEMA["properties"]["networks"]["items"]
    assert set(found["coverage"]["networks"][0]) == set(network["properties"])
    assert set(found["coverage"]["undecided"]) <= {str(cause) for cause in Cause}


async def test_an_event_of_another_state_is_not_denied(store: Store) -> None:
    """None of the state asked for is not none at all."""
    found = (await asked(store, "events", country="PK", state="withdrawn")).json()
    assert (found["data"], found["coverage"]) == ([], None)
    assert (await asked(store, "events", country="PK")).json()["data"]
    file = await asked(store, "events.csv", country="PK", state="withdrawn")
    assert "shutwatch-coverage" not in file.headers


async def test_a_country_nobody_watches_is_called_that(mixed: Store) -> None:
    """An empty answer about it is no good news."""
    found = (await asked(mixed, "events", country="KE", platform="x", **HOUR)).json()
    assert found["coverage"]["statement"] == "Not watched in this time"
    later = (await asked(mixed, "events", country="PK", since="2024-03-01")).json()
    assert later["coverage"]["statement"] == "Not watched in this time"


async def test_a_file_without_a_row_says_it_in_a_header(mixed: Store) -> None:
    """A file of events has no place for it, and one with rows needs none."""
    for name in ("events", "stretches"):
        answer = await asked(mixed, f"{name}.csv", country="PK", **HOUR)
        assert len(answer.text.splitlines()) == 1
        assert answer.headers["shutwatch-coverage"].startswith("No block in the 2 cycles")


async def test_pages_after_the_first_do_not_count_again(store: Store) -> None:
    """Only the first page carries it, an answer about one event none, other resources none; where
    there are events it denies none."""
    first = (await asked(store, "events", limit="1")).json()
    assert first["coverage"]["cycles"] > 0
    assert first["coverage"]["statement"] is None
    async with client(store) as asking:
        first = (await asking.get("events", params={"limit": "1"})).json()
        second = (await asking.get(f"http://monitor{first['next']}")).json()
        assert second["coverage"] is None
        id_ = first["data"][0]["event_id"]
        assert (await asking.get("events", params={"event": id_})).json()["coverage"] is None
        assert "coverage" not in (await asking.get("verdicts")).json()
        assert "shutwatch-coverage" not in (await asking.get("events.csv")).headers


async def test_with_the_interval_what_is_missing_is_counted(mixed: Store) -> None:
    """The server knows how often its vantages measure."""
    async with client(mixed, interval=300.0) as asking:
        wanted = {"since": "2024-02-17T12:00Z", "until": "2024-02-17T15:00Z"}
        found = (await asking.get("events", params=wanted)).json()
    assert found["coverage"]["not_measured"] == 24
