"""Delivery from the outbox, by a clock that jumps."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.second_witness import AnyWitness, OnNetwork, Witness
from monitor.notify.delivery import GRACE, NOT_CONFIGURED, Delivery
from monitor.notify.message_value import Limits, Message, Urgency
from monitor.notify.ports import Witnesses
from monitor.notify.settings import NotifySettings, Quiet, Route, Target
from monitor.notify.still_due import CORRECTED, NEVER_SENT
from probes.testing import VirtualClockLoop
from storage.store import StorageError
from storage.values.acts import Mute
from storage.values.outbox import Notice, NoticeState
from tests.contract.cycles import cycle
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import ONSET, TITLES, block, came_back, entry, route

LOOP = VirtualClockLoop
FIRST = Target(name="1-json", url="json://one.example/SECRET")
SECOND = Target(name="2-json", url="json://two.example/SECRET")
SUSPECTED = block(EventState.SUSPECTED)
ENDED = block(EventState.ENDED, end_latest=ONSET + timedelta(hours=1))
WITHDRAWN = block(EventState.WITHDRAWN)


def now() -> datetime:
    """The moment by the loop's clock."""
    return ONSET + timedelta(seconds=asyncio.get_running_loop().time())


class Post:
    """A carrier that notes what it is handed, and answers what it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, Message]] = []
        """When (seconds), to which target, what: of every attempt."""
        self.addressed: list[tuple[float, str, Message]] = []
        """The same with the address."""
        self.answer: Callable[[Target], str] = lambda _: ""
        self.takes: dict[str, float] = {}
        """Seconds by target."""
        self.takes_characters = Limits()
        self.refuses: Callable[[Message], str] = lambda _: ""
        """Why a message is not taken."""

    def limits(self, _: Target) -> Limits:
        """As told."""
        return self.takes_characters

    async def deliver(self, target: Target, message: Message, within: float) -> str:
        """Take it, after a while."""
        at = asyncio.get_running_loop().time()
        self.sent.append((at, target.name, message))
        self.addressed.append((at, target.url, message))
        try:
            async with asyncio.timeout(within):
                await asyncio.sleep(self.takes.get(target.name, 0.0))
        except TimeoutError:
            return "too slow"
        return self.refuses(message) or self.answer(target)

    @property
    def titles(self) -> list[str]:
        """Of all attempts."""
        return [message.title for _, _, message in self.sent]


class Counts:
    """What the metrics would show."""

    def __init__(self) -> None:
        self.delivered = self.failures = 0
        self.pending: dict[str, int] = {}
        self.overdue_from: Mapping[str, Sequence[datetime]] = {}
        self.given_up: Mapping[str, int] = {}

    def notified(self, route: str, count: int) -> None:
        """Count."""
        assert route
        self.delivered += count

    def notification_failed(self, route: str) -> None:
        """Count."""
        assert route
        self.failures += 1

    def notifications_pending(
        self, pending: Mapping[str, Sequence[datetime]], given_up: Mapping[str, int]
    ) -> None:
        """Keep."""
        self.pending = {route: len(times) for route, times in pending.items()}
        self.overdue_from, self.given_up = pending, given_up


class World:
    """A store, a post, and couriers that come and go."""

    def __init__(self, *routes: Route, store: MemoryStore | None = None, give_up: float) -> None:
        self.store = store or MemoryStore()
        self.post, self.counts = Post(), Counts()
        self.settings = NotifySettings(route=routes, give_up=give_up)
        self._saved = 0
        self._sequences: dict[str, int] = {}
        self.witnesses: Witnesses | None = None
        """What reads what others measured."""

    def courier(self) -> Delivery:
        """One that has not begun."""
        made = Delivery(
            self.store,
            self.post,
            self.counts,
            now=now,
            chance=lambda: 0.5,
            witnesses=self.witnesses,
        )
        made.use(self.settings, TITLES, "")
        return made

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Delivery]:
        """A courier at work; the end of the context stops it."""
        made = self.courier()
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def happen(
        self, courier: Delivery, *changes: tuple[str, Event] | tuple[str, Event, str]
    ) -> None:
        """Store lines of the log, some with a detail, and what is to be told of them, as the
        recorder does."""
        lines = []
        for change, event, *detail in changes:
            sequence = self._sequences[event.id] = self._sequences.get(event.id, 0) + 1
            lines.append(entry(change, event, sequence=sequence, detail="".join(detail)))
        self._saved += 1
        notices = courier.announce(lines)
        await self.store.save(
            cycle(self._saved), [line.snapshot for line in lines], lines, notices=notices
        )
        courier.wake()

    async def rows(self) -> list[tuple[str, str, int]]:
        """NoticeKind, state and attempts of every notice."""
        return [(one.occasion, one.state.value, one.attempts) for one in await self.store.outbox()]


@pytest.fixture
def make() -> Callable[..., World]:
    """Makes worlds of these routes."""

    def made(
        *routes: Route, store: MemoryStore | None = None, give_up: float = 2 * 86400.0
    ) -> World:
        return World(*(routes or (route(urls=(FIRST,)),)), store=store, give_up=give_up)

    return made


async def opened(world: World) -> World:
    """The world with its store open, as a first start left it."""
    await world.store.open()
    await world.store.keep_target_key(b"key", {})
    return world


async def test_what_is_stored_is_told_once_after_a_moment(make: Callable[..., World]) -> None:
    """One message, half a minute later, and the notice is marked."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED), ("confirmed", block()))
        await asyncio.sleep(29)
        assert not world.post.sent
        assert world.counts.pending == {"ops": 1}
        await asyncio.sleep(3600)
    ((at, target, message),) = world.post.sent
    assert at == pytest.approx(30, abs=1)
    assert target == "1-json"
    assert message.title == "Confirmed: X is blocked in Pakistan"
    assert await world.rows() == [("confirmed", "sent", 1)]
    assert (world.counts.delivered, world.counts.failures) == (1, 0)
    assert world.counts.pending == {"ops": 0}


