"""What befalls the vantages themselves: stories of health, one letter per cycle of five minutes.

.  ok    o  offline    c  international cut    l  lossy    p  captive portal    u  nothing known
w  allowlist    v  allowlist by name    r  resolver down    R  a third party's resolver down
x  turn skipped    (space) no report
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Change, Event, EventKind, EventLogEntry, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.shared_map import decoded, encoded
from monitor.analysis.events.shutdowns import take_in
from monitor.analysis.events.vantage_reports import Connectivity, only_vantages
from monitor.analysis.trust import OWN_ALONE, KeyPeriod, Trust
from monitor.analysis.vantage.health import ALLOWLIST_BY_NAME, RESOLVER_DOWN
from monitor.analysis.verdict import VantageHealth, VantageState
from tests.worlds.build import START

INTERVAL = 300.0
STATES = {
    ".": VantageState.OK,
    "o": VantageState.OFFLINE,
    "g": VantageState.OFFLINE,  # the proxy in front
    "c": VantageState.INTERNATIONAL_CUT,
    "l": VantageState.LOSSY,
    "p": VantageState.CAPTIVE_PORTAL,
    "u": VantageState.UNKNOWN,
    "x": VantageState.UNKNOWN,
    "w": VantageState.ALLOWLIST,
    "v": VantageState.ALLOWLIST,
    "e": VantageState.ALLOWLIST,
    "r": VantageState.OFFLINE,
    "R": VantageState.UNKNOWN,
}
RULES = {"v": ALLOWLIST_BY_NAME, "r": RESOLVER_DOWN, "R": RESOLVER_DOWN}
PASSING = {
    "w": ("www.google.com", "www.dawn.com"),
    "v": ("www.google.com", "www.visa.com"),
    "e": ("www.wikipedia.org", "www.google.com", "www.dawn.com"),
}
PLACES = {
    "a": ("PK", 17557, "field"),
    "b": ("PK", 59257, "field"),
    "c": ("PK", 45669, "field"),
    "d": ("PK", 45669, "field"),
    "e": ("PK", 23674, "field"),
    "k": ("KE", 33771, "field"),
    "n": ("NL", 1136, "control"),
}


def at(cycle: float) -> datetime:
    """When a cycle was reported."""
    return START + timedelta(seconds=INTERVAL * cycle)


def health(letter: str, cycle: int, vantage: str) -> VantageHealth:
    """The report a letter stands for."""
    country, asn, role = PLACES[vantage]
    return VantageHealth(
        vantage=vantage,
        country=country,
        asn=asn,
        network=f"net {asn}",
        vantage_role=role,
        state=STATES[letter],
        rule_id=RULES.get(letter, "vantage.test"),
        passing=PASSING.get(letter, ()),
        references_ok=0,
        references_total=0 if letter in "xg" else 3,
        timeout_rate=0.01,
        families=("ipv4",),
        at=at(cycle) + timedelta(seconds=ord(vantage) - ord("a")),
    )


def tell(**story: str) -> tuple[Connectivity, list[Change]]:
    """A story by vantage, told to the end."""
    return weighed(OWN_ALONE, story)


def weighed(trust: Trust, story: Mapping[str, str]) -> tuple[Connectivity, list[Change]]:
    """The same, of vantages whose word weighs this much."""
    state, changes = Connectivity(), list[Change]()
    for cycle in range(max(map(len, story.values()))):
        for vantage, letters in story.items():
            if letters[cycle : cycle + 1].strip():
                now = health(letters[cycle], cycle, vantage)
                state, made = take_in(state, now, INTERVAL, trust)
                changes += made
    return state, changes


def kinds(changes: list[Change]) -> set[EventKind]:
    """What the events of a story are about."""
    return {change.event.kind for change in changes}


def last(changes: list[Change]) -> Event:
    """The one event of a story in its last form."""
    assert len({change.event.id for change in changes}) == 1
    return changes[-1].event


@pytest.mark.parametrize(
    "story",
    [
        {"a": "......", "b": "......", "n": "......"},
        {"a": "..l.l.", "b": ".p.p..", "n": "......"},
        {"a": "..o...", "b": "......", "n": "......"},
        dict.fromkeys("abkn", "..." + 40 * " " + "..."),
    ],
    ids=["all well", "trouble of other kinds", "one cycle lost", "the monitor stopped for hours"],
)
def test_nothing_happens(story: dict[str, str]) -> None:
    """Vantages that are well, lossy or behind a portal are no event, nor is one lost cycle.

    Nor is a silence in which nobody listened: whoever reports first afterwards accuses nobody.
    """
    assert not tell(**story)[1]


def agents(*hosts: str, known: bool = True) -> Trust:
    """Agents `a` and `b` of these hosts, and what a collector needs by default."""
    at_once = START if known else None
    keys = [KeyPeriod(since=START, established_at=at_once, host=host) for host in hosts]
    return Trust(agents={name: (key,) for name, key in zip("ab", keys, strict=True)}, agreement=2)


@pytest.mark.parametrize(
    ("trust", "state"),
    [
        (agents("", ""), EventState.CONFIRMED),
        (agents("h1", "h1"), EventState.SUSPECTED),
        (agents("", "", known=False), EventState.SUSPECTED),
    ],
    ids=["two networks", "one host", "new keys"],
)
def test_whoever_holds_two_keys_shuts_no_country_down(trust: Trust, state: EventState) -> None:
    """Two agents that fall silent are a shutdown only if they are unrelated, and known."""
    _, changes = weighed(trust, {"a": "..ooooo", "b": "..ooooo", "n": "......."})
    event = last(changes)
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, state)


def test_vantages_of_unknown_networks_shut_no_country_down() -> None:
    """Two at one home fall silent with its line: without number and name they may be on one."""
    state, changes = Connectivity(), list[Change]()
    for cycle, (letter, abroad) in enumerate(zip("..ooooo", ".......", strict=True)):
        for vantage, now in (("a", letter), ("b", letter), ("n", abroad)):
            report = health(now, cycle, vantage)
            if vantage != "n":
                report = replace(report, asn=0, network="")
            state, made = take_in(state, report, INTERVAL, OWN_ALONE)
            changes += made
    assert EventKind.SHUTDOWN not in kinds(changes)


def test_a_country_shut_down() -> None:
    """All its networks dark while somebody elsewhere is well: suspected, then confirmed."""
    _, changes = tell(a="..ooo", b="..ooo", n=".....")
    event = last(changes)
    assert [change.name for change in changes] == ["opened", "confirmed"]
    assert (event.kind, event.country, event.platform) == (EventKind.SHUTDOWN, "PK", "")
    assert event.state is EventState.CONFIRMED
    assert event.networks_affected == (17557, 59257)
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))


def test_networks_cut_down_to_a_list() -> None:
    """Two networks on which only a list passes, a third is well: suspected once one of them is
    sure, confirmed once both are, with what passes; over when the last is back."""
    _, changes = tell(a="..wwww..", b="..wwwww.", c="........", n="........")
    event = last(changes)
    assert [change.name for change in changes if change.name] == ["opened", "confirmed", "ended"]
    assert (event.kind, event.country, event.platform) == (EventKind.ALLOWLIST, "PK", "")
    assert (event.detected_at, event.confirmed_at) == (at(3), at(3) + timedelta(seconds=1))
    assert event.networks_affected == (17557, 59257)
    assert [network.affected for network in event.networks] == [True, False, True]
    assert event.passing == ("www.google.com", "www.dawn.com")
    assert event.methods == ("shutdown.allowlist",)
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))
    second = timedelta(seconds=1)
    assert (event.end_earliest, event.end_latest) == (at(6) + second, at(7) + second)


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ({"a": "..wwwwww", "b": "........", "n": "........"}, EventState.SUSPECTED),
        ({"a": "..wwwwww", "k": "..wwwwww", "n": "........"}, EventState.SUSPECTED),
        ({"c": "..wwwwww", "d": "..wwwwww", "n": "........"}, EventState.SUSPECTED),
        ({"a": "..wwwwww", "b": "..cccccc", "n": "........"}, EventState.CONFIRMED),
        ({"a": "wwwwwwww", "b": "wwwwwwww", "n": "........"}, EventState.CONFIRMED),
    ],
    ids=[
        "one network",
        "two countries",
        "one network twice",
        "one cut",
        "from the start",
    ],
)
def test_one_network_alone_confirms_no_list(story: dict[str, str], state: EventState) -> None:
    """It may have lost its line abroad and have caches of popular sites, or be behind a filter."""
    _, changes = tell(**story)
    event = last([c for c in changes if c.event.country == "PK"])
    assert (event.kind, event.state) == (EventKind.ALLOWLIST, state)


def test_a_list_by_name_is_told_as_such_and_what_passes_is_kept() -> None:
    """Connections that are made and go silent once a name is sent are no cut line."""
    _, changes = tell(a="..vvvv", b="..vvvv", n="......")
    assert last(changes).methods == ("shutdown.allowlist_by_name",)
    assert last(changes).passing == ("www.google.com", "www.visa.com")
    _, changes = tell(a="..wwww", b="..vvvv", n="......")
    assert last(changes).methods == ("shutdown.allowlist",)
    assert last(changes).passing == ("www.google.com", "www.dawn.com", "www.visa.com")


def test_what_answers_while_a_list_begins_or_ends_does_not_pass_it() -> None:
    """The cycle in which the list comes or goes reaches some sites before it does, or after."""
    edges = tell(a="..ewwe..", b="..ewwe..", n="........")[1]
    assert last(edges).kind is EventKind.ALLOWLIST
    assert last(edges).passing == ("www.google.com", "www.dawn.com")


def test_another_network_may_get_a_list_before_the_last_of_the_others_is_back() -> None:
    """The new event may have begun since that network was last well, however late the others' end
    was measured."""
    _, changes = tell(a="..www....", b="..www....", e=".....wwww", n=".........")
    first, second = {change.event.id: change.event for change in changes}.values()
    assert (first.state, first.end_latest) == (EventState.ENDED, at(5) + timedelta(seconds=1))
    of_e = timedelta(seconds=ord("e") - ord("a"))
    assert (second.onset_earliest, second.onset_latest) == (at(4) + of_e, at(5) + of_e)


def test_a_list_is_not_dated_by_a_network_that_was_cut_off_before() -> None:
    """All lines abroad are cut. One network gets a list, the other later: the list began with the
    first of them, and the cut lasted until then."""
    _, changes = tell(a="..cccccwwwww", b="..ccccccccww", n="." * 12)
    (cut,) = (c.event for c in changes if c.name == "ended")
    (listed,) = (c.event for c in changes if c.name == "opened" and c.event.id != cut.id)
    assert (listed.kind, listed.networks_affected) == (EventKind.ALLOWLIST, (17557, 59257))
    assert (listed.onset_earliest, listed.onset_latest) == (at(6), at(7))
    assert (cut.kind, cut.end_earliest) == (EventKind.INTERNATIONAL_CUT, at(6))


def test_a_cut_that_follows_a_shutdown_is_not_dated_by_a_network_still_offline() -> None:
    """Domestic sites come back on one network first: the shutdown lasted until then."""
    _, changes = tell(a="..ooooocccc", b="..ooooooooc", n="." * 11)
    (shutdown,) = (c.event for c in changes if c.name == "ended")
    (cut,) = (c.event for c in changes if c.name == "opened" and c.event.id != shutdown.id)
    assert (cut.kind, cut.networks_affected) == (EventKind.INTERNATIONAL_CUT, (17557, 59257))
    assert (cut.onset_earliest, cut.onset_latest) == (at(6), at(7))
    assert (shutdown.kind, shutdown.end_earliest) == (EventKind.SHUTDOWN, at(6))


def test_a_list_that_becomes_a_shutdown_has_no_measured_end() -> None:
    """First little passes, then nothing: two events, and nobody measured the end of the first."""
    _, changes = tell(a="..wwwoooo", b="..wwwoooo", n=".........")
    by_kind = {change.event.kind: change.event for change in changes}
    assert set(by_kind) == {EventKind.ALLOWLIST, EventKind.SHUTDOWN}
    assert by_kind[EventKind.ALLOWLIST].state is EventState.ENDED
    assert by_kind[EventKind.ALLOWLIST].end_latest is None
    assert by_kind[EventKind.SHUTDOWN].state is EventState.CONFIRMED


def test_one_cycle_on_a_list_is_no_event() -> None:
    """A line that came back in mid-cycle may look like one."""
    assert tell(a="..w...", b="..w...", n="......")[1] == []


def test_a_dead_resolver_is_no_silent_vantage() -> None:
    """The line lives, and the vantage's health says what is wrong."""
    assert tell(a="..rrrrr", b=".......", n=".......")[1] == []


