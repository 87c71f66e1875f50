"""What others measure, as pages show it: apart from our own results, and beside our own events."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.config.load import default_settings
from monitor.config.settings import Settings, SourceSettings
from monitor.following.shown_sources import show_sources
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.sources.terms import SourceKind
from storage.values.sourced import (
    OutsideLevel,
    OutsideSignal,
    SourcedEvent,
    SourcedRow,
    SourceState,
)
from tests.browser import seed
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

CREDIT = "Data: OONI (ooni.org), CC BY-NC-SA 4.0"


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """Pakistan blocks X, and OONI is followed."""
    filled = MemoryStore()
    await filled.open()
    await seed.fill(filled)
    yield filled
    await filled.close()


def _settings() -> Settings:
    source = SourceSettings(kind=SourceKind.OONI, countries=("PK",), platforms=("x",))
    return msgspec.structs.replace(default_settings(), sources=(source,))


async def _rows(store: MemoryStore, state: SourceState, *failed: float, asn: int = 17557) -> None:
    rows = [
        SourcedRow(
            country="PK",
            source="ooni",
            uid=f"{asn}-{number}",
            measured_at=seed.ONSET + timedelta(minutes=5 + number),
            received_at=seed.NOW,
            asn=asn,
            platform="x",
            test="web_connectivity",
            failed=one,
            licence="CC BY-NC-SA 4.0",
        )
        for number, one in enumerate(failed)
    ]
    await store.add_sourced(rows, "ooni", state)


async def _page(
    store: MemoryStore,
    path: str,
    publisher: Publisher | None = None,
    settings: Settings | None = None,
) -> str:
    shown = publisher or seed.publisher()
    await show_sources(store, shown, lambda: settings or _settings(), now=lambda: seed.NOW)
    app = create_app(shown, create_registry(shown), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as asking:
        response = await asking.get(path)
    assert response.status_code == 200
    return response.text


def _event() -> Event:
    return msgspec.structs.replace(
        world.event(at=seed.NOW), kind=EventKind.SEEN_BY_VOLUNTEERS, id="seen"
    )


async def test_a_country_without_a_test_is_not_seen(store: MemoryStore) -> None:
    """No rows are never good news, whether the source answers or not."""
    await store.add_sourced((), "ooni", SourceState(answered_at=seed.NOW))
    text = await _page(store, "/sources")
    assert "not seen" in text
    assert "Read regularly" in text
    assert CREDIT in text


async def test_a_source_that_fails_says_so(store: MemoryStore) -> None:
    """For people, and for Prometheus."""
    await _rows(store, SourceState(problem="limited", answered_at=seed.NOW), 1.0)
    publisher = seed.publisher()
    text = await _page(store, "/sources", publisher)
    assert "its quota is used up" in text
    assert "1 of 1 test failed, 1 network" in text
    scrape, _ = create_registry(publisher).scrape("")
    assert b'shutwatch_source_up{source="ooni"} 0.0' in scrape


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (SourceState(), "Being read for the first time"),
        (
            SourceState(problem="limited", answered_at=seed.NOW - timedelta(days=7)),
            "Not read at the moment: its quota is used up",
        ),
        (SourceState(answered_at=seed.NOW - timedelta(days=7)), "Not read as a whole lately"),
    ],
)
async def test_no_event_of_a_source_that_is_not_read_says_so(
    store: MemoryStore, state: SourceState, why: str
) -> None:
    """The front page does not let it pass for what volunteers find."""
    await store.add_sourced((), "ooni", state)
    front = await _page(store, "/")
    assert front.index("Seen by volunteers") < front.index(why) < front.index("No event. Few")
    await store.add_sourced((), "ooni", SourceState(answered_at=seed.NOW))
    assert "Read regularly" not in await _page(store, "/")


_FAILING = SourceState(problem="malformed")
_STALE = SourceState(problem="unreachable", answered_at=seed.NOW - timedelta(days=7))
_READ = SourceState(answered_at=seed.NOW)
_OUTAGE = OutsideSignal(
    country="PK", datasource="bgp", began_at=seed.NOW - timedelta(days=8), drop=0.6
)


@pytest.mark.parametrize(
    ("state", "signals", "said", "unsaid"),
    [
        (_READ, (), "No outage was seen in this time.", "still so"),
        (_FAILING, (), "its answers cannot be read", "No outage was seen"),
        (_STALE, (), "it cannot be reached", "No outage was seen"),
        (_READ, (_OUTAGE,), "still so", "not known"),
        (_STALE, (_OUTAGE,), "– not known", "still so"),
    ],
)
async def test_ioda_says_nothing_of_a_time_in_which_nobody_read_it(
    store: MemoryStore,
    state: SourceState,
    signals: tuple[OutsideSignal, ...],
    said: str,
    unsaid: str,
) -> None:
    """Neither that there was no outage, nor that one lasts."""
    await store.add_sourced((), "ioda", msgspec.structs.replace(state, signals=signals))
    source = SourceSettings(kind=SourceKind.IODA, countries=("PK",))
    settings = msgspec.structs.replace(default_settings(), sources=(source,))
    text = await _page(store, "/sources", settings=settings)
    assert said in text
    assert unsaid not in text


async def test_events_of_volunteers_are_shown_apart(store: MemoryStore) -> None:
    """Labelled, with credit, under a heading of their own; never among our own events."""
    await store.add_sourced((), "ooni", SourceState(answered_at=seed.NOW))
    event = _event()
    await store.save_sourced_events(
        [
            SourcedEvent(
                country="PK",
                source="ooni",
                id=event.id,
                platform="x",
                active=True,
                first_seen_at=seed.NOW,
                event=event,
            )
        ]
    )
    front = await _page(store, "/")
    claim = 'Volunteers find <bdi dir="auto">X</bdi> blocked in Pakistan'
    assert claim in front
    assert front.index("Seen by volunteers") < front.index(claim)
    assert CREDIT in front
    own = await _page(store, "/sources")
    assert "Our own vantage points find it blocked too." in own
    assert "Volunteers find" not in await _page(store, "/events")


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        ((1.0, 1.0, 0.0), "OONI agrees: 2 of 3 tests failed, 1 network"),
        ((0.0, 0.0, 0.0), "OONI differs: 0 of 3 tests failed, 1 network"),
        ((1.0,), "OONI is silent: 1 of 1 test failed, 1 network"),
        ((), "OONI is silent: not seen"),
    ],
)
async def test_an_event_of_our_own_has_a_second_witness(
    store: MemoryStore, failed: tuple[float, ...], said: str
) -> None:
    """What volunteers measured while it lasted, in all and on each affected network."""
    await _rows(store, SourceState(answered_at=seed.NOW), *failed)
    text = await _page(store, f"/events/{seed.EVENT}")
    assert said in text
    assert "not seen" in text  # other affected networks have no test
    assert CREDIT in text
    assert "It never confirms, changes or ends the event" in text


async def test_a_shutdown_has_what_is_seen_from_outside(store: MemoryStore) -> None:
    """Though nobody tests a platform in one: how much is lost, by IODA's signals."""
    cut = msgspec.structs.replace(
        world.event(at=seed.NOW - timedelta(hours=1)),
        id="cut",
        kind=EventKind.SHUTDOWN,
        platform="",
    )
    made = world.cycle(world.FIELD[0], (), at=seed.NOW, measurements=())
    await store.save(msgspec.structs.replace(made, id="cut"), [cut])
    levels = tuple(
        OutsideLevel(event=cut.id, country=cut.country, datasource=name, until=seed.NOW, lost=lost)
        for name, lost in (("bgp", 0.6), ("ping-slash24", 0.8))
    )
    read = SourceState(asked=cut.country, answered_at=seed.NOW)
    await store.add_sourced((), "ioda", read)
    await store.add_sourced((), "ioda signals", SourceState(levels=levels))
    text = await _page(store, f"/events/{cut.id}")
    assert "IODA agrees: routes (BGP) -60%, active probing -80%" in text


