"""What dates an onset and an end where attempts are repeated, functions undecided and vantages
several. docs/adr/0018 has the argument, test_bounds_hold.py the proof on whole runs."""

from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.block_lifecycle import CountryPlatform, take_in
from monitor.analysis.events.event import Event
from monitor.analysis.events.sequential_test import (
    Detector,
    DetectorSettings,
    Phase,
    reading_of,
    update,
)
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stream import Stream, observe, stream_of
from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from tests.worlds.build import START

DEFAULTS = DetectorSettings()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def said(
    begun: float,
    since: float,
    until: float,
    *,
    vantage: str = "a",
    evidence: Evidence = Evidence.NONE,
    web: State = State.OK,
    calls: State = State.OK,
    method: str = "tls",
    tested: tuple[str, ...] = (),
) -> PlatformVerdict:
    """A verdict of a cycle that began to measure at `begun` and was decided from `since` to
    `until`; it accuses with evidence, and is ok without."""
    accused = evidence is not Evidence.NONE
    states = {State.OK: State.OK, State.THROTTLED: State.THROTTLED}
    state = states.get(web, State.BLOCKED)
    if accused and web is State.OK:
        state = State.DEGRADED
    return PlatformVerdict(
        cycle=f"{vantage} {begun}",
        vantage=vantage,
        country="PK",
        asn=17557,
        network="PTCL",
        vantage_role="field",
        platform="x",
        state=state,
        method=method if accused else "",
        sub_method="reset" if accused else "",
        rule_id="rule",
        evidence=evidence,
        functions=tuple(
            FunctionVerdict(
                function=name,
                core=name == "web",
                state=found,
                method=method if found not in (State.OK, State.INSUFFICIENT) else "",
                tested=tested,
            )
            for name, found in (("web", web), ("calls", calls))
        ),
        measurement=f"m-{vantage}-{begun}",
        started_at=at(begun),
        judged_at=at(until + 10),
        rules_version="4",
        measured_at=at(since),
        measured_until=at(until),
    )


def blocked(begun: float, since: float, until: float, vantage: str = "a") -> PlatformVerdict:
    return said(
        *(begun, since, until),
        vantage=vantage,
        evidence=Evidence.CONCLUSIVE,
        web=State.BLOCKED,
        calls=State.BLOCKED,
    )


def after(*verdicts: PlatformVerdict) -> Detector:
    state = Detector()
    for verdict in verdicts:
        state = update(state, reading_of(verdict), DEFAULTS)
    return state


def stream(*verdicts: PlatformVerdict) -> Stream:
    known = stream_of(verdicts[0])
    for verdict in verdicts:
        known = observe(known, verdict, DEFAULTS)
    return known


def event(*verdicts: PlatformVerdict) -> Event:
    state = CountryPlatform()
    for verdict in sorted(verdicts, key=lambda one: one.judged_at):
        state, _ = take_in(state, verdict, EventSettings())
    assert state.event is not None
    return state.event


def test_an_end_is_dated_by_the_attempt_that_worked() -> None:
    """The cycle's first attempt failed while the block lasted; only the end of the second shows
    that it was over."""
    state = after(
        said(0, 0, 2),
        *(blocked(300 * n, 300 * n, 300 * n + 15) for n in (1, 2, 3)),
        said(1200, 1218, 1221),
        *(said(1200 + 300 * n, 1200 + 300 * n, 1202 + 300 * n) for n in range(1, 6)),
    )
    assert state.phase is Phase.CLEAR
    assert (state.end_earliest, state.end_latest) == (at(900), at(1221))


def test_an_onset_is_dated_by_the_last_attempt_that_failed() -> None:
    """The first attempts may have failed before the block began, for another reason; and the last
    clean measurement may have been under way when it began."""
    state = after(said(0, 1, 4), blocked(300, 300, 340))
    assert (state.onset_earliest, state.onset_latest) == (at(1), at(340))


def test_what_was_open_within_a_run_moves_its_latest_onset() -> None:
    """An accusation that was wrong, or a leak: the block may have begun before it or after it."""
    weak = said(300, 300, 310, evidence=Evidence.WEAK, web=State.BLOCKED, calls=State.BLOCKED)
    state = after(said(0, 0, 2), weak, said(330, 330, 332), blocked(360, 360, 365))
    assert (state.onset_earliest, state.onset_latest) == (at(0), at(365))


def test_what_was_blocked_while_it_recovered_keeps_its_earliest_end() -> None:
    """The mirror of it: the end may lie before the accusation or after it."""
    weak = said(1500, 1500, 1510, evidence=Evidence.WEAK, calls=State.BLOCKED)
    open_again = [said(600 + 300 * n, 600 + 300 * n, 602 + 300 * n) for n in range(3)]
    ending = [said(1800 + 300 * n, 1800 + 300 * n, 1802 + 300 * n) for n in range(4)]
    before = [blocked(0, 0, 5), blocked(300, 300, 305), *open_again]
    assert after(*before, weak).phase is Phase.RECOVERING
    state = after(*before, weak, *ending)
    assert state.phase is Phase.CLEAR
    assert (state.end_earliest, state.end_latest) == (at(300), at(1802))


