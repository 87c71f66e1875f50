"""Some of a platform's addresses blocked while others of the same family work.

Applications try another address after a pause, so people wait or give up. A control that is
answered at the very address tells it from one that is dead everywhere. A platform's server near by
may be dead all the same, and one address may stand for many servers: what fails before the name is
sent is never more than weak. What is cut off once the name is sent is counted, with another name
beside it (`monitor.analysis.judge.some_flows`).
"""

from collections.abc import Iterator, Sequence

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE, controls_for, follows, reached_at
from monitor.analysis.judge.counted_flows import evidence_at
from monitor.analysis.judge.grade_by_attempts import (
    FailedAttempt,
    Finding,
    failed_at,
    families_of,
    strongest,
)
from monitor.analysis.judge.grade_by_sign import Sign, capped
from monitor.analysis.judge.second_attempt import failing_addresses
from monitor.analysis.measurement_summary import TIMEOUT, Outcome, Summary
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence
from probes.measurement import Layer


def addresses_finding(case: Case, attempts: Sequence[Summary]) -> Finding | None:
    """What fails at addresses that never worked in this cycle, though others of their family did,
    and a control was answered there; None where there is no such address."""
    if case.health.state not in ABLE or not attempts:
        return None
    failing = _failing(case, attempts)
    tried = {p.address for one in attempts for p in one.paths if p.address}
    controls = controls_for(case, attempts[-1:])
    found = []
    for address in sorted(failing):
        working = [one for one in controls.working if reached_at(one).get(address)]
        covered = [
            FailedAttempt(summary=one, signs=signs, covered=True)
            for one, signs in _signs_at(attempts, address)
            if any(follows(c.measurement, one) for c in working)
        ]
        if (finding := strongest(case, covered)) is None or finding.sign is None:
            continue
        if case.excuses(finding.sign):
            continue
        evidence = finding.evidence
        if finding.sign[0] is not Layer.TCP:
            evidence = evidence_at(case.endpoint, case.follow_ups, case.controls, address)
        if finding.sign[0] is Layer.TCP or controls.unstable or controls.unsettled:
            evidence = capped(evidence, Evidence.WEAK)
        if evidence is not Evidence.NONE:
            found.append(msgspec.structs.replace(finding, evidence=evidence))
    best = max(found, key=lambda one: EVIDENCE_ORDER[one.evidence], default=None)
    return best and msgspec.structs.replace(best, share=round(len(found) / len(tried), 4))


def addresses_cannot_be_compared(case: Case, attempts: Sequence[Summary]) -> bool:
    """Whether handshakes are cut off at addresses that never worked in this cycle, though others
    of their family did, and no ordinary fault of the line explains it. Silence may be that of a
    dead server."""
    if case.health.state not in ABLE:
        return False
    return any(
        layer is not Layer.TCP and sub_method != TIMEOUT and not case.excuses((layer, sub_method))
        for address in _failing(case, attempts)
        for _, signs in _signs_at(attempts, address)
        for layer, sub_method in signs
    )


def _failing(case: Case, attempts: Sequence[Summary]) -> set[str]:
    """The addresses that failed though others of their family worked, and never worked."""
    families = families_of(case)
    failing = {a for one in attempts for a in failing_addresses(one.measurement, families)}
    return failing - {p.address for one in attempts for p in one.paths if p.failure is None}


def _signs_at(
    attempts: Sequence[Summary], address: str
) -> Iterator[tuple[Summary, dict[Sign, Outcome]]]:
    """Each attempt that tried an address, and how it failed there."""
    for one in attempts:
        there = [path for path in one.paths if path.address == address]
        if there:
            yield one, failed_at(there, there[0].depth)