def test_where_no_network_resolves_names_the_country_is_shut_down_by_them() -> None:
    """Resolvers of several networks do not die together; the event says that names are gone."""
    _, changes = tell(a="..rrrr", b="..rrrr", n="......")
    event = last(changes)
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert event.methods == ("shutdown.no_names",)
    _, changes = tell(a="..rrrr", b="..oooo", n="......")
    assert last(changes).methods == ("shutdown.offline",)


def test_a_resolver_that_is_no_networks_own_shuts_nobody_down() -> None:
    """Vantages of two networks may ask the same one over HTTPS."""
    assert tell(a="..RRRR", b="..RRRR", n="......")[1] == []


def test_a_country_fallen_silent() -> None:
    """Vantages that stop reporting are as dark as those that report darkness."""
    _, changes = tell(a="..      ", b="..      ", n="........")
    event = last(changes)
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(1) + timedelta(minutes=15))


def test_it_began_with_the_first_network_lost() -> None:
    """Networks that go dark one after the other are one shutdown, which began with the first; one
    that broke hours before began nothing."""
    _, changes = tell(a="..ooooooo", b=".....oooo", n=".........")
    event = last([c for c in changes if c.event.kind is EventKind.SHUTDOWN])
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))
    lost = 22 * "." + "oo"
    _, changes = tell(a=".." + 22 * "o", b=lost, e=lost, n=24 * ".")
    event = last([c for c in changes if c.event.kind is EventKind.SHUTDOWN])
    assert event.onset_latest == at(22) + timedelta(seconds=1)


