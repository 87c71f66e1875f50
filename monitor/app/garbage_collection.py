"""How often Python looks for garbage that reference counting leaves.

A process that looks at networks makes and drops some thousand objects a look, nearly all of which
go by reference counting. Python's default searches them every 700 objects, and what was made at
the start, modules and catalogue, ever again: a twentieth of a look's cost, for nothing found.
"""

import gc

_OBJECTS = 20_000
"""Objects made and not dropped since the last search: a few MB at most wait for the next."""


def spare_searches() -> None:
    """Call once the long-lived objects are made: they are not searched again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
