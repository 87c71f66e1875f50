"""A function of one value that runs once for as long as the value lives.

Many rules ask what the same measurement came to. Values are compared by identity: hashing all that
a measurement holds costs more than most functions of it.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import ref

V = TypeVar("V")
R = TypeVar("R")


def remembered(function: Callable[[V], R]) -> Callable[[V], R]:
    """`function`, which runs once for each value. The result must not refer to the value, or
    neither is ever freed. The value's class allows weak references."""
    known: dict[int, tuple[ref[V], R]] = {}

    @wraps(function)
    def once(value: V) -> R:
        key = id(value)
        found = known.get(key)
        if found is None:
            # The entry leaves with its value, before anything else can have the same identity.
            found = known[key] = ref(value, lambda _: known.pop(key, None)), function(value)
        return found[1]

    return once
