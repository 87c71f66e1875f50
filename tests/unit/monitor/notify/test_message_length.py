"""How long messages may be, and what they leave out where a service takes less."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventState
from monitor.notify.body import CHANGES_NAMED, NETWORKS_NAMED, NoticeContent
from monitor.notify.message import message, messages, section
from monitor.notify.message_value import LONG_MESSAGE, LONGEST_BODY, Limits, Message
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import NoticeKind
from monitor.wording.languages import LANGUAGES
from probes.testing import VirtualClockLoop
from tests.unit.monitor.notify.test_delivery import World, opened
from tests.worlds.notify_world import ONSET, PTCL, TITLES, block, entry, route, shutdown, told

LOOP = VirtualClockLoop
ENGLISH = message_words("en")
URL = "https://watch.example.org"
LONG = block(
    networks=tuple(replace(PTCL, asn=1000 + n, network=f"Some Telecom {n}") for n in range(12)),
    methods=("dns.hijack", "tls.reset", "tcp.timeout", "quic"),
    functions=("api", "web", "media", "calls"),
)
PUSHOVER, DISCORD = Limits(body=1024), Limits(body=2000, title=0)


def length(made: Message, limits: Limits) -> int:
    """Characters that a service counts against its limit."""
    return len(made.body) + (0 if limits.title else len(made.title) + 2)


@pytest.mark.parametrize("code", [one.code for one in LANGUAGES])
def test_a_long_message_is_as_long_as_it_is_said_to_be(code: str) -> None:
    """What limits are compared with is true of every language."""
    words = message_words(code)
    made = message(words, [section(words, told(NoticeKind.CONFIRMED, LONG), TITLES, URL)])
    assert 0.7 * LONG_MESSAGE < len(made.title) + len(made.body) <= LONG_MESSAGE


@pytest.mark.parametrize("code", [one.code for one in LANGUAGES])
def test_a_service_that_takes_less_gets_the_short_form(code: str) -> None:
    """What happened, since when, on how many networks, what to do, and where the rest is; in each
    language."""
    words = message_words(code)
    sections = [section(words, told(NoticeKind.CONFIRMED, LONG), TITLES, URL)]
    ((count, made),) = messages(words, sections, PUSHOVER)
    whole = message(words, sections)
    assert count == 1
    assert made.title == whole.title
    assert length(made, PUSHOVER) < 450
    for line in made.body.splitlines():
        assert line in whole.body
    if code == "en":
        assert made.body == (
            "Since: between 18:07 and 18:12 UTC on 17 Feb 2024 (23:07–23:12 in Karachi)\n"
            "Networks: 12 of 12 tested\n"
            "A program found this: check the evidence before you publish it.\n"
            "Evidence and data: https://watch.example.org/events/0123456789abcdef0123"
        )


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_short_form_of_each_occasion_says_what_to_do(kind: NoticeKind) -> None:
    """A correction asks to be passed on first of all; without a page the event is named."""
    over = replace(LONG, end_earliest=ONSET, end_latest=ONSET, state=EventState.ENDED)
    event = over if kind is NoticeKind.ENDED else LONG
    content = told(kind, event, late_since=ONSET, first_notified=ONSET)
    lines = section(ENGLISH, content, TITLES).short
    assert lines[0].startswith("This message is late")
    assert ("correct what you passed on" in lines[1]) == (
        kind in (NoticeKind.DISMISSED, NoticeKind.DOUBTED, NoticeKind.WITHDRAWN)
    )
    assert any(line.startswith("Until: ") for line in lines) == (kind is NoticeKind.ENDED)
    assert lines[-1] == "Event: 0123456789abcdef0123"


def test_the_short_form_of_an_end_names_who_is_not_back() -> None:
    """The first network that is back ends a shutdown. A reader of the short form took all of them
    for back."""
    over = shutdown(state=EventState.ENDED, end_earliest=ONSET, end_latest=ONSET)
    content = told(NoticeKind.ENDED, over, detail="AS17557 PTCL, AS45669 Jazz")
    lines = section(ENGLISH, content, TITLES).short
    assert "Not known to be back: AS17557 PTCL, AS45669 Jazz" in lines
    all_back = section(ENGLISH, told(NoticeKind.ENDED, over), TITLES).short
    assert not any("back:" in line for line in all_back)


def _events(count: int, event: Event = LONG) -> list[NoticeContent]:
    return [
        told(NoticeKind.CONFIRMED, replace(event, id=f"e{n}", platform=f"p{n}"))
        for n in range(count)
    ]


@given(
    st.lists(st.integers(0, 40), max_size=20),
    st.integers(500, LONGEST_BODY),
    st.sampled_from([0, 60, 200]),
    st.sets(st.integers(0, 19)),
)
@example([12, 12, 12], 1024, 200, set())
@example([12, 12, 12], 2000, 0, set())
@example([0] * 10, 2000, 200, {3})
def test_no_message_is_longer_than_the_service_takes(
    networks: list[int], body: int, title: int, refused: set[int]
) -> None:
    """All are sent, in order; those that were refused alone and in the short form."""
    limits = Limits(body=body, title=title)
    sections = []
    for number, count in enumerate(networks):
        some = tuple(replace(PTCL, asn=n, network="N" * 60) for n in range(1, count + 1))
        event = block(id=f"e{number}", platform=f"platform {number}", networks=some)
        content = told(NoticeKind.CONFIRMED, event)
        sections.append(section(ENGLISH, content, TITLES, URL, refused=number in refused))
    made = list(messages(ENGLISH, sections, limits))
    assert sum(count for count, _ in made) == len(sections)
    begun = 0
    for count, one in made:
        assert count
        assert length(one, limits) <= body
        assert len(one.title) <= (title or 200)
        for number in range(begun, begun + count):
            assert f"/events/e{number}" in one.body
            assert number not in refused or (count == 1 and "What it is not" not in one.body)
        begun += count


def test_a_title_that_is_cut_stands_in_the_body() -> None:
    """A service that shows sixty characters of it hides nothing."""
    long = block(platform="A platform of a remarkably long name that goes on and on")
    whole = section(ENGLISH, told(NoticeKind.CONFIRMED, long), TITLES)
    ((_, made),) = messages(ENGLISH, [whole], Limits(title=60))
    assert len(made.title) <= 60
    assert made.body.startswith(f"{whole.title}\nSince: ")


def test_lists_of_what_happened_are_bounded() -> None:
    """Of many further networks the first are named, of many changes the last, and the rest is
    counted."""
    lines = tuple(
        entry("network_affected", block(), sequence=n, detail=f"AS{n} Net {n}") for n in range(40)
    )
    spread = told(NoticeKind.SPREAD, block(), meanwhile=lines)
    (first, *_) = section(ENGLISH, spread, TITLES).lines
    assert first.startswith("New: AS0 Net 0, AS1 Net 1, ")
    assert first.endswith(f"AS{NETWORKS_NAMED - 1} Net {NETWORKS_NAMED - 1}, 30 more")
    (first, *_) = section(ENGLISH, told(NoticeKind.ENDED, block(), meanwhile=lines), TITLES).lines
    assert first.startswith("Meanwhile, in this order: 30 more; It shows on another network (AS30")
    assert first.endswith("(AS39 Net 39)")
    assert first.count("It shows on") == CHANGES_NAMED


async def test_what_a_service_takes_decides_what_it_is_sent() -> None:
    """Three long ones at once, to a service that takes 1024 characters: short forms, one message.
    To one that takes all: whole ones."""
    for limits, whole in ((PUSHOVER, False), (Limits(), True)):
        of = await opened(World(route(), give_up=86400.0))
        of.post.takes_characters = limits
        async with of.working() as courier:
            for content in _events(3):
                await of.happen(courier, ("confirmed", content.entry.snapshot))
            await asyncio.sleep(60)
        for _, _, made in of.post.sent:
            assert length(made, limits) <= limits.body
            assert ("Some Telecom 3" in made.body) is whole
        assert {state for _, state, _ in await of.rows()} == {"sent"}


async def test_what_is_refused_is_tried_again_in_the_short_form() -> None:
    """A service may take less than Apprise says, or count bytes: after two days the message was
    given up."""
    of = await opened(World(route(), give_up=2 * 86400.0))
    of.post.refuses = lambda made: (
        "the service refused the message (HTTP status 413)" if len(made.body) > 400 else ""
    )
    async with of.working() as courier:
        for content in _events(3, block()):
            await of.happen(courier, ("confirmed", content.entry.snapshot))
        await asyncio.sleep(60)
    assert {state for _, state, _ in await of.rows()} == {"sent"}
    assert len(of.post.sent) == 4
