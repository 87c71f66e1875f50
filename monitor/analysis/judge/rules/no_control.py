"""Is there a control? No other failure accuses unless a control worked after it.

* *Without a control, with controls that disagree, or on a proxy's report alone*, evidence is never
  more than weak. Where agents are controls, they vote (`monitor.analysis.judge.controls`).
* *A control that is censored itself* says nothing.
"""

from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.verdict import Evidence, State

NO_CONTROL: tuple[Rule, ...] = (
    Rule(
        id="siblings.silent",
        meaning="It stayed silent once, as others of this function did that were tested in full:"
        " those stand for it.",
        wrong_when="The others are blocked, and this one is not.",
        matches=lambda facts: facts.case.sampled_out,
    ),
    Rule(
        id="control.missing",
        meaning="It fails here, and no control vantage tested it, so it may be down.",
        wrong_when="No control vantage is configured.",
        matches=lambda facts: facts.controls.gap == "missing",
    ),
    Rule(
        id="control.stale",
        meaning="It fails here, and the control's tests are older than the failure.",
        wrong_when="The control was asked too late in the cycle.",
        matches=lambda facts: facts.controls.gap == "stale",
    ),
    Rule(
        id="control.dead",
        meaning="It fails here, and the control vantage was unhealthy, could not test it, failed at"
        " servers near it alone, or was led astray by its resolver.",
        wrong_when="The control's references fail though the control is fine.",
        matches=lambda facts: facts.controls.gap == "dead",
    ),
    Rule(
        id="control.censored",
        meaning="It fails here, and at the control under its own name alone, while another name is"
        " answered at the same address: the control is censored itself.",
        wrong_when="The platform's servers fail for its own name only.",
        matches=lambda facts: facts.controls.gap == "censored",
    ),
    Rule(
        id="control.unsettled",
        meaning="It fails here. Whether it fails elsewhere too is not settled: the controls"
        " disagree, or too few of them are known well enough to be believed.",
        state=State.BLOCKED,
        grade_ceiling=Evidence.WEAK,
        wrong_when="It is down: the controls that reach it are lying, or measure another server.",
        settled=False,
        matches=lambda facts: facts.controls.unsettled and facts.accused is not None,
    ),
)
