"""The sequential test: stories of readings, one letter each.

.  ok        w  weak       s  strong reset    S  strong timeout   C  conclusive
o  strong reset of one function only              t  throttled (strong)
?  insufficient               d  down         (space) no cycle
"""

import math
import random
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.events.sequential_test import (
    Detector,
    DetectorSettings,
    Episodes,
    Kind,
    Persistence,
    Phase,
    Reading,
    reading_of,
    stale,
    suspicious,
    update,
)
from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from tests.worlds.build import START

BASE, FAST = 300.0, 30.0
DEFAULTS = DetectorSettings()
WEEK = "." * 2016

LETTERS: dict[str, tuple[State, Evidence, str, str]] = {
    ".": (State.OK, Evidence.NONE, "", ""),
    "w": (State.BLOCKED, Evidence.WEAK, "tls", "timeout"),
    "s": (State.BLOCKED, Evidence.STRONG, "tls", "reset"),
    "S": (State.BLOCKED, Evidence.STRONG, "tls", "timeout"),
    "o": (State.BLOCKED, Evidence.STRONG, "tls", "reset"),
    "r": (State.BLOCKED, Evidence.WEAK, "tls", "reset"),
    "j": (State.BLOCKED, Evidence.STRONG, "dns", "hijack"),
    "a": (State.BLOCKED, Evidence.STRONG, "tls", "address"),
    "C": (State.BLOCKED, Evidence.CONCLUSIVE, "tls", "reset"),
    "h": (State.PARTIAL, Evidence.CONCLUSIVE, "tls", "reset"),
    "p": (State.DEGRADED, Evidence.CONCLUSIVE, "tls", "reset"),
    "R": (State.BLOCKED, Evidence.CONCLUSIVE, "tcp", "timeout"),
    "A": (State.BLOCKED, Evidence.CONCLUSIVE, "tls", "address"),
    "t": (State.THROTTLED, Evidence.STRONG, "throttling", "stall"),
    "u": (State.THROTTLED, Evidence.WEAK, "throttling", "rate"),
    "y": (State.DEGRADED, Evidence.STRONG, "throttling", "rate"),
    "z": (State.DEGRADED, Evidence.WEAK, "throttling", "rate"),
    "D": (State.BLOCKED, Evidence.WEAK, "dns", "reset"),
    "H": (State.BLOCKED, Evidence.WEAK, "tls", "handshake"),
    "c": (State.BLOCKED, Evidence.WEAK, "tls", "certificate"),
    "f": (State.BLOCKED, Evidence.STRONG, "tls", "certificate"),
    "F": (State.BLOCKED, Evidence.CONCLUSIVE, "tls", "certificate"),
    "L": (State.INSUFFICIENT, Evidence.NONE, "", ""),
    "U": (State.DEGRADED, Evidence.WEAK, "udp", "stun"),
    "W": (State.BLOCKED, Evidence.WEAK, "http", "status_451"),
    "q": (State.DEGRADED, Evidence.STRONG, "quic", "refused"),
    "n": (State.BLOCKED, Evidence.NONE, "tls", "timeout"),
    "?": (State.INSUFFICIENT, Evidence.NONE, "", ""),
    "d": (State.DOWN, Evidence.NONE, "", ""),
}


def verdict(letter: str, at: datetime) -> PlatformVerdict:
    """The verdict a letter stands for, of a cycle of its own."""
    state, evidence, method, sub_method = LETTERS[letter]
    return PlatformVerdict(
        cycle=at.isoformat(),
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        vantage_role="field",
        platform="x",
        state=state,
        method=method,
        sub_method=sub_method,
        rule_id="tls.local_authority" if letter == "L" else "rule",
        evidence=evidence,
        functions=tuple(
            FunctionVerdict(function=function, core=function == "web", state=State.BLOCKED)
            for function in (("web",) if letter == "o" else ("web", "api"))
        ),
        started_at=at,
        judged_at=at + timedelta(seconds=20),
        rules_version="2",
        measured_at=at,
        measured_until=at,
    )


def at(seconds: float) -> datetime:
    """So many seconds after the start of a story."""
    return START + timedelta(seconds=seconds)


