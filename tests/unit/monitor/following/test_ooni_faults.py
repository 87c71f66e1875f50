"""OONI followed while its archive is late, single measurements fail, or it was away for days."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.config.load import default_settings
from monitor.following.source_jobs import SourceJob
from monitor.sources.scripted_ooni import ScriptedOoni, hourly, volunteer
from probes.sockets.http_client import httpx
from storage.values.sourced import SourceState
from tests.unit.monitor.following.test_follow_ooni import BEGUN, HOUR, MINUTE, NEW, OLD, World, X

DAY = timedelta(days=1)
POLL = 10 * MINUTE
NETWORKS = (17557, 9541, 45669)
Answer = Callable[[httpx.Request], httpx.Response | None]


async def _answer(world: World, answer: Answer) -> None:
    """Another process goes on; `answer` replaces what the server says, unless it is None."""
    if world.job is not None:
        await world.job.close()
    world.job = SourceJob(
        world.source,
        default_settings(),
        world.store,
        now=lambda: world.clock,
        transport=httpx.MockTransport(
            lambda request: answer(request) or world.ooni.handle(request)
        ),
    )
    await world.job.begin()


def _block(
    world: World,
    late: timedelta,
    step: timedelta = HOUR,
    *,
    end: timedelta = 12 * HOUR,
    **made: str,
) -> None:
    """X begins to fail on all networks; the archive has each failing measurement so late."""
    for number, asn in enumerate(NETWORKS):
        for at in hourly(BEGUN - 4 * DAY + asn % 50 * MINUTE, BEGUN, 4 * HOUR):
            world.ooni.add(volunteer(at, X, asn=asn, version=OLD))
        for at in hourly(BEGUN + number * MINUTE, BEGUN + end, step):
            upload = volunteer(at, X, asn=asn, blocked=True, **made)  # type: ignore[arg-type]
            world.ooni.add(msgspec.structs.replace(upload, stored_at=at + late))
    world.clock = BEGUN


async def _seen(world: World, until: timedelta, step: timedelta = POLL) -> list[EventState]:
    """The states that events have in all polls until then."""
    found = []
    while world.clock < BEGUN + until:
        await world.round(step)
        found += [one.state for one in await world.events()]
    return found


async def _seen_long(world: World, until: timedelta) -> list[EventState]:
    """The same, by polls that are close together only while tests may wait for the first time."""
    return await _seen(world, 6 * HOUR) + await _seen(world, until, HOUR)


def _asked_whole(world: World, uid: str = "") -> int:
    return sum(f"raw_measurement?measurement_uid={uid}" in one for one in world.ooni.asked)


# -- an archive that is late -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "made"), [(HOUR, {"network_type": "vpn"}), (HOUR / 2, {"version": NEW})]
)
async def test_archive_is_an_hour_late(world: World, step: timedelta, made: dict[str, str]) -> None:
    """Volunteers in a VPN, or with a version that fails: no event, not even for a moment."""
    _block(world, 70 * MINUTE, step, **made)  # type: ignore[arg-type]
    assert await _seen_long(world, 14 * HOUR) == []


async def test_a_block_is_reported_though_the_archive_is_late(world: World) -> None:
    """One that the archive shows an hour later, and whose newest tests it never has yet."""
    _block(world, 70 * MINUTE, HOUR / 2)
    await world.until_told()
    assert set(await _seen_long(world, 12 * HOUR)) == {EventState.CONFIRMED}
    assert {row.left_out for row in await world.rows()} == {""}


async def test_a_suspicion_is_not_withdrawn_while_its_tests_wait(world: World) -> None:
    """The quota had no room for whole measurements when it was reported; once there is, the archive
    does not have them yet."""
    _block(world, 90 * DAY, end=timedelta(0))
    for minutes, asn in ((0, 0), (20, 0), (40, 0), (60, 0), (80, 1), (100, 2)):
        at = BEGUN + minutes * MINUTE
        late = BEGUN + 105 * MINUTE - at if minutes >= 60 else 2 * MINUTE
        upload = volunteer(at, X, asn=NETWORKS[asn], blocked=True, version=OLD, late=late)
        stored = at + (90 * DAY if minutes >= 60 else HOUR / 6)
        world.ooni.add(msgspec.structs.replace(upload, stored_at=stored))
    empty = False

    def answer(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(429) if empty and "raw_measurement" in request.url.path else None

    await _answer(world, answer)
    assert await _seen(world, 100 * MINUTE) == []
    empty = True
    assert set(await _seen(world, 2 * HOUR)) == {EventState.SUSPECTED}
    empty = False
    assert set(await _seen(world, 4 * HOUR)) == {EventState.SUSPECTED}
    assert {row.left_out for row in await world.rows()} == {""}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_block_is_reported_though_the_archive_stands_still(
    world: World, restarted: bool
) -> None:
    """Within three hours, as OONI's opinion has it."""
    _block(world, 90 * DAY, end=30 * HOUR)
    assert await _seen(world, HOUR) == []
    if restarted:
        await world.restart()
    assert await _seen(world, 3 * HOUR) != []
    assert set(await _seen(world, 7 * HOUR, HOUR / 2)) == {EventState.CONFIRMED}
    assert len([row for row in await world.rows() if row.left_out]) < 6 * len(NETWORKS)


