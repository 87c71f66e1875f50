"""Checks for every kind of database: that logs have no gap and no changed entry, and that stored
batches are still what vantages signed, one in memory at a time.

The caller knows what a signature covers; this module only reads.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from storage.values import codecs, merkle
from storage.values.compression import PackingError
from storage.values.fleet import Enrolment, ReceivedBatch
from storage.values.log import batch_digest, enrolment_digest, revocation_digest

Fault = Callable[[ReceivedBatch, Enrolment | None], str]
"""Why a batch is not valid, as a clause; empty when it is valid. It gets the enrolment that its
fingerprint names, or None."""

Logged = Callable[[str], bool]
"""Whether the append-only log has a digest, or will have it soon."""

LOG_GAPS = (
    "SELECT event FROM event_log GROUP BY country, event "
    "HAVING min(sequence) <> 1 OR max(sequence) <> count(*) LIMIT 20"
)
"""Events whose log lacks a line."""
# Names of columns are ours; none is input.
BATCH_ROWS = f"SELECT {', '.join(codecs.BATCH.names)} FROM batch"  # noqa: S608
KEY_ROWS = f"SELECT {', '.join(codecs.ENROLMENT.names)} FROM enrolment"  # noqa: S608


LOG_ROWS = "SELECT position, digest, nodes FROM log_entry ORDER BY position"
HEAD_ROWS = "SELECT DISTINCT size, root FROM log_head ORDER BY size"
"""Heads of the log that were given away. Read them before the log, which may grow meanwhile."""


LOGGED = (
    "SELECT 1 FROM log_entry WHERE digest = {digest} "
    "UNION ALL SELECT 1 FROM log_waiting WHERE digest = {digest}"
)
"""Asks for one, in the placeholders of a driver."""


def always(_: str) -> bool:
    """Where there is no log to ask."""
    return True


def log_problems(
    rows: Iterable[Sequence[Any]], heads: Sequence[Sequence[Any]] = ()
) -> Iterator[str]:
    """A sentence for the first entry of the append-only log that is missing or was changed, or for
    the first of its `heads` that it does not continue."""
    edge: dict[int, bytes] = {}
    """The last complete node of each level: all that the next entries rest on."""
    given = deque(heads)
    size = 0

    def last_node(level: int, _: int) -> bytes:
        return edge[level]

    for position, digest, nodes in rows:
        if position != size:
            yield f"entry {size} of the append-only log is missing"
            return
        try:
            leaf = bytes.fromhex(digest)
            stored = [leaf, *_hashes(bytes.fromhex(nodes))]
        except (ValueError, TypeError):
            stored = []
        if not stored or stored != merkle.completed(position, leaf, last_node):
            yield f"entry {position} of the append-only log was changed"
            return
        edge.update(enumerate(stored))
        size += 1
        while given and given[0][0] <= size:
            of, root = given.popleft()
            if of == size and root != merkle.head(size, last_node).hex():
                yield (
                    f"the append-only log was rewritten since its head of {size} entries was "
                    "given away"
                )
                return
    last = given[-1][0] if given else 0
    if last > size:
        yield f"the append-only log has {size} entries, and its head of {last} was given away"


def _hashes(nodes: bytes) -> Iterator[bytes]:
    for start in range(0, len(nodes), merkle.HASH):
        yield nodes[start : start + merkle.HASH]


def batch_problems(
    keys: Iterable[Sequence[Any]],
    batches: Iterable[Sequence[Any]],
    fault: Fault,
    logged: Logged = always,
) -> Iterator[str]:
    """A sentence for each problem. Rows have their cells in the order of the codecs."""
    known: dict[str, Enrolment] = {}
    for row in keys:
        try:
            key = codecs.ENROLMENT.decode(row)
        except (ValueError, TypeError, PackingError) as error:
            yield f"a key of vantage {row[0]!r} cannot be read: {error}"
        else:
            known[key.fingerprint] = key
            if not all(map(logged, _digests(key))):
                yield f"a key of vantage {key.vantage!r} is not what the append-only log has"
    for row in batches:
        cells = dict(zip(codecs.BATCH.names, row, strict=True))
        try:
            batch = codecs.BATCH.decode(row)
            why = fault(batch, known.get(batch.fingerprint))
            if not why and batch.fingerprint and not logged(batch_digest(batch)):
                why = "it is not what the append-only log has"
        except (ValueError, TypeError, AttributeError, PackingError) as error:
            why = f"it cannot be read: {error}"
        if why:
            yield f"batch {cells['id']!r} of vantage {cells['vantage']!r} does not hold: {why}"


def _digests(key: Enrolment) -> Iterator[str]:
    yield enrolment_digest(key)
    if key.revoked_at is not None:
        yield revocation_digest(key.fingerprint, key.revoked_at)
