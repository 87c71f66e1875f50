"""Events as Atom and as JSON Feed, asked for as a feed reader asks."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventState, Stretch
from monitor.config.settings import ServerSettings
from monitor.keys.passwords import digest
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.feeds import ATOM, FEEDS, MOST_ENTRIES, changed_at
from storage.store import StorageError, Store
from storage.values.reviews import Mark, Review
from storage.values.selection import Selection
from tests.browser import seed
from tests.contract.cycles import cycle
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

TOKEN = "0123456789abcdef" * 4
PUBLIC = ServerSettings(public=True, tokens=(digest(TOKEN),))


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """A store in which Pakistan blocks X."""
    filled = MemoryStore()
    await filled.open()
    await seed.fill(filled)
    yield filled
    await filled.close()


def client(store: Store, settings: ServerSettings | None = None) -> httpx.AsyncClient:
    """A client that speaks to the application without a socket."""
    publisher = seed.publisher()
    access = Access(settings) if settings else None
    app = create_app(publisher, create_registry(publisher), store=store, access=access)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://monitor")


async def entries(asking: httpx.AsyncClient, query: str = "") -> dict[str, dict[str, Any]]:
    """The entries of the JSON Feed by the address of their page, after a look at the other one:
    both say the same."""
    written = await asking.get(f"/feed.json{query}")
    assert (written.status_code, written.headers["content-type"]) == (200, FEEDS["feed.json"])
    feed = written.json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert {"title", "home_page_url", "feed_url", "items"} <= feed.keys()
    other = await asking.get(f"/feed.atom{query}")
    assert other.headers["content-type"].startswith(FEEDS["feed.atom"])
    tree = ElementTree.fromstring(other.content)  # noqa: S314 # our own
    assert [_atom(one) for one in tree.iter(f"{{{ATOM}}}entry")] == feed["items"]
    for one in ("id", "title", "updated"):
        assert tree.findtext(f"{{{ATOM}}}{one}"), one
    return {item["url"].rpartition("/")[2]: item for item in feed["items"]}


def _atom(entry: ElementTree.Element) -> dict[str, Any]:
    def text(name: str) -> str:
        return entry.findtext(f"{{{ATOM}}}{name}") or ""

    link = entry.find(f"{{{ATOM}}}link")
    assert link is not None
    return {
        "id": text("id"),
        "url": link.get("href"),
        "title": text("title"),
        "content_text": text("content"),
        "date_published": text("published"),
        "date_modified": text("updated"),
        "tags": [one.get("term") for one in entry.findall(f"{{{ATOM}}}category")],
    }


async def test_an_entry_says_what_a_message_says(store: MemoryStore) -> None:
    """What, where, since when, how, how sure, and what it is not; its link is the event's page."""
    async with client(store) as asking:
        entry = (await entries(asking))[seed.EVENT]
        assert (await asking.get(entry["url"])).status_code == 200
    assert entry["title"].startswith("X is blocked in Pakistan on 3 of 4 networks")
    for said in (
        "Since: between",
        "Networks: 3 of 4 tested",
        "How: ",
        "Evidence: ",
        "What it is not",
    ):
        assert said in entry["content_text"], said
    assert entry["tags"] == ["block", "PK", "x", "confirmed"]
    assert entry["id"].startswith("urn:uuid:")


async def test_it_takes_the_filters_of_the_page(store: MemoryStore) -> None:
    """A country's feed has no event of another country; a mistyped one is named."""
    async with client(store) as asking:
        everything = await entries(asking)
        pakistan = await entries(asking, "?country=PK&platform=x")
        assert {one["tags"][1] for one in everything.values()} > {"PK", "BR"}
        assert {tuple(one["tags"][1:3]) for one in pakistan.values()} == {("PK", "x")}
        wrong = await asking.get("/feed.atom?country=Pakistan")
        assert wrong.status_code == 400
        assert "Pakistan" in wrong.text
        assert "PK" in wrong.text
        twice = await asking.get("/feed.atom?country=BR&country=PK&country=PK&utm_source=post")
        assert twice.status_code == 400
        assert "Country: “PK” is a second value. Give only one." in twice.text
        followed = await asking.get("/feed.atom?country=PK&country=PK&utm_source=post")
        assert followed.status_code == 200


async def test_it_speaks_the_language_that_is_asked_for(store: MemoryStore) -> None:
    """And links lead to pages in it."""
    async with client(store) as asking:
        feed = (await asking.get("/feed.json?lang=pt&country=PK")).json()
    assert feed["language"] == "pt"
    titles = [item["title"] for item in feed["items"]]
    assert any("Paquistão" in title for title in titles), titles
    assert all(item["url"].endswith("?lang=pt") for item in feed["items"])


