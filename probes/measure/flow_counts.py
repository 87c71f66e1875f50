"""Handshakes made to count how many are cut off: how many there are, and what they came to."""

from collections.abc import Iterable

from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Measurement, TlsObservation

FIRST_FLOWS, FLOWS = 8, 32
"""Handshakes with each name, to count how many are cut off; where it is none or all of the first,
these suffice."""


def named_flows(observations: Iterable[AnyObservation]) -> list[TlsObservation]:
    """The handshakes with the name."""
    return [
        o for o in observations if isinstance(o, TlsObservation) and o.reason == Reason.FLOW_NAME
    ]


def cut_off_in_part(made: Measurement) -> bool:
    """Whether some handshakes with the name failed, and others worked."""
    return len({o.failure is None for o in named_flows(made.observations)}) > 1
