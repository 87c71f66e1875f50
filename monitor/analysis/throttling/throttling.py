"""Throttling and stalls: whether a platform is slow where everything else is not.

Cases it is made for:

* *Russia, Twitter, March 2021* (Xue et al., "Throttling Twitter", IMC 2021): connections whose
  ClientHello named the platform were policed to 130–150 kbit/s. The same address under another name
  was fast. A page still loads, so a short measurement is ok.
* *Türkiye, Twitter, February 2023* (NetBlocks; Censored Planet): twelve hours of slowed handshakes
  and transfers, compared with other names on the same prefix; invisible in daily averages.
* *Russia, foreign clouds, from June 2025* (Cloudflare; net4people): connections stall after about
  16 KB. A measurement that stops at TLS sees nothing, and some names are spared.

Slowness has innocent causes: a slow line, a long route, loss, a congested exchange, a platform in
trouble. So a rate is only judged in comparison, in rounds of transfers in random order:

1. *the same address under an innocuous name*: same servers and route, so only the name differs.
   Below NAME_RATIO is a sign;
2. where that gives no rate (many servers answer a foreign name with a short error), *an object
   elsewhere* on the same line: below SITE_RATIO, and below the same share of the control's rate. A
   rate that the round trip explains, or that is usual for this stream, does not count;
3. *the control*, always: what is slow there too is the platform's own trouble.

The machine may be slow itself: its pauses during a transfer count in the platform's favour
(`transfer_pauses`), and so do lines whose rates swing as much as the two rates differ.

Slow at the address under either name accuses nobody: congestion does the same. But congestion does
not stop transfers: one that stalls where another continues is a stall under any name. At least two
rounds, and two of three, must agree, and loss measured at the vantage must not explain them.

N in "stalls at N bytes" counts what the connection carried from the server, the handshake (some 3
to 6 KB) included: censors count that.

*A glance* comes first: the object alone. It suffices to say that all is well, and never accuses.
"""

from collections.abc import Iterable, Sequence
from statistics import median

from monitor.analysis.judge.judge_case import verdict_on
from monitor.analysis.throttling.rules_table import THROTTLING_RULES, TransferRule
from monitor.analysis.throttling.transfer_facts import (
    TransferCase,
    TransferFacts,
    examine,
    stall_point,
)
from monitor.analysis.throttling.transfer_round import NAME_RATIO, round_of
from monitor.analysis.throttling.transfer_speed import SKIP, VARIANTS
from monitor.analysis.transfer_verdict import Spread, TransferClass, TransferVerdict
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, State, Verdict
from probes.failure_strings import TIMEOUTS, failure_class
from probes.measurement import TRANSFER_TARGET, Layer, Measurement, TransferObservation

CONTROL = "control"


def judge_transfers(case: TransferCase) -> TransferVerdict:
    """The verdict on the transfers of one object. Every case gets one, always the same."""
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
        stalled_at=_spread(float(stall_point(r)) for r in facts.informative if r.stalled),
        verdict=verdict_on(
            case,
            rule.id,
            rule.state,
            evidence,
            measurement=last.id if last is not None else "",
            controls=facts.control_ids,
            failures={} if last is None or rule.state is State.OK else _failures(last),
            decided_by=[one.measurement for one in rounds],
            method="throttling" if accused else "",
            sub_method=rule.sub_method,
        ),
    )


def combine(
    verdicts: Sequence[Verdict],
    measured: Sequence[TransferVerdict],
    standing: Sequence[TransferVerdict] = (),
) -> list[Verdict]:
    """The verdicts of a cycle combined with those on speed that it `measured`, and with `standing`
    ones, of objects that an earlier cycle accused: one for each endpoint.

    Speed changes an endpoint's own verdict only to accuse, and only where the endpoint works over
    TCP, or timed out half-way, which a stall explains better. That a part of it fails gives way
    where less is known of that. Silence in the handshake gives way to a speed that was measured
    after it: the handshake came, when it was given time. An endpoint that works is unclear while it
    was slow before and nothing tells whether it still is. An object that is no endpoint of the
    catalogue gets a verdict of its own.
    """
    combined = {(v.platform, v.function, v.endpoint): v for v in verdicts}
    for speed in (*measured, *standing):
        key = (speed.verdict.platform, speed.verdict.function, speed.verdict.endpoint)
        known = combined.get(key)
        layers = (Layer.HTTP, Layer.TLS) if speed in measured else (Layer.HTTP,)
        if (
            known is None
            or (speed.accuses and (_yields(known, layers) or _known_less(known, speed.verdict)))
            or (speed in standing and _yields(known, ()))
        ):
            combined[key] = speed.verdict
    return list(combined.values())


def _yields(verdict: Verdict, layers: Sequence[Layer]) -> bool:
    works = verdict.state is State.OK or verdict.spares_browsers
    return works or any(verdict.failures.get(layer.value, "") in TIMEOUTS for layer in layers)


def _known_less(part: Verdict, speed: Verdict) -> bool:
    """Whether a verdict says that a part fails, by weaker evidence than its speed has."""
    weaker = EVIDENCE_ORDER[part.evidence] < EVIDENCE_ORDER[speed.evidence]
    return part.state is State.PARTIAL and weaker


def _evidence(facts: TransferFacts, rule: TransferRule) -> Evidence:
    """Strong when the control was fine and only the name, or one fixed point, is left as cause."""
    if not facts.control_fine or facts.loss_in_doubt:
        return Evidence.WEAK
    if rule.kind is TransferClass.STALLED:
        points = [stall_point(r) for r in facts.stalls]
        alike = max(points) - min(points) <= max(SKIP, min(points) // 2)
        return Evidence.STRONG if alike else Evidence.WEAK
    if facts.slow is not facts.by_name:
        return Evidence.WEAK
    # Lost packets make rates swing. Where one in ten is lost, one look in 200 finds ranges apart by
    # chance, and one in 2,500 finds them apart by the ratio.
    targets = [r.rate("target") or 0.0 for r in facts.informative]
    others = [rate for r in facts.informative if (rate := r.rate("innocuous")) is not None]
    return Evidence.STRONG if max(targets) < NAME_RATIO * min(others) else Evidence.WEAK


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
    found = {name: _spread(r.rate(name) for r in facts.informative) for name in VARIANTS.values()}
    found[CONTROL] = _spread(control.rate for control in facts.controls)
    return {name: spread for name, spread in found.items() if spread is not None}


def _ratios(facts: TransferFacts) -> dict[str, Spread]:
    names = ("innocuous", "reference")
    found = {name: _spread(r.ratio(name) for r in facts.informative) for name in names}
    best = max((c.rate for c in facts.controls if c.rate is not None), default=0.0)
    targets = [rate for r in facts.informative if (rate := r.rate("target")) is not None]
    found[CONTROL] = _spread(rate / best for rate in targets) if best else None
    return {name: spread for name, spread in found.items() if spread is not None}


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(low=min(known), median=median(known), high=max(known))
