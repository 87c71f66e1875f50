"""Events of one platform in one country: stories of verdicts, one letter per cycle of five minutes.

.  ok          B  blocked, conclusive  s  blocked, strong     w  blocked, weak
p  degraded    N  blocked by DNS       t  throttled, strong   ?  insufficient
d  down        (space) no cycle
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.analysis.events.block_lifecycle import CountryPlatform, take_in
from monitor.analysis.events.detection import (
    EventBook,
    Rebuild,
    Step,
    advance,
    key_of,
    pass_time,
)
from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState, Scope
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stretches import newest
from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from monitor.export.public_view import PublicView
from monitor.recording.checkpoints import Reading, checkpoints_of, restored, to_read
from tests.properties import examples
from tests.worlds.build import START, health

CYCLE = timedelta(minutes=5)
DEFAULTS = EventSettings()
PTCL, ZONG, JAZZ = "khi-ptcl", "khi-zong", "khi-jazz"
NETWORKS = {PTCL: (17557, "PTCL"), ZONG: (59257, "Zong"), JAZZ: (45669, "Jazz")}

LETTERS: dict[str, tuple[State, Evidence, str]] = {
    ".": (State.OK, Evidence.NONE, ""),
    "B": (State.BLOCKED, Evidence.CONCLUSIVE, "tls.reset"),
    "N": (State.BLOCKED, Evidence.CONCLUSIVE, "dns.nxdomain"),
    "s": (State.BLOCKED, Evidence.STRONG, "tls.reset"),
    "w": (State.BLOCKED, Evidence.WEAK, "tls.timeout"),
    "t": (State.THROTTLED, Evidence.STRONG, "throttling.stall"),
    "p": (State.DEGRADED, Evidence.CONCLUSIVE, "tls.reset"),
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
    accused = ("media",) if letter == "p" else ("api", "web")
    blocked = state in (State.BLOCKED, State.DEGRADED, State.THROTTLED)
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
        functions=tuple(
            FunctionVerdict(
                function=function,
                core=function != "media",
                state=State.BLOCKED if blocked and function in accused else State.OK,
            )
            for function in ("api", "media", "web")
        ),
        measurement=f"m-{platform}-{vantage}-{cycle}",
        started_at=at(cycle),
        judged_at=judged(cycle),
        rules_version="1",
        measured_at=at(cycle),
        measured_until=at(cycle),
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

    def take(self, step: Step) -> None:
        """Go on with what a step did to blocks; outages have tests of their own."""
        self.book = step.book
        blocks = [event for event in step.changed if event.kind is EventKind.BLOCK]
        self.events.update((event.id, event) for event in blocks)
        self.log += [entry for entry in step.log if entry.snapshot.kind is EventKind.BLOCK]

    @property
    def only(self) -> Event:
        """The one event of the story."""
        (event,) = self.events.values()
        return event

    @property
    def changes(self) -> list[str]:
        """The log's last_verdicts."""
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
        result.take(advance(result.book, [each], rules))
    return result


def tell(**story: str) -> Told:
    """A story by vantage: ptcl=".BB..", zong="…"."""
    return told(cycles(by_vantage(story)))


def by_vantage(story: Mapping[str, str]) -> dict[str, str]:
    """A story with its short names replaced by vantage ids."""
    return {f"khi-{name}": letters for name, letters in story.items()}


# -- opening -----------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", ["....", "?d?d", "w...", ".w..w", "www", "s...", ".s...s.", ""])
def test_no_event_without_enough_signs(letters: str) -> None:
    """Clean, unknown or down cycles open nothing, nor do signs that one fault explains."""
    assert not tell(ptcl=letters or " ").events


@pytest.mark.parametrize("letters", ["B", ".B", "ss", "p", 17 * "w"])
def test_suspected_at_the_first_good_sign(letters: str) -> None:
    """One conclusive verdict, two strong ones or a row of weak ones open an event."""
    story = tell(ptcl=letters)
    assert story.only.state is EventState.SUSPECTED
    assert story.changes == ["opened"]
    assert story.book.active == (story.only,)


def test_a_platform_slowed_down_for_long_is_an_event() -> None:
    """Throttling and stalls open events too, though it takes longer to be sure of them."""
    story = tell(ptcl="..." + 24 * "t")
    assert story.only.methods == ("throttling.stall",)
    assert story.only.onset_latest == at(3)