async def test_a_message_says_what_others_measured(make: Callable[..., World]) -> None:
    """As it is when the message is sent. A store that fails then holds nothing up."""

    async def agrees(event: Event, at: datetime) -> tuple[AnyWitness, ...]:
        assert at == now()
        networks = (OnNetwork(asn=event.networks[0].asn, total=4, failed=4),)
        return (Witness(source="ooni", title="OONI", credit="c", home="h", networks=networks),)

    async def fails(*_: object) -> tuple[AnyWitness, ...]:
        raise StorageError("full")

    for reads, said in ((None, False), (agrees, True), (fails, False)):
        world = await opened(make())
        world.witnesses = reads
        async with world.working() as courier:
            await world.happen(courier, ("confirmed", block()))
            await asyncio.sleep(60)
        ((_, _, message),) = world.post.sent
        assert ("Second witness: OONI agrees: 4 of 4 tests failed" in message.body) is said


async def test_what_comes_close_together_is_one_message(make: Callable[..., World]) -> None:
    """All of Meta's going at once is one thing to read."""
    world = await opened(make())
    async with world.working() as courier:
        for name in ("facebook", "instagram", "whatsapp"):
            await world.happen(courier, ("confirmed", block(id=f"e-{name}", platform=name)))
            await asyncio.sleep(9)
        await asyncio.sleep(600)
    ((_, _, message),) = world.post.sent
    assert message.title.startswith("3 at once: Confirmed: facebook is blocked in Pakistan; ")
    assert message.urgency is Urgency.FAILURE
    assert world.counts.delivered == 3


async def test_a_target_that_fails_is_tried_ever_more_rarely_and_holds_up_no_other(
    make: Callable[..., World],
) -> None:
    """The other one is told at once; this one when it is back, and once."""
    world = await opened(make(route(urls=(FIRST, SECOND))))
    world.post.answer = lambda t: "down" if t.name == FIRST.name and now() < _at(1000) else ""
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(4000)
    attempts = [at for at, target, _ in world.post.sent if target == "1-json"]
    waits = [after - before for before, after in itertools.pairwise(attempts)]
    assert waits == [pytest.approx(5 * 2**n, abs=2) for n in range(len(waits))]
    assert attempts[-1] > 1000 > attempts[-2]
    assert [at for at, target, _ in world.post.sent if target == "2-json"] == [
        pytest.approx(30, abs=1)
    ]
    assert sorted(await world.rows()) == [
        ("confirmed", "sent", 1),
        ("confirmed", "sent", len(attempts)),
    ]
    assert world.counts.failures == len(attempts) - 1


@pytest.mark.parametrize("of", ["event", "country", "elsewhere"])
async def test_what_a_person_muted_waits_and_is_not_late(
    of: str, make: Callable[..., World]
) -> None:
    """The attack: muting that loses an event, or raises the alert about messages that do not go
    out. Nothing is sent and nothing counts as waiting until the mute is over; then the newest state
    goes out once. A mute of another country holds nothing up."""
    world = await opened(make())
    event = block()
    country, muted = {"country": (event.country, "")}.get(of, ("", event.id))
    country, muted = ("BR", "") if of == "elsewhere" else (country, muted)
    mute = Mute(country=country, event=muted, until=_at(600), at=_at(0))
    await world.store.mute(mute)
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED), ("confirmed", event))
        await asyncio.sleep(590)
        assert len(world.post.sent) == (of == "elsewhere")
        assert world.counts.pending == {"ops": 0}
        await asyncio.sleep(60)
    ((at, _, message),) = world.post.sent
    assert at == pytest.approx(30 if of == "elsewhere" else 600, abs=2)
    assert message.title == "Confirmed: X is blocked in Pakistan"


