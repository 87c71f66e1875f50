"""The Merkle tree of an append-only log, and its proofs: RFC 9162, 2.1.

A tree of `size` leaves has one head, a hash. An inclusion proof shows that a leaf is in the tree
of a head; a consistency proof shows that a smaller tree is the beginning of a larger one. Both are
a few hashes, and whoever checks them needs nothing else of the log.

A leaf is stored with the inner nodes that it completes, so any node is one row away: node `index`
of `level` is complete with leaf `(index + 1) * 2**level - 1`.
"""

import hashlib
from collections.abc import Callable, Sequence

Nodes = Callable[[int, int], bytes]
"""The stored node of a level (0: leaves) and an index in it."""
EMPTY = hashlib.sha256().digest()
"""Head of a log without leaves."""
HASH = 32
"""Bytes of a hash."""


def leaf_hash(entry: bytes) -> bytes:
    """The leaf of an entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def _joined(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def completed(position: int, leaf: bytes, nodes: Nodes) -> list[bytes]:
    """The nodes that a leaf at `position` completes, from the leaf upwards."""
    found, level = [leaf], 0
    while position >> level & 1:
        found.append(_joined(nodes(level, (position >> level) - 1), found[-1]))
        level += 1
    return found


def place_of(level: int, index: int) -> int:
    """Position of the leaf that a complete node is stored with."""
    return ((index + 1) << level) - 1


def head(size: int, nodes: Nodes) -> bytes:
    """The head of the first `size` leaves."""
    return _subtree(0, size, nodes) if size else EMPTY


def inclusion(position: int, size: int, nodes: Nodes) -> list[bytes]:
    """Proof that the leaf at `position` is in the tree of `size` leaves; RFC 9162, 2.1.3.1."""
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if position < middle:
            path.append(_subtree(middle, end, nodes))
            end = middle
        else:
            path.append(_subtree(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency(earlier: int, size: int, nodes: Nodes) -> list[bytes]:
    """Proof that the first `earlier` of `size` leaves are the tree of that size; RFC 9162, 2.1.4.1.
    Empty for equal sizes, and for an empty earlier tree."""
    if earlier in (0, size):
        return []
    start, end, whole = 0, size, True
    path: list[bytes] = []
    while end != earlier:
        middle = start + _split(end - start)
        if earlier <= middle:
            path.append(_subtree(middle, end, nodes))
            end = middle
        else:
            path.append(_subtree(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(_subtree(start, end, nodes))
    return path[::-1]


def is_included(
    leaf: bytes, position: int, size: int, path: Sequence[bytes], expected: bytes
) -> bool:
    """Whether a proof leads from the leaf to the head `expected`; RFC 9162, 2.1.3.2."""
    if not 0 <= position < size:
        return False
    index, last, found = position, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = _joined(step, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = _joined(found, step)
        index, last = index >> 1, last >> 1
    return last == 0 and found == expected


def is_consistent(
    earlier: int, earlier_head: bytes, size: int, path: Sequence[bytes], expected: bytes
) -> bool:
    """Whether a proof leads from the head of `earlier` leaves to that of `size`; RFC 9162,
    2.1.4.2."""
    if not 0 <= earlier <= size:
        return False
    if earlier in (0, size):
        before = EMPTY if earlier == 0 else expected
        return not path and earlier_head == before
    steps = list(path) if earlier & (earlier - 1) else [earlier_head, *path]
    if not steps:
        return False
    index, last = earlier - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = _joined(step, old), _joined(step, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = _joined(new, step)
        index, last = index >> 1, last >> 1
    return last == 0 and old == earlier_head and new == expected


def _split(leaves: int) -> int:
    """The largest power of two smaller than the number of leaves."""
    return 1 << (leaves - 1).bit_length() - 1


def _subtree(start: int, end: int, nodes: Nodes) -> bytes:
    """The hash of leaves from `start` to before `end`, of which `start` is aligned."""
    leaves = end - start
    if leaves & (leaves - 1) == 0:
        level = leaves.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(leaves)
    return _joined(_subtree(start, middle, nodes), _subtree(middle, end, nodes))