def test_references_take_time() -> None:
    """A line may be lost while the last good references are measured, and be back while the last
    bad ones are: bounds run from the start of a round to the end of the next."""
    state, changes = Connectivity(), list[Change]()
    rounds = timedelta(seconds=40)
    for cycle, letter in enumerate("..ooo.."):
        for vantage in "abn":
            seen = health(letter if vantage != "n" else ".", cycle, vantage)
            seen = replace(seen, measured_at=seen.at - rounds)
            state, made = take_in(state, seen, INTERVAL)
            changes += made
    event = next(c.event for c in changes if c.name == "ended")
    assert (event.onset_earliest, event.onset_latest) == (at(1) - rounds, at(2))
    assert (event.end_earliest, event.end_latest) == (at(4) - rounds, at(5))


def test_a_silence_that_becomes_a_shutdown_has_no_measured_end() -> None:
    """One vantage is lost, then all are: its own event goes over into the country's. It is lost as
    long as its reports say so, and nobody measured an end."""
    _, changes = tell(a="..ooooooo", b="......ooo", n=".........")
    (silent,) = (
        c.event for c in changes if c.event.kind is EventKind.VANTAGE_SILENT and c.name == "ended"
    )
    assert silent.end_latest is None
    assert silent.end_earliest is not None
    assert at(5) <= silent.end_earliest <= at(7)


def test_back_again() -> None:
    """The first vantage to be well again ends it, within bounds."""
    _, changes = tell(a="..ooo...", b="..oooo..", n="........")
    event = changes[-1].event
    ended = [c.event for c in changes if c.name == "ended" and c.event.kind is EventKind.SHUTDOWN]
    assert [e.end_earliest for e in ended] == [at(4)]
    assert [e.end_latest for e in ended] == [at(5)]
    assert not event.active


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        ({"a": "..ooo....", "b": "..oooo...", "n": "........."}, EventKind.SHUTDOWN),
        ({"a": "..ooooooo", "b": "..  ooooo", "n": "........."}, EventKind.SHUTDOWN),
        (
            {"a": "..ooo....", "b": "..oooo...", "k": "..oooo...", "n": "..oooo..."},
            EventKind.INSTRUMENT,
        ),
        (
            {"a": "..oooo...", "b": "..oooo...", "k": "..oooo...", "n": "..ooo...."},
            EventKind.INSTRUMENT,
        ),
        ({"a": "..cccc....", "b": "..ccc.....", "n": ".........."}, EventKind.INTERNATIONAL_CUT),
    ],
    ids=["a country back", "a country lost", "all back", "all back, the control first", "cut"],
)
def test_one_after_the_other(story: dict[str, str], kind: EventKind) -> None:
    """Vantages are lost together and come back together, but report so one by one: that is one
    event, and not one of another kind about those that are late."""
    _, changes = tell(**story)
    assert kinds(changes) == {kind}
    assert len({change.event.id for change in changes}) == 1


