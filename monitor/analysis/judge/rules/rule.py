"""What a rule of the judge is, and its usual forms."""

from collections.abc import Callable

from monitor.analysis.judge.facts import Facts
from monitor.analysis.judge.grade_by_attempts import Finding
from monitor.analysis.judge.grade_by_follow_ups import CONCLUSIVE
from monitor.analysis.judge.grade_by_sign import WEIGHTS, ceiling, signs
from monitor.analysis.verdict import Evidence, State, TableRule, VantageState
from probes.measurement import Measurement


class Rule(TableRule, frozen=True, kw_only=True):
    state: State = State.INSUFFICIENT
    method: str = ""
    """The method of the block; empty when nobody is accused."""
    matches: Callable[[Facts], bool]
    settled: bool = True
    """False for what may be blocked or down because the controls do not settle it: it makes a
    suspicion, and never a certainty."""
    finding: Callable[[Facts], Finding | None] = lambda facts: facts.finding
    """What its verdict reports."""
    decided_by: Callable[[Facts], tuple[Measurement, ...]] = lambda facts: tuple(
        one.measurement for one in facts.decisive
    )
    """The attempts that show the state: the last one where it worked, else those that failed since
    the last that worked. A part of them alone is not enough to accuse, so which of them failed
    for another reason, before the block or after it, is not known."""


def vantage_rule(
    name: str,
    meaning: str,
    wrong_when: str,
    state: VantageState = VantageState.UNKNOWN,
    *,
    any_rule: bool = False,
) -> Rule:
    """The failure is the vantage's own: its health has this state, for this reason or any."""
    rule_id = f"vantage.{name}"
    return Rule(
        id=rule_id,
        meaning=meaning,
        wrong_when=wrong_when,
        matches=lambda facts: (
            facts.case.health.state is state and (any_rule or facts.case.health.rule_id == rule_id)
        ),
    )


def spares(rule_id: str, meaning: str, wrong_when: str, state: State = State.INSUFFICIENT) -> Rule:
    """A sign, which is the rule's id, explains the failure and accuses nobody."""
    (sign,) = signs(rule_id)
    return Rule(
        id=rule_id,
        meaning=meaning,
        state=state,
        wrong_when=wrong_when,
        matches=lambda facts: facts.sign == sign,
    )


def accuses(rule_id: str, meaning: str, wrong_when: str) -> Rule:
    """A sign, which is the rule's id, accuses at the grade of its finding."""
    (sign,) = signs(rule_id)
    layer, sub_method = sign
    return Rule(
        id=rule_id,
        meaning=meaning,
        state=State.BLOCKED,
        method=layer.value,
        sub_method=_SHOWN_AS.get(sub_method, sub_method),
        grade_ceiling=Evidence.CONCLUSIVE if sign in CONCLUSIVE else ceiling(WEIGHTS[sign]),
        wrong_when=wrong_when,
        matches=lambda facts: facts.accused == sign,
    )


_SHOWN_AS = {"withheld": "status_451", "known_blockpage": "blockpage"}