def _at(seconds: float) -> datetime:
    return ONSET + timedelta(seconds=seconds)


async def test_a_slow_target_is_given_its_time_and_no_more(make: Callable[..., World]) -> None:
    """One that takes for ever fails after `timeout`; the other does not wait for it."""
    world = await opened(make(route(urls=(FIRST, SECOND))))
    world.post.takes = {"1-json": 1e9}
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(49)
        rows = sorted(await world.rows())
        assert rows == [("confirmed", "pending", 1), ("confirmed", "sent", 1)]
        assert world.counts.failures == 0
        await asyncio.sleep(3)
        assert world.counts.failures == 1


async def test_what_does_not_arrive_is_given_up_visibly(make: Callable[..., World]) -> None:
    """After its time, on the log and in the outbox, with the reason."""
    world = await opened(make(give_up=3600))
    world.post.answer = lambda _: "the service answered with HTTP status 503"
    with capture_logs() as log:
        async with world.working() as courier:
            await world.happen(courier, ("confirmed", block()))
            await asyncio.sleep(6 * 3600)
    (lost,) = await world.store.outbox()
    assert lost.state is NoticeState.FAILED
    assert lost.reason == "the service answered with HTTP status 503"
    assert 8 < lost.attempts < 15
    assert lost.settled_at is not None
    assert timedelta(hours=1) <= lost.settled_at - lost.created_at < timedelta(hours=2)
    (told,) = [line for line in log if line["event"] == "notification given up"]
    assert (told["route"], told["target"], told["log_level"]) == ("ops", "1-json", "error")
    assert told["events"] == [block().id]
    assert world.counts.failures == lost.attempts


async def test_quiet_hours_hold_what_may_not_wake_anybody(make: Callable[..., World]) -> None:
    """At 23:12 nothing is sent; at seven one message says all that is still so."""
    night = Quiet(start=22 * 60, end=7 * 60)
    quiet = route(urls=(FIRST,), quiet=night, timezone="Asia/Karachi")
    loud = msgspec.structs.replace(quiet, name="loud", urls=(SECOND,), wake=True)
    world = await opened(make(quiet, loud))
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED), ("confirmed", block()))
        await asyncio.sleep(3600)
        await world.happen(courier, ("ended", ENDED))
        other = block(id="other", platform="whatsapp")
        await world.happen(courier, ("confirmed", other))
        await asyncio.sleep(12 * 3600)
    told = {
        name: [(at, m) for at, t, m in world.post.sent if t == name]
        for name in ("1-json", "2-json")
    }
    ((at, message),) = told["1-json"]
    assert at == pytest.approx(8 * 3600 - 12 * 60, abs=2)
    assert message.title.startswith(
        "2 at once: Confirmed: WhatsApp is blocked in Pakistan; Over: X"
    )
    assert "This message is late" not in message.body
    first, second, third = told["2-json"]
    assert first[1].title == "Confirmed: X is blocked in Pakistan"
    assert second[1].title == "Confirmed: WhatsApp is blocked in Pakistan"
    assert second[0] < 4000
    assert third[1].title == "Over: X is no longer blocked in Pakistan"
    assert third[0] == pytest.approx(8 * 3600 - 12 * 60, abs=2)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (EventState.RECOVERING, "seems to work again"),
        (EventState.UNOBSERVED, "; no recent test tells how it is where it was last blocked"),
    ],
)
async def test_what_waited_is_told_as_it_is_by_then(
    make: Callable[..., World], state: EventState, said: str
) -> None:
    """A message of the next day does not say that it is blocked which has seemed open since, or
    which nobody tests any more."""
    world = await opened(make(wakeful(), route(name="day", urls=(SECOND,), daily=8 * 60)))
    later = msgspec.structs.replace(block(state), methods=("tls.reset", "dns.nxdomain"))
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        await world.happen(courier, ("method_added", block()), (state.value, later))
        await asyncio.sleep(86400)
    (_, _, at_once), (_, _, by_day) = world.post.sent
    assert at_once.title == "Confirmed: X is blocked in Pakistan"
    assert by_day.title.startswith("Confirmed: X was blocked in Pakistan")
    assert by_day.title.endswith(said)
    assert "Also: " in by_day.body