def readings(story: str, every: float = BASE, start: float = 0.0) -> list[Reading]:
    """One reading a letter, `every` seconds apart."""
    return [
        reading_of(verdict(letter, at(start + number * every)))
        for number, letter in enumerate(story)
        if letter != " "
    ]


def told(story: str, every: float = BASE, settings: DetectorSettings = DEFAULTS) -> Detector:
    """The state at the end of a story."""
    state = Detector()
    for reading in readings(story, every):
        state = update(state, reading, settings)
    return state


def phases(story: str, every: float = BASE) -> list[Phase]:
    """The phase after each reading."""
    state, seen = Detector(), []
    for reading in readings(story, every):
        state = update(state, reading, DEFAULTS)
        seen.append(state.phase)
    return seen


# -- what readings are ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letter", "kind", "persistence"),
    [
        (".", Kind.CLEARS, Persistence.NONE),
        ("w", Kind.ACCUSES, Persistence.LASTING),
        ("s", Kind.ACCUSES, Persistence.BRIEF),
        ("S", Kind.ACCUSES, Persistence.LASTING),
        ("o", Kind.ACCUSES, Persistence.NARROW),
        ("C", Kind.ACCUSES, Persistence.NONE),
        ("R", Kind.ACCUSES, Persistence.ROUTE),
        ("A", Kind.ACCUSES, Persistence.ROUTE),
        ("p", Kind.ACCUSES, Persistence.NONE),
        ("h", Kind.ACCUSES, Persistence.NONE),
        ("t", Kind.ACCUSES, Persistence.SLOW),
        ("u", Kind.NEITHER, Persistence.NONE),
        ("y", Kind.ACCUSES, Persistence.SLOW),
        ("z", Kind.NEITHER, Persistence.NONE),
        ("n", Kind.NEITHER, Persistence.NONE),
        ("?", Kind.NEITHER, Persistence.NONE),
        ("d", Kind.NEITHER, Persistence.NONE),
    ],
)
def test_verdicts_accuse_clear_or_neither(
    letter: str, kind: Kind, persistence: Persistence
) -> None:
    """Throttling accuses when its evidence is strong; what says nothing weighs nothing."""
    reading = reading_of(verdict(letter, START))
    assert (reading.kind, reading.persistence) == (kind, persistence)
    assert (reading.llr > 0, reading.llr < 0) == (kind is Kind.ACCUSES, kind is Kind.CLEARS)
    assert reading.control_failed is (letter == "d")


@pytest.mark.parametrize(
    "beside",
    [
        FunctionVerdict(
            function="calls",
            core=False,
            state=State.BLOCKED,
            method="udp",
            sub_method="stun",
            evidence=Evidence.WEAK,
        ),
        FunctionVerdict(
            function="video",
            core=False,
            state=State.THROTTLED,
            method="throttling",
            sub_method="rate",
            evidence=Evidence.WEAK,
        ),
    ],
    ids=["calls", "video"],
)
def test_a_fault_without_an_end_is_no_second_function(beside: FunctionVerdict) -> None:
    """A firewall at home, or a function that is perhaps slow, made of one server's fault one of
    several functions, which confirms within minutes."""
    one = verdict("o", START)
    both = msgspec.structs.replace(one, functions=(*one.functions, beside))
    assert reading_of(both).persistence is Persistence.NARROW
    assert reading_of(both).llr == reading_of(one).llr
    sure = msgspec.structs.replace(beside, evidence=Evidence.STRONG)
    several = msgspec.structs.replace(one, functions=(*one.functions, sure))
    assert reading_of(several).persistence is Persistence.BRIEF


def test_better_evidence_weighs_more() -> None:
    """Weak, strong and conclusive readings rise in weight; two functions weigh more than one."""
    weak, one, strong, conclusive = (reading_of(verdict(x, START)).llr for x in "wosC")
    assert weak < one < strong < conclusive


# -- thresholds ----------------------------------------------------------------------------------


def test_thresholds_follow_from_the_budget() -> None:
    """A threshold is ln(readings a year / false alarms allowed a year), and no other number."""
    settings = DetectorSettings(base_interval=600.0, false_suspected=0.5, false_confirmed=0.25)
    year = 365.25 * 24 * 6
    assert settings.suspect_at == pytest.approx(math.log(year / 0.5))
    assert settings.confirm_at == pytest.approx(math.log(year / 0.25))
    assert DetectorSettings(false_ends=1.0).end_at > DetectorSettings(false_ends=50.0).end_at


