"""Delivery while a service fails, for how long it is tried, and what shows of it."""

import asyncio
import itertools
from bisect import bisect_left
from collections import Counter
from datetime import timedelta

import pytest

from monitor.metrics.scrapes import create_registry
from monitor.notify.settings import Quiet
from monitor.notify.timing import retry_after, tried_for
from probes.testing import VirtualClockLoop
from storage.values.acts import Mute
from storage.values.outbox import NoticeState
from tests.prometheus import world as metric_world
from tests.unit.monitor.notify.test_delivery import SUSPECTED, World, _at, now, opened
from tests.worlds.notify_world import block, route

LOOP = VirtualClockLoop
DOWN = "no connection to the service"
REFUSED = "the service refused the message (HTTP status 400)"
DAY = 86400.0


def world(give_up: float = 2 * DAY) -> World:
    """One with one address."""
    return World(route(), give_up=give_up)


async def many(of: World, count: int) -> None:
    """So many blocks at once: more than one message holds three."""
    courier = of.courier()
    for number in range(count):
        event = block(id=f"e-{number}", platform=f"p{number}")
        await of.happen(courier, ("confirmed", event))


@pytest.mark.parametrize("count", [5, 20])
async def test_a_service_that_is_down_rests_though_more_than_one_message_waits(count: int) -> None:
    """The attack: messages that were not tried made the next round follow without a pause. Each
    event is tried, no more often than one alone would be, and all arrive soon after the service is
    back."""
    of = await opened(world())
    of.post.takes = {"1-json": 0.02}
    of.post.answer = lambda _: DOWN if now() < _at(3600) else ""
    await many(of, count)
    async with of.working():
        await asyncio.sleep(3600)
        assert all(0 < attempts <= 10 for _, _, attempts in await of.rows())
        times = [at for at, _, _ in of.post.sent]
        assert all(after - before > 3 for before, after in itertools.pairwise(times))
        await asyncio.sleep(1900)
    assert {state for _, state, _ in await of.rows()} == {"sent"}


async def test_once_the_service_is_back_nothing_waits_for_its_own_time() -> None:
    """A new event arrives, and at once everything that rested for up to half an hour."""
    of = await opened(world())
    of.post.answer = lambda _: DOWN if now() < _at(8 * 3600) else ""
    await many(of, 4)
    async with of.working() as courier:
        await asyncio.sleep(8 * 3600)
        waiting = await of.store.outbox(NoticeState.PENDING)
        assert min(one.retry_at for one in waiting if one.retry_at) > _at(8 * 3600 + 60)
        await of.happen(courier, ("confirmed", block(id="new", platform="new")))
        await asyncio.sleep(32)
    assert {state for _, state, _ in await of.rows()} == {"sent"}


@pytest.mark.parametrize("reason", [REFUSED, "the service did not accept it"])
async def test_a_message_that_is_refused_holds_up_no_other(reason: str) -> None:
    """The first one has something that the service does not take: the others go out at once."""
    of = await opened(world())
    of.post.refuses = lambda message: reason if "e-0" in message.body else ""
    await many(of, 7)
    async with of.working():
        await asyncio.sleep(31)
        assert len(of.post.sent) == 3
        states = Counter(state for _, state, _ in await of.rows())
        assert states == {"pending": 3, "sent": 4}
        await asyncio.sleep(3600)
    assert 8 < len(of.post.sent) < 15


@pytest.mark.parametrize(
    "reason",
    [
        DOWN,
        "no answer within 20 s",
        "the service is busy (HTTP status 429)",
        "the service refused the token or password (HTTP status 401)",
        "the service forbids it (HTTP status 403)",
        "the service knows no such address (HTTP status 404)",
    ],
)
async def test_a_service_that_takes_nothing_is_not_asked_for_each_message(reason: str) -> None:
    """One attempt is enough to know, until the time of the next. Then another message is tried."""
    of = await opened(world())
    of.post.answer = lambda _: reason
    await many(of, 7)
    async with of.working():
        await asyncio.sleep(33)
        assert len(of.post.sent) == 1
        await asyncio.sleep(5)
        assert len(set(of.post.titles)) == 2


async def test_news_is_tried_at_once_while_older_messages_rest() -> None:
    """It does not wait half an hour for their turn, and they are not given up sooner for it."""
    of = await opened(world())
    of.post.answer = lambda _: DOWN
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block(id="old")))
        await asyncio.sleep(6 * 3600)
        (old,) = await of.store.outbox()
        tried = len(of.post.sent)
        for number in range(40):
            await of.happen(courier, ("confirmed", block(id=f"new-{number}", platform="x")))
            await asyncio.sleep(40)
            assert len(of.post.sent) > tried
            tried = len(of.post.sent)
        (still,) = await of.store.outbox(event="old")
    assert still.attempts <= old.attempts + 2


async def test_a_message_is_given_up_after_it_was_tried_for_its_time_not_after_a_mute() -> None:
    """Muted for longer than `give_up`, then one refusal of a busy service: it goes out with the
    next attempt, and is not called late."""
    of = await opened(world(4 * 3600.0))
    await of.store.mute(Mute(country="PK", event="", until=_at(6 * 3600), at=_at(0)))
    of.post.answer = lambda _: "the service is busy (HTTP status 429)" * (len(of.post.sent) == 1)
    async with of.working() as courier:
        await of.happen(courier, ("opened", SUSPECTED), ("confirmed", block()))
        await asyncio.sleep(10 * 3600)
    assert await of.rows() == [("confirmed", "sent", 2)]
    assert "This message is late" not in of.post.sent[-1][2].body