def test_an_event_says_after_how_many_bytes_transfers_stall() -> None:
    """What one censor counts differs a little from cycle to cycle, and is one number all the same;
    a censor that counts otherwise later is told."""
    frozen = [
        msgspec.structs.replace(
            one,
            functions=tuple(
                msgspec.structs.replace(function, stalled_after=size) for function in one.functions
            ),
        )
        for one, size in zip(
            cycles(by_vantage({"ptcl": 30 * "t"})), 15 * [15_100, 17_900], strict=False
        )
    ]
    story = told(frozen)
    assert story.only.methods == ("throttling.stall", "throttling.stall_16k")
    later = msgspec.structs.replace(frozen[0].functions[0], stalled_after=65_000)
    more = [
        msgspec.structs.replace(
            one,
            cycle=f"later-{number}",
            functions=(later,),
            started_at=at(30 + number),
            judged_at=judged(30 + number),
            measured_at=at(30 + number),
            measured_until=at(30 + number),
        )
        for number, one in enumerate(frozen[:3])
    ]
    assert told([*frozen, *more]).only.methods[-1] == "throttling.stall_64k"


def test_what_no_event_counts_is_in_no_event() -> None:
    """Videos are slow by weak evidence while the site is blocked, and afterwards: the block has
    neither their method nor their function, and does not go on."""
    slow = FunctionVerdict(
        function="video",
        core=True,
        state=State.THROTTLED,
        method="throttling",
        sub_method="rate",
        evidence=Evidence.WEAK,
    )
    seen = [verdict(".", 0)]
    for cycle in range(1, 4):
        blocked = verdict("B", cycle)
        seen.append(msgspec.structs.replace(blocked, functions=(*blocked.functions, slow)))
    event = told(seen).only
    assert (event.methods, event.functions) == (("tls.reset",), ("api", "web"))
    for cycle in range(4, 8):
        open_again = verdict(".", cycle)
        seen.append(
            msgspec.structs.replace(
                open_again,
                state=State.THROTTLED,
                method="throttling",
                sub_method="rate",
                evidence=Evidence.WEAK,
                functions=(*open_again.functions, slow),
            )
        )
    after = told(seen).only
    assert (after.methods, after.functions) == (event.methods, event.functions)
    assert after.networks == event.networks


def test_opening_tells_who_how_and_when() -> None:
    """A new event names network, method, functions, evidence and the bounds of its onset."""
    event = tell(ptcl="..B").only
    assert (event.country, event.platform, event.scope) == ("PK", "x", Scope.FULL)
    assert event.networks_affected == (17557,)
    assert event.networks[0].network == "PTCL"
    assert event.networks[0].blocked_now
    assert (event.methods, event.functions) == (("tls.reset",), ("api", "web"))
    assert event.evidence == "conclusive"
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))
    assert event.detected_at == judged(2)
    assert event.first_measurement == "m-x-khi-ptcl-2"
    assert event.networks[0].stretches[0].onset_latest == at(2)


@pytest.mark.parametrize(
    "zong", ["??????????", "          ", "." + 9 * " ", "." + 9 * "?"], ids=str.split
)
def test_a_network_that_nobody_can_judge_is_not_called_spared(zong: str) -> None:
    """It was open before, or never known, and is undecided or silent while another one blocks:
    nobody may say that it does not block. Its own verdicts add it as soon as one decides."""
    event = tell(ptcl=9 * " " + "BBB", zong=zong).only
    assert [status.network for status in event.networks] == ["PTCL"]
    event = tell(ptcl=9 * " " + "BBB", zong=zong + ".").only
    assert [(status.network, status.affected) for status in event.networks] == [
        ("PTCL", True),
        ("Zong", False),
    ]


def test_blocked_from_first_sight_has_no_earliest_onset() -> None:
    """A block that was there when monitoring began has an open onset."""
    assert tell(ptcl="B").only.onset_earliest is None


def test_onset_is_the_first_sign_and_not_the_alarm() -> None:
    """Several strong verdicts place the onset at the first of them."""
    event = tell(ptcl="..ss").only
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))
    assert event.detected_at == judged(3)
    assert event.first_measurement == "m-x-khi-ptcl-2"


def test_onset_is_that_of_the_earliest_network() -> None:
    """A network whose signs came first moves the onset back once they suffice."""
    event = tell(ptcl="..ssss", zong="...B..").only
    assert (event.onset_earliest, event.onset_latest) == (at(1), at(2))


# -- confirming --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "cycle"),
    [
        ({"ptcl": ".BB"}, 2),
        ({"ptcl": ".B?B"}, 3),
        ({"ptcl": ".sss"}, 3),
        ({"ptcl": ".B..", "zong": ".B"}, 1),
        ({"ptcl": ".ss", "zong": "..B"}, 2),
    ],
)
def test_confirmed(story: dict[str, str], cycle: int) -> None:
    """Conclusive evidence twice, as much from more looks, or two networks confirm."""
    event = tell(**story).only
    assert event.confirmed_at == judged(cycle)


@pytest.mark.parametrize("story", [{"ptcl": ".B?"}, {"ptcl": ".ss"}, {"ptcl": ".B", "zong": ".w"}])
def test_not_confirmed(story: dict[str, str]) -> None:
    """Conclusive evidence once, or strong twice, on one network does not confirm."""
    assert tell(**story).only.state is EventState.SUSPECTED