def test_false_alarms_of_the_model_keep_to_the_budget() -> None:
    """Streams of independent wrong readings at the table's own rate raise fewer alarms than bought.

    With budgets so generous that alarms are seen at all: 250 stream-days, a tenth of the readings
    wrong and of a weight of ln 10.
    """
    settings = DetectorSettings(
        false_suspected=365.25,
        false_confirmed=36.5,
        lasting=Episodes(length=1e-3),
        prior_wrong=1e9,
    )
    rng = random.Random(7)
    suspected = confirmed = 0
    for _ in range(25):
        state = Detector()
        for number in range(2880):
            wrong = rng.random() < 0.1
            reading = Reading(
                at=at(number * BASE),
                cycle=str(number),
                kind=Kind.ACCUSES if wrong else Kind.CLEARS,
                llr=math.log(10) if wrong else -4.0,
                evidence=Evidence.WEAK if wrong else Evidence.NONE,
                persistence=Persistence.LASTING if wrong else Persistence.NONE,
            )
            before, state = state, update(state, reading, settings)
            suspected += before.score < settings.suspect_at <= state.score
            confirmed += before.score < settings.confirm_at <= state.score
    assert 0 < suspected <= 250
    assert 0 < confirmed <= 25


# -- how quickly ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["w", "o", "s", "S", "oo", "ws"])
def test_one_conclusive_reading_after_others_suspects(before: str) -> None:
    """It may be chance: a faulty server answers another name now and then. Two confirm."""
    assert phases(f"..{before}C", FAST)[-1] is Phase.SUSPECTED
    assert phases(f"..{before}CC", FAST)[-1] is Phase.BLOCKED


@pytest.mark.parametrize("every", [FAST, BASE])
def test_two_conclusive_readings_confirm(every: float) -> None:
    """The first suspects, the second confirms, however close they are, on a stream never seen."""
    assert phases("CC", every) == [Phase.SUSPECTED, Phase.BLOCKED]


def test_three_strong_readings_confirm_at_the_base_interval() -> None:
    """Strong evidence five minutes apart: suspicious, suspected, blocked; known habits or none."""
    assert phases("sss") == [Phase.SUSPICIOUS, Phase.SUSPECTED, Phase.BLOCKED]
    assert phases(WEEK + "sss")[-3:] == [Phase.SUSPICIOUS, Phase.SUSPECTED, Phase.BLOCKED]


def test_one_reading_never_confirms() -> None:
    """Not even with the thresholds of a stream looked at once a day."""
    daily = DetectorSettings(base_interval=86400.0, false_suspected=0.5, false_confirmed=0.1)
    assert reading_of(verdict("C", START)).llr > daily.confirm_at
    assert told("C", settings=daily).phase is Phase.SUSPECTED
    assert told("CC", settings=daily).phase is Phase.BLOCKED


def test_strong_resets_confirm_within_five_minutes_on_the_fast_lane() -> None:
    """Ten strong readings, 30 s apart, are enough where no follow-up can be made."""
    assert told(WEEK, BASE).phase is Phase.CLEAR
    assert Phase.BLOCKED in phases("s" * 10, FAST)


def test_silence_cannot_confirm_in_a_burst() -> None:
    """Weak or silent readings every 30 s for as long as a burst of loss lasts confirm nothing."""
    assert told("w" * 20, FAST).phase is Phase.SUSPICIOUS
    assert told("S" * 12, FAST).phase is Phase.SUSPICIOUS


@pytest.mark.parametrize("letter", ["w", "s", "S", "o", "t"])
def test_looking_more_often_does_not_multiply(letter: str) -> None:
    """Ten more readings within five minutes add less than two that are half an hour apart."""
    assert told(letter * 11, FAST).score < told(letter * 3, DEFAULTS.gap).score


def test_one_function_is_believed_less() -> None:
    """One function may be one server's fault: an hour of strong readings, not ten minutes."""
    assert told(WEEK + "o" * 12).phase is Phase.SUSPICIOUS
    assert told(WEEK + "o" * 36).phase is Phase.BLOCKED


