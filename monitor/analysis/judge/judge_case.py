"""The verdict on one case, by the first rule that matches.

Control vantages get no verdicts; they only serve the field vantages.
"""

from collections.abc import Sequence
from datetime import timedelta

from monitor.analysis.judge.case import Case, EndpointCase
from monitor.analysis.judge.facts import Facts, examine
from monitor.analysis.judge.grade_by_attempts import Finding
from monitor.analysis.judge.grade_by_sign import llr
from monitor.analysis.judge.rules.needs_no_control import KNOWN_BLOCK_PAGE
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.rules.table import RULES, RULES_VERSION
from monitor.analysis.measurement_summary import failures
from monitor.analysis.verdict import Evidence, State, Verdict
from probes.measurement import Layer, Measurement


def judge(case: Case) -> Verdict:
    """The verdict on a case. Every case gets one, and the same case always gets the same one."""
    facts = examine(case)
    rule = next(rule for rule in RULES if rule.matches(facts))
    finding = rule.finding(facts)
    summary = finding.summary if finding is not None else facts.last
    accused = finding if rule.state in (State.BLOCKED, State.PARTIAL) else None
    layer, sub_method = accused.sign if accused is not None and accused.sign else ("", "")
    return verdict_on(
        case,
        rule.id,
        rule.state,
        accused.evidence if accused is not None else Evidence.NONE,
        measurement=summary.measurement.id if summary is not None else "",
        controls=facts.controls.ids,
        failures=_failures(facts, finding, rule),
        decided_by=rule.decided_by(facts),
        method=(rule.method or str(layer)) if accused is not None else "",
        sub_method=(rule.sub_method or sub_method) if accused is not None else "",
        family=accused.family if accused is not None else "",
        share=accused.share if accused is not None else None,
    )


def verdict_on(
    case: EndpointCase,
    rule_id: str,
    state: State,
    evidence: Evidence,
    *,
    measurement: str,
    controls: tuple[str, ...],
    failures: dict[str, str],
    decided_by: Sequence[Measurement],
    method: str = "",
    sub_method: str = "",
    family: str = "",
    share: float | None = None,
) -> Verdict:
    """The verdict; `decided_by` are the measurements that show its state."""
    ends = (one.started_at + timedelta(seconds=one.duration) for one in decided_by)
    return Verdict(
        measurement=measurement,
        controls=controls,
        cycle=case.cycle,
        vantage=case.vantage,
        country=case.country,
        asn=case.asn,
        network=case.network,
        vantage_role="field",
        platform=case.platform,
        function=case.function,
        endpoint=case.endpoint,
        state=state,
        method=method,
        sub_method=sub_method,
        family=family,
        share=share,
        rule_id=rule_id,
        evidence=evidence,
        llr=llr(State.BLOCKED if state is State.PARTIAL else state, evidence),
        failures=failures,
        judged_at=case.judged_at,
        rules_version=RULES_VERSION,
        measured_at=min((one.started_at for one in decided_by), default=None),
        measured_until=max(ends, default=None),
    )


def _failures(facts: Facts, finding: Finding | None, rule: Rule) -> dict[str, str]:
    if finding is not None:
        found = failures(finding.summary, finding.outcome)
        if rule is KNOWN_BLOCK_PAGE:
            found[Layer.HTTP.value] = f"blockpage:{finding.fingerprint}"
        return found
    if facts.last is None or rule.state is State.OK:
        return {}
    return failures(facts.last, None)
