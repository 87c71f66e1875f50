"""Colours, and the state that each number on a panel stands for.

Where nothing is known the colour is grey, never green. A colour has one meaning everywhere, so a
test that fails looks different from an event, and a suspected event from a confirmed one. People
who see no red, no green or no blue can tell the colours of one set apart; a test measures it.
"""

from collections.abc import Mapping, Sequence

from monitor.wording.states import EVENT_STATES as EVENT_WORDS
from monitor.wording.states import STATES
from monitor.wording.vantage_health import VANTAGE_STATES as WORKING

GREY, SLATE, GREEN = "#b6c0c6", "#576266", "#2cb873"
SUSPECTED, CONFIRMED, RECOVERING = "#fad034", "#800808", "#d47cd5"
BLOCKED, THROTTLED, PARTIAL, DEGRADED, DOWN = (
    "#cf1d32",
    "#ff8800",
    "#237a8f",
    "#9bc7ff",
    "#8a3cc0",
)
LOSSY, PORTAL, OFFLINE, ALLOWLIST, CUT = "#e5cc54", "#7d4e9e", "#2b2b2b", "#b8860b", "#5a2d0c"
WATCH, FAULT = "#ffd47c", "#a0522d"
OTHER, NOTED, INTERFERING = "#0d3b36", "#7a7f45", "#b0578d"

MEANINGS: Mapping[str, str] = {
    GREY: "nothing is known",
    SLATE: "an event that nobody observes any more",
    GREEN: "works, or nothing to report",
    SUSPECTED: "an event that is suspected",
    CONFIRMED: "an event that is confirmed",
    RECOVERING: "an event that seems to end",
    BLOCKED: "tests of one network show a block; an event weighs them",
    THROTTLED: "tests show that a platform is slowed down",
    PARTIAL: "a platform fails for some connections or addresses",
    DEGRADED: "parts of a platform that are not core fail",
    DOWN: "a platform fails at the controls too",
    LOSSY: "a vantage that loses packets",
    PORTAL: "a vantage behind a login page",
    OFFLINE: "a vantage that is offline",
    ALLOWLIST: "a vantage where only a list of sites answers",
    CUT: "a vantage that is cut off from abroad",
    WATCH: "something of ours to watch",
    FAULT: "something of ours to repair",
    OTHER: "what explains failures: an outage, a shutdown, a silent vantage",
    NOTED: "a fact that people noted",
    INTERFERING: "tests show a method, whichever it is",
}
"""What each colour stands for, on every dashboard. No colour has two meanings."""

States = Sequence[tuple[str, str]]
"""States and their colours, by number. The worst come last: of several the largest is shown."""

PLATFORM_STATES: States = (
    ("insufficient", GREY),
    ("ok", GREEN),
    ("down", DOWN),
    ("degraded", DEGRADED),
    ("partial", PARTIAL),
    ("throttled", THROTTLED),
    ("blocked", BLOCKED),
)

VANTAGE_STATES: States = (
    ("unknown", GREY),
    ("ok", GREEN),
    ("lossy", LOSSY),
    ("captive_portal", PORTAL),
    ("offline", OFFLINE),
    ("allowlist", ALLOWLIST),
    ("international_cut", CUT),
)

EVENT_STATES: States = (
    ("cannot tell", GREY),
    ("no event", GREEN),
    ("recovering", RECOVERING),
    ("unobserved", SLATE),
    ("suspected", SUSPECTED),
    ("confirmed", CONFIRMED),
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