@pytest.mark.parametrize("agreement", [1, 2])
def test_networks_that_block_different_functions_do_not_confirm_each_other(agreement: int) -> None:
    """A firewall lets no call through for weeks on one line, and on another the route to the site
    is dead for an hour: two faults. With a function in common they are a block."""

    def weak(vantage: str, function: str, cycle: int) -> PlatformVerdict:
        accused = FunctionVerdict(function=function, core=False, state=State.BLOCKED)
        return msgspec.structs.replace(verdict("w", cycle, vantage), functions=(accused,))

    rules = EventSettings(agreement=agreement)
    calls = [weak(PTCL, "calls", cycle) for cycle in range(300)]
    site = [weak(ZONG, "web", cycle) for cycle in range(240, 300)]
    story = sorted((*calls, *site), key=lambda one: one.judged_at)
    event = told(story, rules=rules).only
    assert (event.state, event.functions) == (EventState.SUSPECTED, ("calls", "web"))
    also = [weak(ZONG, "calls", cycle) for cycle in range(300, 303)]
    both = sorted((*(weak(PTCL, "calls", 300 + n) for n in range(3)), *also), key=key_of)
    assert told([*story, *both], rules=rules).only.state is EventState.CONFIRMED


def test_two_vantages_on_one_network_are_one_network() -> None:
    """The AS number tells networks apart, not the vantage."""
    first = verdict("B", 1, "a", network=(17557, "PTCL"))
    second = verdict("B", 1, "b", network=(17557, "PTCL"))
    assert told([first, second]).only.state is EventState.SUSPECTED


def test_networks_without_numbers_go_by_name() -> None:
    """Where no AS number is configured, the name tells networks apart. Without one, too, they may
    be one network, and confirm nothing together."""
    for networks, state in (
        (((0, "PTCL"), (0, "Zong")), EventState.CONFIRMED),
        (((0, ""), (0, "")), EventState.SUSPECTED),
    ):
        first, second = (
            verdict("B", 1, vantage, network=network)
            for vantage, network in zip("ab", networks, strict=True)
        )
        assert told([first, second]).only.state is state


def test_settings_move_the_thresholds() -> None:
    """A smaller budget of false alarms takes more evidence."""
    strict = EventSettings(false_suspected=0.0001, false_confirmed=0.0001)
    assert not told(cycles(by_vantage({"ptcl": ".ss"})), rules=strict).events
    assert told(cycles(by_vantage({"ptcl": ".ss"}))).events


# -- ending ------------------------------------------------------------------------------------


def test_recovers_and_ends_after_clean_cycles() -> None:
    """Clean cycles make it recover, more of them end it, between the last block and the first."""
    story = tell(ptcl=".BB....")
    assert story.changes == [
        *("opened", "confirmed", "network_recovering", "recovering"),
        *("network_recovered", "ended"),
    ]
    event = story.only
    assert event.state is EventState.ENDED
    assert (event.end_earliest, event.end_latest) == (at(2), at(3))
    (stretch,) = event.networks[0].stretches
    assert (stretch.end_earliest, stretch.end_latest) == (at(2), at(3))
    assert not story.book.active


@pytest.mark.parametrize("letters", [".BB.", ".BB..", ".BB???d?", ".BB.?.B"])
def test_does_not_end_early(letters: str) -> None:
    """A clean cycle or two, silence or an outage do not end an event."""
    assert tell(ptcl=letters).only.active


def test_a_block_back_while_recovering_goes_on() -> None:
    """A clean cycle in mid-block is told, and taken back with the next blocked one."""
    story = tell(ptcl=".BB.B")
    assert story.only.state is EventState.CONFIRMED
    assert story.changes[-2:] == ["network_affected", "reblocked"]
    assert len(story.only.networks[0].stretches) == 1
    assert story.only.networks[0].stretches[0].end_earliest is None


def test_dismissed_when_never_confirmed() -> None:
    """A suspicion whose signs go away is dismissed."""
    story = tell(ptcl=".B.......")
    assert story.only.state is EventState.DISMISSED
    assert story.changes == [
        *("opened", "network_recovering", "recovering"),
        *("network_recovered", "dismissed"),
    ]
    assert (story.only.end_earliest, story.only.end_latest) == (at(1), at(2))


def test_ends_only_when_every_network_is_open() -> None:
    """The event goes on while one network blocks, and ends with the last."""
    story = tell(ptcl=".BB.......", zong=".BBBBB....")
    assert story.only.state is EventState.ENDED
    assert story.only.end_latest == at(6)
    assert story.changes.count("network_recovered") == 2
    assert tell(ptcl=".BB......", zong=".BBBBBBBB").only.state is EventState.CONFIRMED


def test_intermittent_block_stays_one_event() -> None:
    """Ok every other cycle does not end it."""
    story = tell(ptcl=".BB.B.B.B.B.BB")
    assert story.only.state is EventState.CONFIRMED