async def test_a_daily_digest_is_one_message_a_day(make: Callable[..., World]) -> None:
    """Everything until eight, and nothing else."""
    world = await opened(make(route(urls=(FIRST,), daily=8 * 60, timezone="Asia/Karachi")))
    async with world.working() as courier:
        for number in range(10):
            event = block(id=f"e{number}", platform=f"p{number}")
            await world.happen(courier, ("confirmed", event))
            await asyncio.sleep(3 * 3600)
        await asyncio.sleep(6 * 3600)
    hours = [round((at + 12 * 60) / 3600) for at, _, _ in world.post.sent]
    assert sorted(set(hours)) == [9, 33]
    assert world.counts.delivered == 10
    assert all(len(message.body) < 4000 for _, _, message in world.post.sent)


async def test_what_was_stored_before_a_crash_is_told_after_it(make: Callable[..., World]) -> None:
    """A process that dies before it delivers leaves that to the next."""
    world = await opened(make())
    gone = world.courier()
    await world.happen(gone, ("confirmed", block()))
    async with world.working():
        await asyncio.sleep(3600)
    assert world.post.titles == ["Confirmed: X is blocked in Pakistan"]
    async with world.working():
        await asyncio.sleep(6 * 3600)
    assert len(world.post.sent) == 1


async def test_after_a_crash_in_mid_attempt_it_is_sent_again(make: Callable[..., World]) -> None:
    """Nobody knows whether it arrived, and twice is better than never."""
    world = await opened(make())
    world.post.takes = {"1-json": 15.0}
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(32)
    assert await world.rows() == [("confirmed", "pending", 1)]
    async with world.working():
        await asyncio.sleep(3600)
    assert len(world.post.sent) == 2
    assert await world.rows() == [("confirmed", "sent", 2)]


async def test_a_stop_gives_a_delivery_under_way_a_moment(make: Callable[..., World]) -> None:
    """What arrives within it is marked, so that a restart does not repeat it."""
    world = await opened(make())
    world.post.takes = {"1-json": GRACE / 2}
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(30.2)
        assert await world.rows() == [("confirmed", "pending", 1)]
        stopped = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - stopped <= GRACE
    assert await world.rows() == [("confirmed", "sent", 1)]


async def test_storing_a_cycle_again_tells_nobody_again(make: Callable[..., World]) -> None:
    """Whoever is unsure whether it was stored may store it twice."""
    world = await opened(make())
    async with world.working() as courier:
        line = entry("confirmed", block())
        for _ in range(2):
            notices = courier.announce([line])
            await world.store.save(cycle(1), [block()], [line], notices=notices)
            courier.wake()
            await asyncio.sleep(600)
    assert len(world.post.sent) == 1


async def test_a_withdrawal_follows_what_it_withdraws(make: Callable[..., World]) -> None:
    """To the same place, with the time of the first; also where the route was narrowed since."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        world.settings = NotifySettings(route=(route(urls=(FIRST,), countries=("BR",)),))
        courier.use(world.settings, TITLES, "")
        await world.happen(courier, ("withdrawn", WITHDRAWN))
        await asyncio.sleep(3600)
    _, (_, target, message) = world.post.sent
    assert target == "1-json"
    assert message.title == "WITHDRAWN: X is blocked in Pakistan"
    assert message.body.startswith(
        "This is about the message sent here at 18:12 UTC on 17 Feb 2024."
    )


async def test_what_is_withdrawn_before_it_was_told_is_not_told(make: Callable[..., World]) -> None:
    """Neither is the withdrawal, and both say why."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(10)
        await world.happen(courier, ("withdrawn", WITHDRAWN))
        await asyncio.sleep(3600)
    assert not world.post.sent
    assert [(one.state.value, one.reason) for one in await world.store.outbox()] == [
        ("dropped", CORRECTED),
        ("dropped", NEVER_SENT),
    ]