def test_still_dark_when_the_others_are_back() -> None:
    """One that stays dark after a shutdown is silent for itself, as soon as that is certain."""
    state, changes = tell(a="..ooo....", b="..ooooooo", n=".........")
    assert {event.kind for event in state.events.values()} == {EventKind.VANTAGE_SILENT}
    opened = [c.event for c in changes if c.name == "opened"]
    assert [event.kind for event in opened] == [EventKind.SHUTDOWN, EventKind.VANTAGE_SILENT]
    assert opened[-1].detected_at == at(6) + timedelta(seconds=1)


def test_the_end_names_the_networks_that_are_not_found_back() -> None:
    """One network that is back ends a shutdown: the log has those that were lost when last heard
    of, though they may be back a moment later. One vantage alone leaves nobody behind."""
    for other in ("..ooooooo", "..ooo...."):
        _, changes = tell(a="..ooo....", b=other, n=".........")
        details = {c.event.kind: c.detail for c in changes if c.name == "ended"}
        assert details[EventKind.SHUTDOWN] == "AS59257 net 59257"
    _, changes = tell(a=".........", b="..ooooo..", n=".........")
    assert [c.detail for c in changes if c.name == "ended"] == [""]


def test_no_shutdown_before_somebody_was_well_during_it() -> None:
    """While the control has not reported since, it may as well be our own line."""
    assert kinds(tell(a="..oooo", b="..oooo", n="..  oo")[1]) == {EventKind.INSTRUMENT}
    assert kinds(tell(a="..oooo", b="..oooo", n="..  ..")[1]) == {EventKind.SHUTDOWN}


def test_one_that_is_watched_no_longer_is_not_silent() -> None:
    """What is known of vantages that are gone from the configuration is left behind."""
    state, _ = tell(a="....", b="....", n="....")
    state = only_vantages(state, {"n"})
    for cycle in range(4, 20):
        state, changes = take_in(state, health(".", cycle, "n"), INTERVAL)
        assert not changes


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        ({"a": "..ooooo", "b": ".......", "n": "......."}, EventKind.VANTAGE_SILENT),
        ({"a": "..ooooo", "n": "......."}, EventKind.VANTAGE_SILENT),
        ({"a": "..     ", "b": ".......", "n": "......."}, EventKind.VANTAGE_SILENT),
        ({"a": "..ccccc", "b": "..ccccc", "n": "......."}, EventKind.INTERNATIONAL_CUT),
        ({"a": "..ccccc", "b": "..ooooo", "n": "......."}, EventKind.INTERNATIONAL_CUT),
        ({"a": "..ooooo", "b": "..ooooo", "n": "..ooooo"}, EventKind.INSTRUMENT),
        ({"a": "..ooooo", "b": "..ooooo", "k": "..ooooo"}, EventKind.INSTRUMENT),
        ({"a": "..ooooo", "b": "..ooooo", "n": "..ggggg"}, EventKind.INSTRUMENT),
        ({"a": "..ggggg", "b": "..ggggg", "n": "......."}, EventKind.SHUTDOWN),
    ],
    ids=[
        *("one of two", "the only one", "one no longer heard of", "cut", "cut and dark"),
        *("all, the control too", "several countries at once"),
        *("the control's proxy too", "all proxies of a country"),
    ],
)
def test_what_it_is_called(story: dict[str, str], kind: EventKind) -> None:
    """Who is lost, and who is not, tells what it is; it ends up as nothing else."""
    state, changes = tell(**story)
    assert {event.kind for event in state.events.values()} == {kind}
    assert all(
        not change.event.active or change.event.kind is kind or change.name == "opened"
        for change in changes
    )


def test_one_vantage_is_never_a_country() -> None:
    """A country watched from one network is not called shut down, nor cut off for sure."""
    assert EventKind.SHUTDOWN not in kinds(tell(a="..ooooo", n=".......")[1])
    event = last(tell(a="..ccccc", n=".......")[1])
    assert (event.kind, event.state) == (EventKind.INTERNATIONAL_CUT, EventState.SUSPECTED)


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("..cccc", "..cccc", EventState.CONFIRMED),
        ("..cccc", "..oooo", EventState.CONFIRMED),
        (f"..{'o' * 20}", f"..{'.' * 16}cccc", EventState.SUSPECTED),
        (f"..{'c' * 20}", f"..{'.' * 16}cccc", EventState.CONFIRMED),
    ],
    ids=["both cut", "one offline with it", "one offline long before", "one cut long before"],
)
def test_a_cut_is_sure_where_two_networks_show_it(
    first: str, second: str, state: EventState
) -> None:
    """One that went offline for itself says nothing of lines abroad."""
    _, changes = tell(a=first, b=second, n="." * len(first))
    cuts = [one for one in changes if one.event.kind is EventKind.INTERNATIONAL_CUT]
    assert last(cuts).state is state


@pytest.mark.parametrize("lost", ["o", "c", "r"])
@pytest.mark.parametrize("unclear", ["u", "p", "x"])
def test_what_tells_nothing_ends_no_shutdown(lost: str, unclear: str) -> None:
    """A VPN that is left on, a login page, or a turn that was skipped: nobody is back, whether one
    of the vantages says so or all. It is over once one works."""
    one = f"..{lost * 5}{unclear * 5}"
    both = {"b": one, "n": "." * 12}
    state, changes = tell(a=f"..{lost * 10}", **both)
    assert [event.state for event in state.events.values()] == [EventState.CONFIRMED]
    assert not [change for change in changes if change.name in ("ended", "dismissed")]
    every = last(tell(a=one, **both)[1])
    assert every.end_latest is None
    _, changes = tell(a=f"..{lost * 10}..", b=f"{one}{unclear * 2}", n="." * 14)
    over = last([one for one in changes if one.event.country and not one.event.vantage])
    assert (over.state, over.end_latest) == (EventState.ENDED, at(12))


