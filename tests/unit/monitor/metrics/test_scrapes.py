"""Scrapes put together from fragments: the same text as the library's, for less."""

import sys
import time
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State
from monitor.budget.budget import Effort
from monitor.metrics import scrapes
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import Scrapes
from tests.prometheus import world
from tests.prometheus.world import CONTROL, FIELD, NOW, TLS_RESET, Clock

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
FORMATS = ("text/plain", OPENMETRICS)
QUOTED = world.vantage("quoted", "PK", 64512, 'The "best"\\ net\nof all, 100 %s\u2028')


def fleet(number: int, clock: Clock | None = None) -> Publisher:
    """That many vantages in five countries, where all is blocked."""
    fields = [
        world.vantage(f"v{n}", chr(65 + n % 5) * 2, 64500 + n, f"Net {n}") for n in range(number)
    ]
    publisher = world.publisher(vantages=fields, now=clock or Clock())
    for point in fields:
        report(publisher, point.id)
    return publisher


def report(publisher: Publisher, vantage: str) -> None:
    """One more cycle of it."""
    point = next(v.point for v in publisher.snapshot.vantages if v.point.id == vantage)
    accusations = dict.fromkeys(world.TITLES, TLS_RESET)
    transfers = tuple(world.transfer(point, platform, 0.1) for platform in world.TITLES)
    publisher.publish(
        world.cycle(point, accusations=accusations, transfers=transfers, at=publisher.now()), []
    )


@pytest.mark.parametrize("accept", FORMATS)
def test_a_scrape_is_what_the_library_writes_whatever_happens(accept: str) -> None:
    """Through a story that changes everything a sample can depend on, each scrape equals that of a
    registry without fragments, byte for byte: cycles, time until verdicts and health are stale, the
    end of the day, a clock set back, marks, other vantages and platforms, the lead lost and won."""
    clock = Clock()
    publisher = world.publisher(vantages=(*FIELD, *CONTROL, QUOTED), now=clock)
    registry = Scrapes(publisher)
    encode, content_type = choose_encoder(accept)
    seen = []

    def same() -> None:
        text, shown_as = registry.scrape(accept)
        assert text.decode() == encode(registry).decode()
        assert shown_as == content_type
        seen.append(text)
        assert registry.scrape(accept)[0] == text

    same()
    publisher.cycle_taken(FIELD[0].id, Effort.WHOLE, 12345)
    transfer = world.transfer(FIELD[0], "x", 0.1)
    blocked = world.cycle(FIELD[0], accusations={"x": TLS_RESET}, transfers=(transfer,))
    publisher.publish(blocked, [world.event()])
    same()
    publisher.publish(world.cycle(FIELD[1], accusations={"x": (State.DEGRADED, "tls", "")}), [])
    publisher.publish(world.cycle(QUOTED), [world.event()])
    same()
    for seconds in (1, 598, 2, 600, 86400):
        clock.advance(seconds)
        same()
    clock.at = NOW
    same()
    clock.at = datetime.combine(NOW.date(), datetime.max.time(), UTC)
    publisher.cycle_taken(FIELD[1].id, Effort.MODEST, 999)
    same()
    clock.advance(0.000001)
    same()
    publisher.mark_outliers("PK", {FIELD[2].id: 3}, lambda id_: id_ == FIELD[2].id)
    publisher.show_ended([msgspec.structs.replace(world.event(), state=EventState.ENDED)])
    same()
    publisher.lead(leading=False)
    same()
    publisher.lead(leading=True)
    same()
    publisher.watch(FIELD[1:], [])
    same()
    assert len(set(seen)) > 12


def test_a_removed_vantage_leaves_no_line() -> None:
    """Fragments are those of the vantages that are configured now."""
    publisher = fleet(3)
    registry = Scrapes(publisher)
    assert b'"v1"' in registry.scrape("")[0]
    publisher.watch([v.point for v in publisher.snapshot.vantages if v.point.id != "v1"], [])
    assert b'"v1"' not in registry.scrape("")[0]


def test_only_what_changed_is_written_again() -> None:
    """After a cycle of one of forty vantages, the lines of that one are written; none at all where
    no cycle came. Before, every line was."""
    publisher = fleet(40)
    registry = Scrapes(publisher)
    written = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal written
        if event == "call" and frame.f_code is scrapes._filled.__code__:
            written += frame.f_locals["own"] != ()

    def scraped() -> int:
        nonlocal written
        written = 0
        sys.setprofile(count)
        try:
            registry.scrape(OPENMETRICS)
        finally:
            sys.setprofile(None)
        return written

    every = scraped()
    assert every >= 40 * 100
    assert scraped() == 0
    report(publisher, "v7")
    assert scraped() == every / 40
    registry.scrape("text/plain")
    assert scraped() == 0


def test_the_library_writes_no_line_twice() -> None:
    """The first scrape of a vantage uses the forms of all others. Before, it wrote each line."""
    Scrapes(fleet(5)).scrape("")
    made = scrapes._form_of_vantage.cache_info().misses
    Scrapes(fleet(60)).scrape("")
    assert scrapes._form_of_vantage.cache_info().misses == made


def test_twenty_vantages_cost_half_of_what_the_library_takes() -> None:
    """A scrape of twenty vantages and ten platforms, all of which reported since the last one: in
    CPU time at most half of `generate_latest` of the same registry, lowest of five each. It was
    0.55 of it."""
    publisher = fleet(20)
    registry = Scrapes(publisher)
    registry.scrape("")
    ours, theirs = [], []
    for _ in range(5):
        for number in range(20):
            report(publisher, f"v{number}")
        ours.append(_seconds(registry, fragments=True))
        theirs.append(_seconds(registry, fragments=False))
    assert min(ours) <= 0.5 * min(theirs)


def _seconds(registry: Scrapes, *, fragments: bool) -> float:
    begun = time.process_time()
    if fragments:
        registry.scrape("")
    else:
        generate_latest(registry)
    return time.process_time() - begun


def test_other_collectors_are_written_too() -> None:
    """What else is in the registry comes last, in the same text."""
    other = CollectorRegistry()
    assert Scrapes(fleet(1), (other,)).scrape(OPENMETRICS)[0].endswith(b"# EOF\n")
    made = scrapes.create_registry(fleet(1))
    text = made.scrape("text/plain")[0]
    assert b"process_resident_memory_bytes" in text
    assert text.count(b"# HELP shutwatch_platform_state ") == 1


def test_a_view_says_how_long_it_holds() -> None:
    """Until the first of its results is stale, or the day ends."""
    clock = Clock()
    publisher = fleet(1, clock)
    view = publisher.snapshot.vantages[0]
    stale_at = NOW + timedelta(seconds=view.stale_after)
    assert view.holds_until(NOW) == stale_at
    assert view.platforms_at(stale_at)
    assert not view.platforms_at(stale_at + timedelta(microseconds=1))
    day_ends = datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert view.holds_until(stale_at + timedelta(seconds=1)) == day_ends
