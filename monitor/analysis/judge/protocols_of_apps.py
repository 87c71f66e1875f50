"""Lines that carry no app's own protocol.

A firewall of an office or a school may let nothing but TLS and HTTP through: connections to chat
servers come about, and what the app says there gets no answer. At one line that looks like a block
of each app, so there it is never more than weak. Where one such protocol is answered, the line
carries others than these, and what fails is the app's own.
"""

from collections.abc import Iterable

from probes.catalog.endpoint_kinds import Protocol
from probes.measurement import AppObservation, Layer, Measurement

_SEVERAL = 2


def none_is_answered(measurements: Iterable[Measurement]) -> bool:
    """Whether servers were greeted over TCP in several protocols, and none answered in its own;
    `measurements` are those of one cycle from one vantage."""
    asked: dict[str, bool] = {}
    for one in measurements:
        for seen in one.of(Layer.APP):
            if isinstance(seen, AppObservation) and seen.protocol in set(Protocol):
                asked[seen.protocol] = asked.get(seen.protocol, False) or seen.failure is None
    return len(asked) >= _SEVERAL and not any(asked.values())
