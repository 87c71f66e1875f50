"""What must hold for the verdict on any case whatever, and `judge`, which asserts all of it.

Hypothesis searches each property (tests/unit/monitor/analysis/judge/test_rules_properties.py), and
the tests with cases made by hand judge them by this `judge`.

"Losing information" is losing what was seen to fail, who saw it work elsewhere, or what was asked
further. To lose what clears somebody may accuse: a look that got through, a follow-up that found
an ordinary fault, a control that was shown the same known words.
"""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, cast

import msgspec

from monitor.analysis.judge import judge_case
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import reached_at
from monitor.analysis.judge.interception import opened
from monitor.analysis.judge.rules.part_fails import SOME_FLOWS
from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.measurement_summary import (
    contradicting,
    reached_over,
    sub_method_of,
    summarise,
)
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, State, VantageState, Verdict
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    AnyObservation,
    DnsObservation,
    HttpObservation,
    Measurement,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    family_of,
)
from tests.worlds.build import START

SEEDS = 2
"""Chances that a case made by hand gets to lose something."""
UNWELL = (
    VantageState.OFFLINE,
    VantageState.CAPTIVE_PORTAL,
    VantageState.INTERNATIONAL_CUT,
    VantageState.UNKNOWN,
)
COMMON_FAULTS = ("dns.servfail", "dns.timeout", "dns.reset", "dns.eof", "tls.handshake")
"""Rules for what repetition does not make strong, and follow-ups alone tell from a fault."""


def judge(case: Case) -> Verdict:
    """The verdict on a case, of which every property holds."""
    for holds in ALWAYS:
        holds(case)
    for holds_by_chance in BY_CHANCE:
        for seed in range(SEEDS):
            holds_by_chance(case, seed)
    return judge_case.judge(case)


def changed(of: Any, **fields: Any) -> Any:
    """A copy with other fields."""
    return msgspec.structs.replace(of, **fields)


def grade(case: Case) -> int:
    """How strong the evidence of the verdict is."""
    return EVIDENCE_ORDER[judge_case.judge(case).evidence]


def is_total_and_deterministic(case: Case) -> None:
    """Any case gets a verdict by a rule of the table, and always the same one. A block of all or of
    a part has evidence and a method, and nothing else has."""
    verdict = judge_case.judge(case)
    assert verdict == judge_case.judge(case)
    assert verdict.rule_id in {rule.id for rule in RULES}
    accuses = verdict.state in (State.BLOCKED, State.PARTIAL)
    assert accuses == (EVIDENCE_ORDER[verdict.evidence] > 0)
    assert accuses == bool(verdict.method)


def is_the_same_in_any_order(case: Case, seed: int) -> None:
    """Observations may be listed in any order; only their times tell anything."""
    random = Random(seed)

    def shuffled(measurement: Measurement) -> Measurement:
        seen = list(measurement.observations)
        random.shuffle(seen)
        return msgspec.structs.replace(measurement, observations=tuple(seen))

    other = changed(
        case,
        attempts=tuple(map(shuffled, case.attempts)),
        controls=tuple(map(shuffled, case.controls)),
        follow_ups=tuple(map(shuffled, case.follow_ups)),
    )
    assert judge_case.judge(other) == judge_case.judge(case)


def is_never_ok_without_data(case: Case) -> None:
    """Without a look nothing is ok, whatever the controls and the vantage say."""
    assert judge_case.judge(changed(case, attempts=())).state is State.INSUFFICIENT


def is_never_ok_if_nothing_was_seen(case: Case) -> None:
    """Looks that saw nothing never add up to ok."""
    blind = tuple(changed(a, reached=False, observations=()) for a in case.attempts)
    assert judge_case.judge(changed(case, attempts=blind)).state is not State.OK


# -- controls ------------------------------------------------------------------------------------


def is_weak_without_a_control(case: Case) -> None:
    """Missing, stale and dead controls leave nothing above weak, whatever the looks show.

    Save the known words of a block page, and many connections counted beside as many with an
    innocuous name, which need no control.
    """
    case = changed(case, fingerprints=())
    gone = (
        changed(case, controls=()),
        changed(case, control_health={}),
        changed(case, controls=tuple(map(_early, case.controls))),
    )
    for less in gone:
        verdict = judge_case.judge(less)
        weak = EVIDENCE_ORDER[verdict.evidence] <= EVIDENCE_ORDER[Evidence.WEAK]
        assert weak or verdict.rule_id == SOME_FLOWS
        assert verdict.state is not State.DOWN


