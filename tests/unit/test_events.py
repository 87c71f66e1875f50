"""The first event detector: stories of verdicts, one letter per cycle.

.  ok          B  blocked, strong      w  blocked, weak      N  blocked by DNS, strong
p  degraded    ?  insufficient         d  down               (space) no cycle
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.analysis.event import Event, EventLogEntry, EventState, Scope
from monitor.analysis.event_fold import EventBook, advance, book_from
from monitor.analysis.verdict import Evidence, PlatformVerdict, RoleVerdict, State
from monitor.settings import EventSettings
from tests.build import START

CYCLE = timedelta(minutes=5)
DEFAULTS = EventSettings()
PTCL, ZONG, JAZZ = "khi-ptcl", "khi-zong", "khi-jazz"
NETWORKS = {PTCL: (17557, "PTCL"), ZONG: (59257, "Zong"), JAZZ: (45669, "Jazz")}

LETTERS: dict[str, tuple[State, Evidence, str]] = {
    ".": (State.OK, Evidence.NONE, ""),
    "B": (State.BLOCKED, Evidence.STRONG, "tls.reset"),
    "N": (State.BLOCKED, Evidence.STRONG, "dns.nxdomain"),
    "w": (State.BLOCKED, Evidence.WEAK, "tls.timeout"),
    "p": (State.DEGRADED, Evidence.STRONG, "tls.reset"),
    "?": (State.INSUFFICIENT, Evidence.NONE, ""),
    "d": (State.DOWN, Evidence.NONE, ""),
}


def verdict(
    letter: str,
    cycle: int,
    vantage: str = PTCL,
    *,
    network: tuple[int, str] | None = None,
    platform: str = "x",
    vantage_role: str = "field",
) -> PlatformVerdict:
    """The verdict a letter stands for, in cycle 0, 1, 2, …"""
    state, evidence, named = LETTERS[letter]
    method, _, sub_method = named.partition(".")
    asn, name = network or NETWORKS.get(vantage, (0, ""))
    role = "media" if letter == "p" else "web"
    blocked = state in (State.BLOCKED, State.DEGRADED)
    return PlatformVerdict(
        cycle=f"{vantage}-{cycle}",
        vantage=vantage,
        country="PK",
        asn=asn,
        network=name,
        vantage_role=vantage_role,
        platform=platform,
        state=state,
        method=method,
        sub_method=sub_method,
        rule_id=named or f"rule.{state}",
        evidence=evidence,
        roles=(
            RoleVerdict(
                role=role, core=role == "web", state=State.BLOCKED if blocked else State.OK
            ),
        ),
        measurement=f"m-{platform}-{vantage}-{cycle}",
        started_at=at(cycle),
        judged_at=judged(cycle),
        rules_version="1",
    )


def at(cycle: int) -> datetime:
    """When the first look of a cycle began."""
    return START + cycle * CYCLE


def judged(cycle: int) -> datetime:
    """When a cycle was judged."""
    return at(cycle) + timedelta(minutes=1)


class Told(msgspec.Struct):
    """A story told to the end."""

    book: EventBook
    events: dict[str, Event]
    """Every event in its last form, in the order opened."""
    log: list[EventLogEntry]

    @property
    def only(self) -> Event:
        """The one event of the story."""
        (event,) = self.events.values()
        return event

    @property
    def changes(self) -> list[str]:
        """The log's words."""
        return [entry.change for entry in self.log]


def cycles(story: Mapping[str, str]) -> list[PlatformVerdict]:
    """The verdicts of a story, cycle by cycle, vantage by vantage."""
    length = max(map(len, story.values()))
    return [
        verdict(letters[cycle], cycle, vantage)
        for cycle in range(length)
        for vantage, letters in story.items()
        if letters[cycle : cycle + 1].strip()
    ]


def told(
    verdicts: list[PlatformVerdict],
    book: EventBook | None = None,
    rules: EventSettings = DEFAULTS,
) -> Told:
    """Feed verdicts one at a time."""
    result = Told(book=book or EventBook(), events={}, log=[])
    for each in verdicts:
        step = advance(result.book, [each], rules)
        result.book = step.book
        result.events.update((event.id, event) for event in step.changed)
        result.log += step.log
    return result


def tell(**story: str) -> Told:
    """A story by vantage: ptcl=".BB..", zong="…"."""
    return told(cycles(by_vantage(story)))


def by_vantage(story: Mapping[str, str]) -> dict[str, str]:
    """A story with its short names replaced by vantage ids."""
    return {f"khi-{name}": letters for name, letters in story.items()}


