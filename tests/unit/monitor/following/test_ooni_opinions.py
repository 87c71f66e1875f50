"""What OONI's own programs make of its tests: beside events, and never evidence."""

from datetime import timedelta

import msgspec
import pytest

from monitor.analysis.events.event import Event
from monitor.sources.scripted_ooni import Reply, changepoint, score
from monitor.sources.witnesses import second_witnesses
from monitor.wording.languages import ENGLISH
from monitor.wording.sources import witness_lines
from monitor.wording.words import words_in
from storage.values.sourced import SourceState
from tests.prometheus import world as shown
from tests.unit.monitor.following.test_follow_ooni import BEGUN, HOUR, MINUTE, World

LISTS = 4
"""Questions of the first poll: two weeks, in two parts."""


async def _block(world: World) -> Event:
    """Our own vantages find X blocked in Pakistan."""
    made = msgspec.structs.replace(
        shown.event(at=BEGUN), onset_earliest=BEGUN - MINUTE, onset_latest=BEGUN
    )
    cycle = shown.cycle(shown.FIELD[0], (), at=BEGUN, measurements=())
    await world.store.save(cycle, [made])
    return made


async def _said(world: World, event: Event) -> list[str]:
    found = await second_witnesses(world.store, event, world.clock)
    return [
        line
        for one in found
        for line in witness_lines(words_in(ENGLISH), one, event)
        if line.startswith("OONI's")
    ]


async def _aside(world: World) -> SourceState:
    return (await world.store.source_states())["ooni opinions"]


def _asked(world: World, path: str) -> list[str]:
    return [one for one in world.ooni.asked if path in one]


async def test_what_the_detector_notices_stands_beside_the_event(world: World) -> None:
    """Of its country, platform and time; each once, however often it is read."""
    event = await _block(world)
    noticed = BEGUN + 10 * HOUR
    world.ooni.changepoints += [
        changepoint(noticed, "x.com"),
        changepoint(noticed, "twitter.com", asn=9541, layer="dns_isp"),
        changepoint(noticed, "www.facebook.com"),
        changepoint(noticed, "x.com", country="IN"),
        changepoint(noticed, "example.com"),
        changepoint(BEGUN - timedelta(days=3), "x.com"),
    ]
    world.clock = BEGUN + 11 * HOUR
    for _ in range(20):
        await world.round(10 * MINUTE)
    when = "noticed 01:00 UTC on 18 Feb 2024 (06:00 in Karachi)"
    begins = "OONI's detector, from the same tests: blocking begins on"
    assert await _said(world, event) == [
        f"{begins} PTCL (AS17557) (TLS), {when}",
        f"{begins} AS9541 (DNS ISP), {when}",
    ]
    questions = _asked(world, "changepoints")
    assert 3 <= len(questions) <= 5, "asked once an hour, for all countries together"
    assert not any("probe_cc" in one for one in questions)


async def test_the_analysis_is_asked_only_about_what_is_suspected(world: World) -> None:
    """Once an hour for each platform; the newest score of a day counts."""
    world.ooni.scores += [
        score(BEGUN + HOUR, "x.com"),
        score(BEGUN + HOUR, "x.com", asn=9541, blocked=0.2, count=1),
        score(BEGUN + HOUR, "x.com", country="IN"),
    ]
    world.clock = BEGUN
    await world.round(10 * MINUTE)
    assert _asked(world, "aggregation/analysis") == []
    event = await _block(world)
    world.clock = BEGUN + 2 * HOUR
    for _ in range(13):
        await world.round(10 * MINUTE)
    assert [line.partition(", ")[0] for line in await _said(world, event)] == [
        (
            "OONI's analysis scores 40 tests on PTCL (AS17557) as blocked with 0.75 "
            "(tls.connection_reset)"
        ),
        "OONI's analysis scores 1 test on AS9541 as blocked with 0",
    ]
    questions = _asked(world, "aggregation/analysis")
    assert len(questions) == 3
    assert all("domain=x.com" in one for one in questions)