def _early(measurement: Measurement) -> Measurement:
    """The same look, before any other."""
    return cast("Measurement", changed(measurement, started_at=START - timedelta(seconds=90)))


def is_no_stronger_without_working_controls(case: Case) -> None:
    """Taking away every control that worked never raises evidence.

    Save where a control met the same known words or the same failure at the same address, verified
    the same certificates, was not led to the host that fails, or was cut off as well where
    connections were counted: those clear, so losing them accuses.
    """
    case = changed(case, fingerprints=())
    if judge_case.judge(case).rule_id in ("look.alike", "look.led_elsewhere", "tls.same_chain"):
        return
    kept = tuple(c for c in case.controls if _cut_off_too(c) or not _worked(case, c))
    assert grade(changed(case, controls=kept)) <= grade(case)


def _cut_off_too(control: Measurement) -> bool:
    return any(o.reason == Reason.SAME_ADDRESS and o.failure for o in control.observations)


def _worked(case: Case, control: Measurement) -> bool:
    """Whether a control look would, by itself, count as one that worked."""
    alone = judge_case.judge(changed(case, controls=(control,)))
    failed = ("control.also_fails", "http.withheld_everywhere", "tls.known_nowhere")
    return alone.rule_id not in failed


def is_not_ok_for_want_of_controls(case: Case, seed: int) -> None:
    """Taking any controls away never makes ok of something else. The latest measurement of a
    control decides, so it goes with the others of that control or stays.

    A block of a part, of QUIC or of one form of greeting is no exception worth the name: the
    endpoint did answer, over another family, at another address, over TCP or in another form, or
    where a forged reply got lost.
    """
    chance = Random(seed)
    away = {one: chance.getrandbits(1) for one in sorted({c.vantage for c in case.controls})}
    in_time = sorted(case.controls, key=lambda c: (c.started_at, c.id))
    latest = {one.vantage: one for one in in_time}
    kept = tuple(
        c
        for c in case.controls
        if not away[c.vantage] and (c is latest[c.vantage] or chance.getrandbits(1))
    )
    before, after = judge_case.judge(case), judge_case.judge(changed(case, controls=kept))
    answered = before.state in (State.OK, State.PARTIAL) or before.method == "quic"
    answered |= before.rule_id == "dns.injection" and any(one.reached for one in case.attempts)
    assert after.state is not State.OK or answered or before.sub_method.endswith("_hello")


# -- looks ---------------------------------------------------------------------------------------


def is_no_stronger_with_fewer_failures(case: Case, seed: int) -> None:
    """An accusation rests on failures seen; with fewer of them it is no stronger.

    Save what failed over IPv4 beside IPv6, by which silence over both is judged.
    """
    chance = Random(seed)

    def thinned(measurement: Measurement) -> Measurement:
        families = {o.family for o in measurement.observations if isinstance(o, TcpObservation)}

        def over_ipv4(one: AnyObservation) -> bool:
            if isinstance(one, DnsObservation):
                return one.rtype == "A" and "ipv4" not in families
            return isinstance(one, TcpObservation) and one.family == "ipv4"

        kept = tuple(
            o
            for o in measurement.observations
            if o.failure is None or ("ipv6" in families and over_ipv4(o)) or chance.getrandbits(1)
        )
        return msgspec.structs.replace(measurement, observations=kept)

    assert grade(changed(case, attempts=tuple(map(thinned, case.attempts)))) <= grade(case)


def is_no_stronger_with_fewer_looks(case: Case, seed: int) -> None:
    """With fewer looks that failed, over TCP or over QUIC, no accusation is stronger.

    The controls looked after all of them: how late one came is told by what it followed.
    """
    last = max((look.ended_at for look in case.attempts), default=0.0)
    if any(c.started_at.timestamp() < last for c in case.controls):
        return
    chance = Random(seed)
    kept = tuple(look for look in case.attempts if _clears(case, look) or chance.getrandbits(1))
    assert grade(changed(case, attempts=kept)) <= grade(case)


