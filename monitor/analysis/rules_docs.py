"""docs/rules.md, written from the tables of rules so that it cannot go out of date.

python -m monitor.analysis.rules_docs > docs/rules.md
"""

import sys
from collections.abc import Iterable

from monitor.analysis.judge.grade_by_follow_ups import AGREEING
from monitor.analysis.judge.grade_by_sign import (
    AGREEING_ATTEMPTS,
    LOSS_CHANCE,
    LOSS_CHANCE_STRONG,
    STRONG_TIMEOUTS,
    Weight,
)
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.rules.table import RULES, RULES_VERSION
from monitor.analysis.throttling.rules_table import THROTTLING_RULES, TransferRule
from monitor.analysis.throttling.transfer_facts import ROUNDS_NEEDED, SURE_ROUNDS
from monitor.analysis.throttling.transfer_facts import SLOW as SLOW_LINE
from monitor.analysis.throttling.transfer_pauses import LEAST, UNSEEN
from monitor.analysis.throttling.transfer_round import (
    FAST,
    NAME_RATIO,
    PAST_FREEZES,
    SITE_RATIO,
)
from monitor.analysis.vantage.health import HEALTH_RULES
from monitor.analysis.vantage.reference_facts import SEVERAL
from monitor.analysis.verdict import Evidence

_INTRODUCTION = f"""\
# The rules of judgement

<!-- Written by `python -m monitor.analysis.rules_docs`; a test fails when this is out of date. -->

Rules version {RULES_VERSION}. A verdict carries this version and the id of the rule that made it.

A failed test of a platform can mean that somebody blocks it, that it is down, that the line to it
is bad, or that the vantage itself is cut off. These rules tell the cases apart. They are tried
from top to bottom, and **the first that matches wins**. Two promises hold whatever the rules say:
no data is never *ok*, and a missing control never turns a failure into *ok*.

## States

| state | meaning |
|---|---|
| ok | it answered as expected |
| blocked | it fails here, works elsewhere at the same time, and nothing innocent explains it |
| partial | it works, but not for some connections, at some addresses or over one address family |
| throttled | far slower than everything else on the line, or stalled half-way |
| down | it fails at the control too |
| insufficient | too little is known; the rule's id says what is missing |

## Evidence

| grade | meaning |
|---|---|
| none | nobody is accused |
| weak | one sign, or a sign that has an innocent explanation |
| strong | tests that agree, or a sign that networks without interference never show |
| conclusive | strong, and follow-ups ruled out the innocent explanations |

Somebody has to send a reset, a forged reply or a certificate. So one test is *weak* and
{AGREEING_ATTEMPTS[Weight.REPEAT]} that agree are *strong*, or
{AGREEING_ATTEMPTS[Weight.OVERLOAD]} where an overloaded server does the same now and then
(resets, hang-ups, alerts, refusals). Timeouts need no sender: packet loss causes them. The loss
at the vantage is measured on references and on whatever else answers, as the chance that one test
times out with nothing blocked. Timeouts accuse somebody only when that chance, multiplied by
itself once for each failed test, is at most {LOSS_CHANCE}. They are *strong* from
{STRONG_TIMEOUTS} tests and at most {LOSS_CHANCE_STRONG}.

A control counts only when its own vantage is healthy and it started at or after the end of the
test that it is compared with: a platform can go down in between. Evidence stays *weak* when there
is no control, when controls disagree, and when only a proxy reports the failure. Where that leaves
open whether the platform itself is at fault (`control.absent`, `*.unsettled`), no number of tests
and networks confirms a block.

When an endpoint fails, follow-up tests in the same cycle find out what acted. Strong evidence
becomes *conclusive* when at least {AGREEING} tests agree and

- an innocuous name gets an answer at the address where the platform's name is cut off, or the
  platform's name is cut off in the same way at an unrelated address (resets and timeouts only);
  of silence, where connections to the platform need more tries than others, only if of ten
  connections or more with each name all with the platform's are cut off, and hardly one of the
  others;
- the name fails to resolve, but the platform answers, with a certificate that verifies, at an
  address from another source, and DNS over HTTPS, where nobody on the way can forge an answer, does
  not give the same false one alone; where the resolver reports an error or times out, an open
  resolver must be kept from answering over UDP as well, and where it cuts off questions over TCP,
  it must answer such questions for another name;
- replies are injected, and a resolver asked over TCP or DoH answers, or such an address works;
- several addresses of the platform are silent, or unreachable, here and answer the control, and
  another host answers in the same routed network (/24 or /48) before they are silent once more, or
  packets to them end beyond the vantage's own router and before the way parts from those to other
  networks: then no route is dead;
- a false certificate is shown at an address that the platform really has, while the vantage is
  healthy;
- a false certificate is shown at the resolver's address, and the platform answers elsewhere.

Follow-ups never raise *weak*, and missing ones lower nothing. But a resolver that leads astray, a
timeout and an unreachable address are confirmed by one vantage alone only when *conclusive*, for
some ordinary faults last for days. Nor does *weak* evidence by a certificate confirm alone.
Low-traffic vantages make no follow-ups. A resolver that reports an error, times out or cuts off
questions over TCP has too many innocent causes to be more than *weak* by itself; so has an answer
that is not TLS. A certificate in which nothing but the dates is wrong is never more than *weak*: a
server of the platform may have let it expire, or a clock be some hours off.

Where the platform itself, over verified connections, leads to a host to which it leads no control,
what fails there accuses nobody, unless a handshake elsewhere shows that the host works.

A control at which the name is cut off, and an innocuous one answered at the same address, is
censored itself and says nothing. Contradicting replies and impossible addresses need no control,
so one in trouble does not weaken them.

The evidence column below is the best grade a rule can give.

## Endpoints

The verdict on one endpoint, tested from one vantage in one cycle.
"""

