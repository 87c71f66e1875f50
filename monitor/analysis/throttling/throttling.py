"""Throttling and stalls: is a platform made slow where everything else is not?

What it looked like where it happened:

* *Russia, Twitter, March 2021* (Xue et al., "Throttling Twitter", IMC 2021): a connection whose
  ClientHello named the platform was policed to 130–150 kbit/s by dropping what came above. The
  same address under another name was fast. A page still loads, so a look that stops early is ok.
* *Türkiye, Twitter, February 2023* (NetBlocks; Censored Planet): twelve hours of slowed handshakes
  and transfers, set against other names on the same prefix; invisible in daily averages.
* *Russia, foreign clouds, from June 2025* (Cloudflare; net4people): connections go silent after
  about 16 KB, whatever the rest of the exchange does. A look that stops at TLS sees nothing, and
  some names are spared, so the innocuous one shows it as well.

Slowness has many honest makers, each of which has to be ruled out: a slow line, a long way, loss,
a congested exchange with one content network, a platform in trouble. So a rate is never judged by
itself. Compared are, in rounds whose variants come close after each other in random order:

1. *the same address under an innocuous name*: the same servers and the same way, so only the name
   differs. Below NAME_RATIO of it is a sign;
2. where that gives no rate (many servers answer a foreign name with a short error), *an object
   elsewhere* on the same line, below SITE_RATIO, and likewise below what control gets. The way may
   be longer there: a rate that the round trip alone explains does not count, nor one that is usual
   for this stream;
3. *control*, in any case: what is slow there too is the platform's own trouble.

A vantage can be slow itself. Each transfer counts for how long the machine was held up, and what
that may have done to a rate or made of a silence is taken in the platform's favour
(`transfer_pauses`); so is a line on which rates swing from round to round by as much as the two
that are compared differ.

Slow at the address under either name is no accusation: congestion does the same. Silence is more
informative, since congestion slows and does not stop: a transfer that stops where another gets on is a
stall whatever the name. Two rounds at least, and two of three, have to agree; loss measured at the
vantage must not explain them.

N in "stalls at N bytes" is what the answer came to; the network's own count also holds the
handshake, some 3 to 6 KB more, and a TLS record that had not come whole is not in N.
"""

from collections.abc import Sequence
from statistics import median

from monitor.analysis.judge.evidence_grades import llr
from monitor.analysis.judge.rules import RULES_VERSION
from monitor.analysis.throttling.rules_table import THROTTLING_RULES, TransferRule
from monitor.analysis.throttling.transfer_facts import (
    TransferCase,
    TransferFacts,
    examine,
    stall_point,
)
from monitor.analysis.throttling.transfer_round import round_of
from monitor.analysis.throttling.transfer_speed import SKIP, VARIANTS
from monitor.analysis.throttling.transfer_verdict import Spread, TransferClass, TransferVerdict
from monitor.analysis.verdict import Evidence, State, Verdict
from probes.failure import TIMEOUTS, failure_class
from probes.measurement import TRANSFER_TARGET, Layer, Measurement, TransferObservation

CONTROL = "control"