async def test_a_further_network_waits_for_the_digest_or_goes_along(
    make: Callable[..., World],
) -> None:
    """An hour by itself; at once with something that matters more."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(600)
        await world.happen(courier, ("network_affected", block()))
        await asyncio.sleep(4000)
        assert world.post.titles[1:] == ["More networks: X is blocked in Pakistan"]
        assert world.post.sent[1][0] == pytest.approx(4200, abs=2)
        await world.happen(courier, ("network_affected", block()))
        await asyncio.sleep(600)
        await world.happen(courier, ("confirmed", block(id="other", platform="whatsapp")))
        await asyncio.sleep(60)
    assert len(world.post.sent) == 3
    assert world.post.titles[2].startswith("2 at once: Confirmed: WhatsApp")


AGAIN = came_back()


async def test_what_waits_together_is_one_message_in_the_newest_state(
    make: Callable[..., World],
) -> None:
    """Half a minute holds a confirmation, two networks, an end and a return: the title claims what
    is so now, and the body says what happened, in order."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED), ("confirmed", block()))
        await world.happen(courier, ("network_affected", block(), "AS45669 Jazz"))
        await asyncio.sleep(5)
        await world.happen(courier, ("ended", ENDED))
        await world.happen(courier, ("reopened", AGAIN))
        await world.happen(courier, ("network_affected", AGAIN, "AS23674 Nayatel"))
        await asyncio.sleep(3 * 3600)
    ((at, _, message),) = world.post.sent
    assert at == pytest.approx(30, abs=1)
    assert message.title == "Confirmed: X is blocked in Pakistan again"
    assert message.body.startswith(
        "Meanwhile, in this order: Confirmed; It shows on another network (AS45669 Jazz); Over; "
        "Detected again after it seemed over; It shows on another network (AS23674 Nayatel)\n"
    )
    assert message.body.count("Event: ") == 1
    assert world.counts.delivered == 1
    states = [state for _, state, _ in await world.rows()]
    assert states == ["dropped"] * 4 + ["sent"]


