"""Judging speed: what accuses, what excuses, and what no set of numbers may ever come to."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.throttling.history import SpeedHistories
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.throttling.throttling import combine, judge_transfers
from monitor.analysis.throttling.transfer_facts import (
    ENOUGH_RATIOS,
    TransferCase,
    another_may_tell,
)
from monitor.analysis.throttling.transfer_round import round_of
from monitor.analysis.throttling.transfer_speed import speed_of
from monitor.analysis.transfer_verdict import TransferClass, TransferVerdict
from monitor.analysis.verdict import (
    EVIDENCE_ORDER,
    Evidence,
    State,
    VantageHealth,
    VantageState,
    Verdict,
)
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    AnyObservation,
    Measurement,
    Purpose,
    TransferObservation,
)
from tests.worlds.build import ENDPOINT, START, V4, health, look, tcp

SIZE = 128 * 1024
TIMEOUT = "generic_timeout_error"
KBIT, MBIT = 1e3, 1e6
SECONDS = 10.0


def flow(
    rate: float | None,
    *,
    reason: str = TRANSFER_TARGET,
    stalled_at: int | None = None,
    size: int = SIZE,
    failure: str | None = None,
) -> TransferObservation:
    """One transfer at `rate` bit/s in pieces of 4 KiB, for at most ten seconds."""
    marks: list[tuple[float, int]] = []
    whole = stalled_at if stalled_at is not None else size
    speed = rate or 100 * MBIT
    for total in range(4096, whole + 1, 4096):
        at = 0.1 + total * 8 / speed
        if at > SECONDS:
            break
        marks.append((at, total))
    if stalled_at is not None:
        failure = TIMEOUT
    return TransferObservation(
        start=0.5,
        duration=1.0,
        failure=failure,
        reason=reason,
        url=ENDPOINT,
        address=V4,
        server_name="x.com",
        bytes_wanted=SIZE,
        bytes_read=marks[-1][1] if marks else 0,
        marks=tuple(marks[-64:]),
    )


def fine_flow(rate: float) -> TransferObservation:
    """One transfer at a low rate, in packets, for ten seconds."""
    marks = [(0.3 + n * 1400 * 8 / rate, n * 1400) for n in range(1, 40)]
    marks = [mark for mark in marks if mark[0] < SECONDS]
    seen = flow(MBIT)
    return msgspec.structs.replace(seen, marks=tuple(marks), bytes_read=marks[-1][1])


def connect(seconds: float, reason: str = TRANSFER_TARGET) -> AnyObservation:
    """Connecting took so long."""
    return msgspec.structs.replace(tcp(), duration=seconds, reason=reason)


def round_(
    target: TransferObservation | None,
    innocuous: TransferObservation | None = None,
    reference: TransferObservation | None = None,
    *,
    at: float = 0.0,
    round_trip: float = 0.02,
) -> Measurement:
    """One round; what is None was not seen."""
    parts = (
        (TRANSFER_TARGET, target),
        (TRANSFER_INNOCUOUS, innocuous),
        (TRANSFER_REFERENCE, reference),
    )
    observations = [
        msgspec.structs.replace(seen, reason=reason) for reason, seen in parts if seen is not None
    ]
    return look(connect(round_trip), *observations, at=at, kind=Purpose.TRANSFER)


def rounds(*made: Measurement) -> tuple[Measurement, ...]:
    """Rounds, ten seconds apart."""
    return tuple(
        msgspec.structs.replace(m, id=f"round-{n}", started_at=START + timedelta(seconds=10 * n))
        for n, m in enumerate(made)
    )


def at_control(seen: TransferObservation | None, at: float = 60.0) -> Measurement:
    """What a control got."""
    made = round_(seen, at=at)
    return msgspec.structs.replace(made, id="control", vantage="ctl", vantage_role="control")


FINE = at_control(flow(50 * MBIT))


def case(
    made: Sequence[Measurement],
    controls: Sequence[Measurement] = (FINE,),
    *,
    usual_ratios: Sequence[float] = (),
    field: VantageHealth | None = None,
    lossy_path: bool = False,
    perhaps_lossy_path: bool = False,
) -> TransferCase:
    """A case from a healthy vantage with a control that got the object quickly."""
    return TransferCase(
        cycle="cycle-1",
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        platform="x",
        function="web",
        endpoint=ENDPOINT,
        rounds=rounds(*made),
        controls=tuple(controls),
        usual_ratios=tuple(usual_ratios),
        lossy_path=lossy_path,
        perhaps_lossy_path=perhaps_lossy_path,
        health=field or health(),
        judged_at=START + timedelta(seconds=100),
    )


def judged(made: Sequence[Measurement], *args: Sequence[Measurement], **more: object) -> str:
    """The rule that decides."""
    return judge_transfers(case(made, *args, **more)).verdict.rule_id  # type: ignore[arg-type]


SLOW = round_(flow(130 * KBIT), flow(20 * MBIT), flow(15 * MBIT))
FAST = round_(flow(22 * MBIT), flow(20 * MBIT), flow(15 * MBIT))
STALLED = round_(flow(None, stalled_at=12288), flow(20 * MBIT), flow(15 * MBIT))
SHORT = flow(20 * MBIT, size=1024)
"""An error page of a server that does not know the name."""


# -- one transfer ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [130 * KBIT, MBIT, 50 * MBIT])
def test_the_rate_leaves_out_the_wait_for_the_first_byte(rate: float) -> None:
    """Bits per second count from 8 KiB on, so a slow start does not make a slow transfer."""
    seen = flow(rate)
    late = msgspec.structs.replace(seen, marks=tuple((t + 3, n) for t, n in seen.marks))
    for one in (seen, late):
        found = speed_of(one).rate
        assert found == pytest.approx(rate, rel=0.01)


def test_too_little_makes_no_rate() -> None:
    """An answer of a few KiB in an instant tells no speed, and neither does a failed one."""
    assert speed_of(SHORT).rate is None
    assert speed_of(flow(MBIT, size=20 * 1024)).rate is None
    assert speed_of(flow(MBIT, failure="connection_reset")).rate is None


@pytest.mark.parametrize("rate", [4 * KBIT, 16 * KBIT, 32 * KBIT])
def test_attack_throttled_below_one_record_is_still_a_rate(rate: float) -> None:
    """Harder throttling was less visible: what came before the rate began to count gave none."""
    trickle = fine_flow(rate)
    assert trickle.bytes_read < 48 * 1024
    assert speed_of(trickle).rate == pytest.approx(rate, rel=0.1)
    made = round_(trickle, flow(20 * MBIT), flow(15 * MBIT))
    verdict = judge_transfers(case([made] * 3)).verdict
    assert (verdict.rule_id, verdict.evidence) == ("throttling.rate", Evidence.STRONG)
    # Nobody is accused where everything trickles.
    assert judged([round_(trickle, trickle, trickle)] * 3) != "throttling.rate"
    assert judged([made] * 3, [at_control(trickle)]) == "throttling.slow_everywhere"


def test_a_stall_counts_the_connections_bytes() -> None:
    """A censor counts the handshake as well."""
    stalled = msgspec.structs.replace(flow(None, stalled_at=12288), bytes_before=4500)
    found = judge_transfers(case([round_(stalled, flow(20 * MBIT), flow(15 * MBIT))] * 3))
    assert found.stalled_at is not None
    assert found.stalled_at.high == 12288 + 4500


def test_a_glance_acquits_and_never_accuses() -> None:
    """The object alone, fast and past the bytes of known freezes, is ok. Slow or frozen it says
    that rounds must follow, and beside them it counts nothing."""
    assert judged([round_(flow(20 * MBIT))], []) == "throttling.unhindered"
    assert judged([round_(flow(20 * MBIT, size=30 * 1024))], []) == "throttling.unclear"
    for slow in (flow(300 * KBIT), flow(None, stalled_at=12288)):
        assert judged([round_(slow)] * 3, []) == "throttling.unclear"
    assert judged([round_(flow(20 * MBIT)), SLOW, SLOW, SLOW]) == "throttling.rate"
    assert judged([round_(flow(130 * KBIT)), FAST, FAST, FAST]) == "throttling.none"


def test_a_glance_from_afar_is_as_fast_as_the_distance_allows() -> None:
    """With a round trip of 0.3 s 48 KiB take a second or so, and a tenth of the rate does not."""
    far, throttled_too = flow(MBIT, size=48 * 1024), flow(100 * KBIT, size=48 * 1024)
    assert judged([round_(far, round_trip=0.3)], []) == "throttling.unhindered"
    assert judged([round_(far, round_trip=0.01)], []) == "throttling.unclear"
    assert judged([round_(throttled_too, round_trip=0.3)], []) == "throttling.unclear"


def test_only_silence_is_a_stall() -> None:
    """A transfer that is reset did not stall: somebody said it was over."""
    assert speed_of(flow(None, stalled_at=16384)).stalled
    assert not speed_of(flow(MBIT, failure="connection_reset")).stalled
    assert not speed_of(flow(10 * KBIT)).stalled


# -- what accuses ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [130 * KBIT, MBIT])
def test_slow_under_its_own_name_alone_is_throttled(rate: float) -> None:
    """Three rounds slow against the innocuous name, with control fine, are strong evidence."""
    slow = round_(flow(rate), flow(20 * MBIT), flow(15 * MBIT))
    found = judge_transfers(case([slow] * 3))
    assert found.kind is TransferClass.THROTTLED
    verdict = found.verdict
    assert (verdict.state, verdict.method, verdict.sub_method) == (
        State.THROTTLED,
        "throttling",
        "rate",
    )
    assert (verdict.rule_id, verdict.evidence) == ("throttling.rate", Evidence.STRONG)
    assert verdict.controls == ("control",)
    assert found.ratios["innocuous"].median == pytest.approx(rate / (20 * MBIT), rel=0.01)
    assert found.ratio == ("innocuous", found.ratios["innocuous"])


def test_two_of_three_rounds_suffice_and_one_does_not() -> None:
    """Two slow rounds accuse, weakly where the third was fast; one slow round never does."""
    two = judge_transfers(case([SLOW, FAST, SLOW])).verdict
    assert (two.rule_id, two.evidence) == ("throttling.rate", Evidence.WEAK)
    assert judged([SLOW, FAST, FAST]) == "throttling.none"
    assert judged([SLOW]) == "throttling.unclear"


def test_rates_that_swing_as_lost_packets_make_them_are_weak() -> None:
    """On a line that loses one packet in ten, one look in two hundred finds such rates by chance:
    each round slow, and the ranges apart, but not by as much."""
    swinging = [(100 * KBIT, 500 * KBIT), (150 * KBIT, 2 * MBIT), (300 * KBIT, 1.5 * MBIT)]
    made = [round_(flow(target), flow(other)) for target, other in swinging]
    weak = judge_transfers(case(made)).verdict
    assert (weak.rule_id, weak.evidence) == ("throttling.rate", Evidence.WEAK)
    steady = [round_(flow(target / 2.5), flow(other)) for target, other in swinging]
    assert judge_transfers(case(steady)).verdict.evidence is Evidence.STRONG


def test_without_an_innocuous_rate_control_and_reference_accuse_weakly() -> None:
    """Many servers answer a foreign name with a short error: an object elsewhere then serves."""
    slow = round_(flow(130 * KBIT), SHORT, flow(15 * MBIT))
    verdict = judge_transfers(case([slow] * 3)).verdict
    assert (verdict.rule_id, verdict.evidence) == ("throttling.rate", Evidence.WEAK)
    assert judged([slow] * 3, []) == "throttling.unclear"


def test_a_stall_where_others_get_on_is_throttled() -> None:
    """Silence after the same bytes in each round is a stall, told with the place and its spread."""
    other = round_(flow(None, stalled_at=16384), flow(20 * MBIT), flow(15 * MBIT))
    found = judge_transfers(case([STALLED, STALLED, other]))
    assert found.kind is TransferClass.STALLED
    assert (found.verdict.sub_method, found.verdict.evidence) == ("stall", Evidence.STRONG)
    assert found.verdict.failures == {"transfer": TIMEOUT}
    assert found.stalled_at is not None
    assert (found.stalled_at.low, found.stalled_at.high) == (12288, 16384)


def test_a_stall_under_any_name_needs_control() -> None:
    """Where the innocuous name stalls as well, only control tells a censor from a broken server."""
    both = round_(flow(None, stalled_at=12288), flow(None, stalled_at=12288), flow(15 * MBIT))
    assert judged([both] * 3) == "throttling.stall"
    assert judged([both] * 3, []) == "throttling.unclear"


def test_without_control_the_name_accuses_weakly() -> None:
    """The difference between two names on one address stands alone, but never above weak."""
    for made, rule in ((SLOW, "throttling.rate"), (STALLED, "throttling.stall")):
        verdict = judge_transfers(case([made] * 3, [])).verdict
        assert (verdict.rule_id, verdict.evidence) == (rule, Evidence.WEAK)


def test_stalls_that_lie_apart_are_weak() -> None:
    """A censor counts to the same byte; stalls all over the place have other makers."""
    made = [
        round_(flow(None, stalled_at=n), flow(20 * MBIT), flow(15 * MBIT))
        for n in (8192, 40960, 81920)
    ]
    assert judge_transfers(case(made)).verdict.evidence is Evidence.WEAK


# -- what excuses ------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [SLOW, STALLED])
def test_as_bad_at_control_is_the_platforms_own_trouble(made: Measurement) -> None:
    """What control gets no better accuses nobody."""
    target = next(o for o in made.observations if isinstance(o, TransferObservation))
    assert judged([made] * 3, [at_control(target)]) == "throttling.slow_everywhere"


def test_one_control_that_fares_well_outweighs_one_that_does_not() -> None:
    """A control on a slow line of its own does not acquit."""
    slow = at_control(flow(130 * KBIT))
    assert judged([SLOW] * 3, [slow, FINE]) == "throttling.rate"


def test_a_control_that_looked_before_is_none() -> None:
    """Control counts only when it began after the first round that looked wrong."""
    early = at_control(flow(50 * MBIT), at=-60.0)
    verdict = judge_transfers(case([SLOW] * 3, [early])).verdict
    assert (verdict.controls, verdict.evidence) == ((), Evidence.WEAK)


def test_slow_servers_under_any_name_are_not_held_against_anybody() -> None:
    """Slow at the address whatever the name is what congestion looks like."""
    slow = round_(flow(300 * KBIT), flow(300 * KBIT), flow(15 * MBIT))
    assert judged([slow] * 3) == "throttling.slow_address"


def test_a_slow_line_is_called_that() -> None:
    """Everything at the same low rate is the line."""
    slow = round_(flow(200 * KBIT), flow(210 * KBIT), flow(190 * KBIT))
    found = judge_transfers(case([slow], []))
    assert (found.kind, found.verdict.state) == (TransferClass.SLOW_UPLINK, State.OK)


@pytest.mark.parametrize(
    ("targets", "rule"),
    [
        ((22, 40, 60), "throttling.unclear"),
        ((22, 40), "throttling.unclear"),
        ((22, 40, 30), "throttling.rate"),
    ],
)
@pytest.mark.parametrize("lossy", [False, True])
def test_where_the_other_name_is_slow_as_well_each_of_three_rounds_shows_it(
    targets: tuple[int, ...], rule: str, *, lossy: bool
) -> None:
    """Rates in kbit/s as on a real line that loses a tenth of all packets each way: one round in
    thirty has a third of the other name's rate by chance. Where that is fast, two are enough."""

    def rounds(names: Sequence[float]) -> list[Measurement]:
        return [
            round_(flow(one * KBIT), flow(name), flow(600 * KBIT), at=30.0 * number)
            for number, (one, name) in enumerate(zip(targets, names, strict=False))
        ]

    slow = (110 * KBIT, 144 * KBIT, 120 * KBIT)
    assert judged(rounds(slow), perhaps_lossy_path=lossy) == rule
    assert judged(rounds((MBIT, 2 * MBIT, MBIT)), perhaps_lossy_path=lossy) == "throttling.rate"


