"""A share of connections cut off: names under which some get through and others do not.

Some censors act on a share of connections, by chance, by overload or on some of several lines. Each
test then tells little, and what failed beside what worked looks like an accident. So the two rates
are compared: of many connections to one address, made in turn, with the platform's name and with an
innocuous one, how many are cut off? Lost packets, and a server that is overloaded, hit both alike.

The grade follows from Fisher's exact test, one-sided: the chance that so many or more of the cut
connections bear the platform's name, if the name made no difference. A server may also turn away
who calls on one name too often. So controls ask as often at the same address: evidence is
conclusive only where they were answered far more often, too, and where as many of theirs were cut
off nobody is accused.

A server near by that cuts off whatever name works well for controls, so the comparison with them
cannot replace the one with the innocuous name. Up to eight functions are counted in one cycle. With
`RARE` the exact chance that one of them accuses servers that cut off any name alike is under 1 in
10,000, whatever share they cut off.

Source: R. A. Fisher, The logic of inductive inference, J. Roy. Stat. Soc. 1935.
"""

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import ABLE
from monitor.analysis.judge.counted_flows import (
    CUT_OFF,
    count,
    counted,
    evidence_at,
    share_of_all,
)
from monitor.analysis.judge.grade_by_attempts import Finding
from monitor.analysis.measurement_summary import Outcome, sub_method_of, summarise
from monitor.analysis.verdict import Evidence
from probes.measurement import Layer


def flows_finding(case: Case) -> Finding | None:
    """The share of connections that is cut off by name; None where the name makes no difference,
    where it is all of them, or where too few connections tell."""
    if case.health.state not in ABLE or not case.attempts:
        return None
    for address, made in counted(case.endpoint, case.follow_ups).items():
        ours = count(made)
        evidence = evidence_at(case.endpoint, case.follow_ups, case.controls, address)
        if evidence is Evidence.NONE or ours.cut == ours.made:
            continue
        words = [word for one in made if (word := sub_method_of(one)) in CUT_OFF]
        word = max(sorted(set(words)), key=words.count)
        first = next(one for one in made if sub_method_of(one) == word)
        return Finding(
            sign=(Layer.TLS, word),
            evidence=evidence,
            summary=summarise(case.attempts[-1]),
            outcome=Outcome(
                family=first.family,
                depth=2,
                layer=Layer.TLS,
                failure=first.failure,
                sub_method=word,
                address=address,
            ),
            share=round(ours.cut / ours.made, 4),
        )
    return None


def any_name_cut_off(case: Case) -> bool:
    """Whether connections with the innocuous name are cut off at an address as often as others."""
    return share_of_all(case.endpoint, case.follow_ups) > 0