async def test_neither_is_a_witness_more(world: World) -> None:
    """OONI without a test stays silent, whatever its programs say."""
    event = await _block(world)
    world.ooni.changepoints.append(changepoint(BEGUN + HOUR, "x.com"))
    world.clock = BEGUN + 2 * HOUR
    await world.round(10 * MINUTE)
    (witness,) = await second_witnesses(world.store, event, world.clock)
    assert (witness.position, len(await _said(world, event))) == ("silent", 1)


@pytest.mark.parametrize(
    "failure",
    [
        Reply(500, b"down"),
        Reply(200, b'{"msg": "no", "v": 0}'),
        Reply(422, b'{"detail": []}'),
        Reply(200, b"<html>"),
    ],
)
async def test_what_fails_of_them_delays_no_list(world: World, failure: Reply) -> None:
    """They wait by themselves; the rows go on, and the source counts as read."""
    event = await _block(world)
    world.tests("https://x.com/", 17557, BEGUN, BEGUN + 6 * HOUR)
    world.ooni.changepoints.append(changepoint(BEGUN + HOUR, "x.com"))
    world.clock = BEGUN + 2 * HOUR
    empty = Reply(200, b'{"results": [], "metadata": {"next_url": null}}')
    world.ooni.failing.extend([empty] * LISTS + [failure])
    await world.round(10 * MINUTE)
    assert ((await world.state()).problem, (await _aside(world)).problem != "") == ("", True)
    assert (await world.state()).answered_at == world.clock
    for _ in range(8):
        await world.round(10 * MINUTE)
    assert (await _aside(world)).problem == ""
    assert len(await _said(world, event)) == 1
    assert await world.rows()


async def test_an_empty_quota_is_the_whole_source_s(world: World) -> None:
    """Whichever question meets it, nothing is asked until OONI may have some again."""
    await _block(world)
    world.clock = BEGUN + 2 * HOUR
    empty = Reply(200, b'{"results": [], "metadata": {"next_url": null}}')
    limited = Reply(429, b'{"error": "quota exceeded"}')
    world.ooni.failing.extend([empty] * LISTS + [limited])
    await world.round(10 * MINUTE)
    state = await world.state()
    assert (state.problem, state.wait) == ("limited", 300.0)
    asked = len(world.ooni.asked)
    await world.round(4 * MINUTE)
    assert len(world.ooni.asked) == asked


async def test_an_entry_that_cannot_be_read_loses_no_other(world: World) -> None:
    """It is counted."""
    event = await _block(world)
    broken = {**changepoint(BEGUN + HOUR, "x.com"), "probe_asn": "many"}
    unsure = {**changepoint(BEGUN + HOUR, "x.com"), "change_dir": None}
    world.ooni.changepoints += [broken, unsure, changepoint(BEGUN + HOUR, "x.com")]
    world.clock = BEGUN + 2 * HOUR
    await world.round(10 * MINUTE)
    assert (len(await _said(world, event)), (await _aside(world)).malformed) == (1, 1)


async def test_an_entry_beyond_all_calendars_cannot_be_read(world: World) -> None:
    """It is counted like any other, and none is dated by it."""
    results = [
        changepoint(BEGUN, "x.com") | {"start_time": text}
        for text in ("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00")
    ]
    empty = Reply(200, b'{"results": [], "metadata": {"next_url": null}}')
    answer = Reply(200, msgspec.json.encode({"results": results}))
    world.ooni.failing.extend([empty] * LISTS + [answer])
    await world.round(10 * MINUTE)
    aside = await _aside(world)
    assert (aside.problem, aside.malformed, aside.opinions) == ("", 2, ())


async def test_a_link_s_tests_have_no_opinions(world: World) -> None:
    """Neither program can be asked about the tests of one OONI Run link alone."""
    world.source = msgspec.structs.replace(world.source, run_link="10042")
    await _block(world)
    await world.round(10 * MINUTE)
    assert len(world.ooni.asked) == LISTS
