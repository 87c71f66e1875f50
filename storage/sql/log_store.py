"""The part of an SQL store that implements `storage.store.LogStore`.

What is to be logged waits in a table of its own, put there by the transaction that stores it. So
writers do not wait for each other, and nothing stored is forgotten by the log.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.listing import Listing
from storage.sql.statements import insert_new, upsert
from storage.sql.transactions import SqlDatabase
from storage.store import StorageError
from storage.values import codecs, merkle
from storage.values.log import HeadStamp, LogHead, LogPlace
from storage.values.storable_text import storable

_MOST = 2000
"""Entries added in one transaction, and keys in one query."""
_STAMPS = Listing(schema.log_head, codecs.STAMP, "size", "kind", "authority")

_entry, _waiting = schema.log_entry, schema.log_waiting


class LogWaiting:
    """Puts digests where the log finds them, in the transaction of the caller."""

    def __init__(self, backend: Backend) -> None:
        self._insert = insert_new(_waiting, backend, ["digest"])

    def add(self, connection: Connection, digests: Iterable[str]) -> None:
        """The same digest again changes nothing."""
        self._insert.run(connection, [(digest,) for digest in sorted(set(digests))])


class SqlLog(SqlDatabase):
    """The append-only log."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._stamp = upsert(schema.log_head, backend, codecs.STAMP.names)

    async def append_to_log(self) -> LogHead:
        while await self._write(_append):
            pass
        return await self._read(_head)

    async def log_places(self, digests: Sequence[str], size: int) -> dict[str, LogPlace]:
        return await self._read(lambda connection: _places(connection, digests, size))

    async def log_consistency(
        self, sizes: Collection[int], size: int
    ) -> dict[int, tuple[str, ...]]:
        def prove(connection: Connection) -> dict[int, tuple[str, ...]]:
            ordered = sorted(set(sizes))
            proofs = _with_nodes(
                connection,
                lambda nodes: [merkle.consistency(one, size, nodes) for one in ordered],
            )
            return {
                one: tuple(step.hex() for step in proof)
                for one, proof in zip(ordered, proofs, strict=True)
            }

        return await self._read(prove)

    async def add_head_stamp(self, stamp: HeadStamp) -> None:
        row = codecs.STAMP.encode(storable(stamp, HeadStamp))
        await self._write(lambda connection: self._stamp.run(connection, [row]))

    async def head_stamps(self) -> list[HeadStamp]:
        return await self._all(_STAMPS)


def _append(connection: Connection) -> bool:
    """Move some waiting digests into the log; returns whether there were any. A collector that does
    the same waits for these rows, and then counts from the end of what this one added."""
    some = connection.execute(
        select(_waiting.c.digest).order_by(_waiting.c.digest).limit(_MOST)
    ).scalars()
    taken = connection.execute(
        delete(_waiting).where(_waiting.c.digest.in_(list(some))).returning(_waiting.c.digest)
    ).scalars()
    digests = sorted(taken)
    if not digests:
        return False
    known = set(
        connection.execute(select(_entry.c.digest).where(_entry.c.digest.in_(digests))).scalars()
    )
    size = _size(connection)
    added: dict[tuple[int, int], bytes] = {}
    stored = _reader(connection)

    def node(level: int, index: int) -> bytes:
        found = added.get((level, index))
        return found if found is not None else stored(level, index)

    rows = []
    for position, digest in enumerate((one for one in digests if one not in known), size):
        nodes = merkle.completed(position, bytes.fromhex(digest), node)
        added |= {(level, position >> level): value for level, value in enumerate(nodes)}
        inner = b"".join(nodes[1:]).hex()
        rows.append({"position": position, "digest": digest, "nodes": inner})
    if rows:
        connection.execute(insert(_entry), rows)
    return True


def _size(connection: Connection) -> int:
    last = connection.execute(select(func.max(_entry.c.position))).scalar()
    return 0 if last is None else int(last) + 1


def _head(connection: Connection) -> LogHead:
    size = _size(connection)
    return LogHead(size=size, root=merkle.head(size, _reader(connection)).hex())


def _places(connection: Connection, digests: Sequence[str], size: int) -> dict[str, LogPlace]:
    positions: dict[str, int] = {}
    for start in range(0, len(digests), _MOST):
        some = list(digests[start : start + _MOST])
        query = select(_entry.c.digest, _entry.c.position).where(
            _entry.c.digest.in_(some), _entry.c.position < size
        )
        positions |= {row.digest: row.position for row in connection.execute(query)}
    paths = _with_nodes(
        connection,
        lambda nodes: [merkle.inclusion(place, size, nodes) for place in positions.values()],
    )
    return {
        digest: LogPlace(position=place, path=tuple(step.hex() for step in path))
        for (digest, place), path in zip(positions.items(), paths, strict=True)
    }


def _with_nodes(
    connection: Connection, prove: Callable[[merkle.Nodes], list[list[bytes]]]
) -> list[list[bytes]]:
    """What `prove` returns, with all nodes that it needs read in few queries."""
    needed: set[int] = set()

    def wanted(level: int, index: int) -> bytes:
        needed.add(merkle.place_of(level, index))
        return merkle.EMPTY

    prove(wanted)
    return prove(_reader(connection, sorted(needed)))


def _reader(connection: Connection, ahead: Sequence[int] = ()) -> merkle.Nodes:
    """Reads nodes; those of the positions `ahead` at once."""
    query = select(_entry.c.position, _entry.c.digest, _entry.c.nodes)
    rows: dict[int, str] = {}
    for start in range(0, len(ahead), _MOST):
        some = list(ahead[start : start + _MOST])
        found = connection.execute(query.where(_entry.c.position.in_(some)))
        rows |= {position: digest + nodes for position, digest, nodes in found}

    def node(level: int, index: int) -> bytes:
        position = merkle.place_of(level, index)
        if position not in rows:
            row = connection.execute(query.where(_entry.c.position == position)).one_or_none()
            rows[position] = "" if row is None else row.digest + row.nodes
        digits = rows[position][level * 2 * merkle.HASH : (level + 1) * 2 * merkle.HASH]
        if len(digits) != 2 * merkle.HASH:
            raise StorageError(f"entry {position} of the log is damaged: `shutwatch db check`")
        return bytes.fromhex(digits)

    return node
