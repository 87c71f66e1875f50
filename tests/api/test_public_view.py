"""What somebody with the flow logs of a network finds in public data: nothing to join them with.

The attack: of each row of `measurements.csv` take the time, the endpoint's addresses and the layer
times, and look for the customer who had such a connection in that millisecond.
"""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.routing import Mount

from monitor.analysis.events.event import EventState, Stretch
from monitor.analysis.events.stretches import certain_count, stretches
from monitor.export.public_view import PublicView, earlier, later
from monitor.server.api import create_api
from storage.store import Store
from storage.values.steady_clock import utc_now
from tests.contract.cycles import START, at, cycle, event, measurement, verdict
from tests.unit.monitor.analysis.events.test_stretches import event_of, own_stretches, span
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

Row = dict[str, str]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def anybody(store: Store, view: PublicView = PublicView()) -> httpx.AsyncClient:  # noqa: B008
    """A client that sees no vantage."""
    api = create_api(store, lambda _: False, view=lambda: view)
    app = Starlette(routes=[Mount("/api/v1", api)])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://monitor/api/v1/"
    )


async def rows(client: httpx.AsyncClient, path: str, **params: str) -> list[Row]:
    """The rows of a file, which are those of the pages."""
    answer = await client.get(f"{path}.csv", params=params)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize("name", ["measurements", "verdicts", "events", "stretches"])
async def test_no_row_has_a_moment(store: Store, name: str) -> None:
    """Every time lies on a whole minute, those of measurements on whole five minutes, in files and
    on pages; no id is one that holds a time, and no layer time is finer than 10 ms."""
    whole = 300 if name in ("measurements", "verdicts") else 60
    async with anybody(store) as client:
        found = await rows(client, name)
        page = (await client.get(name, params={"limit": "1000"})).text
    assert found
    times = [text for row in found for text in row.values() if TIME.fullmatch(text)]
    assert times
    for text in (*times, *TIME.findall(page)):
        assert datetime.fromisoformat(text).timestamp() % whole == 0, text
    for row in found:
        for column, text in row.items():
            assert not UUID.search(text)
            if column.endswith("_ms") and text:
                assert float(text) % 10 == 0
            if column in ("vantage", "cycle_id", "resolvers"):
                assert text == ""
            if column in ("tls_chain_sha256", "http_url", "http_title", "http_body_sha256"):
                assert text == ""


async def test_ids_still_join(store: Store) -> None:
    """Verdicts and events lead to their measurements, under ids that nobody can turn back."""
    made = measurement("018dc1a2-0000-7000-8000-0123456789ab", 5000)
    await store.save(replace(cycle(30, measurements=(made,)), verdicts=(verdict(made, 5001),)))
    async with anybody(store) as client:
        measured = {row["measurement_id"] for row in await rows(client, "measurements")}
        judged = await rows(client, "verdicts", since="2024-02-17T13:20Z")
        whole = {row["measurement_id"] for row in await rows(client, "verdicts")}
    assert {row["measurement_id"] for row in judged} <= measured & whole
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in measured)
    assert len(measured) > len(judged) > 0


async def test_since_and_until_find_no_moment(store: Store) -> None:
    """The attack: ask for ever shorter times until only one row is left. Whatever is asked for,
    whole buckets come."""
    async with anybody(store) as client:
        for name in ("measurements", "verdicts", "availability"):
            wide = await rows(client, name, since="2024-02-17T12:00Z", until="2024-02-17T12:05Z")
            narrow = await rows(
                client, name, since="2024-02-17T12:01:00.000001Z", until="2024-02-17T12:01:00.1Z"
            )
            assert wide == narrow != []


async def test_no_refusal_finds_a_moment_of_an_event() -> None:
    """The attack: ask for the measurements of an event from or until ever closer moments. Where
    that begins to be refused is not when the event began or ended, but a minute or a bucket."""
    store = MemoryStore()
    await store.open()
    true = replace(
        event(onset_earliest=443.481516, onset_latest=746.5, end_latest=10869.234217),
        state=EventState.ENDED,
    )
    await store.save(cycle(0), [true])
    coarse = PublicView().event(true)
    assert coarse.onset_earliest is not None
    assert coarse.end_latest is not None
    async with anybody(store) as client:

        async def refused(**moment: str) -> bool:
            answer = await client.get("measurements", params={"event": true.id, **moment})
            assert answer.status_code in (200, 400), answer.text
            return answer.status_code == 400

        async def found(name: str, low: float, high: float) -> float:
            """Where the answer changes, to the millisecond, in seconds after START."""
            lowest = await refused(**{name: at(low).isoformat()})
            assert lowest != await refused(**{name: at(high).isoformat()})
            while high - low > 0.001:
                middle = (low + high) / 2
                changed = await refused(**{name: at(middle).isoformat()}) != lowest
                low, high = (low, middle) if changed else (middle, high)
            return high

        assert round(await found("until", 0, 3600)) % 60 == 0
        assert round(await found("since", 7200, 14400)) % 60 == 0
        both = {
            "since": coarse.onset_earliest.isoformat(),
            "until": coarse.end_latest.isoformat(),
        }
        assert not await refused(**both)
    await store.close()


