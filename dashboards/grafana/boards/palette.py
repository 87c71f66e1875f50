"""Colours, and the state that each number on a panel stands for.

Where nothing is known the colour is grey, never green. People who see no red, no green or no blue
can tell the colours of one set apart; a test measures by how much.
"""

from collections.abc import Sequence

from monitor.wording.states import EVENT_STATES as EVENT_WORDS
from monitor.wording.states import STATES
from monitor.wording.vantage_health import VANTAGE_STATES as WORKING

GREY, GREEN, PURPLE = "#b6c0c6", "#2cb873", "#8a3cc0"
AMBER, ORANGE, RED, BLUE = "#fad034", "#da5500", "#800808", "#1b3a6b"
SLATE = "#576266"
"""Grey as well, for what is no longer observed."""

States = Sequence[tuple[str, str]]
"""States and their colours, by number. The worst come last: of several the largest is shown."""

PLATFORM_STATES: States = (
    ("insufficient", GREY),
    ("ok", GREEN),
    ("down", PURPLE),
    ("degraded", AMBER),
    ("partial", BLUE),
    ("throttled", ORANGE),
    ("blocked", RED),
)

VANTAGE_STATES: States = (
    ("unknown", GREY),
    ("ok", GREEN),
    ("lossy", AMBER),
    ("captive_portal", PURPLE),
    ("offline", ORANGE),
    ("allowlist", BLUE),
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
"""The first two are not states of an event: without an event it matters whether any network could
tell."""

UNKNOWN = frozenset(
    {
        STATES["insufficient"],
        WORKING["unknown"],
        EVENT_WORDS["unobserved"],
        "cannot tell",
    }
)
"""Words shown where nothing is known."""

GOOD = frozenset({"ok", "working", "no event", "as configured", "in use"})
"""Words that may be green."""