# -- opening -----------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", ["....", "?d?d", "w...", ".w..w", "w??w", ""])
def test_no_event_without_a_block(letters: str) -> None:
    """Clean, unknown or down cycles, and weak signs far apart, open nothing."""
    assert not tell(ptcl=letters or " ").events


@pytest.mark.parametrize("letters", ["B", ".B", "ww", "w.w", "w?w", "p"])
def test_suspected_at_the_first_good_sign(letters: str) -> None:
    """One strong verdict, or two weak ones close together, open an event."""
    story = tell(ptcl=letters)
    assert story.only.state is EventState.SUSPECTED
    assert story.changes == ["opened"]
    assert story.book.active == (story.only,)


def test_opening_tells_who_how_and_when() -> None:
    """A new event names network, method, roles, evidence and the bounds of its onset."""
    event = tell(ptcl="..B").only
    assert (event.country, event.platform, event.scope, event.roles) == (
        *("PK", "x", Scope.FULL),
        ("web",),
    )
    assert (event.methods, event.networks_affected) == (("tls.reset",), (17557,))
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))
    assert (event.detected_at, event.evidence) == (judged(2), "strong")
    assert event.first_measurement == f"m-x-{PTCL}-2"


def test_blocked_from_first_sight_has_no_earliest_onset() -> None:
    """A block that was there when monitoring began has an open onset."""
    assert tell(ptcl="B").only.onset_earliest is None
    assert tell(ptcl="?B").only.onset_earliest is None


def test_onset_is_the_first_weak_sign() -> None:
    """Two weak verdicts place the onset at the first of them."""
    event = tell(ptcl=".ww").only
    assert (event.onset_earliest, event.onset_latest) == (at(0), at(1))
    assert (event.detected_at, event.evidence) == (judged(2), "weak")


def test_a_lone_weak_sign_before_an_ok_does_not_move_the_onset() -> None:
    """A block that stands by itself begins after the last ok."""
    event = tell(ptcl="w.B").only
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))


def test_onset_is_that_of_the_earliest_network() -> None:
    """A network whose weak signs came first moves the onset back once they suffice."""
    event = tell(ptcl="..B.", zong=".w.w").only
    assert (event.onset_earliest, event.onset_latest) == (at(0), at(1))


# -- confirming --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "cycle"),
    [
        ({"ptcl": ".BB"}, 2),
        ({"ptcl": ".B.B"}, 3),
        ({"ptcl": ".B?B"}, 3),
        ({"ptcl": ".B", "zong": ".B"}, 1),
        ({"ptcl": ".B?", "zong": "..N"}, 2),
        ({"ptcl": ".B?", "zong": ".ww"}, 2),
    ],
)
def test_confirmed(story: dict[str, str], cycle: int) -> None:
    """Two networks, or two strong cycles of the last three on one, confirm."""
    event = tell(**story).only
    assert event.state is EventState.CONFIRMED
    assert event.confirmed_at == judged(cycle)


@pytest.mark.parametrize(
    "story",
    [{"ptcl": "ww"}, {"ptcl": "Bw"}, {"ptcl": "B??B"}, {"ptcl": "B", "zong": "w"}],
)
def test_not_confirmed(story: dict[str, str]) -> None:
    """Weak evidence on one network, or strong evidence once, does not confirm."""
    assert tell(**story).only.state is EventState.SUSPECTED


def test_two_vantages_on_one_network_are_one_network() -> None:
    """The AS number tells networks apart, not the vantage."""
    both = [verdict("B", 0, PTCL), verdict("B", 0, "lhe-ptcl", network=(17557, "PTCL Lahore"))]
    event = told(both).only
    assert event.state is EventState.SUSPECTED
    assert len(event.networks) == 1


def test_networks_without_numbers_go_by_name() -> None:
    """Where no AS number is configured, the name tells networks apart, or else the vantage."""
    named = [verdict("B", 0, "a", network=(0, "SIM 1")), verdict("B", 0, "b", network=(0, "SIM 2"))]
    assert told(named).only.state is EventState.CONFIRMED
    bare = told([verdict("B", 0, "a"), verdict("B", 0, "b")]).only
    assert [status.network for status in bare.networks] == ["a", "b"]


def test_settings_move_the_thresholds() -> None:
    """k of n and the clean cycles needed are the operator's to choose."""
    strict = EventSettings(confirm_cycles=3, window=4, clear_cycles=3)

    def event(letters: str) -> Event:
        return told(cycles({PTCL: letters}), rules=strict).only

    assert event("BB.B").state is EventState.CONFIRMED
    assert event("BB").state is EventState.SUSPECTED
    assert event("BBB..").active
    assert not event("BBB...").active


# -- ending ------------------------------------------------------------------------------------