def test_a_function_is_open_only_where_it_was_decided() -> None:
    """The platform is ok while its calls are undecided. When they turn out to be blocked, they may
    have been so since they were last found open."""
    undecided = [said(300 * n, 300 * n, 300 * n + 2, calls=State.INSUFFICIENT) for n in range(1, 4)]
    accused = said(1200, 1200, 1205, evidence=Evidence.STRONG, calls=State.BLOCKED)
    run = stream(said(0, 0, 2), *undecided, accused).run
    assert run is not None
    assert (run.onset_earliest, run.onset_latest) == (at(0), at(1205))
    run = stream(said(0, 0, 2), *undecided, blocked(1200, 1200, 1205)).run
    assert run is not None
    assert run.onset_earliest == at(900)


def test_speed_and_quic_count_from_their_own_tests() -> None:
    """Most cycles measure neither. A cycle without them says nothing of when they were fine."""
    for method, web in (("throttling", State.THROTTLED), ("quic", State.DEGRADED)):
        seen = [said(0, 0, 2, tested=(method,)), said(300, 300, 302), said(600, 600, 602)]
        accused = said(900, 900, 960, evidence=Evidence.STRONG, web=web, method=method)
        run = stream(*seen, accused).run
        assert run is not None
        assert run.onset_earliest == at(0)
        run = stream(*seen[1:], accused).run
        assert run is not None
        assert run.onset_earliest is None


def test_a_form_of_greeting_counts_from_its_own_tests() -> None:
    """One endpoint in ten is greeted in another form than the usual one. The onset was that of
    the last cycle, whatever was tested."""
    seen = [said(0, 0, 2, tested=("hello",)), said(300, 300, 302), said(600, 600, 602)]

    def after(*tested: str, more: float = 0) -> Stream:
        cut = said(900, 900, 960, evidence=Evidence.STRONG, web=State.DEGRADED, tested=tested)
        functions = tuple(
            msgspec.structs.replace(one, sub_method="short_hello" if one.method else "")
            for one in cut.functions
        )
        cut = msgspec.structs.replace(cut, sub_method="short_hello", functions=functions)
        return stream(*seen, cut, *([said(more, more, more + 2)] if more else []))

    other, usual = after("hello").run, after().run
    assert other is not None
    assert usual is not None
    assert (other.onset_earliest, other.accused) == (at(0), ("web hello",))
    assert (usual.onset_earliest, usual.accused) == (at(600), ("web",))
    assert after("hello", more=1200).detector.cleared_at == at(600)
    assert after(more=1200).detector.cleared_at == at(1200)


def test_the_first_to_find_it_need_not_be_the_first_blocked() -> None:
    """Two vantages of one network: the one that measures later was found open earlier, so the block
    may have begun for it before the other was last found open."""
    found = event(
        said(0, 0, 2, vantage="b"),
        said(100, 100, 102, vantage="a"),
        blocked(130, 130, 135, "a"),
        blocked(160, 160, 165, "a"),
        blocked(300, 300, 305, "b"),
    )
    assert (found.onset_earliest, found.onset_latest) == (at(0), at(135))
    (network,) = found.networks
    (stretch,) = network.stretches
    assert (stretch.onset_earliest, stretch.onset_latest) == (at(0), at(135))


def test_a_wrong_accusation_after_the_end_moves_no_end() -> None:
    """A neighbour that never found it blocked accuses once, weakly, while the others recover."""
    weak = said(
        *(900, 900, 910),
        vantage="b",
        evidence=Evidence.WEAK,
        web=State.BLOCKED,
        calls=State.BLOCKED,
    )
    found = event(
        *(said(n, n, n + 2, vantage=who) for n, who in ((0, "a"), (5, "b"))),
        *(blocked(n, n, n + 5) for n in (300, 330, 360)),
        *(said(n, n, n + 2) for n in range(600, 2400, 300)),
        *(said(n, n, n + 2, vantage="b") for n in (305, 605)),
        weak,
        *(said(n, n, n + 2, vantage="b") for n in range(1205, 2400, 300)),
    )
    assert not found.active
    assert (found.end_earliest, found.end_latest) == (at(360), at(602))


def test_checkpoints_of_before_go_on() -> None:
    """A stream stored by an older version has none of the new times; its run stays the same one."""
    known = stream(said(0, 0, 2), blocked(300, 300, 305))
    assert known.run is not None
    detector = msgspec.structs.replace(
        known.detector, run_at=None, accused_since=None, cleared_since=None
    )
    run = msgspec.structs.replace(known.run, at=None)
    old = msgspec.structs.replace(known, detector=detector, run=run, open_at={})
    now = observe(old, blocked(330, 330, 335), DEFAULTS)
    assert now.run is not None
    assert (now.run.onset_earliest, now.run.onset_latest) == (at(0), at(305))