_VANTAGES = f"""\
## Vantages

Whether the vantage itself works, judged from its references before anybody is accused. Only *ok*
and *lossy* vantages accuse, *lossy* ones never by timeouts, and one whose clock alone is wrong by
anything but certificates. A vantage that was in trouble before the first test of a cycle accuses
nobody by that cycle, however well it ends. Where {SEVERAL} references or more finish a TLS
handshake over one of IPv4 and IPv6 and fail over the other, and none finishes one over that, it
does not work here, and nobody is accused of it.
"""

_SPEED = f"""\
## Speed

To find out whether a function of a platform is throttled, an object of it is fetched. When it comes
at {FAST / 1e6:g} Mbit/s, and the connection carries more than {PAST_FREEZES // 1024} KiB, after
which known freezes have begun, all is well; where the function is not core, also when only the
distance holds it up. Else it is fetched in rounds: under its own name, under an innocuous name at
the same address, and an object elsewhere, in random order. One round suffices to say that all is
well; when it looks wrong two more follow, or four where some compare nothing on a bad line, and
then a control. Bytes are those of the connection, so that a trickle is a rate, and a stall is dated
by the byte at which the censor stops.
Slow means less than {NAME_RATIO:g} of the rate of the innocuous name; where that gives no rate,
less than {SITE_RATIO:g} of the object elsewhere and of the control, and slower than the distance
explains. At least {ROUNDS_NEEDED} rounds, and two thirds of all, have to agree; where the other
transfer is below {SLOW_LINE / 1e6:g} Mbit/s as well, all of {SURE_ROUNDS}. A transfer that stops
where another continues has stalled.

The measuring machine may be slow itself. So the seconds for which it was delayed during a
transfer are counted, and {UNSEEN:g} times as many ({LEAST * 1000:g} ms at least) are subtracted
from the time of what seems slow and added to the others' time. What is not slow then, or not
stalled for longer than that, is *insufficient*; so are rates that swing between rounds by as much
as they differ.

An accusation changes the verdict on an endpoint that was *ok*, or that timed out half-way or in its
handshake, to *throttled*. It is *weak* when no control could compare, when an object elsewhere was
the only comparison, or when rates overlap or stalls lie apart.
"""

_ACCUSING = ("rule", "meaning", "state", "method", "evidence", "wrong when")


def render() -> str:
    endpoints = [_row(r, r.method) for r in RULES]
    vantages = [(f"`{r.id}`", r.meaning, r.state, r.wrong_when) for r in HEALTH_RULES]
    speed = [_row(r, "throttling" if r.sub_method else "") for r in THROTTLING_RULES]
    return "\n".join(
        (
            _INTRODUCTION,
            _table(_ACCUSING, endpoints),
            _VANTAGES,
            _table(("rule", "meaning", "state", "wrong when"), vantages),
            _SPEED,
            _table(_ACCUSING, speed),
        )
    )


def _row(rule: Rule | TransferRule, method: str) -> tuple[str, ...]:
    return (
        f"`{rule.id}`",
        rule.meaning,
        rule.state,
        f"{method}, {rule.sub_method or 'as found'}" if method else "",
        "" if rule.grade_ceiling is Evidence.NONE else rule.grade_ceiling,
        rule.wrong_when,
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(render())
