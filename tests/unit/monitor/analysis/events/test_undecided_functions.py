"""A platform is ok while a function that is not core is undecided. Where that is the one that a
block cut off, nothing is known of the block. While a core function is undecided, the platform is,
and the block of another function is known all the same."""

import msgspec
import pytest

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event, EventKind, EventState, Scope
from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from tests.unit.monitor.analysis.events.test_events import DEFAULTS, at, judged, told, verdict

LETTERS = {
    ".": (State.OK, State.OK),
    "p": (State.OK, State.BLOCKED),
    "i": (State.OK, State.INSUFFICIENT),
    "d": (State.OK, State.DOWN),
    "B": (State.BLOCKED, State.BLOCKED),
    "-": (State.OK, None),
}
"""The site, and its pictures; None: they are no longer in the catalogue."""


def story(letters: str) -> list[PlatformVerdict]:
    """The verdicts of one vantage, one letter a cycle."""
    return [_verdict(letter, cycle) for cycle, letter in enumerate(letters)]


def _verdict(letter: str, cycle: int) -> PlatformVerdict:
    web, media = LETTERS[letter]
    functions = [FunctionVerdict(function="web", core=True, state=web)]
    if media is not None:
        functions.append(FunctionVerdict(function="media", core=False, state=media))
    like = letter if letter in "pB" else "."
    return msgspec.structs.replace(verdict(like, cycle), functions=tuple(functions))


@pytest.mark.parametrize("undecided", ["i", "d"])
def test_no_data_on_what_was_blocked_is_no_end(undecided: str) -> None:
    """Pictures are blocked, and then undecided, or down everywhere, while the site works."""
    told_of = told(story("..." + 15 * "p" + 40 * undecided))
    assert told_of.changes[-2:] == ["network_unobserved", "unobserved"]
    assert not {"network_recovering", "network_recovered", "ended"} & set(told_of.changes)
    assert told_of.only.networks[0].stretches[-1].end_earliest == at(17)


def test_a_block_that_one_cycle_in_eight_decides_goes_on() -> None:
    """The line loses packets: twelve false ends were told, and twelve returns."""
    told_of = told(story("..." + 15 * ("p" + 7 * "i")))
    assert told_of.only.state in (EventState.CONFIRMED, EventState.UNOBSERVED)
    assert not {"ended", "reopened", "dismissed"} & set(told_of.changes)
    assert len(told_of.only.networks[0].stretches) == 1


@pytest.mark.parametrize(
    "open_again",
    [".", "i.", "-"],
    ids=["pictures work", "half of the time", "pictures were taken out"],
)
def test_what_was_blocked_and_works_ends_it(open_again: str) -> None:
    """As before: when they work again, or are no longer part of the platform."""
    told_of = told(story("..." + 15 * "p" + 10 * open_again))
    assert told_of.only.state is EventState.ENDED


def test_the_core_that_works_again_ends_a_block_of_all() -> None:
    """The site was blocked too, and works; its pictures stay undecided."""
    assert told(story("..." + 15 * "B" + 10 * "i")).only.state is EventState.ENDED


def core_undecided(
    cycle: int,
    media: State,
    evidence: Evidence = Evidence.NONE,
    method: str = "tls.reset",
    vantage: str = "khi-ptcl",
) -> PlatformVerdict:
    """A cycle in which the site refuses this network, and its pictures are in this state."""
    accused = evidence is not Evidence.NONE
    layer, _, sub_method = method.partition(".") if accused else ("", "", "")
    return msgspec.structs.replace(
        verdict("?", cycle, vantage),
        rule_id="http.withheld_here",
        functions=(
            FunctionVerdict(function="web", core=True, state=State.INSUFFICIENT),
            FunctionVerdict(
                function="media",
                core=False,
                state=media,
                method=layer,
                sub_method=sub_method,
                evidence=evidence,
                measurement=f"media-{cycle}" if accused else "",
            ),
        ),
    )


BLOCKED_MEDIA = (State.BLOCKED, Evidence.CONCLUSIVE)


def test_a_block_of_one_function_is_an_event_while_the_core_is_undecided() -> None:
    """The site answers this network with an error for hours, and pictures are cut off by name."""
    cycles = [*story("..."), *(core_undecided(cycle, *BLOCKED_MEDIA) for cycle in range(3, 30))]
    event = told(cycles).only
    assert event.state is EventState.CONFIRMED
    assert (event.scope, event.functions, event.methods) == (
        Scope.PARTIAL,
        ("media",),
        ("tls.reset",),
    )
    assert (event.evidence, event.first_measurement) == ("conclusive", "media-3")
    # When the pictures were tested is not known: somewhere in the cycle.
    assert (event.onset_earliest, event.onset_latest) == (at(2), judged(3))