def judge_transfers(case: TransferCase) -> TransferVerdict:
    """The verdict on the transfers of one object. Total, and the same for the same case."""
    facts = examine(case)
    rule = next(rule for rule in THROTTLING_RULES if rule.matches(facts))
    accused = rule.state is State.THROTTLED
    deciding = facts.stalls if rule.kind is TransferClass.STALLED else facts.slow
    rounds = (deciding if accused else facts.informative) or tuple(map(round_of, case.rounds))
    evidence = _evidence(facts, rule) if accused else Evidence.NONE
    last = rounds[-1].measurement if rounds else None
    return TransferVerdict(
        kind=rule.kind,
        object=last.endpoint if last is not None else case.endpoint,
        rounds=len(facts.informative),
        rates=_rates(facts),
        ratios=_ratios(facts),
        stalled_at=_spread([float(stall_point(r)) for r in facts.informative if r.stalled]),
        verdict=Verdict(
            measurement=last.id if last is not None else "",
            controls=facts.control_ids,
            cycle=case.cycle,
            vantage=case.vantage,
            country=case.country,
            asn=case.asn,
            network=case.network,
            vantage_role="field",
            platform=case.platform,
            role=case.role,
            endpoint=case.endpoint,
            state=rule.state,
            method="throttling" if accused else "",
            sub_method=rule.sub_method,
            rule_id=rule.id,
            evidence=evidence,
            llr=llr(rule.state, evidence),
            failures={} if last is None or rule.state is State.OK else _failures(last),
            judged_at=case.judged_at,
            rules_version=RULES_VERSION,
        ),
    )


def combine(verdicts: Sequence[Verdict], speeds: Sequence[TransferVerdict]) -> list[Verdict]:
    """The verdicts of a cycle with those on speed worked in, one for each endpoint.

    Where an endpoint has a verdict of its own, speed changes it only to accuse, and only where it
    works over TCP or failed by falling silent half-way, which a stall explains better. An object
    that is no endpoint of the catalogue brings a verdict of its own.
    """
    combined = {(v.platform, v.role, v.endpoint): v for v in verdicts}
    for speed in speeds:
        key = (speed.verdict.platform, speed.verdict.role, speed.verdict.endpoint)
        known = combined.get(key)
        if known is None or (speed.accuses and _yields(known)):
            combined[key] = speed.verdict
    return list(combined.values())


def _yields(verdict: Verdict) -> bool:
    works = verdict.state is State.OK or verdict.only_quic
    return works or verdict.failures.get(Layer.HTTP.value, "") in TIMEOUTS


def _evidence(facts: TransferFacts, rule: TransferRule) -> Evidence:
    """Strong when control fared well and nothing but the name, or one fixed point, is left."""
    if not facts.control_fine:
        return Evidence.WEAK
    if rule.kind is TransferClass.STALLED:
        points = [stall_point(r) for r in facts.stalls]
        alike = max(points) - min(points) <= max(SKIP, min(points) // 2)
        return Evidence.STRONG if alike else Evidence.WEAK
    if facts.slow is not facts.by_name:
        return Evidence.WEAK
    # Rates wander: they have to lie apart, not only their middles.
    targets = [r.rate("target") or 0.0 for r in facts.informative]
    others = [rate for r in facts.informative if (rate := r.rate("innocuous")) is not None]
    return Evidence.STRONG if max(targets) < min(others) else Evidence.WEAK


def _failures(measurement: Measurement) -> dict[str, str]:
    for seen in measurement.observations:
        if (
            isinstance(seen, TransferObservation)
            and seen.reason == TRANSFER_TARGET
            and seen.failure
        ):
            return {Layer.TRANSFER.value: failure_class(seen.failure)}
    return {}


def _rates(facts: TransferFacts) -> dict[str, Spread]:
    found = {
        name: _spread([rate for r in facts.informative if (rate := r.rate(name)) is not None])
        for name in VARIANTS.values()
    }
    found[CONTROL] = _spread([c.rate for c in facts.controls if c.rate is not None])
    return {name: spread for name, spread in found.items() if spread is not None}


def _ratios(facts: TransferFacts) -> dict[str, Spread]:
    found = {
        name: _spread([ratio for r in facts.informative if (ratio := r.ratio(name)) is not None])
        for name in ("innocuous", "reference")
    }
    best = max((c.rate for c in facts.controls if c.rate is not None), default=0.0)
    targets = [rate for r in facts.informative if (rate := r.rate("target")) is not None]
    found[CONTROL] = _spread([rate / best for rate in targets]) if best else None
    return {name: spread for name, spread in found.items() if spread is not None}


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(low=min(values), median=median(values), high=max(values))
