"""Pages: every row once, for any page size, and while rows are stored."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.server.api.cursor import Cursors
from storage.sql.store import SqlStore
from storage.store import Store
from tests.contract.cycles import cycle, event
from tests.properties import examples
from tests.worlds.emptied_store import forget_cycles
from tests.worlds.http_client import httpx
from tests.worlds.store_without_threads import use_no_threads

_NEW = "LK"
"""The country of what is stored while pages are read."""


@pytest.fixture
async def before(operator: httpx.AsyncClient) -> list[str]:
    """The measurements of a vantage before any more are stored, all on one page."""
    answer = await operator.get("measurements", params={"vantage": "khi-ptcl", "limit": "1000"})
    assert answer.json()["next"] is None
    return [row["measurement_id"] for row in answer.json()["data"]]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(25),
)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    stored=st.lists(st.sampled_from(["none", "new", "old"]), min_size=1, max_size=3),
)
async def test_every_row_comes_once(
    store: SqlStore,
    operator: httpx.AsyncClient,
    before: list[str],
    sizes: list[int],
    stored: list[str],
) -> None:
    """Rows stored before come once and in order, among new and late ones."""
    use_no_threads(store)
    await forget_cycles(store, _NEW)
    found: list[str] = []
    path: str | None = "measurements"
    cursor = ""
    steps = zip(itertools.cycle(sizes), itertools.chain(stored, itertools.repeat("none")))
    for number, (size, meanwhile) in enumerate(steps, 1000):
        params = {
            "vantage": "khi-ptcl",
            "limit": str(size),
            **({"cursor": cursor} if cursor else {}),
        }
        page = (await operator.get("measurements", params=params)).json()
        assert len(page["data"]) <= size
        found += [row["measurement_id"] for row in page["data"]]
        path = page["next"]
        if path is None:
            break
        cursor = path.partition("cursor=")[2]
        if meanwhile != "none":
            seconds = number * 10.0 if meanwhile == "new" else -number * 10.0
            late = cycle(number, country=_NEW, platforms=("x",), endpoints=1, seconds=seconds)
            await store.save(late)
    assert len(found) == len(set(found))
    known = set(before)
    assert [one for one in found if one in known] == before


async def test_events_and_verdicts_have_pages_too(
    store: Store, operator: httpx.AsyncClient
) -> None:
    """`next` links all pages, and keeps the filters."""
    await store.save(cycle(50), [event(f"e-{n}", detected=600 + n % 2) for n in range(7)])
    for path, key, params in (
        ("events", "event_id", {"country": "PK"}),
        ("verdicts", "measurement_id", {"state": "blocked"}),
        ("vantages", "vantage", {"country": "PK"}),
        ("availability", "starts_at", {"platform": "x", "country": "PK"}),
        (
            "availability",
            "starts_at",
            {"country": "PK", "platform": "x", "by": "country", "timezone": "Asia/Kathmandu"},
        ),
    ):
        whole = (await operator.get(path, params={**params, "limit": "1000"})).json()["data"]
        found = []
        address: str | None = f"http://monitor/api/v1/{path}?limit=2&" + "&".join(
            f"{name}={value}" for name, value in params.items()
        )
        while address:
            answer = await operator.get(address)
            found += answer.json()["data"]
            following = answer.json()["next"]
            address = f"http://monitor{following}" if following else None
            if following:
                assert answer.headers["link"] == f'<{following}>; rel="next"'
        assert found == whole
        assert len({row[key] for row in found}) == len(found) >= 2


async def test_since_counts_beside_a_cursor(operator: httpx.AsyncClient) -> None:
    """A cursor of an earlier time does not undo a later beginning."""
    first = (await operator.get("measurements", params={"limit": "1"})).json()
    late = "&since=2024-02-17T12:10:00Z"
    rows = (await operator.get(f"http://monitor{first['next']}{late}")).json()["data"]
    assert rows
    assert all(row["started_at"] >= "2024-02-17T12:10" for row in rows)


@pytest.mark.parametrize("path", ["events", "stretches"])
async def test_events_detected_before_since_have_pages_too(
    store: Store, operator: httpx.AsyncClient, path: str
) -> None:
    """They may go on after it: the cursor counts, and the pages end."""
    await store.save(cycle(50), [event(f"e-{n}", detected=600 + n) for n in range(5)])
    asked = {"country": "PK", "platform": "x", "since": "2024-02-17T13:00Z"}
    whole = (await operator.get(path, params={**asked, "limit": "1000"})).json()["data"]
    page = (await operator.get(path, params={**asked, "limit": "2"})).json()
    found = page["data"]
    while page["next"] and len(found) < 2 * len(whole):
        page = (await operator.get(f"http://monitor{page['next']}")).json()
        found += page["data"]
    assert found == whole
    assert len(whole) > 4


@given(
    position=st.lists(st.text(), min_size=1, max_size=6), resource=st.text(), hidden=st.booleans()
)
def test_a_cursor_keeps_its_position(position: list[str], resource: str, *, hidden: bool) -> None:
    """The same process reads what it wrote, for the same resource."""
    cursors = Cursors()
    text = cursors.write(resource, position, hidden=hidden)
    assert cursors.read(text, resource, len(position), hidden=hidden) == tuple(position)
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()


@given(text=st.text() | st.binary().map(lambda raw: raw.hex()), hidden=st.booleans())
def test_anything_else_is_no_cursor(text: str, *, hidden: bool) -> None:
    """Any other text raises ValueError, and no other exception."""
    try:
        Cursors().read(text, "events", 3, hidden=hidden)
    except ValueError:
        return
    raise AssertionError(f"{text!r} was taken for a cursor")


async def test_a_place_in_local_time_may_be_any_time(operator: httpx.AsyncClient) -> None:
    """A cursor is a reader's text: the ends of the calendar are places, and no time is none."""
    asked = {"timezone": "Asia/Kathmandu"}
    for at, status in (
        ("0001-01-01T00:00:00.000000Z", 200),
        ("9999-12-31T23:59:59.999999Z", 200),
        ("2024-13-01T00:00:00.000000Z", 400),
        ("2024-02-17", 400),
    ):
        cursor = Cursors().write("availability", ("PK", "x", at, "0000000000", ""), hidden=False)
        answer = await operator.get("availability", params={**asked, "cursor": cursor})
        assert answer.status_code == status, at