def test_blocked_data_centres_are_an_event_while_the_others_are_undecided() -> None:
    """Accounts in two of five are cut off; of the others nobody knows."""
    chat = FunctionVerdict(
        function="chat",
        core=True,
        state=State.DEGRADED,
        method="app",
        sub_method="reset",
        evidence=Evidence.STRONG,
        groups=("dc2", "dc4"),
        measurement="chat",
    )
    cycles = [
        msgspec.structs.replace(verdict("?", cycle), functions=(chat,)) for cycle in range(3, 40)
    ]
    event = told([*story("..."), *cycles]).only
    assert (event.state, event.scope) == (EventState.CONFIRMED, Scope.PARTIAL)
    assert event.functions == ("chat:dc2", "chat:dc4")


def test_a_block_goes_on_when_the_core_becomes_undecided() -> None:
    """Every cycle shows the block, so the network is not called unobserved."""
    cycles = [
        *story("..." + 5 * "p"),
        *(core_undecided(cycle, *BLOCKED_MEDIA) for cycle in range(8, 40)),
        *story(50 * ".")[40:],
    ]
    seen = told(cycles)
    assert "unobserved" not in seen.changes
    assert seen.only.state is EventState.ENDED
    (stretch,) = seen.only.networks[0].stretches
    assert (stretch.end_earliest, stretch.end_latest) == (at(39), at(40))


@pytest.mark.parametrize(
    ("media", "evidence"),
    [
        (State.BLOCKED, Evidence.WEAK),
        (State.THROTTLED, Evidence.WEAK),
        (State.INSUFFICIENT, Evidence.NONE),
        (State.DOWN, Evidence.NONE),
        (State.OK, Evidence.NONE),
    ],
)
def test_what_hides_the_core_may_explain_a_weak_sign(media: State, evidence: Evidence) -> None:
    """Weak evidence of one function is no event beside a core that nobody can judge."""
    cycles = [core_undecided(cycle, media, evidence) for cycle in range(3, 200)]
    assert not told([*story("..."), *cycles]).events


def test_silence_over_quic_does_not_stand_for_a_block_over_tcp() -> None:
    """Beside an undecided core one function lacks QUIC, which confirms nothing alone."""
    quic = FunctionVerdict(
        function="app",
        core=True,
        state=State.DEGRADED,
        method="quic",
        sub_method="timeout",
        evidence=Evidence.STRONG,
        measurement="quic",
    )
    cycles = [
        msgspec.structs.replace(one, functions=(quic, *one.functions))
        for one in (core_undecided(cycle, State.BLOCKED, Evidence.STRONG) for cycle in range(3, 40))
    ]
    event = told([*story("..."), *cycles]).only
    assert (event.state, event.methods) == (EventState.CONFIRMED, ("tls.reset",))


def beside_an_outage(letter: str, cycle: int, evidence: Evidence) -> PlatformVerdict:
    """A core function is down everywhere, and another function, core too where the platform is
    blocked, is blocked with this evidence."""
    seen = verdict(letter, cycle)
    blocked = FunctionVerdict(
        function="media",
        core=letter == "B",
        state=State.BLOCKED,
        method="tls",
        sub_method="reset",
        evidence=evidence,
        measurement="" if letter == "B" else f"media-{cycle}",
    )
    web = FunctionVerdict(function="web", core=True, state=State.DOWN)
    return msgspec.structs.replace(seen, functions=(web, blocked))


@pytest.mark.parametrize("letter", ["d", "B"], ids=["another function", "a core function"])
def test_an_outage_hides_no_block_that_is_certain(letter: str) -> None:
    """It takes eight in a row: amid an outage in part a test may look conclusive by chance."""

    def after(many: int) -> list[Event]:
        beside = [beside_an_outage(letter, cycle, Evidence.CONCLUSIVE) for cycle in range(3, many)]
        return list(told([*story("..."), *beside]).events.values())

    assert not [event for event in after(8) if event.state is EventState.CONFIRMED]
    (event,) = after(12)
    assert (event.state, event.methods) == (EventState.CONFIRMED, ("tls.reset",))
    assert (event.functions, event.evidence) == (("media",), "conclusive")
    assert event.scope is (Scope.FULL if letter == "B" else Scope.PARTIAL)


@pytest.mark.parametrize("evidence", [Evidence.WEAK, Evidence.STRONG])
def test_an_outage_may_explain_what_is_less_than_certain(evidence: Evidence) -> None:
    """Servers of one platform fail together, and some only here."""
    cycles = [beside_an_outage("d", cycle, evidence) for cycle in range(3, 200)]
    assert not told([*story("..."), *cycles]).events


def test_an_undecided_core_is_not_reached() -> None:
    """The block of another function ends no outage: whether the platform works is not known."""
    book, outages = EventBook(), list[Event]()
    cycles = [
        *(verdict("d", cycle) for cycle in range(5)),
        *(core_undecided(cycle, *BLOCKED_MEDIA) for cycle in range(5, 10)),
    ]
    for one in cycles:
        step = advance(book, [one], DEFAULTS)
        book = step.book
        outages += [event for event in step.changed if event.kind is EventKind.OUTAGE]
    assert outages[-1].active


# -- what takes a test of its own --------------------------------------------------------------