def test_ends_after_clean_cycles() -> None:
    """Two clean cycles end a confirmed event, between the last block and the first ok."""
    story = tell(ptcl=".BBB..")
    event = story.only
    assert event.state is EventState.ENDED
    assert (event.end_earliest, event.end_latest) == (at(3), at(4))
    assert event.updated_at == judged(5)
    assert story.changes == ["opened", "confirmed", "network_recovered", "ended"]
    assert not story.book.active


@pytest.mark.parametrize("letters", ["BB.", "BB?????", "BBdddd", "BB.B", "BB.?"])
def test_does_not_end_early(letters: str) -> None:
    """One clean cycle, silence or an outage do not end an event."""
    assert tell(ptcl=letters).only.active


def test_unknown_cycles_do_not_interrupt_the_clean_ones() -> None:
    """Insufficient and down neither block nor clear."""
    event = tell(ptcl="BB.?d.").only
    assert event.state is EventState.ENDED
    assert event.end_latest == at(2)


def test_dismissed_when_never_confirmed() -> None:
    """A suspicion whose signs go away is dismissed."""
    story = tell(ptcl=".B..")
    assert story.only.state is EventState.DISMISSED
    assert story.changes == ["opened", "network_recovered", "dismissed"]


def test_ends_only_when_every_network_is_open() -> None:
    """The event goes on while one network blocks, and ends with the last."""
    story = tell(ptcl="BB....", zong="BBBB..")
    assert story.only.state is EventState.ENDED
    assert (story.only.end_earliest, story.only.end_latest) == (at(3), at(4))
    assert story.changes.count("network_recovered") == 2
    assert tell(ptcl="BB....", zong="BBBB?.").only.active


def test_a_block_after_the_end_is_a_new_event() -> None:
    """Block, unblock, re-block makes two events with ids of their own."""
    story = tell(ptcl=".BB..BB")
    first, second = story.events.values()
    assert (first.state, second.state) == (EventState.ENDED, EventState.CONFIRMED)
    assert first.id != second.id
    assert (second.onset_earliest, second.onset_latest) == (at(4), at(5))


def test_intermittent_block_stays_one_event() -> None:
    """Ok every other cycle does not end it."""
    story = tell(ptcl="B.B.B.B.")
    assert story.only.state is EventState.CONFIRMED


# -- while it lasts ----------------------------------------------------------------------------


def test_brazil_two_networks_of_three() -> None:
    """Networks seen open are listed beside those that block, each with its methods."""
    event = tell(ptcl=".N", zong=".B", jazz="..").only
    assert [(s.asn, s.affected, s.methods) for s in event.networks] == [
        (17557, True, ("dns.nxdomain",)),
        (45669, False, ()),
        (59257, True, ("tls.reset",)),
    ]


def test_networks_of_which_nothing_is_known_are_not_seen() -> None:
    """A network with only insufficient verdicts is not among those seen."""
    event = tell(ptcl=".B", zong="??", jazz=".?").only
    assert [status.network for status in event.networks] == ["PTCL", "Jazz"]
    later = tell(ptcl=".BB", zong="??.").only
    assert [status.network for status in later.networks] == ["PTCL", "Zong"]


def test_technique_switch_is_one_event() -> None:
    """A block that changes from DNS to TLS stays one event that names both."""
    story = tell(ptcl="NNBB")
    assert story.only.methods == ("dns.nxdomain", "tls.reset")
    assert "method_added" in story.changes


def test_spreading_and_receding_is_logged() -> None:
    """Each network's part is told as it happens, a second time as such."""
    story = tell(ptcl="BBBBBBBB", zong="..B..BB.")
    details = [(e.change, e.detail) for e in story.log if e.change.startswith("network")]
    assert details == [
        ("network_affected", "AS59257 Zong"),
        ("network_recovered", "AS59257 Zong"),
        ("network_affected", "AS59257 Zong, again"),
    ]


def test_scope_widens_and_never_narrows() -> None:
    """Media first, then the core: the event is full from then on."""
    partial = tell(ptcl="pp").only
    assert (partial.scope, partial.roles) == (Scope.PARTIAL, ("media",))
    story = tell(ptcl="ppBp")
    assert (story.only.scope, story.only.roles) == (Scope.FULL, ("media", "web"))
    assert [e.detail for e in story.log if e.change == "scope_widened"] == ["media, web"]


def test_log_numbers_and_snapshots() -> None:
    """The log counts from one, and each entry holds the event as it then stood."""
    story = tell(ptcl=".BBB..")
    assert [entry.sequence for entry in story.log] == [1, 2, 3, 4]
    states = [entry.snapshot.state.value for entry in story.log]
    assert states == ["suspected", "confirmed", "confirmed", "ended"]
    assert [entry.at for entry in story.log] == [judged(1), judged(2), judged(5), judged(5)]
    assert story.log[-1].snapshot == story.only


