"""The log's tree: its proofs hold, and a changed, moved, added or missing hash breaks them."""

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.values import merkle
from tests.properties import examples

MOST = 70


class Tree:
    """A log in memory, as the store keeps it: each leaf with the nodes it completes."""

    def __init__(self, size: int) -> None:
        self.rows: list[list[bytes]] = []
        for position in range(size):
            leaf = merkle.leaf_hash(b"%d" % position)
            self.rows.append(merkle.completed(position, leaf, self.node))

    def node(self, level: int, index: int) -> bytes:
        return self.rows[merkle.place_of(level, index)][level]


TREE = Tree(MOST)
HEADS = [merkle.head(size, TREE.node) for size in range(MOST + 1)]


def _by_definition(leaves: list[bytes]) -> bytes:
    """The head as RFC 9162, 2.1.1 defines it, from the entries."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = _by_definition(leaves[:half]), _by_definition(leaves[half:])
    return hashlib.sha256(b"\1" + left + right).digest()


def test_every_head_is_the_one_of_the_definition() -> None:
    """For all sizes up to 70, and the known head of the eight entries that others test with."""
    for size, found in enumerate(HEADS):
        assert found == _by_definition([b"%d" % n for n in range(size)])
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    entries += ["606162636465666768696a6b6c6d6e6f"]
    known = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert _by_definition([bytes.fromhex(one) for one in entries]).hex() == known


def test_every_leaf_is_proved_to_be_in_every_tree_that_has_it() -> None:
    """And in no other place, of no other size, with no other head."""
    for size in range(1, MOST + 1):
        for position in range(size):
            path = merkle.inclusion(position, size, TREE.node)
            leaf = TREE.node(0, position)
            assert merkle.is_included(leaf, position, size, path, HEADS[size])
            assert not merkle.is_included(leaf, position, size, path, HEADS[size - 1])
            assert not merkle.is_included(leaf, position + 1, size, path, HEADS[size])
            assert not merkle.is_included(leaf, position, size, [*path, leaf], HEADS[size])
            assert not merkle.is_included(leaf, -1, size, path, HEADS[size])
            assert not path or not merkle.is_included(leaf, position, size, path[1:], HEADS[size])


def test_every_tree_is_proved_to_begin_every_larger_one() -> None:
    """And to begin no other."""
    for size in range(MOST + 1):
        for earlier in range(size + 1):
            path = merkle.consistency(earlier, size, TREE.node)
            old, new = HEADS[earlier], HEADS[size]
            assert merkle.is_consistent(earlier, old, size, path, new), (earlier, size)
            if 0 < earlier < size:  # the empty tree begins any
                assert not merkle.is_consistent(earlier, new, size, path, new)
                assert not merkle.is_consistent(earlier, old, size, path, old)
            assert not merkle.is_consistent(earlier, old, size, [*path, old], new)
            assert not merkle.is_consistent(size + 1, old, size, path, new)


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_a_rewritten_log_is_not_consistent(data: st.DataObject) -> None:
    """Whichever old entry was changed, and whatever proof its keeper computes of the new log."""
    size = data.draw(st.integers(2, MOST))
    earlier = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, earlier - 1))
    forged = Tree(0)
    for position in range(size):
        entry = b"%d" % position if position != changed else b"another"
        leaf = merkle.leaf_hash(entry)
        forged.rows.append(merkle.completed(position, leaf, forged.node))
    path = merkle.consistency(earlier, size, forged.node)
    new = merkle.head(size, forged.node)
    assert not merkle.is_consistent(earlier, HEADS[earlier], size, path, new)


@pytest.mark.parametrize("seed", range(20))
def test_no_changed_hash_in_a_proof_holds(seed: int) -> None:
    """One bit of any step."""
    chance = random.Random(seed)
    size = chance.randrange(3, MOST)
    position, earlier = chance.randrange(size), chance.randrange(1, size)
    path = merkle.inclusion(position, size, TREE.node)
    for n in range(len(path)):
        bad = [*path[:n], _flipped(path[n], chance), *path[n + 1 :]]
        leaf = TREE.node(0, position)
        assert not merkle.is_included(leaf, position, size, bad, HEADS[size])
    path = merkle.consistency(earlier, size, TREE.node)
    for n in range(len(path)):
        bad = [*path[:n], _flipped(path[n], chance), *path[n + 1 :]]
        assert not merkle.is_consistent(earlier, HEADS[earlier], size, bad, HEADS[size])


def _flipped(value: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(value))
    return value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]