@pytest.mark.parametrize("letter", ["r", "o", "t"])
def test_what_lasts_is_confirmed(letter: str) -> None:
    """A standing block that shows weakly, in one function or slowly is confirmed all the same."""
    assert told(WEEK + letter * 60).phase is Phase.BLOCKED


@pytest.mark.parametrize("letter", ["t", "y"])
def test_one_measurement_of_speed_confirms_nothing(letter: str) -> None:
    """Its verdict stands for an hour and a half where the speed is not measured again, be it that
    of what people come for or of several other functions."""
    assert told(WEEK + letter * 18).phase is Phase.SUSPECTED


@pytest.mark.parametrize("letter", ["w", "S", "j", "a", "D", "H", "c", "U", "W", "q"])
def test_attack_a_fault_without_an_end_is_not_confirmed_alone(letter: str) -> None:
    """A dead route or cache, for three days: another vantage, or a follow-up, must confirm it."""
    day = letter * 288
    assert told(WEEK + day * 3).phase is Phase.SUSPECTED
    assert told(WEEK + day + "C").phase is Phase.BLOCKED
    assert told(WEEK + day + "." * 12).phase is Phase.CLEAR


@pytest.mark.parametrize("letter", ["w", "S", "j", "a", "D", "H", "c", "U", "W", "q"])
def test_attack_a_fault_without_an_end_lends_a_short_one_nothing(letter: str) -> None:
    """A firewall that lets no call through, or a dead route, held the score just below certainty
    for weeks, and one server that was restarted confirmed. It takes as much as without them."""
    standing = WEEK + letter * 288
    assert told(standing + "ss").phase is Phase.SUSPECTED
    assert told(standing + "r" * 12).phase is Phase.SUSPECTED
    assert told(standing + "t" * 12).phase is Phase.SUSPECTED
    assert told(standing + f"s{letter * 288}s{letter * 288}s").phase is Phase.SUSPECTED
    assert told(standing + "s" * 8).phase is Phase.BLOCKED
    assert told(standing + "CC").phase is Phase.BLOCKED


def test_one_network_does_not_alarm_for_the_weak_now_and_then() -> None:
    """One weak reading an hour, ok ones between, is never more than suspicious."""
    assert set(phases(("." * 11 + "w") * 100)) <= {Phase.CLEAR, Phase.SUSPICIOUS}


def test_a_block_that_leaks_is_confirmed() -> None:
    """One look in four gets through."""
    assert Phase.BLOCKED in phases(WEEK + "ss.sCs.s")
    assert Phase.BLOCKED in phases(WEEK + "sss.s.sss.s"[::-1])


# -- habits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [FAST, BASE])
def test_bursts_of_resets_confirm_within_the_hour(every: float) -> None:
    """A name cut off for seconds in each minute is found open most of the time. Each run comes to
    nothing, and the second proof confirms all the same."""
    seen = phases(f"{WEEK}C......")
    assert (seen[-7], seen[-1]) == (Phase.SUSPECTED, Phase.CLEAR)
    assert told(f"{WEEK}C.......C", every).phase is Phase.BLOCKED
    assert told(f"{WEEK}s....s....s", every).phase is Phase.BLOCKED


def test_bursts_hours_apart_are_no_block() -> None:
    """A proof of yesterday adds nothing to one of today."""
    apart = "." * 15
    assert told(f"{WEEK}C{apart}C").phase is Phase.SUSPECTED
    assert told(f"{WEEK}s{apart}s").phase is Phase.SUSPICIOUS


@pytest.mark.parametrize("letter", ["S", "w", "o", "t"])
def test_what_nobody_has_to_send_adds_up_to_nothing(letter: str) -> None:
    """Bad lines, faulty servers and congestion come and go as well."""
    assert told(WEEK + f"{letter}....." * 4).phase in (Phase.CLEAR, Phase.SUSPICIOUS)


def test_a_run_that_weighed_next_to_nothing_takes_nothing_from_the_next() -> None:
    """As one in an outage, which came to nothing: the next one began below zero."""
    seen = Detector()
    for reading in readings("ds.s", FAST):
        seen = update(seen, reading, DEFAULTS)
        assert seen.score >= 0.0
        assert seen.carried >= 0.0


