"""An event that came back, on every surface: since when, until when and how long, by stretches.

X was blocked from 18:12 to 18:15, open until 18:38, and blocked again from 18:38:30.
"""

import io
import re
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.coverage import Coverage
from monitor.analysis.events.event import Event, EventState, Stretch
from monitor.cli.event import _print_list, _Reviewed
from monitor.notify.message import message, section
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import NoticeKind
from monitor.server.matrix import Overall
from monitor.server.top_line import top_line
from monitor.wording.events import headline, length
from monitor.wording.languages import ENGLISH, LANGUAGES, Language
from monitor.wording.words import words_in
from tests.unit.monitor.wording.test_same_words_everywhere import (
    command,
    findings_of,
    mail,
    page,
    report,
)
from tests.worlds.notify_world import (
    CYBER,
    JAZZ,
    ONSET,
    PTCL,
    TITLES,
    block,
    came_back,
    found_open,
    told,
)

SINCE = "18:38 UTC on 17 Feb 2024 (23:38 in Karachi)"
FIRST = "first blocked between 18:07 and 18:12 UTC on 17 Feb 2024 (23:07–23:12 in Karachi)"
CERTAIN = "7 minutes"
"""3 minutes, and 4 minutes so far: to the last test that found it blocked."""


def test_a_headline_says_since_when_it_is_blocked_again() -> None:
    """Not since the first onset of long ago, which stands beside it."""
    assert headline(words_in(), came_back(), TITLES) == (
        f"X is blocked in Pakistan again on 1 of 2 networks, since {SINCE}; {FIRST}"
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (EventState.RECOVERING, "seems to work again; blocked from"),
        (
            EventState.UNOBSERVED,
            "no recent test tells how it is where it was last blocked; blocked from",
        ),
    ],
)
def test_since_never_follows_that_it_works(state: EventState, said: str) -> None:
    """`It seems to work again, since 18:07` would date the end by the onset."""
    assert said in headline(words_in(), block(state), TITLES)


async def test_what_was_found_open_is_not_said_to_have_been_blocked_when_last_tested(
    tmp_path: Path,
) -> None:
    """Too few tests found it open to be sure, and then there were none."""
    event = found_open()
    seen = {
        "page": await page(ENGLISH, event),
        "report": report(ENGLISH, await findings_of(tmp_path, event)),
        "command": command(event),
        "headline": headline(words_in(), event, TITLES),
    }
    for surface, said in seen.items():
        assert "when last tested" not in said.replace("open when last tested", ""), surface
        assert "not open when last tested" not in said, surface
        assert "nobody saw" not in said, surface
    assert "open when last tested" in seen["page"]
    assert "no recent test tells how it is where it was last blocked" in seen["headline"]
    assert (
        "Ended: not certain: last blocked at 18:26:00 UTC on 17 Feb 2024 (23:26:00 in Karachi), "
        "then found open, and no longer tested"
    ) in seen["report"]


def test_a_block_that_nobody_tests_any_more_is_not_said_to_be_over_perhaps() -> None:
    """Where nobody tests, there is no sign of an end; and nothing about it is green."""
    nothing = Overall(
        confirmed=0, suspected=0, recovering=0, unobserved=1, blocked=0, coverage=Coverage()
    )
    assert top_line(words_in(), nothing, controls=True) == "1 block no longer observed"
    assert nothing.state == "insufficient"
    seems_over = msgspec.structs.replace(nothing, recovering=1)
    assert top_line(words_in(), seems_over, controls=True).endswith("may be over, not certain yet")


def test_a_length_is_the_sum_of_stretches() -> None:
    """26 minutes in between it was open: they are no part of it."""
    assert length(words_in(), came_back()) == f"at least {CERTAIN} so far, in 2 stretches"
    assert length(words_in(), came_back(over=True)) == (
        "at least 14 minutes 30 seconds, at most 21 minutes 6 seconds, in 2 stretches"
    )