async def test_several_networks_are_one_message(make: Callable[..., World]) -> None:
    """The digest of an hour names them in one line."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(600)
        for network in ("AS45669 Jazz", "AS23674 Nayatel"):
            await world.happen(courier, ("network_affected", block(), network))
            await asyncio.sleep(60)
        await asyncio.sleep(2 * 3600)
    _, (_, _, message) = world.post.sent
    assert message.title == "More networks: X is blocked in Pakistan"
    assert message.body.startswith("New: AS45669 Jazz, AS23674 Nayatel\n")


NIGHT = Quiet(start=22 * 60, end=7 * 60)
MORNING = 8 * 3600 - 12 * 60
"""Seconds from the onset, at 23:12 in Karachi, to the end of the quiet hours."""


def wakeful() -> Route:
    """A route that confirmations and corrections reach at night."""
    return route(urls=(FIRST,), quiet=NIGHT, timezone="Asia/Karachi", wake=True)


async def test_what_the_night_holds_is_not_sent_after_what_overtook_it(
    make: Callable[..., World],
) -> None:
    """The end waits for the morning, the return wakes people: the morning says nothing of the
    end, which is no longer true."""
    world = await opened(make(wakeful()))
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(1800)
        await world.happen(courier, ("ended", ENDED))
        await asyncio.sleep(1800)
        await world.happen(courier, ("reopened", AGAIN))
        await asyncio.sleep(12 * 3600)
    assert world.post.titles == [
        "Confirmed: X is blocked in Pakistan",
        "Confirmed: X is blocked in Pakistan again",
    ]
    assert world.post.sent[1][0] == pytest.approx(3630, abs=2)
    assert (
        "Meanwhile, in this order: Over; Detected again after it seemed over"
        in world.post.sent[1][2].body
    )


async def test_nobody_is_woken_by_what_is_over(make: Callable[..., World]) -> None:
    """A block that ends within its half minute waits for the morning, as over, and is not
    overdue."""
    world = await opened(make(wakeful()))
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(20)
        await world.happen(courier, ("ended", ENDED))
        await asyncio.sleep(3600)
        assert not world.post.sent
        assert world.counts.overdue_from == {"ops": [_at(MORNING)] * 2}
        await asyncio.sleep(12 * 3600)
    ((at, _, message),) = world.post.sent
    assert at == pytest.approx(MORNING, abs=2)
    assert message.title == "Over: X is no longer blocked in Pakistan"
    assert "Meanwhile" not in message.body


async def test_a_message_that_failed_is_sent_in_the_newest_state(
    make: Callable[..., World],
) -> None:
    """Of a daily message that fails in the morning and arrives at noon, nothing is from before
    noon."""
    world = await opened(make(route(urls=(FIRST,), daily=0)))
    world.post.answer = lambda _: "down" if now() < _at(12 * 3600) else ""
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(8 * 3600)
        await world.happen(courier, ("ended", ENDED))
        await asyncio.sleep(86400)
    arrived = [message.title for at, _, message in world.post.sent if at >= 12 * 3600]
    assert arrived == ["Over: X is no longer blocked in Pakistan"]


async def test_the_last_word_is_corrected_when_messages_in_between_failed(
    make: Callable[..., World],
) -> None:
    """Confirmed, and told; the end is not taken; confirmed once more, and withdrawn: people had
    kept the confirmation."""
    world = await opened(make(route(urls=(FIRST,), minimum="suspected")))
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED))
        await asyncio.sleep(600)
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(600)
        world.post.answer = lambda _: "down"
        await world.happen(courier, ("ended", ENDED))
        await asyncio.sleep(600)
        tried = len(world.post.sent)
        await world.happen(courier, ("reopened", AGAIN))
        await world.happen(courier, ("withdrawn", WITHDRAWN))
        world.post.answer = lambda _: ""
        await asyncio.sleep(2 * 3600)
    assert world.post.titles[tried:] == ["WITHDRAWN: X is blocked in Pakistan"]
    assert "Meanwhile" not in world.post.sent[-1][2].body
    assert all(state != "pending" for _, state, _ in await world.rows())


async def test_an_end_that_old_data_shows_is_told_to_whoever_was_told_of_the_block(
    make: Callable[..., World],
) -> None:
    """What an agent kept for days shows that the block ended before the last day. The target that
    was told of the block hears of its end, one that joined since does not; nobody hears of a
    block that began and ended then."""
    world = await opened(make(route(urls=(FIRST,))))
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(30 * 3600)
        both = route(urls=(FIRST, SECOND))
        courier.use(NotifySettings(route=(both,)), TITLES, "")
        await world.happen(courier, ("ended", ENDED))
        old = block(id="old", platform="whatsapp")
        over = msgspec.structs.replace(ENDED, id="old", platform="whatsapp")
        await world.happen(courier, ("confirmed", old), ("ended", over))
        await asyncio.sleep(3600)
    assert [(target, message.title) for _, target, message in world.post.sent] == [
        ("1-json", "Confirmed: X is blocked in Pakistan"),
        ("1-json", "Over: X is no longer blocked in Pakistan"),
    ]


async def test_only_what_failed_or_is_late_is_overdue(make: Callable[..., World]) -> None:
    """Not what waits for the digest, for the morning or for its half minute."""
    held = route(name="held", urls=(SECOND,), quiet=NIGHT, timezone="Asia/Karachi")
    world = await opened(make(route(urls=(FIRST,)), held))
    world.post.answer = lambda _: "down" if 100 < (now() - ONSET).total_seconds() < 9000 else ""

    def overdue() -> dict[str, int]:
        return {
            name: sum(time < now() for time in times)
            for name, times in world.counts.overdue_from.items()
        }

    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(80)
        await world.happen(courier, ("network_affected", block()))
        await asyncio.sleep(1800)
        assert world.counts.pending == {"ops": 1, "held": 2}
        assert overdue() == {"ops": 0, "held": 0}
        await asyncio.sleep(3600)
        assert overdue() == {"ops": 1, "held": 0}
        await asyncio.sleep(2 * 3600)
        assert overdue() == {"ops": 0, "held": 0}
        assert world.counts.pending == {"ops": 0, "held": 2}


async def test_a_message_that_comes_late_says_so(make: Callable[..., World]) -> None:
    """The receiver was down for two hours."""
    world = await opened(make())
    world.post.answer = lambda _: "down" if now() < _at(7200) else ""
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(6 * 3600)
    assert (
        "This message is late: it was due at 18:12 UTC on 17 Feb 2024."
        in world.post.sent[-1][2].body
    )
    assert "This message is late" not in world.post.sent[0][2].body


async def test_what_waits_for_a_route_that_is_gone_is_dropped(make: Callable[..., World]) -> None:
    """And does not keep the courier busy."""
    world = await opened(make())
    gone = world.courier()
    await world.happen(gone, ("confirmed", block()))
    world.settings = NotifySettings()
    async with world.working():
        await asyncio.sleep(3600)
    (dropped,) = await world.store.outbox()
    assert (dropped.state, dropped.reason) == (NoticeState.DROPPED, NOT_CONFIGURED)


class Moody(MemoryStore):
    """A store that cannot write notices for a while."""

    broken = False

    async def update_notices(self, notices: Sequence[Notice]) -> None:
        """As told."""
        if self.broken:
            raise StorageError("database is on strike")
        await super().update_notices(notices)


async def test_what_arrived_is_not_sent_again_because_that_could_not_be_written_down(
    make: Callable[..., World],
) -> None:
    """The mark is made up for as soon as the store works again."""
    store = Moody()
    world = await opened(make(store=store))

    def taken(_: Target) -> str:
        store.broken = True
        return ""

    world.post.answer = taken
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        assert await world.rows() == [("confirmed", "pending", 1)]
        store.broken = False
        await asyncio.sleep(3600)
    assert len(world.post.sent) == 1
    assert await world.rows() == [("confirmed", "sent", 1)]


async def test_nothing_is_sent_while_the_attempt_cannot_be_written_down(
    make: Callable[..., World],
) -> None:
    """A broken store must not make a message go out again and again."""
    store = Moody()
    store.broken = True
    world = await opened(make(store=store))
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        assert not world.post.sent
        store.broken = False
        await asyncio.sleep(60)
    assert len(world.post.sent) == 1


class Belated(MemoryStore):
    """A store that takes ten seconds to hand over what waits."""

    async def outbox(self, state: NoticeState | None = None, event: str = "") -> list[Notice]:
        """As it was before the wait."""
        rows = await super().outbox(state, event)
        await asyncio.sleep(10.0 if state is NoticeState.PENDING else 0.0)
        return rows


async def test_what_arrives_while_the_outbox_is_read_is_not_sent_again(
    make: Callable[..., World],
) -> None:
    """What was read still has it among those that wait, as not tried yet."""
    world = await opened(make(store=Belated()))
    world.post.takes["1-json"] = 5.0
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(45)
        # The next reading begins as soon as this one has begun the delivery.
        courier.wake()
        await asyncio.sleep(3600)
    assert len(world.post.sent) == 1
    assert await world.rows() == [("confirmed", "sent", 1)]


async def test_no_secret_is_logged_or_stored(make: Callable[..., World]) -> None:
    """Whatever the library that sends says when it breaks."""
    world = await opened(make())

    def broken(target: Target) -> str:
        raise RuntimeError(f"cannot reach {target.url}")

    world.post.answer = broken
    with capture_logs() as log:
        async with world.working() as courier:
            await world.happen(courier, ("confirmed", block()))
            await asyncio.sleep(60)
    (one,) = await world.store.outbox()
    assert one.reason == "an error in what sends it (RuntimeError)"
    assert [line["event"] for line in log] == ["notification failed"] * len(log)
    assert "SECRET" not in f"{log} {one} {world.settings!r}"


OTHER = "ffff0123456789abcdef"
AS_OTHER, FROM_FIRST = f"goes on as {OTHER}", f"AS17557 PTCL: tls.reset; goes on from {block().id}"


def other(state: EventState = EventState.CONFIRMED, **changes: object) -> Event:
    """The same block, which turned out to have begun earlier."""
    earlier = ONSET - timedelta(minutes=10)
    return block(state, **{"id": OTHER, "onset_earliest": None, "onset_latest": earlier} | changes)


async def test_what_goes_on_as_another_event_is_not_told_again(make: Callable[..., World]) -> None:
    """A late look begins it anew: no taking back, no second alarm, by another courier than the one
    that told the first; the end is told, of both, with the time of the first message."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED), ("confirmed", block()))
        await world.happen(courier, ("network_affected", block(), "AS45669 Jazz"))
        await asyncio.sleep(3600)
    assert world.post.titles == ["Confirmed: X is blocked in Pakistan"]
    async with world.working() as courier:
        await world.happen(
            courier,
            ("opened", other(EventState.SUSPECTED), FROM_FIRST),
            ("network_affected", other(EventState.SUSPECTED), "AS45669 Jazz"),
            ("confirmed", other()),
            ("network_affected", other(), "AS45669 Jazz"),
            ("withdrawn", WITHDRAWN, AS_OTHER),
        )
        await asyncio.sleep(2)
    async with world.working():
        await asyncio.sleep(6 * 3600)
    assert len(world.post.sent) == 1
    assert all(state != "pending" for _, state, _ in await world.rows())
    async with world.working() as courier:
        await world.happen(courier, ("network_affected", other(), "AS9541 Cyber Internet"))
        await asyncio.sleep(2 * 3600)
        over = other(EventState.ENDED, end_latest=ONSET + timedelta(hours=1))
        await world.happen(courier, ("ended", over))
        await asyncio.sleep(2 * 3600)
    assert world.post.titles[1:] == [
        "More networks: X is blocked in Pakistan",
        "Over: X is no longer blocked in Pakistan",
    ]
    body = world.post.sent[-1][2].body
    assert body.startswith("This is about the message sent here at 18:12 UTC on 17 Feb 2024.")