def test_half_of_the_connections_reset_for_five_minutes_is_decisive() -> None:
    """Two counts of connections confirm, five minutes apart."""
    assert phases(f"{WEEK}hh")[-2:] == [Phase.SUSPECTED, Phase.BLOCKED]


def test_a_noisy_stream_is_believed_less() -> None:
    """A stream with a weak reading in twelve for months needs more of them than a quiet one."""
    noisy = "...........w" * 400
    assert told(noisy + "www").score < told(WEEK + "www").score - 5
    assert told(noisy + "CC").phase is Phase.BLOCKED


def test_a_standing_block_is_never_learned() -> None:
    """A month of blocking leaves the habits as they were, and its end is seen, and its return."""
    before = told(WEEK)
    after = told(WEEK + "s" * 8640 + "." * 12)
    assert after.phase is Phase.CLEAR
    assert after.baseline == before.baseline
    assert told(WEEK + "s" * 8640 + "." * 12 + "sss").phase is Phase.BLOCKED


def test_exam_hours_are_never_learned() -> None:
    """Four weeks of a block of four hours a day, weak as can be, weigh no less at the end."""
    day = "r" * 48 + "." * 240
    first, last = told(WEEK + "r" * 48), told(WEEK + day * 28 + "r" * 48)
    assert first.phase is last.phase is Phase.BLOCKED
    assert last.baseline.wrong == 0.0


def test_habits_are_capped_unless_the_control_fails_too() -> None:
    """However often weak readings came to nothing, more is not believed than the cap allows; where
    the control could not reach the platform either, its share is added."""
    half, one = told("wwwww....." * 200), reading_of(verdict("w", at(1e8)))
    assert half.baseline.wrong / half.baseline.readings > DEFAULTS.cap_weak
    assert update(half, one, DEFAULTS).score == pytest.approx(-math.log(DEFAULTS.cap_weak))
    known = msgspec.structs.replace(half.baseline, down=half.baseline.readings / 9)
    shared = msgspec.structs.replace(half, baseline=known)
    assert update(shared, one, DEFAULTS).score == pytest.approx(
        -math.log(DEFAULTS.cap_weak + 0.1), rel=1e-3
    )


# -- bounds --------------------------------------------------------------------------------------


def test_onset_lies_between_the_last_ok_and_the_first_accusation() -> None:
    """Not at the alarm: the run began before."""
    state = told("...?sss")
    assert state.phase is Phase.BLOCKED
    assert (state.onset_earliest, state.onset_latest) == (at(2 * BASE), at(4 * BASE))


def test_blocked_at_first_sight_began_before_monitoring() -> None:
    """Nothing was seen to work before, so there is no earliest onset."""
    state = told("?CC")
    assert (state.onset_earliest, state.onset_latest) == (None, at(BASE))


def test_an_old_suspicion_is_no_onset() -> None:
    """Once cleared, an accusation belongs to no later run."""
    state = told("..w......CC")
    assert (state.onset_earliest, state.onset_latest) == (at(8 * BASE), at(9 * BASE))


def test_end_lies_between_the_last_accusation_and_the_first_ok() -> None:
    """The end is known some readings after it came, and dated back."""
    seen = phases("..CCC......")
    assert seen[4:6] == [Phase.BLOCKED, Phase.RECOVERING]
    assert seen[-1] is Phase.CLEAR
    state = told("..CCC......")
    assert (state.end_earliest, state.end_latest) == (at(4 * BASE), at(5 * BASE))
    assert (state.onset_earliest, state.onset_latest) == (at(BASE), at(2 * BASE))


def test_a_leak_is_no_end() -> None:
    """An ok reading in a standing block is a recovery only until the next accusation."""
    state = told("CC.C")
    assert (state.phase, state.end_earliest, state.end_latest) == (Phase.BLOCKED, None, None)
    state = told("CC.C......")
    assert (state.phase, state.end_latest) == (Phase.CLEAR, at(4 * BASE))


