"""Delivery after addresses were added, deleted, corrected or put in another order."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.notify.delivery import MOVED, NOT_CONFIGURED, Delivery
from monitor.notify.notice_kinds import NoticeKind
from monitor.notify.places import Places
from monitor.notify.queued_notices import notices_of
from monitor.notify.settings import NotifySettings, Route, Target
from probes.testing import VirtualClockLoop
from storage.values.outbox import NoticeState
from tests.contract.cycles import cycle
from tests.unit.monitor.notify.test_delivery import WITHDRAWN, World, now, opened
from tests.worlds.notify_world import TITLES, block, entry, notice, route

LOOP = VirtualClockLoop
MAIL = "mailtos://u:SECRET@mail.example.org?to=a@example.org"
CHAT, OTHER = "json://chat.example/SECRET", "json://new.example/SECRET"
CONFIRMED = "Confirmed: X is blocked in Pakistan"
TAKEN_BACK = "WITHDRAWN: X is blocked in Pakistan"


def targets(*urls: str) -> tuple[Target, ...]:
    """As the configuration names them: by their order."""
    return tuple(
        Target(name=f"{number}-{url.partition('://')[0]}", url=url)
        for number, url in enumerate(urls, 1)
    )


def to(*urls: str, **changes: Any) -> Route:
    """A route to these addresses."""
    return route(urls=targets(*urls), **changes)


def world(*routes: Route) -> World:
    """One with these routes."""
    return World(*routes, give_up=2 * 86400.0)


def change(of: World, courier: Delivery | None, *routes: Route) -> None:
    """Use other routes from now on."""
    of.settings = NotifySettings(route=routes)
    if courier is not None:
        courier.use(of.settings, TITLES, "")


def sent(of: World, since: int = 0) -> list[tuple[str, str]]:
    """Address and title of every attempt from that one on."""
    return [(url, message.title) for (_, url, message) in of.post.addressed[since:]]


async def test_a_correction_follows_the_address_when_another_is_deleted() -> None:
    """The mail address stood first; the chat, which stands first now, hears of the withdrawal."""
    of = await opened(world(to(MAIL, CHAT)))
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(60)
        change(of, courier, to(CHAT))
        await of.happen(courier, ("withdrawn", WITHDRAWN))
        await asyncio.sleep(3600)
    assert sent(of, 2) == [(CHAT, TAKEN_BACK)]


@pytest.mark.parametrize("restarts", [True, False])
async def test_a_new_address_in_front_takes_no_correction_from_another(restarts: bool) -> None:
    """The new one heard of nothing, so it gets no withdrawal; the old one gets it."""
    of = await opened(world(to(CHAT)))
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(60)
        change(of, None if restarts else courier, to(OTHER, CHAT))
        if not restarts:
            await of.happen(courier, ("withdrawn", WITHDRAWN))
            await asyncio.sleep(3600)
    if restarts:
        async with of.working() as courier:
            await asyncio.sleep(1)
            await of.happen(courier, ("withdrawn", WITHDRAWN))
            await asyncio.sleep(3600)
    assert sent(of) == [(CHAT, CONFIRMED), (CHAT, TAKEN_BACK)]


async def test_what_waits_follows_its_address_whatever_the_order() -> None:
    """Turned round while it waits: each address gets its own message, once."""
    of = await opened(world(to(MAIL, CHAT, gather=600.0)))
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(60)
    change(of, None, to(CHAT, MAIL, gather=600.0))
    async with of.working():
        await asyncio.sleep(3600)
    assert sorted(sent(of)) == [(CHAT, CONFIRMED), (MAIL, CONFIRMED)]


async def test_what_waits_for_a_deleted_address_is_dropped_alone() -> None:
    """The chat's message goes out."""
    of = await opened(world(to(MAIL, CHAT, gather=600.0)))
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(60)
        change(of, courier, to(CHAT, gather=600.0))
        await asyncio.sleep(3600)
    assert sent(of) == [(CHAT, CONFIRMED)]
    dropped = [one.reason for one in await of.store.outbox(NoticeState.DROPPED)]
    assert dropped == [NOT_CONFIGURED]


async def test_a_corrected_address_gets_what_waited_for_the_wrong_one() -> None:
    """At once, and nobody else gets it again. What the wrong one may have got is corrected there,
    too."""
    of = await opened(world(to(CHAT, OTHER)))
    of.post.answer = lambda target: "no such address" if target.url == OTHER else ""
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(6 * 3600)
        tried = len(of.post.sent)
        change(of, courier, to(CHAT, f"{OTHER}-corrected"))
        await asyncio.sleep(5)
        assert sent(of, tried) == [(f"{OTHER}-corrected", CONFIRMED)]
        moved = [one.reason for one in await of.store.outbox(NoticeState.DROPPED)]
        assert moved == [MOVED]
        await of.happen(courier, ("withdrawn", WITHDRAWN))
        await asyncio.sleep(3600)
    assert sorted(sent(of, tried + 1)) == [(CHAT, TAKEN_BACK), (f"{OTHER}-corrected", TAKEN_BACK)]