def test_a_block_that_comes_back_is_the_same_event() -> None:
    """Block, unblock, re-block within three days is one event with two stretches."""
    story = tell(ptcl=".BB......" + 50 * "." + "BB")
    event = story.only
    assert event.state is EventState.CONFIRMED
    assert event.reopened == 1
    assert "reopened" in story.changes
    assert [e.onset_latest for e in event.networks[0].stretches] == [at(1), at(59)]
    assert event.onset_latest == at(1)
    assert (event.end_earliest, event.end_latest) == (None, None)


def test_a_block_long_after_the_end_is_a_new_event() -> None:
    """After the time to reopen has passed, a block has an event of its own."""
    verdicts = [verdict(letter, n) for n, letter in enumerate(".BB......")]
    later = [verdict(letter, 1000 + n) for n, letter in enumerate(".BB")]
    story = told([*verdicts, *later])
    assert [event.state for event in story.events.values()] == [
        EventState.ENDED,
        EventState.CONFIRMED,
    ]


def test_exam_hours_are_one_event_with_a_timetable() -> None:
    """A block every weekday from eight to ten for two weeks is one event that says so."""
    week = [day for day in range(14) if (START + timedelta(days=day)).weekday() < 5]
    verdicts = []
    for day in range(14):
        for n in range(0, 288, 2):
            blocked = day in week and 96 <= n < 120
            verdicts.append(verdict("B" if blocked else ".", 288 * day + n))
    story = told(verdicts)
    event = story.only
    assert len(event.networks[0].stretches) == len(week)
    shift = START - START.replace(hour=0, minute=0, second=0, microsecond=0)
    start = (timedelta(hours=8) + shift).seconds // 3600
    assert event.pattern.startswith("Mon-Fri ")
    assert event.pattern.endswith(" UTC")
    assert f"{start:02}:" in event.pattern
    assert "pattern_found" in story.changes


# -- silence -----------------------------------------------------------------------------------


def test_a_network_that_falls_silent_is_not_open() -> None:
    """Once nobody has seen it for long, it is unobserved; silence never ends an event."""
    story = tell(ptcl=".BB" + 30 * "?")
    assert story.only.state is EventState.UNOBSERVED
    assert story.changes[-2:] == ["network_unobserved", "unobserved"]
    (network,) = story.only.networks
    assert (network.unobserved, network.blocked_now) == (True, False)


def test_what_was_unobserved_is_seen_again() -> None:
    """Seen blocked it goes on, seen open it ends, with bounds as wide as the silence."""
    blocked = tell(ptcl=".BB" + 20 * "?" + "B")
    assert blocked.only.state is EventState.CONFIRMED
    opened = tell(ptcl=".BB" + 20 * "?" + "......")
    assert opened.only.state is EventState.ENDED
    assert (opened.only.end_earliest, opened.only.end_latest) == (at(2), at(23))


def test_what_nobody_can_see_is_closed_some_day_without_an_end() -> None:
    """After thirty days of silence the event is closed, its end unknown."""
    story = told([verdict(x, n) for n, x in enumerate(".BB")] + [verdict("?", 31 * 288)])
    assert story.only.state is EventState.ENDED
    assert (story.only.end_earliest, story.only.end_latest) == (at(2), None)


# -- several networks --------------------------------------------------------------------------


def test_brazil_two_networks_of_three() -> None:
    """Networks seen open are listed beside those that block, each with its methods."""
    event = tell(ptcl=".BB", zong=".NN", jazz="...").only
    assert event.networks_affected == (17557, 59257)
    assert [network.asn for network in event.networks] == [17557, 45669, 59257]
    methods = {network.network: network.methods for network in event.networks}
    assert methods == {"PTCL": ("tls.reset",), "Zong": ("dns.nxdomain",), "Jazz": ()}


def test_networks_of_which_nothing_is_known_are_not_seen() -> None:
    """A network with only insufficient verdicts is not among those seen."""
    assert [n.asn for n in tell(ptcl=".BB", jazz="???").only.networks] == [17557]


def test_technique_switch_is_one_event() -> None:
    """A block that changes from DNS to TLS stays one event that names both."""
    story = tell(ptcl=".NNBB")
    assert story.only.methods == ("dns.nxdomain", "tls.reset")
    assert "method_added" in story.changes


def test_spreading_and_receding_is_logged() -> None:
    """Each network's part is told as it happens, a second time as such."""
    story = tell(ptcl=".BB.....BB", zong="...BBBBBBB")
    details = [e.detail for e in story.log if e.change == "network_affected"]
    assert details == ["AS59257 Zong", "AS17557 PTCL, again"]
    assert [e.detail for e in story.log if e.change == "network_recovered"] == ["AS17557 PTCL"]


def test_scope_widens_and_never_narrows() -> None:
    """Media first, then the core: the event is full from then on."""
    story = tell(ptcl=".ppBBpp")
    assert story.only.scope is Scope.FULL
    assert story.only.functions == ("api", "media", "web")
    assert tell(ptcl=".pp").only.scope is Scope.PARTIAL


