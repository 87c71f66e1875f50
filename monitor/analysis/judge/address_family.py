"""One address family blocked while the other works."""

from collections.abc import Sequence

import msgspec

from monitor.analysis.judge.attempt_signs import FailedAttempt, Finding, failed_at, strongest
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE, controls_for, follows
from monitor.analysis.judge.evidence_grades import Sign, capped, signs
from monitor.analysis.judge.interception import intercepted
from monitor.analysis.judge.lossy_paths import lost
from monitor.analysis.outcome import Outcome, Summary, came_late, contradicting, works
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence
from probes.measurement import Layer

_INNOCENT: frozenset[Sign] = frozenset(
    signs(
        "dns.refused dns.servfail dns.no_answer dns.timeout tcp.timeout tcp.unreachable tls.timeout"
    )
)
"""Never more than weak for one family: resolvers fail on one record type, and two networks may not
exchange routes of one family."""


def family_finding(case: Case, attempts: Sequence[Summary]) -> Finding | None:
    """What blocks a family that failed in every attempt though the endpoint answered over the
    other.

    Attempts whose addresses of the family came too late do not count. Where one attempt got
    contradicting replies it suffices: an attempt gets through when a forged reply is lost.

    The family must work otherwise from this vantage, and a control must have reached the same host
    over it afterwards. None when it does not, or nothing accuses. IPv6 that is silent where IPv4
    answers has no evidence: applications use IPv4 within a fraction of a second.
    """
    if case.health.state not in ABLE or any(intercepted(case, one) for one in attempts):
        return None
    found = [
        finding
        for family in case.health.families
        if (finding := _on_family(case, attempts, family)) is not None
    ]
    return max(found, key=lambda f: (EVIDENCE_ORDER[f.evidence], f.family), default=None)


def _on_family(case: Case, every: Sequence[Summary], family: str) -> Finding | None:
    attempts = [summary for summary in every if family not in came_late(summary.measurement)]
    if not attempts:
        return None
    failed = [
        (summary, outcome)
        for summary in attempts
        if (outcome := _of_family(summary, family)) is not None and outcome.sub_method
    ]
    if len(failed) < len(attempts):
        failed = [
            (summary, outcome)
            for summary, outcome in failed
            if outcome.layer is Layer.DNS and _contradicted(summary, family)
        ]
    if any(
        summary.last_hop.resolved_elsewhere and outcome.layer is Layer.DNS
        for summary, outcome in failed
    ):
        return None
    controls = controls_for(case, attempts[-1:])
    working = [
        control for control in controls.working if _works_over(control, family, attempts[-1])
    ]
    covered = [
        FailedAttempt(
            summary=summary,
            signs=failed_at([p for p in summary.paths if p.family == family], outcome.depth),
            covered=True,
        )
        for summary, outcome in failed
        if any(follows(c.measurement, summary) for c in working)
    ]
    found = strongest(case, covered)
    if found is None or found.evidence is Evidence.NONE or (case.lossy_path and lost(found.sign)):
        return None
    if family == "ipv6" and found.sign in _INNOCENT:
        return msgspec.structs.replace(found, evidence=Evidence.NONE, family=family)
    doubtful = controls.unstable or controls.unsettled or found.sign in _INNOCENT
    limit = Evidence.WEAK if doubtful else Evidence.STRONG
    return msgspec.structs.replace(found, evidence=capped(found.evidence, limit), family=family)


def _contradicted(summary: Summary, family: str) -> bool:
    """Whether the query for this family's addresses got contradicting replies."""
    rtype = {"ipv4": "A", "ipv6": "AAAA"}[family]
    return any(o.rtype == rtype and contradicting(o.answers) for o in summary.last_hop.dns)


def _of_family(summary: Summary, family: str) -> Outcome | None:
    return next((o for o in summary.outcomes if o.family == family), None)


def _works_over(control: Summary, family: str, field: Summary) -> bool:
    """Whether a control reached the same host over this family."""
    outcome = _of_family(control, family)
    return (
        control.measurement.reached
        and control.last_hop.host == field.last_hop.host
        and outcome is not None
        and works(outcome, control.measurement)
    )
