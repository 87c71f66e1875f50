"""Strips of the past: what a cell may say, and that nothing known is nothing drawn."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from monitor.analysis.verdict import State
from monitor.config.filters import FilterError
from monitor.config.settings import ServerSettings
from monitor.keys.passwords import digest
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.history import LEVELS, SPANS, Strip, history_asked, strips
from storage.store import StorageError
from storage.values.history_cell import HistoryCell
from storage.values.rollup import COUNTS
from storage.values.selection import Selection
from tests.browser import seed
from tests.contract.test_store_availability import judged
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

NOW = datetime(2024, 2, 17, 15, 20, tzinfo=UTC)
TODAY = datetime(2024, 2, 17, tzinfo=UTC)
PLACE = ("PK", "x", 17557, "PTCL")
TOKEN = "0123456789abcdef" * 4


def row(days_ago: int, hours: int = 24, **counts: int) -> HistoryCell:
    """One day of a network."""
    number = SPANS["month"].cells - 1 - days_ago
    return HistoryCell(PLACE, number, 1, (hours, *(counts.get(state, 0) for state in COUNTS)))


def month(*rows: HistoryCell, networks: int = 1) -> Strip:
    """The strip of thirty days."""
    (strip,) = strips(rows, SPANS["month"], NOW, {PLACE: networks})
    return strip


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"ok": 288}, "ok"),
        ({"ok": 3, "insufficient": 285}, "ok"),
        ({"ok": 287, "blocked": 1}, "degraded"),
        ({"ok": 287, "degraded": 1}, "degraded"),
        ({"ok": 144, "blocked": 144}, "blocked"),
        ({"ok": 100, "blocked": 90, "throttled": 98}, "throttled"),
        ({"ok": 280, "down": 8}, "down"),
        ({"insufficient": 288}, "insufficient"),
        ({}, "no_data"),
    ],
)
def test_a_cell_is_green_only_where_it_always_worked(counts: dict[str, int], state: str) -> None:
    """And red or orange only where half of what was decided failed. What cannot be told is grey."""
    strip = month(row(1, **counts)) if counts else month()
    assert strip.runs[-2 if counts else -1].state == state


def test_height_is_how_much_is_known() -> None:
    """A day of which a quarter was measured, or decided, is a quarter high; one that nobody looked
    at has no height, and neither has one of which nothing could be told."""
    for one in (row(1, hours=6, ok=72), row(1, ok=72, insufficient=216)):
        assert month(one).runs[1].level == LEVELS / 4
    assert month(row(1, ok=288)).runs[1].level == LEVELS
    assert month(row(1, ok=288), networks=2).runs[1].level == LEVELS / 2
    assert month(row(1, insufficient=288)).runs[1].level == 0
    assert {one.level for one in month().runs} == {0}
    # The day is not over: of its sixteen hours, every one was measured.
    assert month(row(0, hours=16, ok=190)).runs[-1].level == LEVELS


def test_shares_are_of_what_was_decided_and_of_the_whole_time() -> None:
    """Half of one day of the month until now is known, and of that three quarters worked."""
    strip = month(row(3, hours=24, ok=100, blocked=44, degraded=8, insufficient=152))
    assert strip.decided == 152
    assert strip.reachable == pytest.approx(108 / 152)
    assert strip.known == pytest.approx(12 / (29 * 24 + 16))
    assert (month().reachable, month().known) == (None, 0.0)


def test_a_day_that_has_just_begun_is_not_a_whole_day() -> None:
    """Who is watched since midnight, half an hour ago, is known for an hour of the month, and not
    for a day of it."""
    began = row(0, hours=1, ok=6, insufficient=6)
    at = TODAY + timedelta(minutes=30)
    (strip,) = strips([began], SPANS["month"], at, {PLACE: 1})
    assert strip.watched == pytest.approx(1 / (29 * 24 + 1))
    assert strip.known == pytest.approx(0.5 / (29 * 24 + 1))
    assert strip.runs[-1].level == LEVELS / 2


@pytest.mark.parametrize("name", list(SPANS))
def test_cells_part_the_whole_time(name: str) -> None:
    """Without gaps, from the beginning to the cell in which we are, which ends now."""
    span = SPANS[name]
    at = range(0, span.cells, 3)
    rows = [replace(row(0, ok=1), number=number) for number in at]
    (strip,) = strips(rows, span, NOW, {PLACE: 1})
    assert strip.runs[0].since == span.since(NOW)
    assert strip.runs[-1].until == NOW <= span.until(NOW)
    for one, after in zip(strip.runs, strip.runs[1:], strict=False):
        assert one.until == after.since
        assert one.x + one.width == pytest.approx(after.x, abs=0.02)
    assert sum(one.counts[COUNTS.index(State.OK)] for one in strip.runs) == len(at)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("span=decade", "decade"),
        ("by=vantage", "vantage"),
        ("span=day&span=week", "week"),
        ("since=2024-01-01", "since"),
        ("platform=x", "platform"),
        ("spann=day", "spann"),
    ],
)
def test_what_cannot_be_asked_for_is_named(query: str, named: str) -> None:
    """A strip of another time, or of more than was asked for, would read as the answer."""
    with pytest.raises(FilterError) as raised:
        history_asked(parse_qsl(query))
    assert raised.value.wrong.given == named


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """X blocked on PTCL for the last ten hours, on Jazz not; nobody looked on Nayatel."""
    filled = MemoryStore()
    await filled.open()
    for number in range(40):
        at = seed.NOW - timedelta(hours=number, minutes=1)
        for point in (seed.FIELD[0], seed.FIELD[2]):
            state = State.BLOCKED if number < 10 and point is seed.FIELD[0] else State.OK
            made = judged(
                2 * number + (point is seed.FIELD[0]), state, vantage=point.id, asn=point.asn
            )
            verdicts = tuple(
                replace(one, judged_at=at, network=point.network) for one in made.platforms
            )
            await filled.save(replace(made, platforms=verdicts, started_at=at, finished_at=at))
    yield filled
    await filled.close()


async def page(
    store: MemoryStore,
    query: str = "",
    *,
    public: bool = False,
    path: str = "/countries/PK",
    at: datetime = seed.NOW,
) -> httpx.Response:
    """A page with a history."""
    shown = seed.publisher(at)
    access = Access(ServerSettings(public=True, tokens=(digest(TOKEN),))) if public else None
    app = create_app(shown, create_registry(shown), store=store, access=access)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://monitor"
    ) as asking:
        return await asking.get(f"{path}{query}")


async def test_the_page_says_what_the_strips_draw(store: MemoryStore) -> None:
    """In words beside each: how much worked, how much is known, and when it did not."""
    together = (await page(store, "?span=week")).text
    assert "reachable in 87.5% of decided tests" in together
    assert "mostly found blocked" in together
    assert "nothing known" in together, "of the platforms that nobody tested"
    each = (await page(store, "?span=week&by=network")).text
    assert "reachable in 75% of decided tests" in each
    assert "reachable in 100% of decided tests" in each
    assert each.count("23674") > together.count("23674")
    assert 'href="../api/v1/availability.csv?country=PK&amp;period=hour' in each


async def test_the_page_of_a_platform_compares_countries(store: MemoryStore) -> None:
    """What is blocked where, and each country's past; where nobody looked nothing is known."""
    text = re.sub("<[^>]*>", " ", (await page(store, "?span=week", path="/platforms/x")).text)
    history = text[text.index("History") :]
    assert history.index("Brazil") < history.index("Kenya") < history.index("Pakistan")
    assert "reachable in 87.5% of decided tests" in history[history.index("Pakistan") :]
    assert "nothing known" in history[history.index("Kenya") : history.index("Pakistan")]
    assert "X is blocked in Pakistan" in re.sub(" +", " ", text)
    each = (await page(store, "?span=week&by=network", path="/platforms/x")).text
    assert each.count("23674") == 1
    assert (await page(store, path="/platforms/nothing")).status_code == 404


