"""Sentences about an event: what is counted in them, and how sure they are."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventKind, EventState, NetworkStatus, Stretch
from monitor.export.kinds import EXPORTS, Kind
from monitor.notify.body import event_lines
from monitor.notify.names_without_markup import message_words
from monitor.wording.changes import change_in_words
from monitor.wording.events import began, condition, length, what_happened
from monitor.wording.states import state_and_meaning
from monitor.wording.words import words_in
from tests.unit.monitor.analysis.events.test_events import told
from tests.unit.monitor.analysis.events.test_undecided_functions import story
from tests.worlds.notify_world import CYBER, JAZZ, ONSET, PTCL, TITLES, block, entry, shutdown

MINUTE = timedelta(minutes=1)
OPEN_AGAIN = replace(JAZZ, blocked_now=False)
UNOBSERVED = replace(PTCL, blocked_now=False, unobserved=True)


def stretch(since: int, until: int | None, **changes: Any) -> Stretch:
    """From one minute after the onset to another, with a minute between the bounds."""
    end = None if until is None else ONSET + until * MINUTE
    return replace(
        Stretch(
            onset_earliest=ONSET + (since - 1) * MINUTE,
            onset_latest=ONSET + since * MINUTE,
            end_earliest=end,
            end_latest=end and end + MINUTE,
        ),
        **changes,
    )


def over(kind: EventKind, *networks: NetworkStatus, **changes: Any) -> Event:
    """An event that is no block of a platform, and ended."""
    back = tuple(replace(one, blocked_now=False) for one in networks)
    return shutdown(kind, state=EventState.ENDED, networks=back, **changes)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        # What blocks now is counted, and not what blocked before.
        (block(networks=(CYBER, PTCL, OPEN_AGAIN)), "X is blocked in Pakistan on 1 of 3 networks"),
        # Where nothing blocks any more, what blocked is.
        (
            block(EventState.ENDED, networks=(CYBER, replace(PTCL, blocked_now=False), OPEN_AGAIN)),
            "X was blocked in Pakistan on 2 of 3 networks",
        ),
        # What is slowed down and also blocked is blocked.
        (
            block(methods=("throttling.rate", "tls.reset")),
            "X is blocked in Pakistan on 2 of 3 networks",
        ),
        (
            block(methods=("throttling.rate", "throttling.stall_16k")),
            "X is slowed down in Pakistan on 2 of 3 networks",
        ),
        (
            shutdown(),
            "Pakistan is cut off from the internet: 2 of 3 tested networks are offline",
        ),
        (
            shutdown(networks=(PTCL, JAZZ)),
            "Pakistan is cut off from the internet: every tested network is offline",
        ),
        # While all its networks are behind login pages, nobody knows that they are offline.
        (
            shutdown(networks=(UNOBSERVED,)),
            "Pakistan was cut off from the internet; whether this goes on is not known",
        ),
        (
            shutdown(methods=("shutdown.no_names",), networks=(UNOBSERVED,)),
            "In Pakistan no name resolved on any tested network; whether this goes on is not known",
        ),
        (
            shutdown(networks=(UNOBSERVED, JAZZ)),
            "Pakistan is cut off from the internet: 1 of 2 tested networks are offline",
        ),
        # Once it is over, it was on as many networks as were told while it lasted.
        (
            over(EventKind.SHUTDOWN, PTCL, JAZZ, CYBER),
            "Pakistan was cut off from the internet on 2 of 3 networks",
        ),
        (
            over(EventKind.INTERNATIONAL_CUT, PTCL, JAZZ, CYBER),
            "Pakistan was cut off from abroad on 2 of 3 networks",
        ),
        (
            over(EventKind.ALLOWLIST, PTCL, JAZZ, CYBER),
            "Only a list of sites answered in Pakistan on 2 of 3 networks",
        ),
        (
            over(EventKind.SEEN_BY_VOLUNTEERS, PTCL, JAZZ, CYBER, platform="x"),
            "Volunteers found X blocked in Pakistan on 2 of 3 networks",
        ),
        (
            over(EventKind.SHUTDOWN, PTCL, CYBER, methods=("shutdown.no_names",)),
            "In Pakistan no name resolved on 1 of 2 tested networks",
        ),
        (over(EventKind.SHUTDOWN, PTCL, JAZZ), "Pakistan was cut off from the internet"),
    ],
)
def test_a_sentence_counts_what_is_so(event: Event, said: str) -> None:
    """On how many networks, and in what manner."""
    assert what_happened(words_in(), event, TITLES) == said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (EventState.CONFIRMED, "blocked"),
        (EventState.SUSPECTED, "seems blocked"),
        (EventState.ENDED, "was blocked"),
        (EventState.DISMISSED, "seemed blocked"),
        (EventState.WITHDRAWN, "seemed blocked"),
    ],
)
def test_a_network_is_no_surer_than_its_event(state: EventState, said: str) -> None:
    """An event that was confirmed and is withdrawn never was a block."""
    assert condition(words_in(), block(state), PTCL) == said


@pytest.mark.parametrize(
    ("event", "network", "said"),
    [
        (shutdown(), PTCL, "offline"),
        (shutdown(), OPEN_AGAIN, "was offline"),
        (shutdown(state=EventState.SUSPECTED), PTCL, "seems offline"),
        (shutdown(state=EventState.ENDED), PTCL, "was offline"),
        (shutdown(state=EventState.DISMISSED), PTCL, "seemed offline"),
        (shutdown(methods=("shutdown.no_names",)), PTCL, "no name resolves"),
        (shutdown(EventKind.INTERNATIONAL_CUT), PTCL, "is cut off from abroad"),
        (shutdown(EventKind.VANTAGE_SILENT, state=EventState.ENDED), PTCL, "was offline"),
        (shutdown(EventKind.INSTRUMENT, country=""), PTCL, "offline"),
        (shutdown(EventKind.ALLOWLIST), PTCL, "only a list of sites answers"),
        # Such an event notes neither whom it affects nor for how long.
        (block(kind=EventKind.OUTAGE, country=""), OPEN_AGAIN, "fails there too"),
        (block(EventState.ENDED, kind=EventKind.OUTAGE), OPEN_AGAIN, "failed there too"),
        (
            shutdown(EventKind.CONTROL_DIFFERS),
            replace(PTCL, affected=False, blocked_now=False),
            "disagrees with the other controls",
        ),
        (block(kind=EventKind.SEEN_BY_VOLUNTEERS), PTCL, "blocked"),
    ],
)
def test_a_network_does_what_its_event_is_about(
    event: Event, network: NetworkStatus, said: str
) -> None:
    """Who is offline is not said to be blocked."""
    assert condition(words_in(), event, network) == said


def test_what_nobody_saw_end_is_not_said_to_be_over() -> None:
    """It is closed, in the state and in the log; what was seen to end is over."""
    unseen = block(EventState.ENDED, end_earliest=ONSET)
    seen = replace(unseen, end_latest=ONSET + MINUTE)
    words = words_in()
    assert state_and_meaning(words, unseen) == "ended: It was closed; nobody saw it end."
    assert state_and_meaning(words, seen) == "ended: It is over."
    assert change_in_words(words, entry("ended", unseen)) == "Closed; nobody saw it end"
    assert change_in_words(words, entry("ended", seen)) == "Over"
    still = entry("ended", replace(seen, kind=EventKind.SHUTDOWN), detail="AS17557 PTCL")
    assert change_in_words(words, still) == "Over; some networks are not known to be back"


def test_a_withdrawal_names_no_cause_that_it_may_not_have() -> None:
    """Data may have come late, and a person may have left out a vantage."""
    gone = block(EventState.WITHDRAWN)
    assert what_happened(words_in(), gone, TITLES) == (
        "X was thought to be blocked or slowed down in Pakistan; the results that count now do not "
        "support this"
    )
    meaning = state_and_meaning(words_in(), gone)
    assert "late" in meaning
    assert "left out" in meaning


def test_stretches_that_may_be_one_are_counted_at_least() -> None:
    """Jazz, never found open, joins after PTCL was open again: it may have blocked all the time. So
    three stretches are two at least."""
    event = block(
        onset_earliest=None,
        networks=(
            replace(PTCL, stretches=(stretch(0, 10), stretch(60, None))),
            replace(OPEN_AGAIN, stretches=(stretch(30, 40, onset_earliest=None),)),
        ),
    )
    assert began(words_in(), event).startswith("Blocked in at least 2 stretches, the last from")
    assert length(words_in(), event).endswith(", in at least 2 stretches")


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [
        (0.0, 0, "0%"),
        (0.0004, 0, "1%"),
        (0.5, 0, "50%"),
        (0.9996, 0, "99%"),
        (1.0, 0, "100%"),
        (1 / 3000, 1, "0.1%"),
        (2999 / 3000, 1, "99.9%"),
    ],
)
def test_all_and_none_are_said_of_all_and_none_alone(share: float, digits: int, said: str) -> None:
    """One address of 300 that works is not 100 % that fail, nor is one verdict of 3,000 none."""
    assert words_in().percent(share, digits) == said


@pytest.mark.parametrize("state", [EventState.DISMISSED, EventState.WITHDRAWN])
def test_no_length_and_no_evidence_are_told_of_what_was_none(state: EventState) -> None:
    """A sum over a file would count it, and a grade would speak on."""
    event = block(
        state,
        end_earliest=ONSET + MINUTE,
        end_latest=ONSET + 2 * MINUTE,
        networks=(replace(PTCL, blocked_now=False, stretches=(stretch(0, 10),)),),
        weight=1.0,
    )
    row = {one.name: one.value(event) for one in EXPORTS[Kind.EVENTS].columns}
    assert (row["blocked_seconds_least"], row["blocked_seconds_most"]) == (None, None)
    assert length(words_in(), event) == "does not apply"
    told = "\n".join(event_lines(message_words("en"), event))
    assert "How: " in told
    assert "vidence" not in told


def test_tests_that_tell_nothing_are_not_said_to_be_missing() -> None:
    """Pictures are blocked, and then each test of them is undecided, as behind a login page."""
    event = told(story("..." + 15 * "p" + 40 * "i")).only
    assert event.state is EventState.UNOBSERVED
    assert what_happened(words_in(), event, TITLES).endswith(
        "; no recent test tells how it is where it was last blocked"
    )
    assert state_and_meaning(words_in(), event) == (
        "no longer observed: No recent test tells how it is where it was last blocked."
    )