OWN_TESTS = {
    "throttling": (State.THROTTLED, "rate", State.THROTTLED),
    "quic": (State.DEGRADED, "timeout", State.DEGRADED),
}
"""Method → the state of a core function, the sub-method and the state of the platform."""


def by_own_test(letter: str, cycle: int, method: str, vantage: str = "khi-ptcl") -> PlatformVerdict:
    """A cycle in which the site is found slow, or without QUIC (x), found well by such a test (o),
    or works while none was made (.)."""
    state, sub_method, whole = OWN_TESTS[method]
    accused = letter == "x"
    web = FunctionVerdict(
        function="web",
        core=True,
        state=state if accused else State.OK,
        method=method if accused else "",
        sub_method=sub_method if accused else "",
        evidence=Evidence.STRONG if accused else Evidence.NONE,
        tested=(method,) if letter == "o" else (),
    )
    return msgspec.structs.replace(
        verdict(".", cycle, vantage),
        state=whole if accused else State.OK,
        method=method if accused else "",
        sub_method=sub_method if accused else "",
        evidence=Evidence.STRONG if accused else Evidence.NONE,
        functions=(web,),
    )


@pytest.mark.parametrize("method", OWN_TESTS)
def test_no_test_of_its_own_is_no_end(method: str) -> None:
    """The day's bytes are spent, the program started anew, or the line is bad: the site works, and
    nobody measured its speed or tried QUIC. The event was told to be over."""

    def story(letters: str) -> list[PlatformVerdict]:
        return [by_own_test(letter, cycle, method) for cycle, letter in enumerate(letters)]

    untested = told(story("ooo" + 40 * "x" + 40 * "."))
    assert untested.changes[-2:] == ["network_unobserved", "unobserved"]
    assert not {"recovering", "ended", "dismissed"} & set(untested.changes)
    tested = told(story("ooo" + 40 * "x" + 20 * "." + "o" + 5 * "."))
    assert not tested.only.active
    (stretch,) = tested.only.networks[0].stretches
    assert (stretch.end_earliest, stretch.end_latest) == (at(42), at(63))


@pytest.mark.parametrize("method", OWN_TESTS)
def test_a_network_where_it_was_not_tested_is_not_spared(method: str) -> None:
    """Messages said that the site is not slowed down there."""

    def spared(letter: str) -> bool:
        cycles = [
            by_own_test(one, cycle, method, vantage)
            for cycle in range(40)
            for vantage, one in (("khi-ptcl", "x"), ("khi-zong", letter))
        ]
        return next(one.found_open for one in told(cycles).only.networks if one.asn == 59257)

    assert spared("o")
    assert not spared(".")


def test_a_vantage_that_cannot_test_it_ends_nothing() -> None:
    """Another one of the network takes the place of the one that found the site slow. It measures
    no speed, as a quiet one, and found the site open three times."""
    slow = [by_own_test("x", cycle, "throttling", "old") for cycle in range(40)]
    well = [by_own_test(".", cycle, "throttling", "new") for cycle in range(40, 80)]
    network = {"asn": 17557, "network": "PTCL"}
    cycles = [msgspec.structs.replace(one, **network) for one in (*slow, *well)]
    assert told(cycles).only.state is EventState.UNOBSERVED
    well = [by_own_test("o", cycle, "throttling", "new") for cycle in range(40, 80)]
    cycles = [msgspec.structs.replace(one, **network) for one in (*slow, *well)]
    assert told(cycles).only.state is EventState.ENDED


def test_what_is_blocked_now_must_work_again() -> None:
    """All was blocked, then pictures alone. That the site works ends nothing while these are
    undecided."""
    assert told(story("..." + 5 * "B" + 15 * "p" + 40 * "i")).only.state is EventState.UNOBSERVED


# -- a core function that is accused by weak evidence alone ------------------------------------


@pytest.mark.parametrize("state", [State.PARTIAL, State.THROTTLED, State.BLOCKED])
def test_a_weak_sign_of_the_core_hides_no_certain_block(state: State) -> None:
    """One of the site's addresses is dead for weeks, as those of many sites are, and pictures are
    cut off by name. The event was never more than suspected, and by the dead address."""

    def beside(cycle: int) -> PlatformVerdict:
        web = FunctionVerdict(function="web", core=True, state=state, evidence=Evidence.WEAK)
        media = FunctionVerdict(
            function="media",
            core=False,
            state=State.BLOCKED,
            method="tls",
            sub_method="reset",
            evidence=Evidence.CONCLUSIVE,
            measurement=f"media-{cycle}",
        )
        return msgspec.structs.replace(
            verdict("w", cycle),
            state=state,
            method="tcp",
            sub_method="timeout",
            rule_id="partial.addresses",
            share=0.5,
            functions=(web, media),
        )

    event = told([*story("..."), *(beside(cycle) for cycle in range(3, 10))]).only
    assert event.state is EventState.CONFIRMED
    assert (event.scope, event.functions, event.methods) == (
        Scope.PARTIAL,
        ("media",),
        ("tls.reset",),
    )
    assert (event.first_measurement, event.share) == ("media-3", None)
