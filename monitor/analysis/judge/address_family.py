"""One address family blocked while the other works."""

from collections.abc import Sequence

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE, Controls, controls_for, follows, reached_at
from monitor.analysis.judge.counted_flows import evidence_at
from monitor.analysis.judge.grade_by_attempts import (
    BEFORE_HTTP,
    BOGON,
    INJECTION,
    FailedAttempt,
    Finding,
    calls_elsewhere,
    failed_at,
    strongest,
)
from monitor.analysis.judge.grade_by_follow_ups import AGREEING, honest_over, reread
from monitor.analysis.judge.grade_by_sign import Sign, capped, signs
from monitor.analysis.judge.interception import intercepted
from monitor.analysis.judge.one_family import RTYPES, SILENT, over
from monitor.analysis.judge.slow_line import NAMED
from monitor.analysis.measurement_summary import (
    TIMEOUT,
    Outcome,
    Summary,
    came_late,
    contradicting,
    kind_of,
    led_through_proxy,
    outcome_over,
    reached_over,
    works,
)
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, VantageState
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AppObservation, Layer, TcpObservation, TlsObservation, family_of

_RESOLVERS: frozenset[Sign] = frozenset(signs("dns.refused dns.servfail dns.no_answer dns.timeout"))
"""Never more than weak for one family: resolvers fail on one record type."""
_DENIED: frozenset[Sign] = frozenset(signs("dns.nxdomain"))
"""Weak where nothing shows that the name has addresses of the family: some name servers say so of
one record type alone."""


def family_finding(case: Case, attempts: Sequence[Summary]) -> Finding | None:
    """What blocks a family that failed in every attempt though the endpoint answered over the
    other.

    Attempts whose addresses of the family came too late do not count, nor do those that ended
    before the family answered or failed. Where one attempt got contradicting replies it suffices:
    an attempt gets through when a forged reply is lost.

    The family must work otherwise from this vantage, and a control must have reached the same host
    afterwards: over the family, at the addresses that failed where it tried them, unless a forged
    answer, a denial or an address from another source shows that the family is at issue here. None
    when it does not, or nothing accuses. Silence over IPv4 is weak unless a control was answered at
    the very address, like silence over every family; over IPv6 it has no evidence
    (`monitor.analysis.judge.one_family`).
    """
    if case.health.state not in ABLE or any(intercepted(case, one) for one in attempts):
        return None
    found = [
        finding
        for family in case.health.families
        if (finding := _on_family(case, attempts, family)) is not None
    ]
    return max(found, key=lambda f: (EVIDENCE_ORDER[f.evidence], f.family), default=None)


def forged_over_each(case: Case, attempts: Sequence[Summary]) -> Finding | None:
    """What forges the answers for every family that works here, though attempts got through: over
    one family or the other, as forged replies got lost. None where no attempt got contradicting
    replies, or a family was spared."""
    if case.health.state not in ABLE or any(intercepted(case, one) for one in attempts):
        return None
    if not all(_ever_forged(attempts, family) for family in case.health.families):
        return None
    forged = any(_contradicted(one, family) for one in attempts for family in RTYPES)
    found = family_finding(case, attempts)
    if not forged or found is None or found.sign not in (INJECTION, BOGON):
        return None
    return msgspec.structs.replace(found, sign=INJECTION, family="")


def _ever_forged(attempts: Sequence[Summary], family: str) -> bool:
    """Whether an attempt got a false address of this family, or contradicting replies."""
    return any(
        (outcome.layer, outcome.sub_method) == BOGON or _contradicted(summary, family)
        for summary in attempts
        if (outcome := outcome_over(summary, family)) is not None
    )


def family_cannot_be_compared(case: Case, attempts: Sequence[Summary]) -> bool:
    """Whether a family failed in every attempt, in a way that accuses where a control shows that it
    works elsewhere: nothing that the line explains, and no silence over IPv6."""
    if case.health.state not in ABLE or any(intercepted(case, one) for one in attempts):
        return False
    return any(
        not case.excuses(sign) and not (family == "ipv6" and sign in SILENT | _RESOLVERS)
        for family in case.health.families
        for summary, outcome in _failed_over(attempts, family)
        for sign in _signs(summary, outcome)
    )