@pytest.mark.parametrize("lost", ["o", "c", "w"])
@pytest.mark.parametrize("between", ["pp", "uu", "up"])
def test_what_all_vantages_cannot_tell_for_a_while_is_one_event(lost: str, between: str) -> None:
    """All on a login page or a VPN, and lost again: nobody was back in between."""
    a, b = f"..{lost * 5}{between}{lost * 3}", f"..{lost * 5}{between[::-1]}{lost * 3}"
    _, changes = tell(a=f"{a}..", b=f"{b}..", n="." * 14)
    event = last(changes)
    assert event.state is EventState.ENDED
    assert event.onset_latest == at(2)
    assert event.end_earliest is not None
    assert at(11) <= event.end_earliest < at(12)
    _, changes = tell(a=f"..{lost * 3}{between * 3}..", b=f"..{lost * 4}ppppp..", n="." * 13)
    event = last(changes)
    later = timedelta(seconds=lost == "w")  # Of a list the last network back counts.
    assert (event.state, event.end_latest) == (EventState.ENDED, at(11) + later)
    assert event.end_earliest == at(5) + timedelta(seconds=1), "the last moment known to be lost"


@pytest.mark.parametrize("lost", ["o", "c", "w", "r"])
def test_no_network_is_told_to_be_lost_while_none_can_tell(lost: str) -> None:
    """All on a login page for hours after a shutdown: none is known to be offline, nor to be back,
    and what lasted longer than is known would count as such."""
    story = {"a": f"..{lost * 4}{'p' * 20}", "b": f"..{lost * 5}{'p' * 19}", "n": "." * 26}
    state, changes = tell(**story)
    (event,) = state.events.values()
    assert event.state is EventState.CONFIRMED
    assert event == changes[-1].event
    assert [(one.affected, one.blocked_now, one.unobserved) for one in event.networks] == [
        (True, False, True)
    ] * 2
    assert event.wholly_unobserved
    assert event.updated_at <= at(7) + timedelta(seconds=1)
    assert sum(change.event == event for change in changes) == 1
    _, changes = tell(a=f"{story['a']}{lost}", b=f"{story['b']}{lost}", n=f"{story['n']}.")
    assert [one.blocked_now for one in last(changes).networks] == [True, True]
    assert not any(one.unobserved for one in last(changes).networks)
    over = last(tell(a=f"{story['a']}..", b=f"{story['b']}..", n="." * 28)[1])
    assert over.state is EventState.ENDED
    assert not any(one.unobserved for one in over.networks)


def test_a_list_is_not_over_while_one_of_its_networks_cannot_tell() -> None:
    """Each network has its own list: one that is back says nothing of one on a login page."""
    story = {"a": "..wwww......", "b": "..wwwwpppp..", "n": "." * 12}
    _, changes = tell(**{name: letters[:10] for name, letters in story.items()})
    assert last(changes).state is EventState.CONFIRMED
    over = last(tell(**story)[1])
    assert (over.state, over.end_earliest) == (EventState.ENDED, at(5) + timedelta(seconds=1))
    assert over.end_latest == at(10) + timedelta(seconds=1)


def test_a_vantage_that_skips_turns_confirms_a_shutdown_all_the_same() -> None:
    """Every other turn is left out to save bytes."""
    event = last(tell(a="..oxoxoxox", b="..oooooooo", n="..........")[1])
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)


def test_a_silent_control_is_no_countrys() -> None:
    """It is equipment of the operator's. The event names it, and neither the country where it
    stands nor its network, and claims no evidence; it ends when the control is back."""
    event = last(tell(a=".........", b=".........", n="..ooooo..")[1])
    assert (event.kind, event.vantage) == (EventKind.VANTAGE_SILENT, "n")
    assert (event.country, event.networks, event.evidence) == ("", (), "none")
    assert event.state is EventState.ENDED
    assert event.onset_earliest is not None
    assert event.end_earliest is not None
    assert event.end_latest is not None
    assert event.onset_earliest < event.onset_latest <= event.end_earliest < event.end_latest


def test_two_broken_at_different_times_are_no_shutdown() -> None:
    """A vantage that broke hours before the other says nothing of the country."""
    _, changes = tell(a=".." + 40 * "o", b=40 * "." + "oo", n=42 * ".")
    assert kinds(changes) == {EventKind.VANTAGE_SILENT}


def test_one_long_gone_does_not_hide_a_shutdown() -> None:
    """A vantage dark for more than a day no longer counts, dark or not."""
    _, changes = tell(a="." + 300 * "o", b=297 * "." + "oooo", c=297 * "." + "oooo", n=301 * ".")
    assert EventKind.SHUTDOWN in kinds(changes)


DAY = 24 * 12
"""Cycles in a day."""


@pytest.mark.parametrize("letter", ["o", " ", "c"])
def test_it_lasts_as_long_as_nobody_is_back(letter: str) -> None:
    """Three days are one event, which ends with the first to be well again."""
    lost = 3 * DAY * letter
    _, changes = tell(a=f"..{lost}..", b=f"..{lost}{letter}.", n=(3 * DAY + 4) * ".")
    assert [change.name for change in changes] == ["opened", "confirmed", "ended"]
    assert changes[-1].event.end_latest == at(3 * DAY + 2)


@pytest.mark.parametrize("trouble", ["ooo", "   ", "ppp"])
@pytest.mark.parametrize("after", [2, 3 * DAY])
def test_it_is_not_over_because_nobody_else_can_tell(trouble: str, after: int) -> None:
    """A control that is lost for a while says nothing of the country, and is itself the only one
    that is told of."""
    n = f"....{after * '.'}{trouble}...."
    _, changes = tell(a=f"..{(len(n) - 2) * 'o'}", b=f"..{(len(n) - 2) * 'o'}", n=n)
    of_country = [change for change in changes if change.event.country == "PK"]
    assert [change.name for change in of_country] == ["opened", "confirmed"]
    assert kinds(changes) <= {EventKind.SHUTDOWN, EventKind.VANTAGE_SILENT}