async def test_what_was_not_told_of_the_event_that_goes_on_is_told(
    make: Callable[..., World],
) -> None:
    """A suspicion was told, and the other one is confirmed: that is all there is to say."""
    world = await opened(make(route(urls=(FIRST,), minimum="suspected")))
    async with world.working() as courier:
        await world.happen(courier, ("opened", SUSPECTED))
        await asyncio.sleep(3600)
        await world.happen(
            courier,
            ("opened", other(EventState.SUSPECTED), FROM_FIRST),
            ("confirmed", other()),
            ("withdrawn", block(EventState.WITHDRAWN, confirmed_at=None), AS_OTHER),
        )
        await asyncio.sleep(3600)
    assert world.post.titles == [
        "Suspected: X may be blocked in Pakistan",
        "Confirmed: X is blocked in Pakistan",
    ]


async def test_what_goes_on_before_it_was_told_is_told_once(make: Callable[..., World]) -> None:
    """By the event that stands, whether or not the other one was tried in vain."""
    for fails in (False, True):
        world = await opened(make())
        if fails:
            world.post.answer = lambda _: "down"
        async with world.working() as courier:
            await world.happen(courier, ("confirmed", block()))
            await asyncio.sleep(32 if fails else 10)
            assert len(world.post.sent) == fails
            world.post.answer = lambda _: ""
            await world.happen(courier, ("opened", other(EventState.SUSPECTED), FROM_FIRST))
            await world.happen(courier, ("confirmed", other()), ("withdrawn", WITHDRAWN, AS_OTHER))
            await asyncio.sleep(3600)
        assert len(world.post.sent) == 1 + fails
        assert OTHER in world.post.sent[-1][2].body