def _clears(case: Case, look: Measurement) -> bool:
    """Whether a look shows that somebody is innocent of something that another one showed."""
    pages = [o for o in look.observations if isinstance(o, HttpObservation) and not look.reached]
    over_quic = [o for o in look.observations if isinstance(o, QuicObservation)]
    if any(not o.failure for o in (*pages, *over_quic)):
        return True
    others = [one for one in case.attempts if one.observations != look.observations]
    return look.reached and any(
        o.failure and not isinstance(o, QuicObservation) for one in others for o in one.observations
    )


def is_no_stronger_without_udp(case: Case) -> None:
    """Where no other UDP got through, what goes over UDP is accused no more than before."""
    before = grade(case)
    for fewer in (
        changed(case, udp_works=False),
        changed(case, quic_works=False),
        changed(case, udp_references={}),
        changed(case, udp_works=False, udp_references={}),
    ):
        assert grade(fewer) <= before


# -- follow-ups ----------------------------------------------------------------------------------


_OF_A_PART = ("part.no_control", "part.control_failed", "family.hidden")
"""Rules for a part that fails, which QUIC or another address in a follow-up may be."""


_UNASKED = ("dns.dead_address", "partial.any_name")
"""Rules that follow-ups left out would have refuted: of a count, chance explains what is left."""


def is_no_stronger_with_fewer_follow_ups(case: Case, seed: int) -> None:
    """Follow-ups only add to what the looks show, each of them by itself. Those that find an
    ordinary fault, or something else that clears, are kept."""
    chance = Random(seed)

    def thinned(measurement: Measurement) -> Measurement:
        kept = tuple(
            o for o in measurement.observations if _finds_a_fault(case, o) or chance.getrandbits(1)
        )
        return msgspec.structs.replace(measurement, observations=kept)

    fewer = changed(case, follow_ups=tuple(map(thinned, case.follow_ups)))
    before, after = judge_case.judge(case), judge_case.judge(fewer)
    assert EVIDENCE_ORDER[after.evidence] <= EVIDENCE_ORDER[before.evidence]
    # Over QUIC follow-ups are looks, and a share of connections shows in follow-ups alone, as do
    # IPv4 addresses that every control's proxy hides. What other endpoints showed explains those
    # that were not followed up. A silent address may have died, unless a follow-up shows it alive.
    # On a slow line or a lossy path only answers to another name make silence a sign.
    elsewhere = before.spares_browsers or before.share is not None or _only_we_reached(case)
    elsewhere = elsewhere or case.slow_line or case.lossy_path or before.rule_id in _OF_A_PART
    unasked = case.explained or case.cut_share or after.rule_id in _UNASKED
    assert after.state is before.state or elsewhere or unasked


def _only_we_reached(case: Case) -> bool:
    """Whether follow-ups alone show that the platform is reached over a family, or a host of it to
    which it led: no control is known to be, it failed at an address that it tried, or another
    control failed too, which may have been led astray."""
    controls = [summarise(one) for one in case.controls]
    met = {one.last_hop.host for one in controls}
    shown = {
        family
        for family in ("ipv4", "ipv6")
        for one in controls
        if reached_over(one, family) and all(reached_at(one).values())
    }
    astray = not all(one.measurement.reached for one in controls)
    return any(
        one.reason == Reason.HONEST_ADDRESS
        and one.failure is None
        and (family_of(one.address) not in shown or one.server_name not in met or astray)
        for asked in case.follow_ups
        for one in asked.observations
        if isinstance(one, TlsObservation)
    )


_TRIED_AGAIN = frozenset(
    (
        Reason.NAME_AGAIN,
        Reason.FLOW_NAME,
        Reason.SNI_ELSEWHERE,
        Reason.USUAL_HELLO,
        Reason.OTHER_HELLO,
        Reason.SMALL_SEGMENTS,
        Reason.PRIVATE_ADDRESS,
        Reason.OPEN_RESOLVER,
    )
)
"""Our name once more. Where it works, what failed may be over, or has an ordinary fault."""
_INNOCUOUS = frozenset((Reason.INNOCUOUS_SNI, Reason.OTHER_HELLO_INNOCUOUS, Reason.FLOW_INNOCUOUS))
"""Where another name fails as well, ours is not singled out."""
_MAYBE_DECRYPTED = frozenset((Reason.PRIVATE_ADDRESS, Reason.HONEST_ADDRESS))
"""Where a device at the vantage's own site answers, nobody knows whose the addresses are."""
_OTHER_ADDRESSES = frozenset((Reason.HONEST_ADDRESS, Reason.DOH, Reason.OPEN_RESOLVER_TCP))
"""What works at other addresses tells that ours died, and who else names ours that they are right:
both where connections were made, not where no address was given."""


