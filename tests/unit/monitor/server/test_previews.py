"""Pictures of events as services ask for them, and the head of the page that names them."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from monitor.analysis.events.event import Event, EventState
from monitor.config.settings import ServerSettings
from monitor.export.public_view import PublicView
from monitor.keys.passwords import digest
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.notify.names_without_markup import message_words
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.evidence import EvidenceReader
from monitor.server.listed_events import ListedEvents
from monitor.server.page import titles_of
from monitor.server.preview_text import Preview
from monitor.server.previews import KEPT, Previews
from monitor.wording.events import what_happened
from monitor.wording.languages import BY_CODE
from monitor.wording.reviews import MARKS
from storage.store import StorageError, Store
from storage.values.reviews import Mark, Review
from tests.browser import seed
from tests.contract import cycles
from tests.prometheus import world
from tests.prometheus.world import PUBLIC_URL
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore
from tests.worlds.preview_world import BLOCK, review

TOKEN = "0123456789abcdef" * 4
OPEN = ServerSettings(public=True, tokens=(digest(TOKEN),))
CLOSED = ServerSettings(tokens=(digest(TOKEN),))
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}
PAGE = f"/events/{seed.EVENT}"
PICTURE = f"{PAGE}.png"


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """A store in which Pakistan blocks X."""
    filled = MemoryStore()
    await filled.open()
    await seed.fill(filled)
    yield filled
    await filled.close()


class Unread(MemoryStore):
    """A store whose reviews cannot be read."""

    async def reviews(self, event_id: str = "") -> list[Review]:
        """Fails."""
        raise StorageError(f"the reviews of {event_id} are gone")


def nameless() -> Publisher:
    """One whose configuration has no public address."""
    shown = Publisher(
        (*seed.FIELD, *world.CONTROL), world.catalog(), world.Clock(seed.NOW), interval=300.0
    )
    shown.publish(world.cycle(seed.FIELD[0]), seed.events())
    return shown


def client(
    store: Store | None = None,
    settings: ServerSettings | None = OPEN,
    publisher: Publisher | None = None,
) -> httpx.AsyncClient:
    """A client that speaks to the application without a socket."""
    shown = publisher or seed.publisher()
    access = Access(settings) if settings else None
    app = create_app(shown, create_registry(shown), store=store, access=access)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://monitor")


class Head(HTMLParser):
    """The tags of a page for services, and the line to share."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, str] = {}
        self.shared = ""
        self._sharing = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag of the head."""
        has = dict(attrs)
        kind = "name" if (has.get("name") or "").startswith("twitter:") else "property"
        if tag == "meta" and has.get(kind):
            self.tags[str(has[kind])] = str(has["content"])
        self._sharing = tag == "p" and has.get("class") == "share"

    def handle_data(self, data: str) -> None:
        """Note the line."""
        self.shared += data if self._sharing else ""

    def handle_endtag(self, tag: str) -> None:
        """The line is over."""
        self._sharing = self._sharing and tag != "p"


async def head(asking: httpx.AsyncClient, path: str = PAGE, **headers: str) -> Head:
    """What the page has."""
    answer = await asking.get(path, headers=headers)
    assert answer.status_code == 200
    return Head(answer.text)


# -- the head of the page ------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(BY_CODE))
async def test_the_page_names_its_picture_in_its_language(code: str, store: Store) -> None:
    """Absolute, at the public address, and what it names is there."""
    async with client(store) as asking:
        found = await head(asking, f"{PAGE}?lang={code}")
        words = message_words(code)
        title = what_happened(words, BLOCK, titles_of(seed.publisher().snapshot))
        assert found.tags["og:title"] == title
        assert found.tags["og:url"] == f"{PUBLIC_URL}{PAGE}?lang={code}"
        assert found.tags["og:image"] == f"{PUBLIC_URL}{PICTURE}?lang={code}"
        assert found.tags["twitter:card"] == "summary_large_image"
        assert (found.tags["og:image:width"], found.tags["og:image:height"]) == ("1200", "630")
        assert words.draft in found.tags["og:description"]
        assert title in found.tags["og:image:alt"]
        assert found.shared == f"{title} {PUBLIC_URL}{PAGE}?lang={code}"
        loaded = await asking.get(found.tags["og:image"].removeprefix(PUBLIC_URL))
    assert loaded.headers["content-type"] == "image/png"
    assert loaded.headers["content-language"] == code


async def test_a_language_that_nobody_chose_stays_open(store: Store) -> None:
    """Each reader of the address gets their own; the picture has the one that its text has."""
    async with client(store) as asking:
        found = await head(asking, **{"accept-language": "ar"})
    assert found.tags["og:url"] == f"{PUBLIC_URL}{PAGE}"
    assert found.tags["og:image"] == f"{PUBLIC_URL}{PICTURE}?lang=ar"
    assert found.shared.endswith(f" {PUBLIC_URL}{PAGE}")


async def test_without_a_public_address_no_address_is_made_up(store: Store) -> None:
    """The host of the request may be anything."""
    async with client(store, publisher=nameless()) as asking:
        answer = await asking.get(PAGE, headers={"host": "evil.example"})
    found = Head(answer.text)
    assert {"og:url", "og:image"}.isdisjoint(found.tags)
    assert found.tags["og:title"] == "X is blocked in Pakistan on 3 of 4 networks"
    assert found.tags["twitter:card"] == "summary"
    assert found.shared == found.tags["og:title"]
    assert "evil.example" not in answer.text


async def test_a_picture_that_nobody_may_load_is_not_named(store: Store) -> None:
    """Behind a password services get no picture; who is signed in finds it by the button."""
    async with client(store, CLOSED) as asking:
        found = await head(asking, **SIGNED_IN)
        assert "og:image" not in found.tags
        assert found.tags["twitter:card"] == "summary"
        assert (await asking.get(PICTURE)).status_code == 401
        assert (await asking.get(PICTURE, headers=SIGNED_IN)).status_code == 200


async def test_a_rejected_event_is_shared_as_rejected(store: MemoryStore) -> None:
    """Title, description and line: nobody passes on what a person rejects as if it held."""
    await store.add_review(review(Mark.REJECTED))
    async with client(store) as asking:
        found = await head(asking)
    rejects = MARKS[Mark.REJECTED]
    assert found.tags["og:title"].startswith(f"{rejects}: ")
    assert found.shared.startswith(f"{rejects}: ")
    assert "chance" not in found.tags["og:description"]


async def test_a_suspicion_is_shared_as_one(store: Store) -> None:
    """And an end as an end."""
    async with client(store) as asking:
        suspected = await head(asking, "/events/aa11bb22cc33dd44")
        ended = await head(asking, f"/events/{seed.ENDED}")
    assert "may be slowed down" in suspected.shared
    assert "wait until it is confirmed" in suspected.tags["og:description"]
    assert "was blocked" in ended.shared
    assert "It is over" in ended.tags["og:description"]
    assert "Until: " in ended.tags["og:description"]


async def test_what_cannot_be_read_is_not_shared() -> None:
    """Somebody may have rejected it: then there is neither a tag nor a line nor a picture."""
    store = Unread()
    await store.open()
    await seed.fill(store)
    async with client(store) as asking:
        found = await head(asking)
        refused = await asking.get(PICTURE)
    await store.close()
    assert (found.tags, found.shared) == ({}, "")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")


# -- who gets a picture ---------------------------------------------------------------------------


async def test_an_event_about_one_vantage_has_none(store: Store) -> None:
    """Not even for operators: what they copy would lead others nowhere, and name a vantage."""
    async with client(store) as asking:
        for headers in ({}, SIGNED_IN):
            answer = await asking.get(f"/events/{seed.SILENT}.png", headers=headers)
            assert answer.status_code == 404
        found = await head(asking, f"/events/{seed.SILENT}", **SIGNED_IN)
    assert (found.tags, found.shared) == ({}, "")


async def test_an_operator_is_shown_no_more_than_the_public(store: Store) -> None:
    """What they share is what others see: in whole minutes."""
    async with client(store) as asking:
        anybody, signed_in = await asking.get(PICTURE), await asking.get(PICTURE, headers=SIGNED_IN)
        found = await head(asking), await head(asking, **SIGNED_IN)
    assert anybody.content == signed_in.content
    assert found[0].tags == found[1].tags


@pytest.mark.parametrize("settings", [None, CLOSED, OPEN])
async def test_only_a_public_server_lets_others_show_it(
    settings: ServerSettings | None, store: Store
) -> None:
    """As with badges; nothing of it is kept by a browser."""
    async with client(store, settings) as asking:
        answer = await asking.get(PICTURE, headers=SIGNED_IN)
    shared = "cross-origin" if settings is OPEN else "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == shared
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_active_event_has_one_before_it_is_stored() -> None:
    """As its page has; without a store there are no reviews."""
    async with client() as asking:
        assert (await asking.get(PICTURE)).status_code == 200
        assert (await asking.get("/events/0123456789abcdef.png")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/events/.png",
        "/events/%00.png",
        "/events/%0d%0aSet-Cookie:x.png",
        "/events/..%2f..%2fetc%2fpasswd.png",
        f"/events/{'a' * 3000}.png",
        "/events/'%20OR%201=1--.png",
        f"{PICTURE}.png",
        f"/events/{seed.EVENT}.jpg",
    ],
)
async def test_what_is_no_event_has_none(path: str, store: Store) -> None:
    """And nothing of the address is repeated in a header."""
    async with client(store) as asking:
        answer = await asking.get(path)
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("query", ["lang=xx", "lang=", f"lang={'a' * 3000}", "lang=../../en&x=1"])
async def test_an_unknown_language_is_english(query: str, store: Store) -> None:
    """And makes no second picture."""
    async with client(store) as asking:
        asked, plain = await asking.get(f"{PICTURE}?{query}"), await asking.get(PICTURE)
    assert asked.content == plain.content


async def test_who_has_it_does_not_get_it_again(store: Store) -> None:
    """Until it says something else."""
    async with client(store) as asking:
        first = await asking.get(PICTURE)
        again = await asking.get(PICTURE, headers={"If-None-Match": first.headers["etag"]})
        await store.add_review(review(Mark.REJECTED))
        later = await asking.get(PICTURE, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, later.status_code) == (304, 200)


# -- what it costs -------------------------------------------------------------------------------


class Drawn:
    """Draws nothing, and notes what it was asked for."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.asked: list[Preview] = []
        self.at_once = self.most_at_once = 0
        self._seconds, self._lock = seconds, threading.Lock()

    def __call__(self, preview: Preview) -> bytes:
        """Note one."""
        with self._lock:
            self.asked.append(preview)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self._seconds)
        with self._lock:
            self.at_once -= 1
        return preview.title.encode()


