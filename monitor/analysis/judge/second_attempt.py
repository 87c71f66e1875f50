"""Whether an endpoint needs another attempt in the same cycle."""

from collections.abc import Iterable, Sequence

from monitor.analysis.judge.cleartext_pages import (
    Likeness,
    cleartext_page,
    compare,
    redirects_elsewhere,
)
from monitor.analysis.judge.evidence_grades import AGREEING_ATTEMPTS, WEIGHTS, Weight
from monitor.analysis.judge.hello_forms import other_hello_failed
from monitor.analysis.judge.quic_blocked import quic_failed
from monitor.analysis.judge.server_errors import errs
from monitor.analysis.outcome import Outcome, came_late, decisive, rank, summarise, works
from probes.failure import Failure
from probes.measurement import Layer, Measurement


def suspicious(measurement: Measurement, families: tuple[str, ...]) -> bool:
    """Whether the endpoint was not reached, or not over a family that works from here, or not over
    QUIC where that was tried, or only by a cleartext redirect that anybody could forge, or answered
    with an error, or not in another form of greeting where that was tried.

    `families` are those over which a reference answered.
    """
    if not measurement.reached or redirects_elsewhere(measurement, None):
        return True
    if quic_failed(measurement, families) or errs(measurement) or other_hello_failed(measurement):
        return True
    return bool(failing_families(measurement, families))


def failing_families(measurement: Measurement, families: tuple[str, ...]) -> frozenset[str]:
    """The `families` that failed, or were not tried because the resolver answered too late."""
    failed = {
        outcome.family
        for outcome in summarise(measurement).outcomes
        if outcome.family in families and not works(outcome, measurement) and not _untried(outcome)
    }
    return frozenset(failed | (came_late(measurement) & set(families)))


def _untried(outcome: Outcome) -> bool:
    """The name resolved but no address was tried: low-traffic measurements use one family only."""
    return outcome.layer is Layer.DNS and outcome.failure is None


def looks_overloaded(attempts: Sequence[Measurement], families: tuple[str, ...]) -> bool:
    """Whether an attempt shows what an overloaded server does too: that takes one more attempt than
    other failures, and some time between them."""
    came_to = (decisive(m, families) for m in attempts)
    return any(
        one is not None and WEIGHTS.get((one.layer, one.sub_method)) is Weight.OVERLOAD
        for one in came_to
    )


def attempts_agree(attempts: tuple[Measurement, ...], families: tuple[str, ...]) -> bool:
    """Whether the last attempts agree, in a way that packet loss cannot cause: two, or four of what
    an overloaded server does.

    Another attempt would add nothing. Timeouts never agree: each further one makes loss a worse
    explanation.
    """
    last = decisive(attempts[-1], families)
    if last is None:
        return False
    weight = WEIGHTS.get((last.layer, last.sub_method), Weight.REPEAT)
    needed = AGREEING_ATTEMPTS.get(weight, 2)
    if len(attempts) < needed:
        return False
    came_to = {
        (one.layer, one.failure, one.sub_method) if one is not None else None
        for one in (decisive(m, families) for m in attempts[-needed:])
    }
    return len(came_to) == 1 and (last.failure is None or rank(last.sub_method) == 0)


def deepest(attempts: Sequence[Measurement], families: tuple[str, ...]) -> Measurement:
    """The attempt to ask further about: the last of those that failed furthest on. A censor that
    cut off a handshake may answer for the address, or silence it, for minutes."""
    failed = [one for one in attempts if suspicious(one, families)] or attempts
    depths = [outcome.depth if (outcome := decisive(one, families)) else 0 for one in failed]
    return next(
        one
        for one, depth in reversed(list(zip(failed, depths, strict=True)))
        if depth == max(depths)
    )


def answered(measurement: Measurement) -> bool:
    """Whether an answer came, even if only a comparison can tell what it is."""
    outcome = decisive(measurement)
    return measurement.reached or (outcome is not None and outcome.failure is None)


def same_page_as_control(measurement: Measurement, controls: Iterable[Measurement]) -> bool:
    """Whether a cleartext answer is the page that a control got, so that no question is left."""
    page = cleartext_page(summarise(measurement))
    others = (summarise(control).last_hop.http for control in controls)
    return page is not None and any(
        other is not None and compare(page, other) is Likeness.SAME for other in others
    )


def retry_may_tell(first: Measurement, controls: Sequence[Measurement]) -> bool:
    """True when another attempt could change the verdict; `controls` were made after the first.

    It cannot when the endpoint failed for every control too, or answered each with an error as it
    did here, nor when they read the same.
    """
    if controls and not any(_meets(first, control) for control in controls):
        return False
    if errs(first) and controls and all(map(errs, controls)):
        return False
    return not same_page_as_control(first, controls)


def _meets(failed: Measurement, control: Measurement) -> bool:
    """Whether a control got further than what failed here. Its clock may spoil the certificate that
    it got, which tells all the same that the server is there."""
    if answered(control):
        return True
    here, there = decisive(failed), decisive(control)
    return (
        there is not None
        and there.failure == Failure.SSL_INVALID_CERTIFICATE
        and (here is None or here.depth < there.depth or here.failure != there.failure)
    )