def followed(
    *evenings: tuple[Measurement, ...], every: float = 3600.0, cycle: float = 300.0
) -> list[State]:
    """The verdicts of a row of cycles, each judged by what the ones before it showed."""
    history = SpeedHistories((), every)
    place = ("x", "web", ENDPOINT)
    found = []
    for number, made in enumerate(evenings):
        now = START.timestamp() + cycle * number
        seen = history.transfers("khi-ptcl", place, made, (FINE,), None, now)
        known = msgspec.structs.replace(case(seen.rounds), accused_rate=seen.accused_rate)
        verdict = judge_transfers(known)
        history.of("khi-ptcl", place).learn(made, verdict, now, every)
        found.append(verdict.verdict.state)
    held = history.accusations("khi-ptcl", now)
    assert bool(held) is (found[-1] is not State.OK)
    return found


@pytest.mark.parametrize("line", [180 * KBIT, 300 * KBIT, 400 * KBIT])
def test_a_slow_line_ends_no_throttling(line: float) -> None:
    """As slow as ever, on a line that is slow as well in the evenings: nobody can tell. It is over
    once it is faster than it was, be it as slow as that line, or the line is faster."""
    evening = round_(flow(min(line, 130 * KBIT)), flow(line), flow(line))
    lifted = round_(flow(line), flow(line), flow(line))
    day = round_(flow(20 * MBIT), flow(20 * MBIT), flow(15 * MBIT))
    begun = (SLOW, SLOW, SLOW)
    found = followed(begun, *[(evening,)] * 40)
    assert found[0] is State.THROTTLED
    assert State.OK not in found
    assert followed(begun, *[(evening,)] * 40, *[(day,)] * 3)[-1] is State.OK
    over = State.OK if line > 1.5 * 130 * KBIT else State.INSUFFICIENT
    assert followed(begun, *[(lifted,)] * 3)[-1] is over
    assert followed((evening, evening, evening))[-1] is State.OK, "nothing was slow before"


