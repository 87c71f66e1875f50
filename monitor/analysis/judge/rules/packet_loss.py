"""Can packet loss, or a line that refuses at random, explain it?

Timeouts must exceed the loss at this vantage, and count nothing where packets get lost on the path
to this platform (`monitor.analysis.judge.lossy_paths`), or where spared hosts answer as slowly
(`monitor.analysis.judge.slow_line`).
"""

from monitor.analysis.judge.facts import Facts
from monitor.analysis.judge.lossy_paths import lost
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.measurement_summary import TIMEOUT
from monitor.analysis.verdict import VantageState


def _timed_out(facts: Facts) -> bool:
    return facts.sign is not None and facts.sign[1] == TIMEOUT


PACKET_LOSS: tuple[Rule, ...] = (
    Rule(
        id="vantage.no_udp",
        meaning="The servers for calls do not answer, but nothing else answered over UDP here"
        " either.",
        wrong_when="Calls are blocked, and so is all other UDP that was tried.",
        matches=lambda facts: (
            facts.calls_fail and not (facts.case.udp_works or facts.case.udp_references)
        ),
    ),
    Rule(
        id="vantage.lossy",
        meaning="It did not answer in time, but this line loses so many packets that a timeout"
        " proves nothing.",
        wrong_when="It is blocked by dropping packets on a bad line.",
        matches=lambda facts: _timed_out(facts) and facts.case.health.state is VantageState.LOSSY,
    ),
    Rule(
        id="path.lossy",
        meaning="It did not answer in time, but of the connections to this platform that were made,"
        " many needed more than one try: packets get lost on the path to it.",
        wrong_when="The network drops a share of the packets to this platform on purpose.",
        matches=lambda facts: lost(facts.sign) and facts.case.loses_packets,
    ),
    Rule(
        id="line.slow",
        meaning="It did not answer in time, but hosts that nobody blocks took nearly as long: this"
        " line is too slow, or too busy, for a timeout to prove anything.",
        wrong_when="It is blocked by dropping packets on a slow line.",
        matches=lambda facts: lost(facts.sign) and facts.case.waits_in_line,
    ),
    Rule(
        id="line.refuses",
        meaning="It was refused, but hosts that nobody blocks were refused at random as well: this"
        " line, or its resolver, turns a part of everything away.",
        wrong_when="It is blocked by refusals on such a line.",
        matches=lambda facts: facts.case.refused_by_chance(facts.sign),
    ),
    Rule(
        id="loss.possible",
        meaning="It did not answer in time, too few times to rule out that packets got lost.",
        wrong_when="It is blocked by dropping packets; more tests, or more references, would show"
        " it.",
        matches=lambda facts: _timed_out(facts) and facts.accused is None,
    ),
)
