"""Handshakes made to count how many are cut off: how many there are, and what they came to."""

from collections import Counter
from collections.abc import Iterable

from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Measurement, TlsObservation

FIRST_FLOWS, FLOWS, MOST_FLOWS = 10, 32, 64
"""Handshakes with each name, to count how many are cut off. Where it is none of the first with the
name, or all of them, and none of the others or all, these suffice; most are made only where the
name seems to make a difference."""
AHEAD = 4
"""So many more with the name are cut off where it seems to. Of 32 that are cut off alike, it is
one in seven."""


def named_flows(observations: Iterable[AnyObservation]) -> list[TlsObservation]:
    """The handshakes with the name."""
    return [
        o for o in observations if isinstance(o, TlsObservation) and o.reason == Reason.FLOW_NAME
    ]


def undecided(observations: Iterable[AnyObservation]) -> bool:
    """Whether some of the first handshakes with the name were cut off, or all of them and some of
    the others."""
    made = [o for o in observations if isinstance(o, TlsObservation)]
    named, others = (
        [o.failure is not None for o in made if o.reason == reason]
        for reason in (Reason.FLOW_NAME, Reason.FLOW_INNOCUOUS)
    )
    if not any(named):
        return False
    return not all(named) or (any(others) and not all(others))


def seems_named(observations: Iterable[AnyObservation]) -> bool:
    """Whether handshakes with the name were cut off more often than others."""
    seen = [o for o in observations if isinstance(o, TlsObservation) and o.failure is not None]
    cut = Counter(o.reason for o in seen)
    return cut[Reason.FLOW_NAME] >= cut[Reason.FLOW_INNOCUOUS] + AHEAD


def cut_off_in_part(made: Measurement) -> bool:
    """Whether some handshakes with the name failed, and others worked."""
    return len({o.failure is None for o in named_flows(made.observations)}) > 1