def test_steady_block_changes_nothing() -> None:
    """Once confirmed, more of the same is neither logged nor stored again."""
    story = tell(ptcl="BBB")
    step = advance(story.book, [verdict("B", 3)], DEFAULTS)
    assert (step.changed, step.log) == ((), ())


# -- what does not count -----------------------------------------------------------------------


def test_control_vantages_do_not_count() -> None:
    """A control that is blocked makes no event."""
    assert not told([verdict("B", n, vantage_role="control") for n in range(3)]).events


def test_platforms_are_apart() -> None:
    """Each platform has an event of its own, from one cycle's verdicts."""
    both = [verdict("B", 0, platform="x"), verdict("B", 0, platform="youtube")]
    step = advance(EventBook(), both, DEFAULTS)
    assert {event.platform for event in step.changed} == {"x", "youtube"}
    assert len({event.id for event in step.changed}) == 2


def test_a_cycle_counts_once() -> None:
    """The same cycle again, or one older than the last, changes nothing."""
    story = tell(ptcl=".B")
    for repeated in (verdict("B", 1), verdict(".", 0)):
        step = advance(story.book, [repeated], DEFAULTS)
        assert (step.book, step.changed, step.log) == (story.book, (), ())


def test_ids_are_reproducible() -> None:
    """The same verdicts give the same event id."""
    assert tell(ptcl=".B").only.id == tell(ptcl=".BB", zong="..B").only.id


# -- restarting --------------------------------------------------------------------------------


def logged(story: Told) -> dict[str, int]:
    """The last sequence of each event, as the store knows it."""
    return {entry.event: entry.sequence for entry in story.log}


stories = st.dictionaries(
    st.sampled_from([PTCL, ZONG, JAZZ]), st.text(".BNwp?d ", min_size=1, max_size=12), min_size=1
)


@given(stories, st.integers(0, 36))
@settings(max_examples=100)
def test_restart_forgets_nothing(story: dict[str, str], cut: int) -> None:
    """Stopped anywhere and taken up from stored verdicts, the tale ends the same."""
    whole = cycles(story) if any(letters.strip() for letters in story.values()) else []
    before = told(whole[:cut])
    book = book_from(whole[:cut], before.book.active, DEFAULTS, logged=logged(before))
    assert book == before.book
    after = told(whole[cut:], book)
    straight = told(whole)
    assert before.log + after.log == straight.log
    assert before.events | after.events == straight.events


@given(stories)
@settings(max_examples=100)
def test_one_active_event_at_a_time(story: dict[str, str]) -> None:
    """However it goes, a platform has one open event, and bounds that are in order."""
    result = told(cycles(story) if any(letters.strip() for letters in story.values()) else [])
    assert sum(event.active for event in result.events.values()) == len(result.book.active) <= 1
    for event in result.events.values():
        assert event.onset_earliest is None or event.onset_earliest < event.onset_latest
        assert event.onset_latest <= event.detected_at <= event.updated_at
        assert event.active or (event.end_earliest and event.end_latest)
        entries = [entry for entry in result.log if entry.event == event.id]
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        assert event.networks_affected
        if event.state is EventState.ENDED:
            assert event.confirmed_at is not None


def test_restart_with_short_history_keeps_a_network_blocked() -> None:
    """A network that only showed silence since is still blocked, and its recovery still seen."""
    before = tell(ptcl=".BBB????????")
    recent = [verdict("?", n) for n in range(8, 12)]
    book = book_from(recent, before.book.active, DEFAULTS, logged=logged(before))
    after = told([verdict(".", 12), verdict(".", 13)], book)
    assert after.only.state is EventState.ENDED
    assert after.only.end_earliest == before.only.updated_at
    assert after.only.end_latest == at(12)
    assert [entry.sequence for entry in after.log] == [3, 4]


def test_restart_with_short_history_still_learns_methods() -> None:
    """A technique switch after a restart is seen though the onset is forgotten."""
    before = tell(ptcl=".BBB???")
    recent = [verdict("?", n) for n in range(4, 7)]
    book = book_from(recent, before.book.active, DEFAULTS, logged=logged(before))
    after = told([verdict("N", 7)], book)
    assert after.only.methods == ("tls.reset", "dns.nxdomain")
    assert after.only.onset_latest == before.only.onset_latest


def test_restart_needs_the_length_of_each_log() -> None:
    """Without it the log would be numbered afresh over what is stored."""
    before = tell(ptcl=".B")
    with pytest.raises(KeyError):
        book_from([], before.book.active, DEFAULTS, logged={})