def test_what_is_slow_now_says_nothing_of_a_cycle_that_comes_late() -> None:
    """A collector judges what an agent sends at last after the present: yesterday's cycles were
    judged by today's verdict, and the throttling began a day before it did."""
    history, place = SpeedHistories((), 3600.0), ("x", "web", ENDPOINT)
    now = START.timestamp()
    slow = judge_transfers(case([SLOW] * 3))
    history.of("khi-ptcl", place).learn([SLOW] * 3, slow, now, 3600.0)
    assert history.accusations("khi-ptcl", now) == (slow,)
    assert history.accusations("khi-ptcl", now - 300.0) == ()
    late = history.transfers("khi-ptcl", place, (FAST,), (), None, now - 300.0)
    assert (late.rounds, late.accused_rate) == ((FAST,), None)
    history.of("khi-ptcl", place).learn([SLOW], slow, now + 300.0, 3600.0)
    assert history.accusations("khi-ptcl", now) == (slow,), "it was slow then, too"


def test_a_long_way_explains_a_low_rate() -> None:
    """With a round trip of 0.8 s a window takes seconds to open: no sign against a near object."""
    target = flow(300 * KBIT)
    near = round_(target, SHORT, flow(15 * MBIT), round_trip=0.02)
    far = round_(target, SHORT, flow(15 * MBIT), round_trip=0.8)
    assert round_of(near).slow_site
    assert not round_of(far).slow_site