async def test_removing_a_vantage_makes_nothing_known(store: MemoryStore) -> None:
    """PTCL and Jazz measured together: with PTCL alone left, no more of the time is known."""
    said = []
    for fields in (seed.FIELD[:1] + seed.FIELD[2:3], seed.FIELD[:1]):
        shown = world.publisher(fields, now=lambda: seed.NOW)
        app = create_app(shown, create_registry(shown), store=store)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://monitor"
        ) as asking:
            text = (await asking.get("/countries/PK?span=week")).text
        said.append(re.findall(r"in 87.5% of decided tests · ([\d.]+)% of the time known", text))
    assert said[0] == said[1] != []


@pytest.mark.parametrize(
    ("path", "title"), [("countries/PK", "Pakistan"), ("platforms/whatsapp", "WhatsApp")]
)
async def test_a_wrong_span_is_refused_with_those_there_are(
    path: str, title: str, store: MemoryStore
) -> None:
    """With a link to what was meant, and one to begin again, on the same page under its title."""
    answer = await page(store, "?span=moth", path=f"/{path}")
    assert answer.status_code == 400
    assert f"<h1>{title}</h1>" in answer.text
    assert f'href="../{path}?span=month"' in answer.text
    assert f'href="../{path}">Choose again' in answer.text


async def test_the_public_sees_no_more_than_is_public(store: MemoryStore) -> None:
    """Counts of single tests come as late as measurements do: the last hour is not there yet."""
    everything, public = await page(store, "?span=day"), await page(store, "?span=day", public=True)
    assert "15:00: mostly found blocked" in everything.text
    assert "15:00: mostly found blocked" not in public.text
    assert "14:00: mostly found blocked" in public.text
    assert "khi-ptcl" not in public.text
    # What is not public yet does not count as unknown: two of four networks, all the time.
    assert "50% of the time known" in public.text


@pytest.mark.parametrize("path", ["/countries/PK?", "/compare?country=PK&platform=x&"])
async def test_an_hour_that_is_public_only_as_a_whole_is_not_unknown(
    store: MemoryStore, path: str
) -> None:
    """Counts are public by whole hours. The page said that the hour at its end was not watched,
    whenever it was read but in the first minutes of an hour."""
    said = []
    for at in (seed.NOW, seed.NOW + timedelta(minutes=20)):
        text = (await page(store, "span=day", public=True, path=path, at=at)).text
        said.append(re.findall("[0-9.]+% of the time known|not watched [0-9.]+%", text))
    assert said[0] == said[1]
    assert len(said[0]) == 1


class Broken(MemoryStore):
    """A store whose counts cannot be read."""

    async def cells(self, selection: Selection, _: timedelta) -> list[HistoryCell]:
        """Raises StorageError."""
        raise StorageError(f"gone: {selection}")


async def test_counts_that_cannot_be_read_are_no_empty_strip() -> None:
    """An empty strip would say that nobody had looked."""
    text = (await page(Broken())).text
    assert "Stored data cannot be read at the moment." in text
    assert "nothing known" not in text