async def test_who_has_it_does_not_get_it_again(store: MemoryStore) -> None:
    """Feed readers ask every few minutes, for years."""
    async with client(store) as asking:
        for path in FEEDS:
            first = await asking.get(f"/{path}")
            again = await asking.get(f"/{path}", headers={"If-None-Match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


async def test_the_public_gets_what_the_page_shows(store: MemoryStore) -> None:
    """No event about a vantage, nothing that names one, times in whole minutes; operators get
    all. Without `public` strangers get nothing."""
    async with client(store, PUBLIC) as asking:
        public = await entries(asking)
        asking.headers["Authorization"] = f"Bearer {TOKEN}"
        operators = await entries(asking)
    assert seed.SILENT in operators
    assert seed.SILENT not in public
    assert seed.EVENT in public
    assert not [one for one in public.values() if "khi-ptcl" in str(one)]
    assert all(one["date_modified"].endswith(":00.000000Z") for one in public.values())
    closed = msgspec.structs.replace(PUBLIC, public=False)
    async with client(store, closed) as asking:
        assert {(await asking.get(f"/{path}")).status_code for path in FEEDS} == {401}


async def test_a_rejected_event_is_said_to_be_and_so_is_what_it_goes_on_as(
    store: MemoryStore,
) -> None:
    """As on their pages: both entries change, and that of the event that is gone leads on."""
    opened, *_ = seed.log()
    first, other = opened.snapshot, msgspec.structs.replace(opened.snapshot, id="5" * 20)
    gone = msgspec.structs.replace(first, state=EventState.WITHDRAWN)
    withdrawn = msgspec.structs.replace(
        opened,
        sequence=len(seed.log()) + 1,
        change="withdrawn",
        detail=f"goes on as {other.id}",
        snapshot=gone,
    )
    taken_over = msgspec.structs.replace(
        opened, event=other.id, snapshot=other, detail=f"AS1: tls.reset; goes on from {gone.id}"
    )
    await store.save(cycle(9), [gone, other], [withdrawn, taken_over])
    at = seed.NOW + timedelta(hours=3, seconds=21)
    rejects = Review(id="r", country="PK", event=gone.id, at=at, mark=Mark.REJECTED, note="A cable")
    async with client(store) as asking:
        before = await entries(asking)
        await store.add_review(rejects)
        after = await entries(asking)
    for event in (gone.id, other.id):
        assert "A person rejects it" not in before[event]["title"]
        assert after[event]["title"] == f"A person rejects it: {before[event]['title']}"
        assert after[event]["content_text"].startswith("A person rejects it\n")
        assert after[event]["date_modified"] == "2024-02-17T18:00:00.000000Z"
        assert after[event]["id"] == before[event]["id"]
    title = "X in Pakistan: This event continues as another one"
    assert before[gone.id]["title"] == title
    assert before[other.id]["title"] == "X is blocked in Pakistan on 3 of 4 networks"
    said = f"This event continues as another one: {after[other.id]['url']}"
    assert said in after[gone.id]["content_text"].splitlines()
    assert said not in after[other.id]["content_text"]


class Broken(MemoryStore):
    """A store whose events cannot be read."""

    def events(self, selection: Selection) -> Any:
        """Raises StorageError."""
        raise StorageError(f"gone: {selection}")


class Unread(MemoryStore):
    """A store whose reviews cannot be read."""

    async def reviews(self, event_id: str = "") -> list[Review]:
        """Raises StorageError."""
        raise StorageError(f"gone: {event_id}")


@pytest.mark.parametrize("made", [Broken, Unread])
async def test_without_the_store_it_does_not_say_that_there_was_nothing(
    made: type[MemoryStore],
) -> None:
    """Neither an event nor that somebody rejected it. A reader of feeds would keep what it has, and
    asks again."""
    unread = made()
    await unread.open()
    async with client(unread) as asking:
        answer = await asking.get("/feed.atom")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


async def test_a_feed_without_events_is_one(store: MemoryStore) -> None:
    """It has a time, and is the same when it is asked for again."""
    async with client(store) as asking:
        assert await entries(asking, "?country=KE&platform=x") == {}


def _event(**changed: object) -> Event:
    return seed.event("0" * 16, "PK", "x", **changed)


def test_an_entry_changes_with_what_it_says_and_not_with_each_look() -> None:
    """Being seen again changes nothing; confirmation, another network, a return and the end do."""
    later = [datetime(2024, 2, 18, hour, tzinfo=UTC) for hour in range(5)]
    confirmed = seed.ONSET + timedelta(minutes=3)
    known = _event(detected_at=seed.ONSET, confirmed_at=confirmed, networks=())
    assert changed_at(known) == confirmed
    assert changed_at(msgspec.structs.replace(known, updated_at=later[0])) == confirmed
    joined = Stretch(onset_earliest=None, onset_latest=later[1])
    networks = (seed.network(seed.FIELD[0], "tls.reset", stretches=[joined]),)
    assert changed_at(msgspec.structs.replace(known, networks=networks)) == later[1]
    ended = msgspec.structs.replace(known, state=EventState.ENDED, updated_at=later[3])
    assert changed_at(ended) == later[3]


async def test_a_feed_has_a_bound(store: MemoryStore) -> None:
    """The newest changes come first, and no more than some of them."""
    async with client(store) as asking:
        found = list((await entries(asking)).values())
    assert len(found) <= MOST_ENTRIES
    moments = [one["date_modified"] for one in found]
    assert moments == sorted(moments, reverse=True)


async def test_a_correction_is_a_change(store: MemoryStore) -> None:
    """Late data left only a suspicion of what a feed had called blocked. The time of its entry was
    no later than before, so that readers kept the accusation."""
    opened, *_ = seed.log()
    doubted = msgspec.structs.replace(
        opened.snapshot, state=EventState.SUSPECTED, confirmed_at=None, updated_at=seed.NOW
    )
    revised = msgspec.structs.replace(
        opened,
        sequence=len(seed.log()) + 1,
        at=seed.NOW + timedelta(hours=3, seconds=21),
        change="revised",
        detail="",
        snapshot=doubted,
    )
    async with client(store) as asking:
        before = (await entries(asking))[seed.EVENT]
        await store.save(cycle(9), [doubted], [revised])
        after = (await entries(asking))[seed.EVENT]
    assert before["title"].startswith("X is blocked in Pakistan")
    assert after["title"].startswith("X may be blocked in Pakistan")
    assert after["date_modified"] == "2024-02-17T18:00:00.000000Z"