def test_what_is_usual_for_a_stream_is_no_sign() -> None:
    """An object that was always that much slower than the one elsewhere is not throttled now."""
    slow = round_(flow(2.8 * MBIT), SHORT, flow(15 * MBIT), round_trip=0.001)
    assert judged([slow] * 3) == "throttling.rate"
    assert judged([slow] * 3, usual_ratios=[0.21] * ENOUGH_RATIOS) != "throttling.rate"


@pytest.mark.parametrize(
    "state", [s for s in VantageState if s is not VantageState.OK], ids=lambda s: s.value
)
def test_an_unwell_vantage_accuses_nobody(state: VantageState) -> None:
    """Loss, a portal or a cut explain anything."""
    for made in (SLOW, STALLED):
        assert judged([made] * 3, field=health(state)) == "throttling.insufficient"


def test_loss_that_may_explain_it_accuses_nobody() -> None:
    """Where one look in five times out by itself, three silent ones are no sign."""
    for made in (SLOW, STALLED):
        assert judged([made] * 3, field=health(timeout_rate=0.2)) == "throttling.loss"


def test_a_path_that_loses_packets_is_slow_under_any_name() -> None:
    """By luck it is so under the platform's own name alone: one cycle in twenty accused it where
    three packets in ten were lost. Transfers that stall each time at one byte are no luck."""
    elsewhere = round_(flow(130 * KBIT), SHORT, flow(15 * MBIT))
    assert judged([elsewhere] * 3) == "throttling.rate"
    assert judged([elsewhere] * 3, lossy_path=True) == "throttling.loss"
    assert judged([SLOW] * 3, lossy_path=True) == "throttling.loss"
    assert judged([STALLED] * 3, lossy_path=True) == "throttling.stall"
    assert judged([STALLED] * 2, lossy_path=True) == "throttling.loss"
    assert judged([STALLED, STALLED, FAST], lossy_path=True) == "throttling.loss"
    further = round_(flow(None, stalled_at=40 * 1024), flow(15 * MBIT), SHORT)
    assert judged([STALLED, STALLED, further]) == "throttling.stall"
    assert judged([STALLED, STALLED, further], lossy_path=True) == "throttling.loss"


