"""Did it answer?

Behind a captive portal a handshake or a resolved name is no answer of the platform; a verified
certificate or the platform's own protocol is.
"""

from monitor.analysis.judge.rules.rule import Rule, spares
from monitor.analysis.verdict import State

ANSWERED: tuple[Rule, ...] = (
    Rule(
        id="endpoint.reached",
        meaning="It answered as expected in the first test.",
        state=State.OK,
        wrong_when="Only some of its addresses, or only some visitors, are blocked.",
        matches=lambda facts: facts.answered and not facts.failed_before,
    ),
    Rule(
        id="endpoint.reached_on_retry",
        meaning="It answered as expected, after failing earlier in the same cycle.",
        state=State.OK,
        wrong_when="A block works only part of the time; it then shows over several cycles.",
        matches=lambda facts: facts.answered,
    ),
    Rule(
        id="http.same_as_control",
        meaning="It answers without encryption, with the same page as elsewhere.",
        state=State.OK,
        wrong_when="The control gets the same block page.",
        matches=lambda facts: facts.like_control,
    ),
    spares(
        "dns.private_address",
        "The network's resolver leads to a private address, and the platform answers there"
        " with a certificate that verifies.",
        "Only some of its addresses, or only some visitors, are blocked.",
        State.OK,
    ),
)
