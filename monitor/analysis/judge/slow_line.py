"""Lines on which everything takes long: where spared hosts took nearly as long, silence is no sign.

Where a line is narrow, or others fill it, the tests of one cycle wait for each other. A handshake
that times out there may have been next in the queue. But no queue knows names: where a server stays
silent to one each time, and answers another at once, the line explains nothing.
"""

from collections.abc import Iterable, Iterator

from probes.failure_strings import TIMEOUTS
from probes.measure.follow_up_reasons import Reason
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

IN_VAIN = 3
"""Handshakes with the platform's name at one address, in follow-ups, that must have been silent."""
NAMED = frozenset(
    {
        Reason.NAME_AGAIN,
        Reason.ADDRESS_AGAIN,
        Reason.PATIENCE,
        Reason.SMALL_SEGMENTS,
        Reason.OTHER_HELLO,
    }
)
"""Of follow-ups that send the platform's name to an address that failed."""

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


def silent_to_one_name(endpoint: str, follow_ups: Iterable[Measurement]) -> bool:
    """Whether a server of this endpoint was silent to its name in every follow-up, and answered an
    innocuous one faster than any queue lets it."""
    made = [
        one
        for follow_up in follow_ups
        if follow_up.endpoint == endpoint
        for one in follow_up.observations
        if isinstance(one, TlsObservation)
    ]
    for address in {one.address for one in made if _swift(one)}:
        named = [one.failure for one in made if one.address == address and one.reason in NAMED]
        if len(named) >= IN_VAIN and all(failure in TIMEOUTS for failure in named):
            return True
    return False


def _swift(one: TlsObservation) -> bool:
    return one.reason == Reason.INNOCUOUS_SNI and one.failure is None and one.duration < SLOW


def _waits(measurement: Measurement) -> Iterator[Waiting]:
    for one in measurement.observations:
        if isinstance(one, Waiting) and not one.reason:
            yield one