async def test_measurements_come_late_and_in_whole_buckets() -> None:
    """One of an hour ago is not shown before its bucket and the delay are over; who reads every
    second learns only that. Events are shown at once."""
    store = MemoryStore()
    await store.open()
    age = (utc_now() - START).total_seconds()
    await store.save(cycle(1, seconds=age - 7300), [event(detected=age, updated=age)])
    await store.save(cycle(2, seconds=age - 30))
    async with anybody(store) as client:
        for name in ("measurements", "verdicts"):
            old = await rows(client, name)
            assert len(old) > 0
            answer = await client.get(name, params={"since": f"{at(age - 3000).isoformat()}"})
            assert answer.json()["data"] == []
            assert "not public yet" in answer.headers["shutwatch-no-rows"]
        assert len(await rows(client, "events")) == 1
    async with anybody(store, PublicView(delay=0.0, bucket=60.0)) as client:
        now_shown = await rows(client, "measurements")
    async with anybody(store, PublicView(delay=86400.0)) as client:
        assert await rows(client, "measurements") == []
    assert len(now_shown) >= len(old)
    await store.close()


async def test_counts_of_the_present_hour_come_late() -> None:
    """Availability and coverage are no clock either: they count what is public."""
    store = MemoryStore()
    await store.open()
    age = (utc_now() - START).total_seconds()
    await store.save(cycle(2, seconds=age - 30))
    async with anybody(store) as client:
        assert await rows(client, "availability") == []
        page = (await client.get("events", params={"since": "2024-01-01"})).json()
    assert page["coverage"]["cycles"] == 0
    await store.close()


@pytest.mark.parametrize(
    ("move", "text", "length", "moved"),
    [
        (earlier, "12:04:59.999999", 300, "12:00:00"),
        (earlier, "12:05:00", 300, "12:05:00"),
        (later, "12:05:00", 300, "12:05:00"),
        (later, "12:05:00.000001", 300, "12:10:00"),
        (later, "23:59:01", 60, "24:00:00"),
    ],
)
def test_bounds_move_outwards(
    move: Callable[[datetime, float], datetime], text: str, length: int, moved: str
) -> None:
    """To the start or the end of the bucket; what lies on one stays."""
    midnight = datetime(2024, 2, 17, tzinfo=UTC)

    def moment(clock: str) -> datetime:
        hour, minute, second = clock.split(":")
        return midnight + timedelta(hours=int(hour), minutes=int(minute), seconds=float(second))

    assert move(moment(text), length) == moment(moved)


def test_a_public_event_says_nothing_surer() -> None:
    """Its bounds enclose the true ones, and its lengths too."""
    true = event(onset_earliest=17.3, onset_latest=312.4, end_latest=707.8, detected=313.1)
    shown = PublicView().event(true)
    assert shown.onset_earliest == at(0)
    assert shown.onset_latest == at(360)
    assert (shown.end_earliest, shown.end_latest) == (at(660), at(720))
    for network in shown.networks:
        for one in network.stretches:
            assert (one.onset_earliest, one.onset_latest) == (at(0), at(360))
            assert one.end_earliest == at(360)


@given(st.lists(own_stretches(), min_size=1, max_size=4), st.integers(0, 3))
@example(drawn=[[[0, 1, 160, 180]], [[181, 200, 480, 500]]], unbounded=1)
def test_the_public_reads_of_the_same_stretches(
    drawn: list[list[list[int]]], unbounded: int
) -> None:
    """One network opens seconds before another blocks: whole minutes do not make one stretch of
    them, and each of its bounds encloses the true one. No onset of the first networks is bounded.
    """
    true = event_of(*(_own(one, bounded=n >= unbounded) for n, one in enumerate(drawn)))
    found, shown = stretches(true), stretches(PublicView().event(true))
    assert len(found) == len(shown)
    assert certain_count(true) == certain_count(PublicView().event(true))
    for own, coarse in zip(found, shown, strict=True):
        assert (own.onset_earliest is None) == (coarse.onset_earliest is None)
        if own.onset_earliest is not None and coarse.onset_earliest is not None:
            assert coarse.onset_earliest <= own.onset_earliest
        assert coarse.onset_latest >= own.onset_latest
        assert (coarse.end_latest is None) == (own.end_latest is None)
        if own.end_latest is not None and coarse.end_latest is not None:
            assert coarse.end_latest >= own.end_latest


def _own(drawn: list[list[int]], *, bounded: bool) -> list[Stretch]:
    """The stretches of a network, drawn in seconds."""
    found = [span(*(moment / 60 for moment in one)) for one in drawn]
    return found if bounded else [replace(found[0], onset_earliest=None), *found[1:]]