@pytest.mark.parametrize(
    ("first", "second", "told_of"),
    [
        ({"family": "ipv6"}, {"family": "ipv6"}, ("ipv6", None)),
        ({"family": "ipv6"}, {"family": "ipv4"}, ("", None)),
        ({"family": "ipv6"}, None, ("", None)),
        ({"share": 0.5}, {"share": 0.25}, ("", 0.5)),
        ({"share": 0.5}, None, ("", None)),
        ({"share": 0.5}, {"family": "ipv6"}, ("", None)),
    ],
    ids=[
        "alike",
        "unlike",
        "one family, pictures",
        "shares",
        "a share, pictures",
        "a share, one family",
    ],
)
def test_a_part_is_told_only_where_no_network_loses_more(
    first: dict[str, object], second: dict[str, object] | None, told_of: tuple[str, float | None]
) -> None:
    """One network cuts off the site over IPv6, another one pictures over both: then it is not "only
    over IPv6"."""

    seen = [
        _in_part(vantage, cycle, part)
        for cycle in range(3)
        for vantage, part in ((PTCL, first), (ZONG, second))
    ]
    event = told(seen).only
    assert (event.scope, event.family, event.share) == (Scope.SOME, *told_of)


@pytest.mark.parametrize(
    "parts",
    [
        [{"family": "ipv4"}, {"share": 0.5}, {"share": 0.25}],
        [{"family": "ipv4"}, {"family": "ipv6"}, {"share": 0.5}],
        [{"share": 0.5}, {"family": "ipv4"}, {"family": "ipv4"}],
        [None, {"share": 0.5}, {"share": 0.25}],
        [{"share": 0.5}, {"share": 0.5}, None],
    ],
    ids=["a family first", "either family first", "then a family", "pictures first", "pictures"],
)
def test_a_share_that_hit_a_part_by_chance_is_told(parts: list[dict[str, object] | None]) -> None:
    """Where half of all connections are cut off, some cycles find one family alone cut off, or
    pictures alone."""
    event = told([_in_part(PTCL, cycle, part) for cycle, part in enumerate(parts)]).only
    assert (event.scope, event.family, event.share) == (Scope.SOME, "", 0.5)


def _in_part(vantage: str, cycle: int, part: dict[str, object] | None) -> PlatformVerdict:
    """All functions over a part of the connections; without one pictures alone, over all."""
    if part is None:
        return verdict("p", cycle, vantage)
    return msgspec.structs.replace(verdict("B", cycle, vantage), state=State.PARTIAL, **part)


def test_the_part_of_the_users_concerned() -> None:
    """With the sizes of networks known, an event says which part of their users is kept from it."""
    rules = EventSettings(shares={"PK": {17557: 0.3, 59257: 0.2, 45669: 0.25}})
    story = told(cycles(by_vantage({"ptcl": ".BB", "zong": ".....", "jazz": "..N"})), rules=rules)
    assert story.only.share_affected == pytest.approx(0.55 / 0.75, abs=1e-4)
    assert tell(ptcl=".B").only.share_affected is None


# -- the record --------------------------------------------------------------------------------


def test_log_numbers_and_snapshots() -> None:
    """The log counts from one, and each entry holds the event as it then stood."""
    story = tell(ptcl=".BB....")
    assert [entry.sequence for entry in story.log] == list(range(1, len(story.log) + 1))
    assert story.log[0].snapshot.state is EventState.SUSPECTED
    assert story.log[-1].snapshot == story.only
    assert story.log[0].at == judged(1)


def test_steady_block_changes_only_how_long_it_lasts() -> None:
    """Once confirmed, more of the same is not logged. How far it has come is noted, hardly more
    often than every ten minutes, and within ten minutes."""
    story = tell(ptcl=".BB")
    stored = 0
    for n in range(3, 300):
        again = told([verdict("B", n)], story.book)
        story.book, stored = again.book, stored + len(again.events)
        assert not again.log
        (event,) = story.book.active
        assert event.longer_only(story.only)
        assert timedelta() <= at(n) - (newest(event).last_blocked or at(0)) < 2 * CYCLE
    assert stored < 160


def test_control_vantages_do_not_count() -> None:
    """A control that is blocked makes no event."""
    assert not told([verdict("B", n, vantage_role="control") for n in range(3)]).events


def test_platforms_are_apart() -> None:
    """Each platform has an event of its own, from one cycle's verdicts."""
    step = advance(EventBook(), [verdict("B", 1), verdict("B", 1, platform="facebook")], DEFAULTS)
    assert {event.platform for event in step.changed} == {"x", "facebook"}


def test_ids_are_reproducible() -> None:
    """The same verdicts give the same event id."""
    assert tell(ptcl=".B").only.id == tell(ptcl=".BB", zong="..B").only.id