def test_our_own_line_is_told_from_a_shutdown_elsewhere() -> None:
    """All others lost at once are our own matter, while a country is shut down and stays so."""
    lost = "..oooooooooooo"
    _, changes = tell(a=lost, b=lost, k="......ooo.....", n="......ooo.....")
    assert [c.name for c in changes if c.event.kind is EventKind.SHUTDOWN] == [
        "opened",
        "confirmed",
    ]
    ours = [c.event for c in changes if c.event.kind is EventKind.INSTRUMENT]
    assert {network.asn for event in ours for network in event.networks} == {33771, 1136}
    assert ours[-1].state is EventState.ENDED


def test_who_comes_on_a_network_that_was_never_lost_ends_it_not_alone() -> None:
    """A host with a satellite's line joins: those that were lost still are. A second such network
    says that the country is no longer lost as a whole, and nobody saw that of the others."""
    story = {"a": "..oooooooo..", "b": "..oooooooooo", "n": 12 * "."}
    _, changes = tell(**story, e=6 * " " + 6 * ".")
    told = [change for change in changes if change.event.kind is EventKind.SHUTDOWN and change.name]
    assert [change.name for change in told] == ["opened", "confirmed", "ended"]
    ended = told[-1].event
    assert (ended.end_earliest, ended.end_latest) == (at(9), at(10))
    assert [(n.asn, n.affected) for n in ended.networks if n.asn == 23674] == [(23674, False)]

    second = {"c": 8 * " " + ".", "e": 6 * " " + "...", "n": 9 * "."}
    state, changes = tell(a="..ooooooo", b="..ooooooo", **second)
    ended = next(change.event for change in changes if change.name == "ended")
    assert ended.end_latest is None
    assert {event.kind for event in state.events.values()} == {EventKind.VANTAGE_SILENT}


def test_where_none_of_the_lost_ones_is_left_another_that_is_lost_continues_nothing() -> None:
    """The hosts that were lost are gone from the settings; of two that came later one is dark."""
    state, _ = tell(a="..ooooo", b="..ooooo", e=6 * " " + ".", n=7 * ".")
    state = only_vantages(state, {"c", "e", "n"})
    changes = list[Change]()
    for number in range(7, 12):
        for vantage, letter in (("c", "o"), ("e", "."), ("n", ".")):
            state, made = take_in(state, health(letter, number, vantage), INTERVAL, OWN_ALONE)
            changes += made
    ended = next(change.event for change in changes if change.name == "ended")
    assert (ended.kind, ended.end_latest) == (EventKind.SHUTDOWN, None)
    assert {event.kind for event in state.events.values()} <= {EventKind.VANTAGE_SILENT}


def test_who_was_lost_and_is_back_ends_it_though_others_are_not_lost() -> None:
    """On an affected network one alone is enough, as ever."""
    _, changes = tell(a="..oooooooo", b="..oooooooo", d="..ooooo...", n=10 * ".")
    ended = next(change.event for change in changes if change.name == "ended")
    assert ended.end_latest == at(7) + timedelta(seconds=ord("d") - ord("a"))


def test_one_lost_later_is_part_of_it() -> None:
    """Who joins on the third day does not make the first ones be forgotten."""
    lost = f"..{3 * DAY * 'o'}"
    later = "." + 2 * DAY * "." + (DAY + 1) * "o"
    state, changes = tell(**dict.fromkeys("abcd", lost), e=later, n=len(lost) * ".")
    (event,) = state.events.values()
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert event.networks_affected == (17557, 23674, 45669, 59257)
    assert kinds(changes) == {EventKind.SHUTDOWN}
    assert [change.name for change in changes] == ["opened", "confirmed", "network_affected"]


ALL_BUT_ONE = dict.fromkeys("abcd", "..oooo")


@pytest.mark.parametrize("other", [".", "l", "p", "c"])
def test_one_alone_hides_no_shutdown(other: str) -> None:
    """Four on three networks outvote one that says otherwise, whatever it says. Its network is
    there, and is not among those that are lost."""
    _, changes = tell(**ALL_BUT_ONE, e=other * 6, n="......")
    assert kinds(changes) - {EventKind.INTERNATIONAL_CUT} == {EventKind.SHUTDOWN}
    event = changes[-1].event
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert event.networks_affected == (17557, 45669, 59257)
    assert [(n.asn, n.affected) for n in event.networks if n.asn == 23674] == [(23674, False)]


def test_nor_that_lines_abroad_are_cut() -> None:
    """The same of a country that reaches itself alone."""
    _, changes = tell(**dict.fromkeys("abcd", "..cccc"), e="......", n="......")
    assert last(changes).kind is EventKind.INTERNATIONAL_CUT
    assert last(changes).state is EventState.CONFIRMED


@pytest.mark.parametrize(
    "story",
    [
        {"a": "..oooo", "b": "..oooo", "c": "..oooo", "e": "......"},
        {"a": "..oooo", "b": "......", "c": "..oooo", "d": "..oooo"},
        {**ALL_BUT_ONE, "d": "......", "e": "......"},
    ],
    ids=["three against one", "on two networks", "two of five"],
)
def test_few_outvote_nobody(story: dict[str, str]) -> None:
    """Where fewer are lost, or on fewer networks, or two say otherwise, no country is."""
    assert kinds(tell(**story, n="......")[1]) == {EventKind.VANTAGE_SILENT}


def test_those_broken_one_after_the_other_outvote_nobody() -> None:
    """What happens to each of them on another day is no shutdown for the one that is left."""
    story = {
        vantage: (2 + 20 * number) * "." + (80 - 20 * number) * "o"
        for number, vantage in enumerate("abcd")
    }
    assert kinds(tell(**story, e=82 * ".", n=82 * ".")[1]) == {EventKind.VANTAGE_SILENT}


