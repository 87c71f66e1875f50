"""Whether a look calls for another one in the same cycle."""

from collections.abc import Iterable, Sequence

from monitor.analysis.judge.cleartext_pages import Likeness, cleartext_page, compare, strays
from monitor.analysis.judge.evidence_weight import AGREEING_LOOKS, WEIGHTS, Weight
from monitor.analysis.judge.outcome import Outcome, came_late, decisive, outline, rank, works
from monitor.analysis.judge.quic_blocked import quic_failed
from probes.measurement import Layer, Measurement


def suspicious(look: Measurement, families: tuple[str, ...]) -> bool:
    """True when the endpoint was not reached, or not over a family that works from here, or not
    over QUIC where that was tried, or by way of a cleartext redirect that anybody could forge.

    `families` are those over which a reference answered; others are not the endpoint's fault.
    """
    if not look.reached or strays(look, None):
        return True
    if quic_failed(look, families):
        return True
    return bool(failing(look, families))


def failing(look: Measurement, families: tuple[str, ...]) -> frozenset[str]:
    """Those of `families` over which a look was tried and did not work, or would have been tried
    had the resolver answered in time."""
    failed = {
        outcome.family
        for outcome in outline(look).outcomes
        if outcome.family in families and not works(outcome, look) and not _untried(outcome)
    }
    return frozenset(failed | (came_late(look) & set(families)))


def _untried(outcome: Outcome) -> bool:
    """Addresses were given and none was dialled: a modest look goes over one family only."""
    return outcome.layer is Layer.DNS and outcome.failure is None


def fitful(attempts: Sequence[Measurement], families: tuple[str, ...]) -> bool:
    """True when a look came to what an overloaded server does now and then: that takes one more
    look than other failures, and some time between."""
    came_to = (decisive(look, families) for look in attempts)
    return any(
        one is not None and WEIGHTS.get((one.layer, one.sub_method)) is Weight.FITFUL
        for one in came_to
    )


def settled(attempts: tuple[Measurement, ...], families: tuple[str, ...]) -> bool:
    """True when the last looks came to the same, in a way that packet loss cannot produce: two, or
    four of what an overloaded server does.

    Another one would tell nothing more. Silence is never settled: each further look that meets
    it makes loss a worse explanation.
    """
    last = decisive(attempts[-1], families)
    if last is None:
        return False
    weight = WEIGHTS.get((last.layer, last.sub_method), Weight.REPEAT)
    needed = AGREEING_LOOKS.get(weight, 2)
    if len(attempts) < needed:
        return False
    came_to = {
        (one.layer, one.failure, one.sub_method) if one is not None else None
        for one in (decisive(look, families) for look in attempts[-needed:])
    }
    return len(came_to) == 1 and (last.failure is None or rank(last.sub_method) == 0)


def answered(look: Measurement) -> bool:
    """True when something came back to the end, even if only a comparison can tell what."""
    outcome = decisive(look)
    return look.reached or (outcome is not None and outcome.failure is None)


def reads_alike(look: Measurement, controls: Iterable[Measurement]) -> bool:
    """True when a cleartext answer is the one a control got: then nothing is left to ask.

    Over TLS the answer was never in doubt; what calls for another look there is something else,
    such as a family that fails.
    """
    page = cleartext_page(outline(look))
    others = (outline(control).leg.http for control in controls)
    return page is not None and any(
        other is not None and compare(page, other) is Likeness.SAME for other in others
    )


def retry_may_tell(first: Measurement, controls: Sequence[Measurement]) -> bool:
    """True when another attempt could change the verdict; `controls` were made after the first.

    It cannot when the endpoint failed for every control too, nor when they read the same.
    """
    return (not controls or any(map(answered, controls))) and not reads_alike(first, controls)