async def test_what_is_muted_stays_so_when_it_goes_on_as_another_event(
    make: Callable[..., World],
) -> None:
    """A person muted an event. A late look began it anew, under another id, and the message that
    was to wait went out."""
    world = await opened(make())
    mute = Mute(country="PK", event=block().id, until=_at(7200), at=_at(0))
    await world.store.mute(mute)
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await world.happen(
            courier,
            ("opened", other(EventState.SUSPECTED), FROM_FIRST),
            ("confirmed", other()),
            ("withdrawn", WITHDRAWN, AS_OTHER),
        )
        await asyncio.sleep(7190)
        assert not world.post.sent
        assert world.counts.pending == {"ops": 0}
        await asyncio.sleep(60)
    ((at, _, message),) = world.post.sent
    assert at == pytest.approx(7200, abs=2)
    assert message.title == "Confirmed: X is blocked in Pakistan"
    assert OTHER in message.body


async def test_what_is_left_of_it_as_a_suspicion_only_is_taken_back(
    make: Callable[..., World],
) -> None:
    """It was told as confirmed: that must not stand. One message says what is left."""
    world = await opened(make(route(urls=(FIRST,), minimum="suspected")))
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        await world.happen(
            courier,
            ("opened", other(EventState.SUSPECTED), FROM_FIRST),
            ("withdrawn", WITHDRAWN, AS_OTHER),
        )
        await asyncio.sleep(3600)
        assert world.post.titles[1:] == ["CORRECTION, only suspected: X may be blocked in Pakistan"]
        await world.happen(courier, ("confirmed", other()))
        await asyncio.sleep(3600)
    assert world.post.titles[2:] == ["Confirmed: X is blocked in Pakistan"]


async def test_what_was_over_and_told_so_is_not_told_again_with_an_earlier_beginning(
    make: Callable[..., World],
) -> None:
    """Beginning and end of the other event were both told of the one that goes on as it."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        await world.happen(courier, ("ended", ENDED))
        await asyncio.sleep(3600)
        over = other(EventState.ENDED, end_latest=ENDED.end_latest)
        await world.happen(
            courier,
            ("opened", other(EventState.SUSPECTED), FROM_FIRST),
            ("confirmed", other()),
            ("ended", over),
            ("withdrawn", WITHDRAWN, AS_OTHER),
        )
        await asyncio.sleep(3600)
        assert len(world.post.sent) == 2
        await world.happen(courier, ("withdrawn", other(EventState.WITHDRAWN)))
        await asyncio.sleep(3600)
    assert world.post.titles[2:] == ["WITHDRAWN: X is blocked in Pakistan"]


async def test_back_and_forth_between_two_events_tells_nothing(make: Callable[..., World]) -> None:
    """The look that began the other one is left out, and the first one stands again."""
    world = await opened(make())
    async with world.working() as courier:
        await world.happen(courier, ("confirmed", block()))
        await asyncio.sleep(3600)
        await world.happen(
            courier,
            ("opened", other(EventState.SUSPECTED), FROM_FIRST),
            ("confirmed", other()),
            ("withdrawn", WITHDRAWN, AS_OTHER),
        )
        await asyncio.sleep(3600)
        await world.happen(
            courier,
            ("revised", block(), f"goes on from {OTHER}"),
            ("withdrawn", other(EventState.WITHDRAWN), f"goes on as {block().id}"),
        )
        await asyncio.sleep(3600)
    assert len(world.post.sent) == 1