@pytest.mark.parametrize("made", [[SLOW] * 3, [STALLED] * 2, [STALLED, STALLED, FAST]])
def test_a_path_that_may_lose_packets_is_weak_evidence(made: list[Measurement]) -> None:
    """Where the path to X lost three packets in ten, three of 60 cycles in the lab called that a
    freeze: they saw too few lost packets to know the path for what it was."""
    assert judge_transfers(case(made)).verdict.evidence is Evidence.STRONG
    perhaps = judge_transfers(case(made, perhaps_lossy_path=True)).verdict
    assert (perhaps.state, perhaps.evidence) == (State.THROTTLED, Evidence.WEAK)


def test_transfers_that_stall_at_one_byte_are_no_luck() -> None:
    """Where packets may get lost, too."""
    seen = judge_transfers(case([STALLED] * 3, perhaps_lossy_path=True)).verdict
    assert seen.evidence is Evidence.STRONG


def test_a_stall_in_which_nothing_else_got_further_is_no_other_answer() -> None:
    """A lost connection of the innocuous name takes nothing from three rounds that agree, unless
    the target stalled elsewhere then."""
    lost = flow(None, size=0, failure=TIMEOUT)
    alone = round_(flow(None, stalled_at=16 * 1024), lost)
    seen = judge_transfers(case([STALLED, alone, STALLED, STALLED], lossy_path=True)).verdict
    assert (seen.rule_id, seen.evidence) == ("throttling.stall", Evidence.STRONG)
    further = round_(flow(None, stalled_at=40 * 1024), lost)
    assert judged([STALLED, further, STALLED, STALLED], lossy_path=True) == "throttling.loss"