async def test_a_monitor_without_vantages_is_ready_once_its_source_is_read() -> None:
    """It watches by sources alone."""
    empty = MemoryStore()
    await empty.open()
    publisher = Publisher((), default_settings().catalog, lambda: seed.NOW)
    await show_sources(empty, publisher, _settings, now=lambda: seed.NOW)
    assert publisher.ready()[0] is False
    await empty.add_sourced((), "ooni", SourceState(answered_at=seed.NOW))
    await show_sources(empty, publisher, _settings, now=lambda: seed.NOW)
    assert publisher.ready() == (True, "ready")
    await empty.close()


def _witness(publisher: Publisher) -> tuple[dict[str, str], list[float]]:
    """The words about the one witness of X, and its numbers: tests, those that failed, networks."""
    registry = create_registry(publisher)
    (words,) = (
        sample.labels
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "shutwatch_second_witness_info" and sample.labels["platform"] == "x"
    )
    of = {name: words[name] for name in ("event", "source")}
    names = ("tests", "failed_tests", "networks")
    found = [registry.get_sample_value(f"shutwatch_second_witness_{name}", of) for name in names]
    assert None not in found
    return words, [number for number in found if number is not None]


async def test_a_second_witness_is_read_again_once_something_came(store: MemoryStore) -> None:
    """Not before: during a block of months it costs much."""
    publisher = seed.publisher()
    await _rows(store, SourceState(answered_at=seed.NOW, rows=2), 1.0, 1.0)
    await _page(store, "/sources", publisher)
    known = publisher.snapshot.witnesses
    await _page(store, "/sources", publisher)
    assert publisher.snapshot.witnesses is known
    await _rows(store, SourceState(answered_at=seed.NOW, rows=5), 1.0, 1.0, 1.0, asn=9541)
    await _page(store, "/sources", publisher)
    words, numbers = _witness(publisher)
    assert words["meaning"] == "OONI agrees"
    assert numbers == [5, 5, 2]


