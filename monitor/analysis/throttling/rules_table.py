"""The rules of throttling, in the order in which they are tried."""

from collections.abc import Callable

from monitor.analysis.throttling.transfer_facts import TransferFacts
from monitor.analysis.throttling.transfer_round import FAST
from monitor.analysis.transfer_verdict import TransferClass
from monitor.analysis.verdict import Evidence, State, TableRule


class TransferRule(TableRule, frozen=True, kw_only=True):
    kind: TransferClass = TransferClass.INSUFFICIENT
    matches: Callable[[TransferFacts], bool]

    @property
    def state(self) -> State:
        return _STATES.get(self.kind, State.THROTTLED)


_STATES = {
    TransferClass.INSUFFICIENT: State.INSUFFICIENT,
    TransferClass.OK: State.OK,
    TransferClass.SLOW_UPLINK: State.OK,
}

THROTTLING_RULES: tuple[TransferRule, ...] = (
    TransferRule(
        id="throttling.insufficient",
        meaning="Too few transfers got far enough, or the vantage itself is unhealthy, so nothing"
        " is known about the platform's speed.",
        wrong_when="Never: it claims nothing.",
        matches=lambda facts: not facts.able or not facts.informative,
    ),
    TransferRule(
        id="throttling.unhindered",
        meaning="It loads past the bytes at which connections are known to be frozen, at"
        f" {FAST / 1e6:g} Mbit/s or as fast as the distance allows.",
        kind=TransferClass.OK,
        wrong_when="It is throttled to more than that, or only beyond the part that was requested.",
        matches=lambda facts: facts.unhindered,
    ),
    TransferRule(
        id="throttling.machine",
        meaning="It seems slow, or stalled, but the measuring machine itself was delayed, or the"
        " transfer too short, so the machine may be the cause.",
        wrong_when="It is throttled while the machine is busy, or only to about ten Mbit/s.",
        matches=lambda facts: facts.pauses_explain,
    ),
    TransferRule(
        id="throttling.slow_everywhere",
        meaning="It is as slow, or stalls, at the control too: the platform itself has a problem.",
        wrong_when="The control is throttled too, or is on a slow line itself.",
        matches=lambda facts: bool(facts.stall or facts.slow) and facts.slow_everywhere,
    ),
    TransferRule(
        id="throttling.loss",
        meaning="It is slow or stalls, but this line, or the path to the platform, loses so many"
        " packets that this proves nothing.",
        wrong_when="It is throttled, on a bad line.",
        matches=lambda facts: bool(facts.stall or facts.slow) and facts.loss_explains,
    ),
    TransferRule(
        id="throttling.stall",
        meaning="Its transfers stall after some bytes, where others on the same line continue.",
        kind=TransferClass.STALLED,
        sub_method="stall",
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's nearest servers are faulty, and the control reached other"
        " servers.",
        # The platform's own servers may stall: only the name or a control tells the two apart.
        matches=lambda facts: facts.stall and (facts.stalled_by_name or facts.control_fine),
    ),
    TransferRule(
        id="throttling.rate",
        meaning="It loads far more slowly than other things on the same line, and than at the"
        " control.",
        kind=TransferClass.THROTTLED,
        sub_method="rate",
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's nearest servers slow this visitor down, as they do robots.",
        # Without the innocuous name, the control is the only comparison.
        matches=lambda facts: (
            bool(facts.slow) and (facts.slow is facts.by_name or facts.control_fine)
        ),
    ),
    TransferRule(
        id="throttling.slow_address",
        meaning="Its servers are slow under any name: the route to them may be congested.",
        wrong_when="The network slows the platform's addresses down, whatever name is asked for.",
        matches=lambda facts: facts.agree(facts.by_address),
    ),
    TransferRule(
        id="throttling.slow_uplink",
        meaning="It loads as fast as other things, on a line on which everything is slow.",
        kind=TransferClass.SLOW_UPLINK,
        wrong_when="It is throttled to a speed above that of the line, or everything is throttled.",
        matches=lambda facts: facts.slow_line,
    ),
    TransferRule(
        id="throttling.none",
        meaning="It loads as fast as other things on the same line.",
        kind=TransferClass.OK,
        wrong_when="It is throttled only at times, or only beyond the part that was requested.",
        matches=lambda facts: facts.fine,
    ),
    TransferRule(
        id="throttling.unclear",
        meaning="The transfers do not agree, or there was nothing to compare them with.",
        wrong_when="It is throttled part of the time.",
        matches=lambda _: True,
    ),
)
"""Tried in order; the last rule always matches."""