NOTHING = round_(None, flow(500 * KBIT), flow(500 * KBIT))
SLOW_BESIDE_SLOW = round_(flow(100 * KBIT), flow(500 * KBIT), flow(600 * KBIT))
BY_SITE = round_(flow(100 * KBIT), None, flow(600 * KBIT))
FINE_BESIDE_SLOW = round_(flow(400 * KBIT), flow(500 * KBIT), flow(600 * KBIT))


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ([NOTHING] * 3, False),
        ([SLOW_BESIDE_SLOW, NOTHING, NOTHING], True),
        ([SLOW_BESIDE_SLOW, SLOW_BESIDE_SLOW, NOTHING], True),
        ([SLOW_BESIDE_SLOW, SLOW_BESIDE_SLOW, BY_SITE], True),
        ([SLOW_BESIDE_SLOW] * 3, False),
        ([BY_SITE] * 3, False),
        ([SLOW_BESIDE_SLOW, FINE_BESIDE_SLOW, NOTHING], False),
        ([SLOW, SLOW, NOTHING], False),
        ([STALLED, STALLED, NOTHING], True),
        ([STALLED] * 3, False),
    ],
)
def test_another_round_may_tell(made: list[Measurement], *, answer: bool) -> None:
    """Where three must agree, and fewer compared anything: not where one speaks against it, or
    where others are so fast that two suffice."""
    assert another_may_tell([round_of(one) for one in made]) is answer


def test_nothing_seen_is_insufficient() -> None:
    """No rounds, or rounds in which the target was not reached, tell nothing."""
    assert judged([]) == "throttling.insufficient"
    assert judged([round_(None, flow(MBIT), flow(MBIT))] * 3) == "throttling.insufficient"


# -- the machine itself ------------------------------------------------------------------------


def held(seen: TransferObservation, seconds: float | None) -> TransferObservation:
    """The same, while the machine was held up for so long."""
    return msgspec.structs.replace(seen, held_up=seconds)


def held_round(
    target: float, innocuous: float, reference: float, *seconds: float | None
) -> Measurement:
    """One round at these rates; the machine was held up for so long in each of its transfers."""
    flows = map(flow, (target, innocuous, reference))
    return round_(*(held(seen, each) for seen, each in zip(flows, seconds, strict=True)))


def test_an_end_that_was_noticed_late_accuses_nobody() -> None:
    """A target that took 0.2 s, of which the machine slept 0.15, is not slow; one that took 0.2 s
    of a machine that was there is."""
    asleep = held_round(5 * MBIT, 100 * MBIT, 100 * MBIT, 0.15, 0.0, 0.0)
    awake = held_round(5 * MBIT, 100 * MBIT, 100 * MBIT, 0.0, 0.0, 0.0)
    found = judge_transfers(case([asleep] * 3))
    assert (found.verdict.rule_id, found.kind) == ("throttling.machine", TransferClass.INSUFFICIENT)
    assert found.verdict.state is State.INSUFFICIENT
    assert judged([awake] * 3) == "throttling.rate"


def test_a_beginning_that_was_noticed_late_accuses_nobody() -> None:
    """What came while the machine slept seems to come at once: that other thing was not faster."""
    made = held_round(8 * MBIT, 900 * MBIT, 100 * MBIT, 0.0, 0.1, 0.0)
    assert judged([made] * 3) == "throttling.machine"
    well = held_round(8 * MBIT, 900 * MBIT, 100 * MBIT, 0.0, 0.0, 0.0)
    assert judged([well] * 3) == "throttling.rate"


def test_milliseconds_accuse_nobody() -> None:
    """A hundred KiB in 5 and in 1 ms differ by less than what any processor keeps one waiting."""
    made = held_round(190 * MBIT, 900 * MBIT, 900 * MBIT, 0.0, 0.0, 0.0)
    assert judged([made] * 3) == "throttling.machine"


@pytest.mark.parametrize("rate", [130 * KBIT, MBIT])
def test_throttling_shows_through_a_machine_that_is_somewhat_busy(rate: float) -> None:
    """Held up for 30 ms in each transfer, a platform held to a megabit is told, strongly."""
    made = held_round(rate, 20 * MBIT, 15 * MBIT, 0.03, 0.03, 0.03)
    verdict = judge_transfers(case([made] * 3, [at_control(held(flow(50 * MBIT), 0.03))])).verdict
    assert (verdict.rule_id, verdict.evidence) == ("throttling.rate", Evidence.STRONG)


def test_two_rounds_of_a_machine_that_was_there_suffice() -> None:
    """One round in doubt takes nothing from two that are not, and two in doubt leave too few."""
    sure = held_round(MBIT, 20 * MBIT, 15 * MBIT, 0.0, 0.0, 0.0)
    doubtful = held_round(MBIT, 20 * MBIT, 15 * MBIT, 0.6, 0.0, 0.0)
    assert judged([sure, doubtful, sure]) == "throttling.rate"
    assert judged([sure, doubtful, doubtful]) == "throttling.machine"


@pytest.mark.parametrize(
    ("seconds", "rule"), [(0.2, "throttling.stall"), (1.0, "throttling.machine")]
)
def test_a_silence_of_our_own_is_no_stall(seconds: float, rule: str) -> None:
    """Of five seconds of silence one counted asleep explains half; a fifth of one does not."""
    stalled = msgspec.structs.replace(flow(None, stalled_at=12288), duration=5.1)
    made = round_(held(stalled, seconds), flow(20 * MBIT), flow(15 * MBIT))
    assert judged([made] * 3) == rule