def test_a_suspicion_that_came_to_nothing_has_an_end() -> None:
    """A suspected stream that clears tells when."""
    state = told(".C......")
    assert state.phase is Phase.CLEAR
    assert (state.end_earliest, state.end_latest) == (at(BASE), at(2 * BASE))


def test_recovery_is_seen_within_minutes_on_the_fast_lane() -> None:
    """A lifted block is over after at most five minutes of ok readings every 30 s."""
    assert phases("CC" + "." * 11, FAST)[-1] is Phase.CLEAR


# -- silence -------------------------------------------------------------------------------------


def test_silence_is_stale() -> None:
    """Half an hour with nothing that accuses or clears: whatever was known is no longer."""
    state = told("..?????????")
    assert not stale(told(".."), at(BASE + 1800), DEFAULTS)
    assert stale(state, at(BASE + 1801), DEFAULTS)
    assert stale(Detector(), START, DEFAULTS)


def test_silence_is_no_recovery() -> None:
    """A day without readings ends no block, and takes a suspicion away."""
    day = " " * 288
    assert told("CC" + day + "?").phase is Phase.BLOCKED
    assert told("CC" + day + "?").end_latest is None
    assert told("C" + day + "?").phase is Phase.SUSPECTED
    assert told("w" + day + "?").phase is Phase.UNKNOWN
    assert told("." + day + "?").phase is Phase.UNKNOWN


def test_outage_and_insufficient_change_no_score() -> None:
    """What is down everywhere, or not seen, speaks neither for a block nor against one."""
    assert told("ss??dd").score == told("ss").score
    assert told("CC" + "?d" * 50).phase is Phase.BLOCKED


def test_an_outage_is_no_block() -> None:
    """While the platform is down at the control, too, every so often, what fails here is the same
    outage, however it looks; half a day later it no longer excuses anything."""
    assert told(WEEK + "dsdsssdsSsd").phase is Phase.SUSPICIOUS
    assert told(WEEK + "dsd" + "." * 144 + "ssss").phase is Phase.BLOCKED


def test_a_block_that_begins_in_an_outage_is_told() -> None:
    """Readings that are conclusive one after another are more than chance shows amid an outage in
    part: seven suspect and eight confirm, minutes after it."""
    assert phases("..ddd" + "C" * 8, FAST)[-3:] == [
        Phase.SUSPICIOUS,
        Phase.SUSPECTED,
        Phase.BLOCKED,
    ]
    assert phases("..ddd" + "Cd" * 8, FAST)[-1] is Phase.BLOCKED
    assert told("..ddds" + "C" * 8, FAST).phase is Phase.BLOCKED
    assert told(WEEK + "ddd" + "." * 144 + "CC").phase is Phase.BLOCKED


@pytest.mark.parametrize("sent", "Cs")
def test_an_outage_in_part_is_no_block(sent: str) -> None:
    """Where three connections in four fail for everybody, another name gets an answer now and then
    between two failures of ours. Nor does that count when it comes and goes."""
    state = told(WEEK)
    for reading in readings(f"ddddddd{sent}ddd.dddddddddd{sent}dddd.ddd" * 12, FAST, 2016 * BASE):
        state = update(state, reading, DEFAULTS)
        assert state.score < 5.0
        assert state.phase is not Phase.SUSPECTED


def test_silent_addresses_outlast_dead_routes() -> None:
    """Silence beside a neighbour that answers suspects at once. A route is dead for some addresses
    alone now and then, so one network confirms after about as long as hardly any stays so."""
    assert phases("..R")[-1] is Phase.SUSPECTED
    for letter in "RA":
        seen = phases(".." + letter * 60, FAST)
        assert seen[2] is Phase.SUSPECTED
        assert 15.0 <= seen.index(Phase.BLOCKED) * FAST / 60 <= 20.0
    assert phases("R" * 6).index(Phase.BLOCKED) * BASE / 60 <= 25.0


def test_silent_addresses_of_several_owners_are_no_dead_route() -> None:
    """Two tests confirm where platforms of different owners are silent together."""
    state = Detector()
    for number in range(2):
        one = verdict("R", at(FAST * number))
        together = [msgspec.structs.replace(f, others_silent=True) for f in one.functions]
        one = msgspec.structs.replace(one, functions=tuple(together))
        state = update(state, reading_of(one), DEFAULTS)
    assert state.phase is Phase.BLOCKED


