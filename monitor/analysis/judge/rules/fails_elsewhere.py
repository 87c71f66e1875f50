"""Does it fail at the control too? Then it is down.

* *A control that got any answer* counts, even a redirect to nowhere: that site is down.
* *A certificate that no list knows*, the same everywhere, says as much of the lists.
* *A server's error over a verified connection*, from the platform itself, is no block: down where
  the control gets one too, else insufficient (`monitor.analysis.judge.server_errors`).
"""

from monitor.analysis.judge.genuine_chains import known_nowhere
from monitor.analysis.judge.grade_by_attempts import INJECTION, REFUSED_HERE
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.server_errors import server_error
from monitor.analysis.verdict import State

FAILS_ELSEWHERE: tuple[Rule, ...] = (
    Rule(
        id="http.withheld_everywhere",
        meaning="The site says that the law forbids it, at the control as well as here.",
        wrong_when="The control's country has the same law.",
        matches=lambda facts: (
            not facts.controls.working
            and not facts.controls.unsettled
            and facts.withheld_everywhere
        ),
    ),
    Rule(
        id="http.not_compared",
        meaning="An answer came here over a connection that is not encrypted, and the controls got"
        " none in time to compare it with: it may be the platform's own page or another one.",
        wrong_when="The platform is down, and somebody answers in its place here.",
        matches=lambda facts: facts.controls.down and facts.not_compared,
    ),
    Rule(
        id="tls.known_nowhere",
        meaning="Its certificate, the same here and at the controls, is signed by an authority that"
        " none of their lists knows: the platform may have changed to it since.",
        wrong_when="The platform shows everybody a certificate that nobody trusts: it is down.",
        matches=lambda facts: (
            facts.controls.down
            and bool(facts.controls.failing)
            and known_nowhere(facts.decisive, facts.controls.failing)
        ),
    ),
    Rule(
        id="control.down_and_injected",
        meaning="It fails here, and afterwards it failed at the control too: it is down. Besides,"
        " one DNS query for it got two contradicting replies here: somebody else answers too.",
        state=State.DOWN,
        wrong_when="A faulty resolver answers twice.",
        matches=lambda facts: facts.controls.down and facts.sign == INJECTION,
    ),
    Rule(
        id="control.also_fails",
        meaning="It fails here, and afterwards it failed at the control too: it is down.",
        state=State.DOWN,
        wrong_when="It is blocked here and refuses the control's network at the same time.",
        matches=lambda facts: facts.controls.down,
    ),
    Rule(
        id="control.also_errs",
        meaning="The platform itself answers with a server's error, over a verified connection, and"
        " does so at the control too: it is down.",
        state=State.DOWN,
        wrong_when="It answers whatever it takes for a robot with such an error.",
        matches=lambda facts: (
            facts.sign == REFUSED_HERE
            and bool(facts.controls.working)
            and not facts.controls.unsettled
            and all(map(server_error, facts.controls.working))
        ),
    ),
)