def test_the_first_back_is_outvoted_and_the_second_ends_it() -> None:
    """One alone that is well again may lie; with another it was the first that was back."""
    _, changes = tell(
        a="..ooo....", b="..oooo...", c="..oooo...", d="..oooo...", e="..oooo...", n="........."
    )  # fmt: skip
    (ended,) = (change.event for change in changes if change.name == "ended")
    assert (ended.kind, ended.end_earliest, ended.end_latest) == (
        EventKind.SHUTDOWN,
        at(4),
        at(5),
    )
    assert kinds(changes) == {EventKind.SHUTDOWN}
    back = [
        [n.asn for n in change.event.networks if not n.blocked_now]
        for change in changes
        if change.event.updated_at == at(5)
    ]
    assert back == [[17557]]


@pytest.mark.parametrize("silent", ["..", "..o"], ids=["well before", "offline before"])
def test_who_was_silent_before_the_monitor_stopped_still_is(silent: str) -> None:
    """Nobody came back while nothing reported, or the clock was set: the shutdown goes on until one
    of the lost vantages reports."""
    story = {"a": silent, "b": "..oooooo        ooo", "n": "........        ..."}
    _, changes = tell(**story)
    assert last([c for c in changes if c.event.kind is EventKind.SHUTDOWN]).active
    _, changes = tell(**{**story, "a": silent.ljust(18) + "."})
    over = last([c for c in changes if c.event.kind is EventKind.SHUTDOWN])
    assert (over.active, over.end_latest) == (False, at(18))


@pytest.mark.parametrize("letter", ["o", "c"])
def test_where_nobody_looks_any_more_the_end_is_unknown(letter: str) -> None:
    """Vantages that are taken out while they are lost are not back."""
    state, _ = tell(a=f"..{letter * 3}", b=f"..{letter * 3}", n=".....")
    state, changes = take_in(only_vantages(state, {"n"}), health(".", 5, "n"), INTERVAL)
    (change,) = changes
    assert (change.name, change.event.end_latest) == ("ended", None)
    assert change.event.end_earliest == at(3) + timedelta(seconds=1)
    state, _ = tell(a="..ooo", b=".....", n=".....")
    _, changes = take_in(only_vantages(state, {"b", "n"}), health(".", 5, "b"), INTERVAL)
    assert [(c.event.kind, c.event.end_latest) for c in changes] == [
        (EventKind.VANTAGE_SILENT, None)
    ]


def test_neighbours_do_not_say_when_one_was_back() -> None:
    """The end of a silence is by the vantage that was silent."""
    _, changes = tell(c="..oooo..", d=".....o..", a="........", n="........")
    ended = [c.event for c in changes if c.name == "ended"]
    assert {(e.vantage, e.end_earliest, e.end_latest) for e in ended} == {
        ("c", at(5) + timedelta(seconds=2), at(6) + timedelta(seconds=2))
    }


def test_a_report_twice_changes_nothing() -> None:
    """What was taken in already is known by its time."""
    state, _ = tell(a="..o", n="...")
    assert take_in(state, health("o", 2, "a"), INTERVAL) == (state, ())


def test_reports_recorded_in_another_order_give_the_same_event() -> None:
    """Of two vantages whose cycles end together, the earlier report may be recorded second: the
    event comes out the same, and the log says that it was revised."""
    story = {"a": "..ccccc...", "b": "..ccccc...", "k": "." * 10, "n": "." * 10}
    reports = [health(story[name][cycle], cycle, name) for cycle in range(10) for name in story]

    def recorded(order: list[VantageHealth]) -> list[EventLogEntry]:
        book, log = EventBook(), list[EventLogEntry]()
        for one in order:
            step = advance(book, (), EventSettings(), health=one)
            book, log = step.book, [*log, *step.log]
        return log

    in_order = recorded(reports)
    assert [entry.change for entry in in_order] == ["opened", "confirmed", "ended"]
    revised = 0
    for first in range(len(reports) - 1):
        swapped = [*reports]
        swapped[first : first + 2] = reversed(swapped[first : first + 2])
        log = recorded(swapped)
        revised += "revised" in [entry.change for entry in log]
        final = replace(log[-1].snapshot, updated_at=START)
        assert final == replace(in_order[-1].snapshot, updated_at=START)
    assert revised == 3


def test_a_vantage_that_saves_bytes_is_not_silent() -> None:
    """Turns left out are reported as nothing known: neither dark nor well, and no shutdown."""
    _, changes = tell(a=".." + 8 * "u", b=".." + 8 * "u", n=10 * ".")
    assert changes == []


SLOW = "." + 11 * "     ."
"""A vantage whose own interval is half an hour."""
HOURS = len(SLOW) * "."


def test_agents_with_a_longer_interval_are_not_silent_between_two_reports() -> None:
    """From the first report on. Silence counts after three of their own intervals."""
    assert tell(a=SLOW, b=SLOW, k=HOURS, n=HOURS)[1] == []
    gone = 24 * " "
    event = last(
        tell(a=SLOW + gone, b=SLOW + gone, k=f"{HOURS}{24 * '.'}", n=f"{HOURS}{24 * '.'}")[1]
    )
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert event.onset_earliest == at(66)
    assert (
        timedelta() < event.detected_at - (at(66) + timedelta(minutes=90)) <= timedelta(minutes=6)
    )