def test_a_control_that_slept_acquits_nobody_and_accuses_nobody() -> None:
    """Where all rests on what the control got, that has to be beyond doubt as well."""
    made = round_(held(flow(MBIT), 0.0), SHORT, held(flow(15 * MBIT), 0.0))
    awake, asleep = (at_control(held(flow(50 * MBIT), seconds)) for seconds in (0.0, 0.5))
    assert judged([made] * 3, [awake]) == "throttling.rate"
    assert judged([made] * 3, [asleep]) == "throttling.machine"


def test_a_line_that_swings_as_much_as_the_two_differ_tells_nothing() -> None:
    """Slow in each round, yet faster in one than the other was in another."""
    made = [
        round_(flow(target), flow(10 * target), flow(10 * target))
        for target in (500 * KBIT, MBIT, 6 * MBIT)
    ]
    assert judged(made) == "throttling.unclear"
    assert judged([made[0], made[1], made[1]]) == "throttling.rate"


def test_measurements_that_tell_nothing_of_their_machine_are_judged_as_ever() -> None:
    """Those of older versions hold no such count: nothing is held against them, or for them."""
    old = msgspec.json.encode(flow(5 * MBIT))
    assert b"held_up" not in old
    seen = msgspec.json.decode(old, type=TransferObservation)
    assert seen.held_up is None
    assert judged([round_(seen, flow(100 * MBIT), flow(100 * MBIT))] * 3) == "throttling.rate"


# -- whatever the numbers ----------------------------------------------------------------------

RATES = st.floats(10 * KBIT, 500 * MBIT)
LARGE = st.floats(100 * KBIT, 500 * MBIT)
"""Enough comes within the deadline to make a rate."""
STALLS = st.integers(1, 30).map(lambda n: n * 4096)


@st.composite
def any_flow(draw: st.DrawFn) -> TransferObservation | None:
    """Fast, slow, short, stalled, failed or missing."""
    kind = draw(st.sampled_from(["rate", "short", "stall", "failed", "none"]))
    if kind == "rate":
        return flow(draw(RATES))
    if kind == "short":
        return SHORT
    if kind == "stall":
        return flow(None, stalled_at=draw(STALLS))
    return flow(MBIT, failure="connection_reset") if kind == "failed" else None


ROUNDS = st.lists(st.builds(round_, any_flow(), any_flow(), any_flow()), max_size=4)
CONTROLS = st.lists(st.builds(at_control, any_flow()), max_size=2)


PAUSES = st.lists(st.floats(0, 10), min_size=15, max_size=15)


def paused(made: Sequence[Measurement], pauses: Sequence[float]) -> list[Measurement]:
    """The same rounds on a machine that was held up for so long, transfer by transfer."""
    left = iter(pauses)
    return [
        msgspec.structs.replace(
            one,
            observations=tuple(
                held(o, next(left)) if isinstance(o, TransferObservation) else o
                for o in one.observations
            ),
        )
        for one in made
    ]


@given(ROUNDS, CONTROLS, PAUSES)
def test_pauses_of_the_machine_never_accuse(
    made: list[Measurement], controls: list[Measurement], pauses: list[float]
) -> None:
    """Whatever is throttled on a machine that was held up is so on one that was not; and what was
    told of nobody stays untold."""
    there = judge_transfers(case(made, controls)).verdict
    asleep = judge_transfers(case(paused(made, pauses), controls)).verdict
    if asleep.state is State.THROTTLED:
        assert there.state is State.THROTTLED
        assert EVIDENCE_ORDER[asleep.evidence] <= EVIDENCE_ORDER[there.evidence]
    if asleep != there:
        assert asleep.state is State.INSUFFICIENT


@given(ROUNDS, CONTROLS, st.sampled_from(VantageState))
def test_every_case_gets_one_verdict_and_always_the_same(
    made: list[Measurement], controls: list[Measurement], state: VantageState
) -> None:
    """Judging is total and deterministic, and only accusations carry a method and evidence."""
    given_case = case(made, controls, field=health(state))
    found = judge_transfers(given_case)
    assert found == judge_transfers(given_case)
    accused = found.verdict.state is State.THROTTLED
    assert accused == (found.verdict.evidence is not Evidence.NONE)
    assert accused == (found.verdict.method == "throttling")
    assert found.verdict.rule_id in {rule.id for rule in THROTTLING_RULES}


@given(st.lists(st.builds(round_, st.none(), any_flow(), any_flow()), max_size=4), CONTROLS)
def test_no_data_is_never_throttled_and_never_ok(
    made: list[Measurement], controls: list[Measurement]
) -> None:
    """Whatever the others got, a target that was not seen is insufficient."""
    assert judge_transfers(case(made, controls)).verdict.state is State.INSUFFICIENT