@pytest.mark.parametrize(
    ("later", "said"),
    [
        # 1 day 6:04:30 to 1 day 6:11:06
        (timedelta(days=1, hours=5, minutes=50), "at least 1 day 6 hours, at most 1 day 7 hours"),
        # 23:45:30.6 to 23:52:06.6
        (
            timedelta(hours=23, minutes=31, seconds=0.6),
            "at least 23 hours 45 minutes, at most 23 hours 53 minutes",
        ),
        # 1 day 23:50 to 1 day 23:56:36
        (timedelta(days=1, hours=23, seconds=2130), "at least 1 day 23 hours, at most 2 days"),
        # 14:30.9 to 21:06.9
        (
            timedelta(seconds=0.9),
            "at least 14 minutes 30 seconds, at most 21 minutes 7 seconds",
        ),
    ],
)
def test_no_bound_of_a_length_is_rounded_beyond_what_is_known(later: timedelta, said: str) -> None:
    """What was blocked at most 1 day 6:11 may have been so for longer than 1 day 6 hours."""
    assert length(words_in(), came_back(over=True, later=later)) == f"{said}, in 2 stretches"


@pytest.mark.parametrize("over", [False, True])
async def test_page_report_message_and_command_tell_the_same_stretches(
    tmp_path: Path, over: bool
) -> None:
    """Since the newest stretch, and first blocked before; nothing says it lasted from the first."""
    event = came_back(over=over)
    said = [
        await page(ENGLISH, event),
        report(ENGLISH, await findings_of(tmp_path, event)),
        mail(ENGLISH, event),
    ]
    for text in said:
        assert re.search(r"18:38(:00|:30)? (UTC|and 18:38:30 UTC)", text)
        assert "first blocked between" in text
    for text in (*said[:2], command(event)):
        assert length(words_in(), event) in text
    for text in (*said, command(event)):
        assert not re.search(r"(3[0-9]|[4-9][0-9]) minutes", text)
    assert "in 2 stretches" in said[0]


HOURS = [timedelta(hours=one) for one in range(12)]


def twelve_times() -> Event:
    """X was blocked in twelve hours in turn."""
    every = tuple(
        Stretch(
            onset_earliest=ONSET + hour,
            onset_latest=ONSET + hour,
            end_earliest=ONSET + hour + timedelta(minutes=5) if hour != HOURS[-1] else None,
            end_latest=ONSET + hour + timedelta(minutes=6) if hour != HOURS[-1] else None,
        )
        for hour in HOURS
    )
    return block(networks=(msgspec.structs.replace(PTCL, stretches=every),))


async def test_the_page_says_how_many_stretches_it_leaves_out() -> None:
    """It shows the newest five of a network."""
    shown = await page(ENGLISH, twelve_times())
    assert "7 earlier stretches are in the data." in shown
    assert "earlier stretch" not in await page(ENGLISH, came_back())


def test_the_command_prints_the_first_stretch_and_the_newest() -> None:
    """Of twelve, which have their numbers; in the list stands since when it is blocked now."""
    event = twelve_times()
    shown = re.findall(r"stretch +(\d+) of 12: began between \S+ (\S+)Z", command(event))
    numbers = (1, *range(4, 13))
    assert shown == [(str(n), f"{ONSET + HOURS[n - 1]:%H:%M}") for n in numbers]
    printed = io.StringIO()
    with redirect_stdout(printed):
        _print_list([_Reviewed(event, None, 0)])
    assert f"{ONSET + HOURS[-1]:%Y-%m-%d %H:%M}Z" in printed.getvalue()


@pytest.mark.parametrize("state", [EventState.RECOVERING, EventState.UNOBSERVED])
def test_the_command_knows_no_end_of_what_only_seems_over(state: EventState) -> None:
    """Nor does it say that there was none."""
    event = msgspec.structs.replace(found_open(state), state=state)
    assert "ended     not known; last blocked 2024-02-17 18:26Z" in command(event)