async def test_what_waits_counts_after_days_away(world: World) -> None:
    """A process that stopped while tests waited: they count once it is back."""
    _block(world, 90 * DAY, end=2 * HOUR)
    await _seen(world, 2 * HOUR)
    assert [row for row in await world.rows() if row.left_out]
    world.clock += 5 * DAY
    await world.restart()
    await world.round()
    assert [row.left_out for row in await world.rows() if row.failed] == [""] * 6


async def test_a_measurement_that_the_archive_lacks_is_asked_for_ever_more_seldom(
    world: World,
) -> None:
    """For three days, also by another process, within a small part of the quota."""
    upload = volunteer(BEGUN, X, blocked=True)
    world.ooni.add(msgspec.structs.replace(upload, stored_at=BEGUN + 90 * DAY))
    asked = []
    for until, step in ((HOUR, POLL), (6 * HOUR, POLL), (DAY, HOUR), (4 * DAY, 3 * HOUR)):
        await _seen(world, until, step)
        asked.append(_asked_whole(world, upload.listed["measurement_uid"]))
        await world.restart()
    assert asked[0] in (3, 4)
    assert asked[-1] <= 24
    assert sorted(set(asked)) == asked
    assert [row.judged for row in await world.rows()] == ["unavailable"]


async def test_a_measurement_is_judged_after_two_days(world: World) -> None:
    """The archive caught up."""
    upload = volunteer(BEGUN, X, blocked=True)
    world.ooni.add(msgspec.structs.replace(upload, stored_at=BEGUN + 2 * DAY))
    await _seen(world, 3 * DAY, 3 * HOUR)
    assert [row.judged for row in await world.rows()] == ["blocked"]


# -- a whole measurement that fails ----------------------------------------------------------------


def _broken(what: str) -> httpx.Response:
    if what == "timeout":
        raise httpx.ReadTimeout("slow")
    if what == "big":
        return httpx.Response(200, content=bytes(33 << 20))
    return httpx.Response(int(what), content=b"{}")


@pytest.mark.parametrize("what", ["502", "404", "big", "timeout"])
async def test_one_measurement_that_fails_stops_no_other(world: World, what: str) -> None:
    """Anybody can upload it. OONI's opinion of it stays, the source shows no problem."""
    world.tests(X, 17557, BEGUN - DAY, BEGUN + DAY, (BEGUN, BEGUN + 8 * HOUR))
    failing = [one.listed for one in world.ooni.uploads if one.listed["anomaly"]]
    bad = failing[-1]["measurement_uid"]
    world.clock = BEGUN

    def answer(request: httpx.Request) -> httpx.Response | None:
        asked = request.url.params.get("measurement_uid")
        return _broken(what) if asked == bad else None

    await _answer(world, answer)
    while world.clock < BEGUN + 4 * DAY:
        await world.round(HOUR if world.clock < BEGUN + DAY / 2 else 6 * HOUR)
        state = await world.state()
        assert (state.problem, state.answered_at) == ("", world.clock)
    judged = [row.judged for row in await world.rows() if row.failed]
    assert sorted(judged) == ["blocked"] * 7 + ["unavailable"]