def ipv4_hidden(case: Case, attempts: Sequence[Summary]) -> bool:
    """Whether IPv4 failed in every attempt though it works here otherwise, and an ordinary fault
    explains that which would hide a block: packets that get lost, a slow line, or addresses of our
    resolver that are dead where those of others fail, too.

    Not where a follow-up got through over IPv4. Controls have no say: without them it is no less
    hidden.
    """
    if case.health.state not in ABLE or "ipv4" not in case.health.families:
        return False
    failed = _failed_over(attempts, "ipv4")
    if len(failed) < AGREEING or any(intercepted(case, one) for one in attempts):
        return False
    asked = [
        o
        for follow_up in case.follow_ups
        for o in follow_up.observations
        if isinstance(o, TcpObservation | TlsObservation | AppObservation)
        and family_of(o.address) == "ipv4"
    ]
    elsewhere = [o for o in asked if o.reason == Reason.HONEST_ADDRESS]
    answers = (*elsewhere, *(o for o in asked if o.reason in NAMED))
    if any(o.failure is None for o in answers if not isinstance(o, TcpObservation)):
        return False
    return bool(elsewhere) or any(
        _line_explains(case, sign) for one, outcome in failed for sign in _signs(one, outcome)
    )


def _line_explains(case: Case, sign: Sign) -> bool:
    lossy = case.health.state is VantageState.LOSSY
    return case.excuses(sign) or (lossy and sign[1] == TIMEOUT)


def _failed_over(every: Sequence[Summary], family: str) -> list[tuple[Summary, Outcome]]:
    """The attempts that failed over this family, where all did or replies contradict each other."""
    attempts = _informative(every, family)
    failed = [
        (summary, outcome)
        for summary in attempts
        if (outcome := outcome_over(summary, family)) is not None and outcome.sub_method
    ]
    if len(failed) < len(attempts):
        failed = [
            (summary, outcome)
            for summary, outcome in failed
            if outcome.layer in BEFORE_HTTP and _contradicted(summary, family)
        ]
    if any(
        outcome.layer is Layer.DNS
        and (summary.last_hop.resolved_elsewhere or led_through_proxy(summary))
        for summary, outcome in failed
    ):
        return []
    return failed


def _informative(every: Sequence[Summary], family: str) -> list[Summary]:
    """The attempts that show whether this family works."""
    return [
        summary
        for summary in every
        if family not in came_late(summary.measurement) and not _unfinished(summary, family)
    ]


def _on_family(case: Case, every: Sequence[Summary], family: str) -> Finding | None:
    failed = _failed_over(every, family)
    if not failed:
        return None
    attempts = _informative(every, family)
    controls = controls_for(case, attempts[-1:])
    dialled = {
        p.address
        for summary, _ in failed
        for p in summary.paths
        if p.family == family and p.address
    }
    host = attempts[-1].last_hop.host
    working = [one for one in controls.working if _is_witness(one, family, host, dialled)]
    if honest_over(case, host, family) or all(_is_lie(one, o) for one, o in failed):
        working = [
            one for one in controls.working if _reached(one, host) and not _fails_too(one, family)
        ]
    covered = [
        FailedAttempt(
            summary=over(summary, family),
            signs=_signs(summary, outcome),
            covered=True,
        )
        for summary, outcome in failed
        if any(follows(c.measurement, summary) for c in working)
    ]

    def concluded(found: Finding) -> Finding:
        found = msgspec.structs.replace(found, family=family)
        return _concluded(case, found, covered, controls, working, dialled)

    found = strongest(case, covered, concluded)
    if found is None or found.evidence is Evidence.NONE:
        return None
    if family == "ipv6" and found.sign in SILENT | _RESOLVERS:
        return msgspec.structs.replace(found, evidence=Evidence.NONE)
    return found


