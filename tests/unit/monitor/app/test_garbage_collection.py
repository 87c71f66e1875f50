"""Garbage is searched for less often, and still found."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from monitor.app.run_until_stopped import spare_searches

class Node:
    pass

kept = [Node() for _ in range(1000)]
spare_searches()
assert gc.get_freeze_count() > 1000
searched = []
gc.callbacks.append(lambda phase, info: phase == "start" and searched.append(info["generation"]))
held = [[] for _ in range(10_000)]
assert not searched, "the default would have searched a dozen times"
cycle = Node()
cycle.itself = cycle
gone = weakref.ref(cycle)
del cycle
assert gone() is not None
more = [[] for _ in range(20_000)]
assert searched == [0]
assert gone() is None, "a cycle is found in the end"
print("fine")
"""


def test_searches_are_rare_and_find_cycles() -> None:
    """In a process of its own, for what is frozen stays so."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "fine\n"
