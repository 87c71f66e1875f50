"""Whether stored batches are still what vantages signed: all of them, one in memory at a time.

What a signature is of, whoever asks for the check knows; here is only read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from storage.values import codecs
from storage.values.compression import PackingError
from storage.values.fleet import Enrolment, ReceivedBatch

Fault = Callable[[ReceivedBatch, Enrolment | None], str]
"""Why a batch does not hold, a clause, empty when it does; given the enrolment that its fingerprint
names, or None."""

# Names of columns are ours, none comes from outside.
BATCH_ROWS = f"SELECT {', '.join(codecs.BATCH.names)} FROM batch"  # noqa: S608
KEY_ROWS = f"SELECT {', '.join(codecs.ENROLMENT.names)} FROM enrolment"  # noqa: S608


def batch_problems(
    keys: Iterable[Sequence[Any]], batches: Iterable[Sequence[Any]], fault: Fault
) -> Iterator[str]:
    """What does not hold, a sentence each, from rows of both tables with their columns in the order
    of their codecs."""
    known: dict[str, Enrolment] = {}
    for row in keys:
        try:
            key = codecs.ENROLMENT.decode(row)
        except (ValueError, TypeError, PackingError) as error:
            yield f"a key of vantage {row[0]!r} cannot be read: {error}"
        else:
            known[key.fingerprint] = key
    for row in batches:
        cells = dict(zip(codecs.BATCH.names, row, strict=True))
        try:
            batch = codecs.BATCH.decode(row)
            why = fault(batch, known.get(batch.fingerprint))
        except (ValueError, TypeError, AttributeError, PackingError) as error:
            why = f"it cannot be read: {error}"
        if why:
            yield f"batch {cells['id']!r} of vantage {cells['vantage']!r} does not hold: {why}"