# -- order, repetition, restarts ---------------------------------------------------------------


stories = st.dictionaries(
    st.sampled_from([PTCL, ZONG, JAZZ]), st.text(".BNswp?d ", min_size=1, max_size=12), min_size=1
)
orders = st.integers(0, 2**24 - 1)
"""Seeds of the order in which a story is told. To draw each step of it would take longer than to
tell it."""


def final(story: Told) -> dict[str, Event]:
    """Every event in its last form, but for when that was written."""
    return {
        event.id: msgspec.structs.replace(event, updated_at=event.detected_at)
        for event in story.events.values()
        if event.state is not EventState.WITHDRAWN
    }


def whole(story: Mapping[str, str]) -> list[PlatformVerdict]:
    """The verdicts of a story, which may have none."""
    return cycles(story) if any(letters.strip() for letters in story.values()) else []


def shuffled(verdicts: list[PlatformVerdict], order: int) -> list[PlatformVerdict]:
    """In one of all orders."""
    mixed = list(verdicts)
    Random(order).shuffle(mixed)
    return mixed


@given(stories, orders)
@settings(max_examples=examples(60), deadline=None)
def test_any_order_gives_the_same_events(story: dict[str, str], order: int) -> None:
    """Shuffled within the hour, and some of it twice, the same events come out."""
    verdicts = whole(story)
    mixed = shuffled([*verdicts, *verdicts[: len(verdicts) // 2]], order)
    assert final(told(mixed)) == final(told(verdicts))


@given(stories, orders)
@settings(max_examples=examples(50), deadline=None)
def test_later_than_an_hour_it_takes_the_history(story: dict[str, str], order: int) -> None:
    """With nothing remembered, those too late are told, and folding all anew gives the same."""
    verdicts = whole(story)
    result = Told(book=EventBook(), events={}, log=[])
    seen: list[PlatformVerdict] = []
    for each in shuffled(verdicts, order):
        seen.append(each)
        steps = [advance(result.book, [each], DEFAULTS, lateness=timedelta(0))]
        for place in steps[0].late:
            known = list(result.events.values())
            rebuild = Rebuild(steps[0].book, place, known, DEFAULTS, lateness=timedelta(0))
            rebuild.take(sorted(seen, key=key_of))
            steps.append(rebuild.step())
        for step in steps:
            result.take(step)
    assert final(result) == final(told(verdicts))


def _reads(part: Reading, verdict: PlatformVerdict) -> bool:
    """Whether a store gives the verdict to who asks for that part."""
    return (
        (part.since is None or verdict.judged_at >= part.since)
        and part.country in ("", verdict.country)
        and part.platform in ("", verdict.platform)
    )


@given(stories, st.integers(0, 36))
@settings(max_examples=examples(100), deadline=None)
def test_restart_forgets_nothing(story: dict[str, str], cut: int) -> None:
    """Stopped anywhere and taken up from what is stored, the tale ends the same, log and all."""
    verdicts = whole(story)
    before = told(verdicts[:cut])
    book = before.book
    places = [*book.places, *(("", platform) for platform in book.outages), ("", "")]
    saved = checkpoints_of(book, places)
    parts = to_read(saved, verdicts[:cut])
    stored = [v for v in verdicts[:cut] if any(_reads(part, v) for part in parts)]
    again = restored(saved, stored, (), DEFAULTS, book.logged, NETWORKS)
    assert again == book
    after = told(verdicts[cut:], again)
    straight = told(verdicts)
    assert before.log + after.log == straight.log
    assert before.events | after.events == straight.events


def test_a_late_word_revises_and_withdraws() -> None:
    """What turns out otherwise when late data comes in is told so, beside what was thought."""
    early = told([verdict("B", 3), verdict("B", 4)])
    (event,) = early.events.values()
    assert event.onset_earliest is None
    revised = told([verdict(".", 2)], early.book)
    assert [entry.change for entry in revised.log] == ["revised"]
    assert revised.only.onset_earliest == at(2)
    withdrawn = told([verdict("B", 2)], early.book)
    changes = {entry.change for entry in withdrawn.log}
    assert {"opened", "withdrawn"} <= changes
    assert withdrawn.events[event.id].state is EventState.WITHDRAWN


@given(stories)
@settings(max_examples=examples(100), deadline=None)
def test_one_active_event_at_a_time(story: dict[str, str]) -> None:
    """However it goes, a platform has one open event, and bounds that are in order."""
    result = told(whole(story))
    blocks = [event for event in result.events.values() if event.state is not EventState.WITHDRAWN]
    active = [event for event in result.book.active if event.kind is EventKind.BLOCK]
    assert sum(event.active for event in blocks) == len(active) <= 1
    for event in blocks:
        assert event.onset_earliest is None or event.onset_earliest < event.onset_latest
        assert event.onset_latest <= event.detected_at <= event.updated_at
        assert event.active or event.end_earliest
        entries = [entry for entry in result.log if entry.event == event.id]
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        assert event.networks_affected
        if event.state is EventState.ENDED:
            assert event.confirmed_at is not None


def test_what_nobody_measures_any_more_is_unobserved() -> None:
    """No verdict comes that could say so: the report of a vantage elsewhere shows that hours have
    passed. The first measurement afterwards goes on with the event."""
    story = tell(ptcl=".BBB")
    elsewhere = msgspec.structs.replace(health(vantage="ams"), country="NL", at=judged(30))
    story.take(advance(story.book, (), DEFAULTS, health=elsewhere))
    lost = story.only
    assert lost.state is EventState.UNOBSERVED
    assert lost.networks[0].unobserved
    assert not lost.networks[0].blocked_now
    assert lost.networks[0].stretches[-1].end_earliest == at(3)
    assert story.changes[-2:] == ["network_unobserved", "unobserved"]
    for n in (40, 41):
        story.take(advance(story.book, [verdict("B", n)], DEFAULTS))
    back = story.only
    assert back.state is EventState.CONFIRMED
    (straight,) = told(
        [*cycles(by_vantage({"ptcl": ".BBB"})), verdict("B", 40), verdict("B", 41)]
    ).events.values()
    assert story.only.longer_only(straight)


@pytest.mark.parametrize(
    ("ptcl", "zong", "jazz", "spared"),
    [
        ("...BB", "...BB", "..   ", False),
        ("...BB", "...BB", ".. . ", True),
        ("...BB", "....B", "...  ", False),
        ("...BB", "....B", "... .", True),
        ("...BB", "...BB", "....s", False),
        ("...BB", "...BB", "....d", True),
        ("..." + 20 * "B", "..." + 20 * "B", "....." + 18 * " ", False),
    ],
)
def test_who_was_tested_before_the_block_alone_is_not_spared(
    ptcl: str, zong: str, jazz: str, spared: bool
) -> None:
    """A network whose last test was before all others were blocked may be blocked as well; a
    message named it as one where the platform works. So may one that failed since, or that is not
    tested any more."""
    networks = {one.network: one for one in tell(ptcl=ptcl, zong=zong, jazz=jazz).only.networks}
    assert networks["Jazz"].found_open is spared
    assert not networks["PTCL"].found_open
    assert not networks["Zong"].found_open


DAY = 288
"""Cycles."""
HOURLY = ("." + " " * 11) * 24
"""A day on which every twelfth cycle is judged: weeks of them tell the same with fewer verdicts."""


@pytest.mark.parametrize(("agreement", "days"), [(1, 40), (2, 1), (2, 40)])
def test_a_vantage_that_is_silent_confirms_nothing(agreement: int, days: int) -> None:
    """PTCL was found blocked, and then its vantage was removed. Zong alone shows a first sign weeks
    later, when the event is closed, or a day later, when it was never confirmed."""
    rules = EventSettings(agreement=agreement)
    story = {"ptcl": ".BBB", "zong": "...." + HOURLY * days + "ss"}
    last = list(told(cycles(by_vantage(story)), rules=rules).events.values())[-1]
    assert last.state is EventState.SUSPECTED
    assert [one.network for one in last.networks if one.blocked_now] == ["Zong"]


def test_what_a_silent_vantage_found_is_not_said_of_a_later_event() -> None:
    """Its method, functions and evidence belong to the event that was closed."""
    story = {"ptcl": ".NNN", "zong": "...." + HOURLY * 40 + "pp"}
    *_, last = told(cycles(by_vantage(story))).events.values()
    assert (last.methods, last.functions, last.scope) == (("tls.reset",), ("media",), Scope.PARTIAL)


@pytest.mark.parametrize("rule_id", ["partial.addresses", "control.absent"])
def test_what_never_confirms_is_no_second_network(rule_id: str) -> None:
    """A lead, and what no control could tell, add nothing to another network's suspicion."""
    lead = {"evidence": Evidence.WEAK, "rule_id": rule_id, "method": "tcp", "sub_method": "timeout"}
    seen = [verdict(".", 0, vantage) for vantage in (PTCL, ZONG)]
    for cycle in range(1, 60):
        seen.append(verdict("w", cycle, PTCL))
        other = msgspec.structs.replace(verdict("w", cycle, ZONG), **lead)
        seen.append(
            msgspec.structs.replace(other, state=State.PARTIAL)
            if rule_id == "partial.addresses"
            else other
        )
    assert told(seen).only.confirmed_at is None


@pytest.mark.parametrize(
    ("ptcl", "zong", "state"),
    [
        (".BBB" + "." * 20, "." * 24 + "ss", EventState.SUSPECTED),
        (".BBB" + "." * 20 + "ss", "." * 26, EventState.CONFIRMED),
        (".BBB" + " " * 20 + "ss", "." * 26, EventState.CONFIRMED),
    ],
    ids=["elsewhere", "there", "there after silence"],
)
def test_a_block_that_ended_is_known_to_be_back_only_where_it_was(
    ptcl: str, zong: str, state: EventState
) -> None:
    """A first sign on a network that never blocked is no more than a suspicion."""
    assert told(cycles(by_vantage({"ptcl": ptcl, "zong": zong}))).only.state is state


@pytest.mark.parametrize(
    ("rule_id", "state", "method"),
    [
        ("partial.addresses", State.PARTIAL, "tcp.timeout"),
        ("control.absent", State.BLOCKED, "tls.certificate"),
    ],
)
def test_what_never_confirms_brings_no_ended_block_back(
    rule_id: str, state: State, method: str
) -> None:
    """A server that died, or a certificate that lapsed while no control could be asked, was within
    three days of a block's end that block, certainly back."""
    weak: dict[str, object] = {"rule_id": rule_id, "state": state}
    weak |= dict(zip(("method", "sub_method"), method.split("."), strict=True))
    block = cycles(by_vantage({"ptcl": ".BBB" + "." * 20}))
    signs = [msgspec.structs.replace(verdict("w", cycle), **weak) for cycle in range(24, 80)]
    silence = [verdict("?", cycle) for cycle in range(60, 70)]
    for after in (signs[:36], [*signs[:36], *silence, *signs[46:]]):
        event = told([*block, *after]).only
        assert (event.reopened, event.state) == (1, EventState.SUSPECTED)
        assert not event.sure


def test_a_block_that_nobody_saw_for_weeks_is_not_known_to_go_on() -> None:
    """The vantage returns two months later with one weak sign, which opens nothing."""
    story = {"ptcl": ".BBB" + " " * (60 * DAY) + "w", "zong": HOURLY * 60 + "....."}
    event = told(cycles(by_vantage(story))).only
    assert (event.state, event.end_latest, event.reopened) == (EventState.ENDED, None, 0)


def test_an_event_that_nobody_observes_ends_without_verdicts() -> None:
    """Time alone closes it, with an end that nobody saw."""
    story = told(cycles(by_vantage({"ptcl": ".BBB"})))
    for days in (1, 31):
        story.take(pass_time(story.book, judged(3) + timedelta(days=days), DEFAULTS))
    assert (story.only.state, story.only.end_latest) == (EventState.ENDED, None)


def test_events_name_no_vantage_where_a_network_has_neither_name_nor_number() -> None:
    """Everybody reads events and their logs, and the id of a vantage is for operators alone. Each
    of these vantages stands for a network of its own all the same."""
    story = tell(ali=".BB..BB", sara="..BBBBB")
    assert story.only.state is EventState.CONFIRMED
    assert [one.network for one in story.only.networks] == ["", ""]
    assert [one.blocked_now for one in story.only.networks] == [True, True]
    details = [line.detail for line in story.log]
    assert not [detail for detail in details if "khi" in detail], details
    seen = PublicView().event(story.only).networks
    assert not [one for one in seen if "khi" in str(one)]


def test_what_an_older_version_kept_of_such_a_network_names_no_vantage_any_more() -> None:
    """It had the vantage's id as its name, in what goes on after an upgrade too."""
    ali = "khi-ali"
    first, second, third = (verdict("B", number, ali) for number in range(3))
    state, _ = take_in(CountryPlatform(), first, DEFAULTS)
    known = state.event
    assert known is not None
    older = CountryPlatform(
        streams=state.streams.with_entry(
            ali, msgspec.structs.replace(state.streams[ali], network=ali)
        ),
        suspected=1,
        event=msgspec.structs.replace(
            known,
            networks=tuple(
                msgspec.structs.replace(one, network=ali, vantage="") for one in known.networks
            ),
        ),
    )
    after, _ = take_in(older, second, DEFAULTS)
    straight, _ = take_in(state, second, DEFAULTS)
    assert after.event == straight.event
    assert after.streams[ali] == straight.streams[ali]
    assert take_in(after, third, DEFAULTS) == take_in(straight, third, DEFAULTS)


def test_nothing_of_an_event_that_is_withdrawn_is_so_now() -> None:
    """Its vantage is left out while it finds the block: files had its network among those that
    block now, with its share of the users."""
    verdicts = cycles(by_vantage({"ptcl": "..BBB", "zong": "....."}))
    rules = EventSettings(shares={"PK": {17557: 0.6, 59257: 0.4}})
    story = told(verdicts, rules=rules)
    assert story.only.share_affected == 0.6
    left_out = Rebuild(
        story.book,
        ("PK", "x"),
        [story.only],
        rules,
        quarantined=lambda one: one.vantage == PTCL,
    )
    left_out.take(sorted(verdicts, key=key_of))
    story.take(left_out.step())
    assert story.only.state is EventState.WITHDRAWN
    assert not [one for one in story.only.networks if one.blocked_now or one.recovering]
    assert story.only.share_affected is None