def test_silent_addresses_confirm_nothing_at_once_after_weaker_signs() -> None:
    """Neither does a run of weak silence before, nor one that came to nothing."""
    assert told("w" * 60 + "R", FAST).phase is Phase.SUSPECTED
    assert told("..R....R....R", FAST).phase is Phase.SUSPECTED
    assert told("..R....C", FAST).phase is Phase.SUSPECTED
    assert told("..RC", FAST).phase is Phase.BLOCKED
    assert told("..CR", FAST).phase is Phase.SUSPECTED


@pytest.mark.parametrize("forged", "fF")
def test_false_certificates_at_a_site_that_opens_tls_are_no_block(forged: str) -> None:
    """A burst of loss may hide from one cycle the hosts that show whose authority it is. Other
    signs count as ever, and so do certificates a week later."""
    assert told("LLL" + f"{forged}L{forged}" * 20, FAST).score < 2.0
    assert phases("LLLCC", FAST)[-1] is Phase.BLOCKED
    assert phases(f"L{forged}..{forged}{forged}")[-1] is Phase.SUSPICIOUS
    assert told("L" + "." * 288 * 14 + forged * 6).phase is Phase.BLOCKED


# -- hurry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "hurry"),
    [
        ("", False),
        ("..", False),
        ("..w", True),
        ("..C", True),
        ("..CC", False),
        ("..CC.", True),
        ("..CC......", False),
        ("..w...", False),
        ("..w?", True),
    ],
)
def test_hurry_from_the_first_accusation_until_decided(story: str, hurry: bool) -> None:
    """The fast lane is for what is undecided, at either end of a block."""
    assert suspicious(told(story)) is hurry


# -- order ---------------------------------------------------------------------------------------

_LETTERS = st.text(alphabet=".wsSCpt?d ", max_size=40)


@given(story=_LETTERS, every=st.sampled_from([FAST, BASE, 7200.0]))
def test_a_reading_taken_in_changes_nothing_again(story: str, every: float) -> None:
    """Each reading may be given again at once, or after all others."""
    given_ = readings(story, every)
    state = Detector()
    for reading in given_:
        state = update(state, reading, DEFAULTS)
        assert update(state, reading, DEFAULTS) == state
    for reading in given_:
        assert update(state, reading, DEFAULTS) == state


@given(story=_LETTERS, every=st.sampled_from([FAST, BASE, 7200.0]))
def test_bounds_are_in_order(story: str, every: float) -> None:
    """Whatever is seen, earliest is not after latest, and no end comes before its onset."""
    state = Detector()
    for reading in readings(story, every):
        state = update(state, reading, DEFAULTS)
        assert state.score >= 0.0
        assert state.end_score >= 0.0
        if state.onset_earliest is not None and state.onset_latest is not None:
            assert state.onset_earliest < state.onset_latest
        if state.end_latest is not None:
            assert state.onset_latest is not None
            assert state.end_earliest is not None
            assert state.onset_latest <= state.end_earliest < state.end_latest
        assert (state.phase in (Phase.UNKNOWN, Phase.CLEAR)) is (state.score == 0.0)


@given(story=_LETTERS)
def test_states_survive_storage(story: str) -> None:
    """A state can be written and read back."""
    state = told(story)
    assert msgspec.json.decode(msgspec.json.encode(state), type=Detector) == state


def test_decisions_made_before_are_taken_at_their_word() -> None:
    """Of imported data: one that blocks suspects and a second one blocks, weak readings between
    them only date, and a single one that clears ends a suspicion."""
    decided = DetectorSettings(
        base_interval=43200.0, false_suspected=0.2, gap=259200.0, decided=True
    )
    before = told("..s", 43200.0, decided)
    assert before.phase is Phase.SUSPECTED
    after = told("..swww", 43200.0, decided)
    assert (after.phase, after.score) == (Phase.SUSPECTED, before.score)
    assert after.accused_at > before.accused_at  # type: ignore[operator]
    assert told("..sws", 43200.0, decided).phase is Phase.BLOCKED
    assert told("..sww.", 43200.0, decided).phase is Phase.CLEAR