async def test_the_page_and_the_report_list_every_stretch_of_a_network(tmp_path: Path) -> None:
    """The first stretch has its end, the second goes on."""
    event = came_back()
    shown = await page(ENGLISH, event)
    assert "Ended between 18:15 and 18:15 UTC" not in shown
    assert "Ended 18:15 UTC on 17 Feb 2024" in shown
    whole = report(ENGLISH, await findings_of(tmp_path, event))
    assert "1 of 2" in whole
    assert "2 of 2" in whole
    assert "2024-02-17 18:15:00 – 18:15:06" in whole
    assert "goes on" in whole


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
async def test_again_and_first_blocked_in_every_language(language: Language) -> None:
    """The page and a message say both, wherever people read them."""
    words, event = words_in(language), came_back()
    shown = await page(language, event)
    for text in (shown, mail(language, event)):
        for minute in (7, 38):
            assert words.clock(datetime(2024, 2, 17, 18, minute, tzinfo=UTC)) in text
    assert words.gettext("%(what)s again", what="").strip("، ") in shown


@pytest.mark.parametrize("over", [False, True])
async def test_no_network_is_said_to_block_that_blocks_no_longer(
    tmp_path: Path, over: bool
) -> None:
    """PTCL blocks and Jazz is open again: where both are named, Jazz is in the past tense.
    Once PTCL is open too, both are."""
    state = EventState.ENDED if over else EventState.CONFIRMED
    open_again = msgspec.structs.replace(JAZZ, blocked_now=False)
    ptcl = msgspec.structs.replace(PTCL, blocked_now=not over)
    event = block(state, networks=(CYBER, ptcl, open_again), end_latest=ONSET if over else None)
    lead = report(ENGLISH, await findings_of(tmp_path, event))
    both = "PTCL (AS17557) and Jazz (AS45669)"
    if over:
        assert f"X was blocked in Pakistan on 2 of 3 networks: {both}." in lead
        assert f"Networks: 2 of 3 tested: {both}\n" in mail(ENGLISH, event)
    else:
        assert "X is blocked in Pakistan on 1 of 3 networks: PTCL (AS17557)." in lead
        named = "PTCL (AS17557) and Jazz (AS45669, was blocked)"
        assert f"Networks: 2 of 3 tested: {named}\n" in mail(ENGLISH, event)


@pytest.mark.parametrize("state", [one for one in EventState if one is not EventState.SUSPECTED])
async def test_the_share_of_users_is_of_those_it_is_known_of(state: EventState) -> None:
    """Of networks of known size, wherever it stands; and where nothing is known to block, 0 % would
    read as if it had kept nobody away."""
    blocked = state is EventState.CONFIRMED
    event = block(state, share_affected=0.25 if blocked else 0.0, platform="whatsapp")
    said = [await page(ENGLISH, event), mail(ENGLISH, event)]
    if event.active:
        front = await page(ENGLISH, event, path="/")
        assert "WhatsApp" in front
        said.append(front)
    for text in said:
        assert ("25% of those on networks of known size" in text) is blocked
        assert ("known size" in text) is blocked
        assert "0% of users" not in text


def test_a_message_that_it_is_over_tells_methods_in_the_past() -> None:
    """Nothing is reset any more."""
    words = message_words("en")
    texts = [
        message(words, [section(words, told(kind, event), TITLES)]).body
        for kind, event in (
            (NoticeKind.CONFIRMED, came_back()),
            (NoticeKind.ENDED, came_back(over=True)),
        )
    ]
    assert "How: connections are reset when the platform's name appears" in texts[0]
    assert "How: connections were reset when the platform's name appeared" in texts[1]


def test_what_was_withdrawn_lasted_no_time() -> None:
    """Late data showed that there was no block."""
    gone = msgspec.structs.replace(came_back(), state=EventState.WITHDRAWN)
    assert length(words_in(), gone) == "does not apply"


def test_one_measurement_has_no_least_length() -> None:
    """A block seen once lasted an unknown time."""
    once: Event = block(updated_at=block().onset_latest)
    assert length(words_in(), once) == "not known"