@pytest.mark.parametrize("ends", ["by itself", "by a person", "while nothing runs"])
async def test_what_was_muted_is_not_called_late(ends: str) -> None:
    """It is not shutwatch that held it. Where it fails for hours after the mute, it is late."""
    of = await opened(world())
    until = DAY if ends == "by a person" else 7200
    await of.store.mute(Mute(country="PK", event="", until=_at(until), at=_at(0)))
    down = 0.0
    of.post.answer = lambda _: DOWN if down and now() < _at(down) else ""
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(7200 if ends == "by a person" else 1800)
        if ends == "by a person":
            await of.store.unmute("PK", "")
            courier.wake()
            await asyncio.sleep(60)
        if ends == "by itself":
            await asyncio.sleep(6000)
    if ends == "while nothing runs":
        await asyncio.sleep(6000)
        async with of.working():
            await asyncio.sleep(60)
    ((_, _, message),) = of.post.sent
    assert "This message is late" not in message.body


async def test_what_fails_for_hours_after_a_mute_is_late_since_the_mute() -> None:
    """The message is late from the end of the mute on, not from when it was first due."""
    of = await opened(world())
    await of.store.mute(Mute(country="PK", event="", until=_at(7200), at=_at(0)))
    of.post.answer = lambda _: DOWN if now() < _at(4 * 3600) else ""
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(8 * 3600)
    assert "it was due at 20:12 UTC on 17 Feb 2024" in of.post.sent[-1][2].body


@pytest.mark.parametrize("off", ["before the first attempt", "after a few"])
async def test_time_off_is_no_time_of_trying(off: str) -> None:
    """The machine is off for longer than `give_up`, and the service is silent once after it."""
    of = await opened(world())
    of.post.answer = lambda _: DOWN
    courier = of.courier()
    await of.happen(courier, ("confirmed", block()))
    if off == "after a few":
        async with of.working():
            await asyncio.sleep(120)
    await asyncio.sleep(60 * 3600)
    tried = len(of.post.sent)
    of.post.answer = lambda _: DOWN * (len(of.post.sent) <= tried + 1)
    async with of.working():
        await asyncio.sleep(DAY)
    assert {state for _, state, _ in await of.rows()} == {"sent"}


async def test_quiet_hours_are_no_time_of_trying() -> None:
    """A message that fails in the evening is not given up in the morning."""
    of = await opened(World(route(quiet=Quiet(start=0, end=1439)), give_up=3600.0))
    of.post.answer = lambda _: DOWN
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(2 * DAY)
    ((_, state, attempts),) = await of.rows()
    assert state == "pending"
    assert attempts >= 2


@pytest.mark.parametrize("give_up", [60.0, 3600.0, 2 * DAY, 30 * DAY])
def test_the_waits_of_its_attempts_add_up_to_the_time_of_trying(give_up: float) -> None:
    """So it is never less, whatever chance did, and at most a fifth of that and one wait more."""
    attempts = 1 + bisect_left(range(1, 3000), timedelta(seconds=give_up), key=tried_for)
    assert attempts >= 5
    for chance in (0.0, 1.0):
        waited = sum((retry_after(n, chance) for n in range(1, attempts)), timedelta())
        assert 0.8 * give_up <= waited.total_seconds() <= 1.2 * (give_up + 1800)


@pytest.mark.parametrize("give_up", [60.0, 240.0, 1.2 * DAY])
async def test_what_was_given_up_counts_as_overdue_for_a_day(give_up: float) -> None:
    """The attack: the alert about failing messages fell silent just when a message was lost. It
    counts after a restart too, and is not among those that wait."""
    of = await opened(world(give_up))
    of.post.answer = lambda _: "the service refused the token or password (HTTP status 401)"
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(give_up / 2)
        while not await of.store.outbox(NoticeState.FAILED):  # noqa: ASYNC110 # it is a store
            await asyncio.sleep(300)
        await asyncio.sleep(61)
        assert (of.counts.given_up, of.counts.pending) == ({"ops": 1}, {"ops": 0})
    async with of.working():
        await asyncio.sleep(DAY - 600)
        assert of.counts.given_up == {"ops": 1}
        await asyncio.sleep(700)
        assert of.counts.given_up == {"ops": 0}


def test_what_was_given_up_shows_in_the_metric_of_the_alert() -> None:
    """Beside what waits and is overdue, of each route by itself."""
    publisher = metric_world.publisher()
    at = publisher.now()
    late, early = at - timedelta(hours=1), at + timedelta(hours=1)
    publisher.notifications_pending({"ops": [late, early], "desk": []}, {"ops": 2, "desk": 0})
    text, _ = create_registry(publisher).scrape("")
    shown = [line for line in text.decode().splitlines() if line.startswith("shutwatch_notif")]
    assert 'shutwatch_notifications_overdue{route="ops"} 3.0' in shown
    assert 'shutwatch_notifications_overdue{route="desk"} 0.0' in shown
    assert 'shutwatch_notifications_pending{route="ops"} 2.0' in shown
