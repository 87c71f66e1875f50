"""Whether each number of a measurement is one that can be.

JSON holds numbers of any size. One that no column and no file can hold would fail only where it is
written, as a fault of ours, and its batch would come again for ever. Every number has its bounds
here; a field that is added to an observation later has them too.
"""

from collections.abc import Callable, Sequence
from math import inf
from operator import attrgetter
from typing import Any, cast

import msgspec

from monitor.analysis.verdict import VantageHealth
from monitor.wire.refusal import malformed
from probes.measurement import (
    LAYER_OF,
    DnsAnswer,
    DnsObservation,
    Measurement,
    TransferObservation,
)

LONGEST = 86400.0
"""Seconds."""
MOST = 2**53 - 1
"""Of anything counted: as far as any number of ours goes."""
OF_A_COLUMN = 2**31 - 1
"""In a column of small integers."""
OTHERS = {
    "port": 2**16 - 1,
    "status": 9999,
    "attempt": 1000,
    "references_ok": OF_A_COLUMN,
    "references_total": OF_A_COLUMN,
    "exit_asn": 2**32 - 1,
}
"""The largest integer of a field where that is not MOST."""
AT_LEAST = {"attempt": 1}
"""The smallest where that is not 0."""
_BEFORE = frozenset({"start", "duration"})
"""Times that begin with their measurement. Others are the difference of two times."""

_Bounds = tuple[float, float]


def _bounds_of(field: msgspec.structs.FieldInfo) -> _Bounds | None:
    if field.type is int:
        return AT_LEAST.get(field.name, 0), OTHERS.get(field.name, MOST)
    if field.type in (float, float | None):
        return 0.0 if field.name in _BEFORE else -LONGEST, LONGEST
    return None


class _Numbers:
    """The numbers of one kind of value, with their bounds."""

    def __init__(self, kind: type[msgspec.Struct], *but: str) -> None:
        self._bounds = {
            field.name: bounds
            for field in msgspec.structs.fields(kind)
            if field.name not in but and (bounds := _bounds_of(field))
        }
        certain = [
            field.name for field in msgspec.structs.fields(kind) if field.type in (int, float)
        ]
        self.get: Callable[[Any], tuple[float, ...]] = attrgetter(*certain)
        """Those that are never None."""
        some_may_be_none = not set(self._bounds) <= {*certain}
        self.least = inf if some_may_be_none else max(least for least, _ in self._bounds.values())
        self.most = min(most for _, most in self._bounds.values())
        """A number between these two is within the bounds of each; none is where one may be None.
        """

    def check(self, value: Any, what: str) -> None:
        """Refused where one is out of its bounds, by its name."""
        for name, (least, most) in self._bounds.items():
            number = getattr(value, name)
            if number is not None and not least <= number <= most:
                raise malformed(f"{name} of {what} is a number that cannot be")


_OF_OBSERVATIONS = {kind: _Numbers(kind) for kind in LAYER_OF}
_QUICK = {kind: (one.get, one.least, one.most) for kind, one in _OF_OBSERVATIONS.items()}
_OF_ANSWERS = _Numbers(DnsAnswer)
_OF_MEASUREMENTS = _Numbers(Measurement, "asn")
_OF_HEALTH = _Numbers(VantageHealth, "asn", "timeout_rate", "clock_skew")


def check_numbers(one: Measurement) -> None:
    """Check those of a measurement and of its observations. Refused."""
    _OF_MEASUREMENTS.check(one, "a measurement")
    for seen in one.observations:
        kind = type(seen)
        get, least, most = _QUICK[kind]
        found = get(seen)
        # Nearly all are within the bounds of all: one by one they take three times as long.
        if min(found) < least or max(found) > most:
            _OF_OBSERVATIONS[kind].check(seen, "an observation")
        if kind is DnsObservation:  # `isinstance` takes five times as long of these types
            for answer in cast("DnsObservation", seen).answers:
                _OF_ANSWERS.check(answer, "an answer")
        elif kind is TransferObservation:
            _check_marks(cast("TransferObservation", seen).marks)


def check_health(health: VantageHealth) -> None:
    """Check its counts. Refused."""
    _OF_HEALTH.check(health, "the health")


def _check_marks(marks: Sequence[tuple[float, int]]) -> None:
    for seconds, read in marks:
        if not (-LONGEST <= seconds <= LONGEST and 0 <= read <= MOST):
            raise malformed("marks of an observation hold a number that cannot be")
