"""Colours, and what each number on a panel of states stands for.

Nothing known is grey and never green. The colours of one set stay apart for people who see no
red, no green or no blue; a test measures by how much.
"""

from collections.abc import Sequence

GREY, GREEN, PURPLE = "#b6c0c6", "#2cb873", "#8a3cc0"
AMBER, ORANGE, RED = "#fad034", "#da5500", "#800808"
SLATE = "#576266"
"""Grey as well, for what nobody sees any more."""

States = Sequence[tuple[str, str]]
"""States and their colours, by number. The worst come last: of several the largest is shown."""

PLATFORM_STATES: States = (
    ("insufficient", GREY),
    ("ok", GREEN),
    ("down", PURPLE),
    ("degraded", AMBER),
    ("throttled", ORANGE),
    ("blocked", RED),
)

VANTAGE_STATES: States = (
    ("unknown", GREY),
    ("ok", GREEN),
    ("lossy", AMBER),
    ("captive_portal", PURPLE),
    ("offline", ORANGE),
    ("international_cut", RED),
)

EVENT_STATES: States = (
    ("cannot tell", GREY),
    ("no event", GREEN),
    ("recovering", PURPLE),
    ("unobserved", SLATE),
    ("suspected", AMBER),
    ("confirmed", RED),
)
"""The first two are no states of an event: without one, it matters whether anybody could tell."""

UNKNOWN = frozenset({"insufficient", "unknown", "cannot tell", "unobserved"})
"""States in which nothing is known."""

GOOD = frozenset({"ok", "no event", "as configured", "in use"})
"""States that may be green."""