async def test_the_metric_of_a_second_witness_says_what_the_page_says(store: MemoryStore) -> None:
    """Of an active event, for alerts; without a source there is none."""
    publisher = seed.publisher()
    await _rows(store, SourceState(answered_at=seed.NOW), 1.0, 1.0, 0.0)
    await _page(store, "/sources", publisher)
    words, numbers = _witness(publisher)
    assert (words["source"], words["position"], words["meaning"], words["credit"]) == (
        "ooni",
        "agrees",
        "OONI agrees",
        CREDIT,
    )
    assert numbers == [3, 2, 1]


async def test_the_page_is_in_the_navigation_once_there_is_a_source(store: MemoryStore) -> None:
    """Of every page, also of its own; whoever follows nobody has no such link."""
    plain = seed.publisher()
    app = create_app(plain, create_registry(plain), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as asking:
        assert "What others measure" not in (await asking.get("/events")).text
    assert '<a href="sources">What others measure</a>' in await _page(store, "/events")
    own = await _page(store, "/sources")
    assert '<a href="sources" aria-current="page">What others measure</a>' in own


async def test_probes_that_are_asked_are_explained_as_what_they_are(store: MemoryStore) -> None:
    """Lines of other people, and only once something is suspected; with the credit."""
    asked = SourceSettings(kind=SourceKind.GLOBALPING, countries=("PK",), platforms=("x",))
    settings = msgspec.structs.replace(default_settings(), sources=(asked,))
    await store.add_sourced((), "globalping", SourceState(asked="PK", answered_at=seed.NOW))
    publisher = seed.publisher()
    await show_sources(store, publisher, lambda: settings, now=lambda: seed.NOW)
    app = create_app(publisher, create_registry(publisher), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as asking:
        text = (await asking.get("/sources")).text
    assert "Probes on the lines of other people test a platform only once it is suspected" in text
    assert "measured with Globalping (globalping.io)" in text
    assert "not seen" in text


async def test_what_volunteers_saw_is_not_said_to_last_once_it_is_over(store: MemoryStore) -> None:
    """The page of sources said since when, and nothing of the end."""
    ended = msgspec.structs.replace(
        _event(),
        state=EventState.ENDED,
        end_earliest=seed.NOW,
        end_latest=seed.NOW + timedelta(minutes=5),
    )
    await _rows(store, SourceState(answered_at=seed.NOW), 1.0)
    await store.save_sourced_events(
        [
            SourcedEvent(
                country="PK",
                source="ooni",
                id=ended.id,
                platform="x",
                active=False,
                first_seen_at=seed.NOW,
                event=ended,
            )
        ]
    )
    text = await _page(store, "/sources")
    shown = text.partition("Volunteers found ")[2].partition("</li>")[0]
    assert "since" not in shown
    assert "Began " in shown
    assert "Ended " in shown


async def test_a_source_that_nobody_read_has_no_number(store: MemoryStore) -> None:
    """No test and no reading are not the same: the alert said that it was not read, and that it
    had seen nothing."""
    publisher = seed.publisher()
    await _rows(store, SourceState(answered_at=seed.NOW - timedelta(days=7)))
    await _page(store, "/sources", publisher)
    registry = create_registry(publisher)
    scrape, _ = registry.scrape("")
    assert b'position="not_read"' in scrape
    of = {"event": seed.EVENT, "source": "ooni"}
    for name in ("tests", "failed_tests", "networks"):
        assert registry.get_sample_value(f"shutwatch_second_witness_{name}", of) is None