def _finds_a_fault(case: Case, seen: AnyObservation) -> bool:
    """Whether a follow-up shows that somebody is innocent of something."""
    if seen.reason in (Reason.PATIENCE, Reason.VERIFIED_BEFORE, Reason.OWN_FILTER):
        return True
    if seen.reason in _INNOCUOUS:
        return bool(seen.failure)
    if seen.reason == Reason.SNI_ELSEWHERE and sub_method_of(seen) not in ("reset", "timeout"):
        return True  # servers refuse a foreign name like that
    if seen.reason == Reason.DOH and _gives_what_ours_gave(case, seen):
        return True
    if isinstance(seen, TlsObservation) and seen.reason in _MAYBE_DECRYPTED and opened(case, seen):
        return True
    if seen.failure is not None:
        return False
    if isinstance(seen, DnsObservation) and contradicting(seen.answers):
        return False
    if seen.reason in _OTHER_ADDRESSES:
        return any(
            o.failure and isinstance(o, TcpObservation | TlsObservation)
            for one in case.attempts
            for o in one.observations
        )
    return seen.reason in _TRIED_AGAIN or isinstance(seen, QuicObservation)


def _gives_what_ours_gave(case: Case, asked: AnyObservation) -> bool:
    """Whether a resolver failed as the vantage's own did, or gave an address that it gave: then the
    name may be so."""
    given = set(asked.addresses) if isinstance(asked, DnsObservation) else set()
    return any(
        seen.failure == asked.failure or given.intersection(seen.addresses)
        for one in case.attempts
        for seen in one.observations
        if isinstance(seen, DnsObservation) and seen.failure
    )


def is_conclusive_by_follow_ups_alone(case: Case) -> None:
    """Without any, here or at the platform's other endpoints, nothing is more than strong, and what
    is conclusive was strong before; but for what only follow-ups tell from a common fault or from
    lost packets, for shares of connections, which they count, and for addresses that controls
    cannot show."""
    bare = changed(case, follow_ups=(), cut_off=frozenset(), explained=frozenset(), cut_share=0.0)
    alone, whole = judge_case.judge(bare), judge_case.judge(case)
    assert alone.evidence is not Evidence.CONCLUSIVE
    if whole.evidence is Evidence.CONCLUSIVE and whole.share is None:
        fault = whole.rule_id in COMMON_FAULTS and alone.evidence is Evidence.WEAK
        lost = case.slow_line or case.lossy_path or case.perhaps_lossy_path
        shown = lost or _only_we_reached(case)
        assert alone.evidence is Evidence.STRONG or fault or shown


# -- the vantage ---------------------------------------------------------------------------------


def accuses_nobody_when_unwell(case: Case, seed: int) -> None:
    """From a vantage that is offline, captive, cut off or unknown nothing is blocked or down,
    unless all that is wrong is its clock."""
    if case.health.rule_id == "vantage.clock_skew":
        return
    unwell = changed(case.health, state=UNWELL[seed % len(UNWELL)])
    verdict = judge_case.judge(changed(case, health=unwell))
    assert verdict.state in (State.OK, State.INSUFFICIENT)


ALWAYS: tuple[Callable[[Case], None], ...] = (
    is_total_and_deterministic,
    is_never_ok_without_data,
    is_never_ok_if_nothing_was_seen,
    is_weak_without_a_control,
    is_no_stronger_without_working_controls,
    is_no_stronger_without_udp,
    is_conclusive_by_follow_ups_alone,
)
BY_CHANCE: tuple[Callable[[Case, int], None], ...] = (
    is_the_same_in_any_order,
    is_not_ok_for_want_of_controls,
    is_no_stronger_with_fewer_failures,
    is_no_stronger_with_fewer_looks,
    is_no_stronger_with_fewer_follow_ups,
    accuses_nobody_when_unwell,
)
"""Those that leave something to chance, of which they take the seed."""