async def test_one_that_is_too_long_is_asked_for_once(world: World) -> None:
    """It stays so, and each time is 32 MiB."""
    world.ooni.add(volunteer(BEGUN - HOUR, X, blocked=True))
    world.clock = BEGUN
    asked = []

    def answer(request: httpx.Request) -> httpx.Response | None:
        asked.append(request.url.path)
        return _broken("big") if "raw_measurement" in request.url.path else None

    await _answer(world, answer)
    await _seen(world, 3 * HOUR)
    assert asked.count("/api/v1/raw_measurement") == 1


@pytest.mark.parametrize("restarted", [False, True])
async def test_many_that_fail_stop_no_other(world: World, restarted: bool) -> None:
    """Somebody uploads thirty, newer than all others. One that came before comes again: the
    service is well."""
    world.tests(X, 9541, BEGUN - DAY, BEGUN - 22 * HOUR, (BEGUN - DAY, BEGUN))
    world.tests(X, 17557, BEGUN - 8 * HOUR, BEGUN, (BEGUN - 8 * HOUR, BEGUN))
    world.tests(X, 1, BEGUN + HOUR, BEGUN + 2 * HOUR, (BEGUN, BEGUN + DAY), step=2 * MINUTE)
    bad = {
        one.listed["measurement_uid"]
        for one in world.ooni.uploads
        if one.listed["probe_asn"] == "AS1"
    }

    def answer(request: httpx.Request) -> httpx.Response | None:
        return _broken("502") if request.url.params.get("measurement_uid") in bad else None

    world.clock = BEGUN - 20 * HOUR
    await _answer(world, answer)
    await world.round()
    if restarted:
        await _answer(world, answer)
    while world.clock < BEGUN + 12 * HOUR:
        await world.round(POLL if world.clock > BEGUN + 3 * HOUR else 23 * HOUR)
        assert (await world.state()).problem == ""
    judged = [row.judged for row in await world.rows() if row.failed]
    assert (judged.count("blocked"), judged.count("")) == (10, 30)


@pytest.mark.parametrize(("status", "problem"), [(502, "failing"), (404, "refused")])
@pytest.mark.parametrize("known", [False, True])
async def test_an_archive_that_is_down_is_not_hammered(
    world: World, status: int, problem: str, known: bool
) -> None:
    """Three that fail in a row are a problem of the source; its lists are read all the same."""
    world.tests(X, 17557, BEGUN - DAY, BEGUN, (BEGUN - 8 * HOUR, BEGUN))
    down: list[str] = []
    whole: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not down or "raw_measurement" not in request.url.path:
            return None
        whole.append(request.url.params["measurement_uid"])
        return httpx.Response(status, content=b"<html>")

    await _answer(world, answer)
    if known:  # and comes no more
        world.clock = BEGUN - 6 * HOUR
        await world.round()
    world.clock = BEGUN
    down.append("down")
    await world.round(POLL)
    state = await world.state()
    assert (state.problem, state.answered_at) == (problem, world.clock)
    assert len(whole) == len(set(whole)) == 3 + known
    whole.clear()
    await _seen(world, 4 * HOUR)
    assert len(whole) <= 4 * 24