def only_pictures(drawn: Drawn, events: list[Event]) -> httpx.AsyncClient:
    """A client of the pictures of these events."""
    publisher = seed.publisher()
    publisher.publish(world.cycle(seed.FIELD[0]), events)
    listed = ListedEvents(publisher, None, PublicView)
    found = Previews(publisher, listed, None, bool, lambda: True, drawn)
    over = httpx.ASGITransport(app=Starlette(routes=found.routes()))
    return httpx.AsyncClient(transport=over, base_url="http://monitor")


async def test_an_event_that_goes_on_as_another_takes_nothing_back(store: MemoryStore) -> None:
    """The picture says so, and not that the results do not support it."""
    opened, *_ = seed.log()
    gone = replace(opened.snapshot, state=EventState.WITHDRAWN)
    withdrawn = replace(
        opened,
        sequence=len(seed.log()) + 1,
        change="withdrawn",
        detail=f"goes on as {'5' * 20}",
        snapshot=gone,
    )
    await store.save(cycles.cycle(9), [gone], [withdrawn])
    drawn, publisher = Drawn(), seed.publisher()
    listed = ListedEvents(publisher, store, PublicView)
    found = Previews(publisher, listed, EvidenceReader(store), bool, lambda: True, drawn)
    transport = httpx.ASGITransport(app=Starlette(routes=found.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as asking:
        assert (await asking.get(f"/events/{gone.id}.png")).status_code == 200
    (shown,) = drawn.asked
    assert shown.title == "X in Pakistan: This event continues as another one"


async def test_each_is_drawn_once_however_many_ask() -> None:
    """The attack: ask for the same one a hundred times at once."""
    drawn = Drawn(0.05)
    async with only_pictures(drawn, [BLOCK]) as asking:
        answers = await asyncio.gather(*(asking.get(PICTURE) for _ in range(100)))
        assert {one.status_code for one in answers} == {200}
        assert len(drawn.asked) == 1
        await asyncio.gather(*(asking.get(f"{PICTURE}?lang={code}") for code in BY_CODE))
    assert len(drawn.asked) == len(BY_CODE)
    assert drawn.most_at_once == 1


async def test_memory_keeps_few() -> None:
    """The attack: ask for every event there is. What was asked for last stays."""
    drawn = Drawn()
    events = [replace(BLOCK, id=f"e-{name}", platform=name) for name in world.TITLES]
    paths = [f"/events/{one.id}.png?lang={code}" for one in events for code in BY_CODE]
    first, second, *others = paths[: KEPT + 1]
    async with only_pictures(drawn, events) as asking:
        for path in (first, second, *others[:-1], first, others[-1], first):
            assert (await asking.get(path)).status_code == 200
        assert len(drawn.asked) == KEPT + 1
        await asking.get(second)
    assert len(drawn.asked) == KEPT + 2, "the one that nobody asked for again is gone"


async def test_drawing_does_not_hold_up_the_probes() -> None:
    """The event loop goes on while a picture is drawn."""
    drawn = Drawn(0.3)
    async with only_pictures(drawn, [BLOCK]) as asking:
        answer = asyncio.create_task(asking.get(PICTURE))
        turns = 0
        while not answer.done():
            turns += 1
            await asyncio.sleep(0.01)
    assert turns > 5


async def test_an_id_of_no_time_hides_no_evidence() -> None:
    """The attack: an agent gives a measurement an id of a year that no calendar has."""
    store = MemoryStore()
    await store.open()
    known = seed.events()
    for cycle in seed.cycles():
        verdicts = [
            replace(one, measurement="ffffffff-ffff-7fff-bfff-ffffffffffff")
            for one in cycle.verdicts
        ]
        await store.save(replace(cycle, verdicts=tuple(verdicts)), known)
    found = await EvidenceReader(store).event(seed.EVENT)
    assert found is not None
    assert any(one.endpoints for one in (await EvidenceReader(store).of(found, seed.NOW)).networks)


async def test_reviews_of_what_an_event_continues_count(store: MemoryStore) -> None:
    """The reader of evidence gives the picture the same ones as the page."""
    await store.add_review(review(Mark.REJECTED))
    reader = EvidenceReader(store)
    found = await reader.event(seed.EVENT)
    assert found is not None
    on_page = (await reader.of(found, seed.NOW)).reviews
    assert tuple(await reader.reviews(found)) == on_page
    assert on_page
