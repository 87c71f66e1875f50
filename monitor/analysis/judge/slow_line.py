"""Lines on which everything takes long: where spared hosts took nearly as long, silence is no sign.

Where a line is narrow, or others fill it, the tests of one cycle wait for each other. A handshake
that times out there may have been next in the queue.
"""

from collections.abc import Iterable, Iterator

from probes.failure import TIMEOUTS
from probes.measurement import (
    AppObservation,
    HttpObservation,
    Measurement,
    TcpObservation,
    TlsObservation,
)

SLOW = 1.0
"""Seconds that no answer of a spared host takes on an ordinary line."""
SLOW_SHARE = 0.5
"""Of the time that the test waited in vain."""
WITNESSES, WITNESS_SHARE = 2, 1 / 8
"""References that must have taken so long, and their share of those that answered: one alone may be
slow itself, and on a line that loses packets two of twenty come late by chance."""

Waiting = TcpObservation | TlsObservation | HttpObservation | AppObservation


def slow_line(references: Iterable[Measurement], attempts: Iterable[Measurement]) -> bool:
    """Whether answers of references took so long that a timeout may be one that took longer.

    Both are of one vantage and one cycle, in any order.
    """
    in_vain = [one.duration for m in attempts for one in _waits(m) if one.failure in TIMEOUTS]
    if not in_vain:
        return False
    long = max(SLOW, SLOW_SHARE * max(in_vain))
    longest: dict[str, float] = {}
    for m in references:
        for one in _waits(m):
            if one.failure is None:
                longest[m.endpoint] = max(one.duration, longest.get(m.endpoint, 0.0))
    slow = sum(duration > long for duration in longest.values())
    return slow >= max(WITNESSES, WITNESS_SHARE * len(longest))


def _waits(measurement: Measurement) -> Iterator[Waiting]:
    for one in measurement.observations:
        if isinstance(one, Waiting) and not one.reason:
            yield one