async def test_an_empty_quota_for_whole_measurements_alone_is_shown(world: World) -> None:
    """The lists are read all the same, and the source says that they are."""
    world.tests(X, 17557, BEGUN - DAY, BEGUN + DAY, (BEGUN - 3 * HOUR, BEGUN + 8 * HOUR))
    world.clock = BEGUN

    def answer(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(429) if "raw_measurement" in request.url.path else None

    await _answer(world, answer)
    states: list[SourceState] = []
    while world.clock < BEGUN + 8 * HOUR:
        await world.round(POLL)
        states.append(await world.state())
        answered = states[-1].answered_at
        assert answered is not None
        assert world.clock - answered <= HOUR + POLL
    assert {state.problem for state in states} == {"limited"}


# -- a source that was away ------------------------------------------------------------------------


async def _away(world: World, days: int) -> None:
    back = world.clock + days * DAY
    while world.clock < back:
        world.ooni.failing.append(httpx.ConnectError("no route to host"))
        await world.round(12 * HOUR)
    world.ooni.failing.clear()


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("days", [1, 7, 12])
async def test_uploaded_during_outage(world: World, days: int, stopped: bool) -> None:
    """What phones upload while OONI cannot be reached, or nobody asks it."""
    world.tests(X, 17557, BEGUN - DAY, BEGUN)
    world.ooni.add(volunteer(BEGUN - 5 * HOUR, X, number=1, late=8 * HOUR))
    world.clock = BEGUN
    await world.round()
    await world.round(POLL)
    if stopped:
        world.clock += days * DAY
        await world.restart()
    else:
        await _away(world, days)
    for _ in range(5):
        await world.round(6 * HOUR)
    assert len(await world.rows()) == 25


async def test_uploaded_during_outage_in_the_middle_of_a_sweep(world: World) -> None:
    """The source goes away in the middle of the list of late uploads: the next time goes back to
    when that one began."""
    world.ooni = ScriptedOoni(lambda: world.clock, most=7)
    world.tests(X, 17557, BEGUN - DAY, BEGUN + DAY)
    world.ooni.add(volunteer(BEGUN + 15 * HOUR, X, number=1, late=12 * HOUR))
    world.clock = BEGUN
    await world.round()
    while world.clock < BEGUN + DAY - HOUR:
        await world.round(HOUR)
    ahead = [None] * 9  # two lists of the present, one of the past, and of the other six parts

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not ahead:
            raise httpx.ConnectError("no route to host", request=request)
        ahead.pop()
        return None

    await _answer(world, answer)
    await world.round(HOUR)
    state = await world.state()
    assert state.problem == "unreachable"
    late = [
        at for name, at in state.cursors.items() if name.startswith("late ") and name != "late "
    ]
    assert max(late) > BEGUN + 15 * HOUR
    world.clock += 7 * DAY
    await world.restart()
    for _ in range(5):
        await world.round(6 * HOUR)
    assert len(await world.rows()) == 49


# -- lists -----------------------------------------------------------------------------------------


async def test_an_entry_that_is_no_object_loses_no_other(world: World) -> None:
    """It is counted; also a list by version is read on."""
    _block(world, 5 * MINUTE, version=NEW)
    entries: list[object] = [None, "text", 7, []]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/measurements"):
            return None
        body = msgspec.json.decode(world.ooni.handle(request).content)
        return httpx.Response(200, json={**body, "results": [*entries, *body["results"]]})

    await _answer(world, answer)
    assert await _seen(world, 6 * HOUR, HOUR) == []
    state = await world.state()
    assert (state.problem, state.malformed % len(entries)) == ("", 0)
    assert state.malformed > 0
    assert {row.version for row in await world.rows() if row.failed} == {NEW}


async def test_one_slow_list_does_not_end_the_reading(world: World) -> None:
    """It took the server longer than an hour's budget: the next hour has room again."""
    slow = [12.0]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not slow or not request.url.path.endswith("/measurements"):
            return None
        page = msgspec.json.decode(world.ooni.handle(request).content)
        page["metadata"]["query_time"] = slow.pop()
        return httpx.Response(200, content=msgspec.json.encode(page))

    _block(world, timedelta())
    await _answer(world, answer)
    await _seen(world, 3 * HOUR)
    state = await world.state()
    assert slow == []
    assert state.answered_at is not None
    assert world.clock - state.answered_at < HOUR
    assert max(row.measured_at for row in await world.rows()) > BEGUN + 2 * HOUR


async def test_what_others_use_up_does_not_end_the_judging(world: World) -> None:
    """Behind one address the quota is everybody's: what they took between two answers looks as if
    a measurement had cost it."""
    others = [1500]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if others and request.url.path.endswith("/raw_measurement"):
            world.ooni.use_up(others.pop())
        return None

    _block(world, timedelta())
    await _answer(world, answer)
    await _seen(world, 6 * HOUR, HOUR / 2)
    assert others == []
    assert (await world.state()).judged > 10


async def test_a_pause_of_a_clock_that_was_ahead_ends_with_it(world: World) -> None:
    """Nor is what was done then done already now."""
    _block(world, timedelta())
    await world.round()
    world.clock += 30 * DAY
    await world.round()
    world.ooni.failing.append(httpx.ConnectError("certificate is not valid yet"))
    await world.round()
    ahead = await world.state()
    assert (ahead.problem, ahead.swept_at) == ("unreachable", world.clock)
    world.clock = BEGUN
    assert EventState.CONFIRMED in await _seen(world, 5 * HOUR, HOUR / 2)
    state = await world.state()
    assert (state.problem, state.not_before) == ("", None)
    assert state.swept_at is not None
    assert state.swept_at <= world.clock
    opinions = (await world.store.source_states())["ooni opinions"]
    assert max(opinions.cursors.values()) <= world.clock
