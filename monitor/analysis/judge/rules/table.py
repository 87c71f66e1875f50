"""The ordered table of rules: the first matching rule gives the verdict.

The order goes from what settles the question to what needs the most support.
"""

from monitor.analysis.judge.rules.accuses_nobody import ACCUSES_NOBODY
from monitor.analysis.judge.rules.answered import ANSWERED
from monitor.analysis.judge.rules.fails_elsewhere import FAILS_ELSEWHERE
from monitor.analysis.judge.rules.interference import INTERFERENCE
from monitor.analysis.judge.rules.needs_no_control import KNOWN_BLOCK_PAGE, NEEDS_NO_CONTROL
from monitor.analysis.judge.rules.no_control import NO_CONTROL
from monitor.analysis.judge.rules.not_measured import NOT_MEASURED
from monitor.analysis.judge.rules.packet_loss import PACKET_LOSS
from monitor.analysis.judge.rules.part_fails import PART_FAILS
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.rules.vantage_explains import VANTAGE_EXPLAINS

RULES_VERSION = "23"
"""Stored with every verdict. It changes whenever the same case could get another verdict."""

RULES: tuple[Rule, ...] = (
    *NOT_MEASURED,  # Was it measured, and from the right place?
    *PART_FAILS,  # Does it answer, while a part of it fails?
    *ANSWERED,  # Did it answer? Then it is ok.
    *VANTAGE_EXPLAINS,  # Could we have seen it? Else nobody is accused.
    KNOWN_BLOCK_PAGE,  # Does the answer itself say that it is blocked?
    *FAILS_ELSEWHERE,  # Does it fail at the control too? Then it is down.
    *NEEDS_NO_CONTROL,  # Does the sign need no control, like a forged DNS reply?
    *NO_CONTROL,  # Is there a control? No other failure accuses without one.
    *PACKET_LOSS,  # Can packet loss explain it?
    *INTERFERENCE,  # What acted?
    *ACCUSES_NOBODY,  # Anything else is insufficient.
)
"""Tried in order; the last rule always matches."""
UNSETTLED = frozenset(rule.id for rule in RULES if not rule.settled)
"""Ids of the rules for what may be blocked or down."""