async def test_a_correction_reaches_what_came_in_the_place_of_an_address() -> None:
    """A new token makes another address of the same chat: rather too many hear than too few. The
    time of a message that this address did not get is not named."""
    of = await opened(world(to(CHAT)))
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(60)
    change(of, None, to(f"{CHAT}-new-token"))
    async with of.working() as courier:
        await asyncio.sleep(1)
        await of.happen(courier, ("withdrawn", WITHDRAWN))
        await asyncio.sleep(3600)
    assert sent(of, 1) == [(f"{CHAT}-new-token", TAKEN_BACK)]
    assert "This is about the message" not in of.post.sent[-1][2].body


async def test_a_renamed_route_loses_nothing() -> None:
    """What waits goes out by the new name, and what went out by the old one is corrected."""
    of = await opened(world(to(CHAT)))
    async with of.working() as courier:
        await of.happen(courier, ("confirmed", block()))
        await asyncio.sleep(60)
        await of.happen(courier, ("confirmed", block(id="other", platform="whatsapp")))
        change(of, courier, to(CHAT, name="people"))
        await asyncio.sleep(60)
        await of.happen(courier, ("withdrawn", WITHDRAWN))
        await asyncio.sleep(3600)
    assert sent(of) == [
        (CHAT, CONFIRMED),
        (CHAT, "Confirmed: WhatsApp is blocked in Pakistan"),
        (CHAT, TAKEN_BACK),
    ]


async def test_notices_of_an_earlier_version_get_the_names_of_today_once() -> None:
    """They are named by number and scheme: by what stands there at the first start. The order may
    change after it."""
    of = world(to(MAIL, CHAT, gather=600.0))
    await of.store.open()
    line = entry("confirmed", block())
    notices = notices_of([line], of.settings.route, now())
    await of.store.save(cycle(1), [block()], [line], notices=notices)
    assert [one.target for one in await of.store.outbox()] == ["1-mailtos", "2-json"]
    async with of.working():
        await asyncio.sleep(1)
    assert {one.target[:5] for one in await of.store.outbox()} == {"mailt", "json-"}
    change(of, None, to(CHAT, MAIL, gather=600.0))
    async with of.working():
        await asyncio.sleep(3600)
    assert sorted(sent(of)) == [(CHAT, CONFIRMED), (MAIL, CONFIRMED)]


async def test_a_process_that_dies_before_its_first_round_leaves_nothing_unsent() -> None:
    """It named the addresses by a key that it did not store."""
    of = world(to(MAIL, CHAT))
    await of.store.open()
    await of.happen(of.courier(), ("confirmed", block()))
    async with of.working():
        await asyncio.sleep(3600)
    assert sorted(sent(of)) == [(CHAT, CONFIRMED), (MAIL, CONFIRMED)]


def names(key: bytes, *urls: str) -> Sequence[str]:
    """What the outbox calls these addresses of one route."""
    (named,) = Places((to(*urls),), key).routes
    return [target.stored for target in named.urls]


def test_a_name_depends_on_the_address_and_the_key_alone() -> None:
    """Not on the order; and whoever has no key finds no address by it."""
    one, two = names(b"k", MAIL, CHAT)
    assert names(b"k", CHAT, OTHER, MAIL)[0::2] == [two, one]
    assert names(b"other", MAIL, CHAT) != [one, two]
    assert one.partition("-")[::2] == ("mailtos", one[-4:])
    assert len(two) == len("json-k3fa")


def test_addresses_whose_names_begin_alike_are_told_apart() -> None:
    """However many there are; an address that is written twice is one."""
    urls = [f"json://chat.example/{number}" for number in range(2000)]
    named = names(b"k", *urls)
    assert len(set(named)) == len(urls)
    assert max(map(len, named)) > len("json-k3fa")
    assert len(names(b"k", CHAT, CHAT)) == 1


def test_of_several_that_are_gone_the_one_that_says_most_counts() -> None:
    """What waits still is sent, and what may have arrived may have arrived."""
    places = Places((to(CHAT),), b"k")
    ((place, _),) = places.known.items()
    waiting = replace(notice(NoticeKind.CONFIRMED, 1), target="json-aaaa")
    arrived = replace(waiting, target="json-bbbb", state=NoticeState.SENT, attempts=3)
    (found,) = places.inherited(place, [arrived, waiting])
    assert (found.state, found.attempts, found.target) == (NoticeState.PENDING, 3, place[1])
    own = replace(waiting, target=place[1])
    assert places.inherited(place, [arrived, waiting, own]) == []