@given(st.lists(st.tuples(RATES, RATES), min_size=1, max_size=3), st.data())
def test_slow_everywhere_is_never_throttled(
    rates: list[tuple[float, float]], data: st.DataObject
) -> None:
    """Where no control was clearly faster than the target ever was, nobody is accused."""
    made = [round_(flow(target), flow(other), flow(other)) for target, other in rates]
    slowest = min(target for target, _ in rates)
    control = at_control(flow(data.draw(st.floats(10 * KBIT, max(10 * KBIT, 2 * slowest)))))
    assert judge_transfers(case(made, [control])).verdict.state is not State.THROTTLED


@given(
    st.lists(st.tuples(LARGE, LARGE, LARGE), min_size=1, max_size=3),
    st.floats(0.1, 10.0),
)
def test_ratios_do_not_depend_on_the_speed_of_the_line(
    rates: list[tuple[float, float, float]], factor: float
) -> None:
    """Multiplying every rate by the same number leaves the ratios what they were."""

    def ratios(scale: float) -> list[float]:
        made = [
            round_(*(scaled(flow(rate), scale) for rate in (target, innocuous, reference)))
            for target, innocuous, reference in rates
        ]
        found = judge_transfers(case(made, []))
        return [x for r in found.ratios.values() for x in (r.low, r.median, r.high)]

    assert ratios(factor) == pytest.approx(ratios(1.0), rel=1e-6)


def scaled(seen: TransferObservation, factor: float) -> TransferObservation:
    """The same transfer, so many times faster."""
    return msgspec.structs.replace(seen, marks=tuple((t / factor, n) for t, n in seen.marks))


@given(ROUNDS)
def test_losing_control_never_raises_the_evidence(made: list[Measurement]) -> None:
    """With a control that fared better than anybody the evidence is at least what it is without."""
    best = at_control(flow(1000 * MBIT))
    with_control = judge_transfers(case(made, [best])).verdict.evidence
    without = judge_transfers(case(made, [])).verdict.evidence
    assert EVIDENCE_ORDER[without] <= EVIDENCE_ORDER[with_control]


# -- beside other verdicts ---------------------------------------------------------------------


def verdict_of(state: State, grade: Evidence = Evidence.NONE, **failures: str) -> Verdict:
    """An endpoint's own verdict."""
    own = judge_transfers(case([FAST])).verdict
    return msgspec.structs.replace(
        own, state=state, evidence=grade, rule_id="own", measurement="own", failures=failures
    )


def without_quic() -> Verdict:
    """A verdict on an endpoint that works over TCP alone."""
    return msgspec.structs.replace(
        verdict_of(State.BLOCKED, quic=TIMEOUT), method="quic", sub_method="timeout"
    )


def throttled(endpoint: str = ENDPOINT) -> TransferVerdict:
    """An accusation."""
    found = judge_transfers(case([SLOW] * 3))
    return msgspec.structs.replace(
        found, verdict=msgspec.structs.replace(found.verdict, endpoint=endpoint)
    )


@pytest.mark.parametrize(
    ("own", "prevails"),
    [
        (verdict_of(State.OK), True),
        (verdict_of(State.BLOCKED, http=TIMEOUT), True),
        (verdict_of(State.BLOCKED, tls=TIMEOUT), True),
        (verdict_of(State.BLOCKED, tls="connection_reset"), False),
        (verdict_of(State.DOWN, tcp=TIMEOUT), False),
        (without_quic(), True),
        (verdict_of(State.PARTIAL, Evidence.WEAK, tcp=TIMEOUT), True),
        (verdict_of(State.PARTIAL, Evidence.CONCLUSIVE, tcp=TIMEOUT), False),
    ],
    ids=["ok", "silent", "late", "blocked", "down", "only-quic", "dead-address", "one-family"],
)
def test_speed_accuses_only_what_worked_or_fell_silent(own: Verdict, prevails: bool) -> None:
    """A block of another kind is the better explanation; a stall is, of silence half-way.

    Where QUIC alone is blocked, TCP works, and that it is slow weighs more with people. So it does
    where one of several addresses may be dead, which hid the throttling for as long as it was.
    """
    (found,) = combine([own], [throttled()])
    assert found.rule_id == ("throttling.rate" if prevails else "own")


def test_an_earlier_speed_does_not_excuse_silence_now() -> None:
    """A handshake that fell silent after the last transfer may be a block that followed."""
    own = verdict_of(State.BLOCKED, tls=TIMEOUT)
    assert combine([own], (), [throttled()]) == [own]


def test_speed_that_accuses_nobody_changes_nothing() -> None:
    """An endpoint's own verdict stays, and an object apart brings a row of its own."""
    own = verdict_of(State.OK)
    assert combine([own], [judge_transfers(case([FAST]))]) == [own]
    apart = throttled("https://video.example/large")
    assert combine([own], [apart]) == [own, apart.verdict]