def _concluded(
    case: Case,
    found: Finding,
    covered: Sequence[FailedAttempt],
    controls: Controls,
    working: Sequence[Summary],
    dialled: set[str],
) -> Finding:
    """The finding with what controls and follow-ups make of it."""
    over_udp = kind_of(case.endpoint) is EndpointKind.STUN
    no_udp = over_udp and not calls_elsewhere(case, found.family)
    if found.sign is None or case.excuses(found.sign) or no_udp:
        return msgspec.structs.replace(found, evidence=Evidence.NONE)
    there = any(reached_at(control).get(address) for control in working for address in dialled)
    shown = honest_over(case, found.summary.last_hop.host, found.family) or any(
        reached_over(one, found.family) for one in working
    )
    doubtful = (
        controls.unstable
        or controls.unsettled
        or found.sign in _RESOLVERS
        or (found.sign in _DENIED and not shown)
        or (found.sign in SILENT and not there)
    )
    evidence = capped(found.evidence, Evidence.WEAK if doubtful else Evidence.STRONG)
    if found.family == "ipv6" and found.sign in SILENT | _RESOLVERS:
        return msgspec.structs.replace(found, evidence=evidence)
    agreeing = [one.summary for one in covered if found.sign in one.signs]
    reading = reread(case, found.sign, evidence, agreeing, working)
    grades = [reading.evidence]
    if reading.evidence is not Evidence.NONE and not (controls.unstable or controls.unsettled):
        cut = {o.address for one in agreeing for o in one.last_hop.tls if o.failure}
        grades += (
            capped(evidence_at(case.endpoint, case.follow_ups, case.controls, one), Evidence.STRONG)
            for one in sorted(cut)
        )
    return msgspec.structs.replace(
        found, sign=reading.sign, evidence=max(grades, key=EVIDENCE_ORDER.__getitem__)
    )


def _signs(summary: Summary, outcome: Outcome) -> dict[Sign, Outcome]:
    """The signs of a family that failed with this outcome."""
    if outcome.layer in BEFORE_HTTP and _contradicted(summary, outcome.family):
        return {INJECTION: outcome}
    paths = [one for one in summary.paths if one.family == outcome.family] or [outcome]
    return failed_at(paths, outcome.depth)


def _contradicted(summary: Summary, family: str) -> bool:
    """Whether the query for this family's addresses got contradicting replies."""
    rtype = RTYPES[family]
    return any(o.rtype == rtype and contradicting(o.answers) for o in summary.last_hop.dns)


def _unfinished(summary: Summary, family: str) -> bool:
    """Whether the attempt got through over the other family before this one answered or failed."""
    outcome = outcome_over(summary, family)
    return (
        outcome is not None
        and not outcome.sub_method
        and outcome.layer is Layer.TCP
        and summary.measurement.reached
        and not works(outcome, summary.measurement)
    )


def _is_lie(summary: Summary, outcome: Outcome) -> bool:
    """Whether the failure shows by itself that the host works over this family, or should: an
    answer was forged, or the resolver fails for IPv4 addresses and gives others. That a name has
    none it could say; for IPv6 addresses many name servers fail."""
    denied = outcome.layer is Layer.DNS and outcome.sub_method != "no_answer"
    return (denied and outcome.family == "ipv4") or _contradicted(summary, outcome.family)


def _fails_too(control: Summary, family: str) -> bool:
    """Whether a control that shows the family did not reach the host over it."""
    return outcome_over(control, family) is not None and not reached_over(control, family)


def _reached(control: Summary, host: str) -> bool:
    return control.measurement.reached and control.last_hop.host == host


def _is_witness(control: Summary, family: str, host: str, dialled: set[str]) -> bool:
    """Whether a control shows that the same host works over this family: at an address that failed
    here where it tried one. One behind a proxy that resolves can show it in no other way."""
    tried = [well for address, well in reached_at(control).items() if address in dialled]
    return _reached(control, host) and (any(tried) if tried else reached_over(control, family))
