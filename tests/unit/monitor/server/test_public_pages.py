"""What a public page says of time: whole minutes, and of measurements nothing before their time."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import EventState
from monitor.config.settings import ServerSettings
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from storage.store import Store
from tests.browser import seed
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore


async def page(
    publisher: Publisher, path: str, store: Store | None = None, *, public: bool = True
) -> str:
    """What anybody is shown, or an operator."""
    access = Access(ServerSettings(public=public))
    app = create_app(publisher, create_registry(publisher), access=access, store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    return answer.text


def shown(seconds: float) -> Publisher:
    """A block whose bounds lie so many seconds after whole minutes."""
    made = world.publisher()
    later = timedelta(seconds=seconds)
    event = world.event(at=made.now())
    event = replace(
        event,
        onset_earliest=(event.onset_earliest or event.onset_latest) + later,
        onset_latest=event.onset_latest + later,
        detected_at=event.detected_at + later,
        updated_at=event.updated_at - timedelta(seconds=60) + later,
    )
    made.publish(world.cycle(world.FIELD[0]), [event])
    return made


@pytest.mark.parametrize("path", ["/", "/events", "/events/PK-x", "/countries/PK"])
async def test_no_page_tells_moments_within_a_minute_apart(path: str) -> None:
    """The attack: read the second of an onset off the bars of the timeline, which were drawn to a
    hundredth of a percent."""
    first, second = [await page(shown(seconds), path) for seconds in (7.123456, 51.7)]
    assert first == second
    if path == "/events/PK-x":
        operators = [await page(shown(seconds), path, public=False) for seconds in (7.123456, 51.7)]
        assert operators[0] != operators[1], "this test would see it"


async def test_evidence_is_public_after_a_while() -> None:
    """Until then the page says from when on, and operators see it at once."""
    store = MemoryStore()
    await store.open()
    await seed.fill(store)
    path = f"/events/{seed.EVENT}"
    early, late = seed.ONSET + timedelta(minutes=62), seed.ONSET + timedelta(minutes=64)
    text = await page(seed.publisher(early), path, store)
    assert "These tests are public from" in text
    assert seed.URL not in text
    assert seed.URL in await page(seed.publisher(early), path, store, public=False)
    text = await page(seed.publisher(late), path, store)
    assert "These tests are public from" not in text
    assert seed.URL in text
    await store.close()


async def test_an_event_leaves_the_list_at_the_end_of_a_bucket() -> None:
    """The attack: ask every second for the events of the last seven days. When one is gone, it had
    ended seven days before, to the second."""
    now = world.NOW + timedelta(minutes=4)
    end = now - timedelta(days=7, seconds=100)
    active = world.event(at=end)
    ended = replace(active, state=EventState.ENDED, end_latest=end, end_earliest=end)
    store = MemoryStore()
    await store.open()
    await store.save(world.cycle(world.FIELD[0]), [replace(ended, updated_at=end)])
    made = world.publisher(now=lambda: now)
    asked = "/events?days=7"
    link = f'href="events/{ended.id}"'
    assert link in await page(made, asked, store)
    assert link not in await page(made, asked, store, public=False)
    await store.close()