def test_extra_cycles_are_no_shorter_interval_and_a_long_sleep_is_no_longer_one() -> None:
    """A slow agent may test a platform again every half minute; a laptop may sleep at night."""
    state, changes = tell(a=SLOW, b=SLOW, n=HOURS)
    for vantage in "ab":
        for half_minutes in range(1, 13):
            now = health(".", 66, vantage)
            now = replace(now, at=now.at + timedelta(seconds=30 * half_minutes))
            state, made = take_in(state, now, INTERVAL)
            changes += made
    for cycle in range(68, 84):
        state, made = take_in(state, health(".", cycle, "n"), INTERVAL)
        changes += made
    assert changes == []
    slept = f"....{100 * ' '}...."
    _, changes = tell(a=f"{slept}    ", b=f"....{100 * '.'}....    ", n=112 * ".")
    event = changes[-1].event
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert at(107) + timedelta(minutes=15) < event.detected_at < at(111)


def test_a_slow_agent_hides_no_shutdown_and_denies_one_by_what_it_saw() -> None:
    """While it has not reported since the others were lost, it neither says that it is lost nor
    that it works. What it reported later counts until its own silence does."""
    lost = 13 * "." + 12 * "o"
    well = len(lost) * "."
    _, changes = tell(a=lost, b=lost, c=f"{SLOW[:13]}{12 * ' '}", n=well)
    event = last(changes)
    assert (event.kind, event.state) == (EventKind.SHUTDOWN, EventState.CONFIRMED)
    assert event.networks_affected == (17557, 59257)
    assert event.confirmed_at is not None
    assert event.confirmed_at < at(16)
    # It reports a minute after the others were lost, and half an hour later.
    before, after = 12 * "." + 18 * "o", len(lost) * "." + 5 * "."
    _, changes = tell(a=before, b=before, c=SLOW[: len(after)], n=after)
    assert EventKind.SHUTDOWN not in kinds(changes)


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ("oc", "oc", EventKind.INTERNATIONAL_CUT),
        ("co", "co", EventKind.INTERNATIONAL_CUT),
        ("oc", "co", EventKind.INTERNATIONAL_CUT),
        ("cco", "cco", EventKind.INTERNATIONAL_CUT),
        ("or", "or", EventKind.SHUTDOWN),
        ("wwc", "wwc", EventKind.ALLOWLIST),
        ("wwo", "wwc", EventKind.ALLOWLIST),
        ("ccw", "ccw", EventKind.INTERNATIONAL_CUT),
    ],
)
def test_one_loss_in_changing_ways_is_one_event(a: str, b: str, kind: EventKind) -> None:
    """Whether domestic sites, a list or nothing answers may change from cycle to cycle."""
    _, changes = tell(a=f"....{20 * a}", b=f"....{20 * b}", n=(4 + 20 * len(a)) * ".")
    (event,) = {c.event.id: c.event for c in changes if c.event.confirmed_at}.values()
    assert (event.kind, event.state) == (kind, EventState.CONFIRMED)
    assert event.confirmed_at is not None
    assert event.confirmed_at <= at(7)


@pytest.mark.parametrize(
    ("letters", "kinds_in_order"),
    [
        ("ccccoooo", [EventKind.INTERNATIONAL_CUT, EventKind.SHUTDOWN]),
        ("oooocccc", [EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT]),
        ("ccccwwww", [EventKind.INTERNATIONAL_CUT, EventKind.ALLOWLIST]),
        ("wwwwcccc", [EventKind.ALLOWLIST, EventKind.INTERNATIONAL_CUT]),
        ("ccccooooccccoooo", 2 * [EventKind.INTERNATIONAL_CUT, EventKind.SHUTDOWN]),
    ],
)
def test_another_kind_follows_once_it_is_as_sure(
    letters: str, kinds_in_order: list[EventKind]
) -> None:
    """Confirmed as soon as two cycles show it, with bounds that do not overlap."""
    _, changes = tell(a=f"..{letters}", b=f"..{letters}", n=(2 + len(letters)) * ".")
    events = list({c.event.id: c.event for c in changes if c.event.confirmed_at}.values())
    assert [event.kind for event in events] == kinds_in_order
    for number, event in enumerate(events):
        assert (event.onset_earliest, event.onset_latest) == (
            at(1 + 4 * number),
            at(2 + 4 * number),
        )
        assert event.confirmed_at is not None
        assert at(3 + 4 * number) <= event.confirmed_at <= at(3.1 + 4 * number)
    for event, following in pairwise(events):
        assert event.end_latest is None
        assert event.end_earliest is not None
        assert following.onset_earliest is not None
        assert event.onset_latest <= event.end_earliest <= following.onset_earliest


def test_a_second_shutdown_begins_after_the_first_ended() -> None:
    """One vantage is back for one cycle. Those that were lost all along began nothing anew."""
    dark = f"..{13 * 'o'}"
    _, changes = tell(a="..oooooo.oooooo", b=dark, c=dark, n=15 * ".")
    first, second = {
        c.event.id: c.event for c in changes if c.event.kind is EventKind.SHUTDOWN
    }.values()
    assert (first.end_earliest, first.end_latest) == (at(7), at(8))
    assert (second.onset_earliest, second.onset_latest) == (at(8), at(9))


def test_an_older_state_of_vantages_is_read() -> None:
    """One without intervals, the condition before and the ends of events: a shutdown of silent
    vantages goes on, and those that report show their intervals from then on."""
    state, _ = tell(a="....     ", b="....     ", n=9 * ".")
    (event,) = state.events.values()
    text = encoded(state)
    for name in ("pace", "previous", "slow", "over"):
        text = text.replace(f'"{name}":', f'"no_{name}":')
    older = only_vantages(decoded(text, Connectivity), {"a", "b", "n"})
    for cycle in range(9, 30):
        older, changes = take_in(older, health(".", cycle, "n"), INTERVAL)
        assert not changes
    assert older.events == {**older.events, f"{event.kind} PK ": event}
    _, changes = take_in(older, health(".", 30, "a"), INTERVAL)
    assert [change.name for change in changes] == ["ended"]
