"""docs/rules.md, written from the tables of rules so that it cannot fall behind them.

python -m monitor.analysis.rules_docs > docs/rules.md
"""

import sys
from collections.abc import Iterable

from monitor.analysis.judge.differential import AGREEING
from monitor.analysis.judge.evidence_grades import (
    AGREEING_ATTEMPTS,
    LOSS_CHANCE,
    LOSS_CHANCE_STRONG,
    STRONG_TIMEOUTS,
    Weight,
)
from monitor.analysis.judge.rules import RULES, RULES_VERSION
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.throttling.transfer_facts import ROUNDS_NEEDED
from monitor.analysis.throttling.transfer_pauses import LEAST, UNSEEN
from monitor.analysis.throttling.transfer_round import NAME_RATIO, SITE_RATIO
from monitor.analysis.vantage.health import HEALTH_RULES
from monitor.analysis.verdict import Evidence

_INTRODUCTION = f"""\
# The rules of judgement

<!-- Written by `python -m monitor.analysis.rules_docs`; a test fails when this is stale. -->

Rules version {RULES_VERSION}. A verdict carries this version and the id of the rule that made it.

A look at a platform that fails can mean that somebody blocks it, that it is down, that the line to
it is bad, or that the vantage itself is cut off. These rules tell the cases apart. They are tried
from top to bottom, and **the first that matches wins**. Two promises hold whatever the rules say:
no data is never *ok*, and a missing control never turns a failure into *ok*.

## States

| state | meaning |
|---|---|
| ok | it answered as it should |
| blocked | it fails here, works elsewhere at the same time, and nothing innocent explains it |
| throttled | far slower than all else on the line, or silent half-way |
| down | it fails at the control too |
| insufficient | not enough is known to say; the rule's id says what is missing |

## Evidence

| grade | meaning |
|---|---|
| none | nobody is accused |
| weak | one sign, or one with an innocent explanation left |
| strong | looks that agree, or a sign that honest networks do not give |
| conclusive | strong, and follow-ups ruled out the innocent explanations |

Somebody has to send a reset, a forged reply or a certificate, so one look suffices for *weak* and
{AGREEING_ATTEMPTS[Weight.REPEAT]} that agree for *strong*; {AGREEING_ATTEMPTS[Weight.OVERLOAD]} where \
an overloaded server does the same now
and then (resets, hang-ups, alerts, refusals). Silence needs no sender: packet loss makes it. \
The loss at the vantage
is measured on references and on whatever else answers, as the chance that one look times out with
nothing blocked. Timeouts accuse somebody only when that chance, multiplied by itself once for each
failed look, is at most {LOSS_CHANCE}; they are *strong* from {STRONG_TIMEOUTS} looks on and at \
most {LOSS_CHANCE_STRONG}.

A control counts only when its own vantage is well and it started at or after the end of the look it
is compared with: a platform can go down in between. Whatever the sign, evidence stays *weak* when
there is no control at all, when controls disagree, and when a proxy's word is all there is.

When an endpoint fails, it is looked at in other ways in the same cycle, and the difference tells \
what
acted. Strong evidence becomes *conclusive* when at least {AGREEING} looks agree and

- an innocuous name gets an answer at the very address where the platform's is cut off, or the
  platform's name is cut off alike at an innocuous address (resets and silence only);
- the name fails to resolve, but the platform answers, with a certificate that verifies, at an
  address that somebody else gave; where the resolver reports a fault or is silent, an open
  resolver must be kept from answering over UDP as well;
- replies are injected, and a resolver asked over TCP or DoH does answer, or such an address works;
- a false certificate is summary at an address the platform really has, while all is well otherwise;
- a false certificate is summary where the resolver led, and the platform answers elsewhere.

Follow-ups never raise *weak*, and their absence lowers nothing. Quiet vantages make none. A
resolver that reports a fault or is silent has too many innocent reasons to be more than *weak* by
itself.

The evidence column below is the best grade a rule can give.

## Endpoints

What one endpoint, seen from one vantage in one cycle, comes to.
"""

_VANTAGES = """\
## Vantages

Whether the vantage itself is well, judged from its references before anybody is accused. Only *ok*
and *lossy* let an accusation through, and *lossy* none that rests on timeouts.
"""


_SPEED = f"""\
## Speed

Whether a platform is slowed down is judged by fetching an object of it, in rounds: under its own
name, under an innocuous name on the same address, and an object elsewhere, in random order. One
round is enough to say that all is well; when it looks wrong two more follow, and then a control.
Slow means less than {NAME_RATIO:g} of what the innocuous name gets; where that gives no rate, less
than {SITE_RATIO:g} of the object elsewhere and of what a control gets, and more than the length of
the way explains. At least {ROUNDS_NEEDED} rounds, and two thirds of all, have to agree. A transfer
that goes silent where another gets on has stalled.

The machine that measures may be slow itself. So the seconds for which it was held up during a
transfer are counted, and {UNSEEN:g} times as many ({LEAST * 1000:g} ms at least) are taken off the
time of what seems slow and added to the others'. What is not slow then, or silent for longer than
that explains, is *insufficient*; so are rates that swing between rounds by as much as they differ.

An accusation changes the verdict on an endpoint that was *ok*, or that failed by falling silent
half-way, to *throttled*. It is *weak* when no control could compare, when an object elsewhere was
all there was to compare with, or when rates overlap or stalls lie apart.
"""


def render() -> str:
    """The whole document, Markdown."""
    endpoints = _table(
        ("rule", "meaning", "state", "method", "evidence", "wrong when"),
        (
            (
                f"`{rule.id}`",
                rule.meaning,
                rule.state.value,
                _method(rule.method, rule.sub_method),
                "" if rule.grade_ceiling is Evidence.NONE else rule.grade_ceiling.value,
                rule.wrong_when,
            )
            for rule in RULES
        ),
    )
    vantages = _table(
        ("rule", "meaning", "state", "wrong when"),
        (
            (f"`{rule.id}`", rule.meaning, rule.state.value, rule.wrong_when)
            for rule in HEALTH_RULES
        ),
    )
    speed = _table(
        ("rule", "meaning", "state", "method", "evidence", "wrong when"),
        (
            (
                f"`{rule.id}`",
                rule.meaning,
                rule.state.value,
                _method("throttling" if rule.sub_method else "", rule.sub_method),
                "" if rule.grade_ceiling is Evidence.NONE else rule.grade_ceiling.value,
                rule.wrong_when,
            )
            for rule in THROTTLING_RULES
        ),
    )
    return f"{_INTRODUCTION}\n{endpoints}\n{_VANTAGES}\n{vantages}\n{_SPEED}\n{speed}"


def _method(method: str, sub_method: str) -> str:
    if not method:
        return ""
    return f"{method}, {sub_method or 'as found'}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(render())
