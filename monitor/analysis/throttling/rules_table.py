"""The rules of throttling, in the order in which they are tried."""

from collections.abc import Callable

import msgspec

from monitor.analysis.throttling.transfer_facts import TransferFacts
from monitor.analysis.throttling.transfer_verdict import TransferClass
from monitor.analysis.verdict import Evidence, State


class TransferRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    id: str
    meaning: str
    """One sentence for somebody who does not program."""
    state: State
    kind: TransferClass
    sub_method: str = ""
    grade_ceiling: Evidence = Evidence.NONE
    """The best grade it can give."""
    wrong_when: str
    """What would make it wrong."""
    matches: Callable[[TransferFacts], bool]


THROTTLING_RULES: tuple[TransferRule, ...] = (
    TransferRule(
        id="throttling.insufficient",
        meaning="Too few transfers got far enough, or the vantage itself is not well, so nothing"
        " can be said about the platform's speed.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="Never: it claims nothing.",
        matches=lambda facts: not facts.able or not facts.informative,
    ),
    TransferRule(
        id="throttling.machine",
        meaning="It seems slow, or silent, but the machine that measured was itself held up, or the"
        " time too short to tell, so this may be its own doing.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="It is throttled while the machine is busy, or only to some ten Mbit/s.",
        matches=lambda facts: facts.pauses_explain,
    ),
    TransferRule(
        id="throttling.slow_everywhere",
        meaning="It is as slow, or stops as well, at the control: the platform is in trouble.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="The control is throttled too, or is on a slow line itself.",
        matches=lambda facts: bool(facts.stall or facts.slow) and facts.slow_everywhere,
    ),
    TransferRule(
        id="throttling.loss",
        meaning="It is slow or stops, but so much is lost on this line that this is no sign.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="It is throttled by dropping packets on a bad line.",
        matches=lambda facts: bool(facts.stall or facts.slow) and facts.loss_explains,
    ),
    TransferRule(
        id="throttling.stall",
        meaning="Its transfers go silent after some bytes, where others on the same line get on.",
        state=State.THROTTLED,
        kind=TransferClass.STALLED,
        sub_method="stall",
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's nearest servers are faulty, and the control met others.",
        # The platform's own servers may stop: only the name or a control tells them apart.
        matches=lambda facts: facts.stall and (facts.stalled_by_name or facts.control_fine),
    ),
    TransferRule(
        id="throttling.rate",
        meaning="It comes far more slowly than other things on the same line, and than at the"
        " control.",
        state=State.THROTTLED,
        kind=TransferClass.THROTTLED,
        sub_method="rate",
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's nearest servers make this visitor wait, as they do robots.",
        # Without the innocuous name as a witness, control is the only one.
        matches=lambda facts: (
            bool(facts.slow) and (facts.slow is facts.by_name or facts.control_fine)
        ),
    ),
    TransferRule(
        id="throttling.slow_address",
        meaning="Its servers are slow to answer under any name: the way to them may be congested.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="The network slows the platform's addresses down, whatever name is asked for.",
        matches=lambda facts: facts.agree(facts.by_address),
    ),
    TransferRule(
        id="throttling.slow_uplink",
        meaning="It comes as fast as other things do, on a line on which everything is slow.",
        state=State.OK,
        kind=TransferClass.SLOW_UPLINK,
        wrong_when="It is held to a speed above that of the line, or everything is slowed down.",
        matches=lambda facts: facts.slow_line,
    ),
    TransferRule(
        id="throttling.none",
        meaning="It comes as fast as other things on the same line.",
        state=State.OK,
        kind=TransferClass.OK,
        wrong_when="It is slowed down only at times, or only beyond what was asked for.",
        matches=lambda facts: facts.fine,
    ),
    TransferRule(
        id="throttling.unclear",
        meaning="The transfers do not agree, or there was nothing to compare them with.",
        state=State.INSUFFICIENT,
        kind=TransferClass.INSUFFICIENT,
        wrong_when="It is throttled part of the time.",
        matches=lambda _: True,
    ),
)
"""Tried in order; the last one always matches."""
