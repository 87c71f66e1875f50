"""Does it answer, while a part of it fails?

The part is an address family that works here, some of its addresses, QUIC, or a share of many
connections made to count them. IPv6 that is merely silent beside a good IPv4 keeps nobody from the
platform, so it is ok. What fails otherwise is not judged without a control, and then nobody says
that the platform is ok.

UDP is closed on many networks: QUIC is accused only where another's QUIC worked in the same cycle.
`monitor.analysis.judge.platform` says what a block of QUIC alone means for the platform.
"""

from collections.abc import Callable

from monitor.analysis.judge.facts import Facts
from monitor.analysis.judge.grade_by_attempts import Finding
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, State
from probes.measurement import Layer

SOME_FLOWS, SOME_ADDRESSES = "partial.flows", "partial.addresses"
QUIC_BLOCKED = "quic.blocked"


_WORKS_ELSEWHERE = ", though that family works here and the platform works over it elsewhere."
_NO_ROUTES = (
    "The network and the platform's network do not exchange routes of that family; timeouts and"
    " unreachable addresses are therefore never more than weak over IPv4, unless a control is"
    " answered at the very address."
)


def _accused_family(facts: Facts) -> Finding | None:
    """What fails over one family, unless it is IPv6 that is merely silent."""
    found = facts.family_finding
    return found if found is not None and found.evidence is not Evidence.NONE else None


def _family_fails(facts: Facts, layer: Layer) -> bool:
    found = _accused_family(facts)
    return found is not None and found.sign is not None and found.sign[0] is layer


def _quic_says_more(facts: Facts) -> bool:
    """Whether the addresses are a lead alone, which never confirms, beside a certain block."""
    some, quic = facts.some_finding, facts.quic_finding
    if some is None or quic is None:
        return False
    rank = EVIDENCE_ORDER
    return rank[some.evidence] <= rank[Evidence.WEAK] < rank[quic.evidence]


def _only_ipv6_silent(facts: Facts) -> bool:
    """Whether IPv6 is silent, and nothing accuses of what answers over IPv4."""
    silent = facts.family_finding is not None and _accused_family(facts) is None
    return silent and facts.some_finding is None and facts.quic_finding is None


def _family(
    layer: Layer, meaning: str, *, known: str = _WORKS_ELSEWHERE, wrong_when: str = _NO_ROUTES
) -> Rule:
    return Rule(
        id=f"family.{layer}",
        meaning=f"The platform answers, but over one of IPv4 and IPv6 {meaning} in every test"
        f"{known}",
        state=State.PARTIAL,
        method=layer.value,
        grade_ceiling=Evidence.STRONG if layer is Layer.TCP else Evidence.CONCLUSIVE,
        wrong_when=wrong_when,
        matches=lambda facts: _family_fails(facts, layer),
        finding=lambda facts: facts.family_finding,
        decided_by=lambda facts: facts.case.attempts,
    )


def _not_compared(rule_id: str, why: str, wrong_when: str, has_gap: Callable[[str], bool]) -> Rule:
    return Rule(
        id=rule_id,
        meaning="It answers, but a part of it failed in every test: one of IPv4 and IPv6, some"
        f" addresses, a form of greeting, or QUIC. Whether that works elsewhere is unknown: {why}.",
        wrong_when=wrong_when,
        matches=lambda facts: facts.part_not_compared and has_gap(facts.controls.gap),
    )


PART_FAILS: tuple[Rule, ...] = (
    Rule(
        id=SOME_FLOWS,
        meaning="Of many connections that send the platform's name, a share is cut off. Of as many"
        " with an innocuous name to the same address, made in between, none is, or far fewer.",
        state=State.PARTIAL,
        method=Layer.TLS.value,
        grade_ceiling=Evidence.CONCLUSIVE,
        wrong_when="The platform's own server limits how many connections one visitor makes under"
        " its name; without many connections from a control this is never more than strong.",
        matches=lambda facts: facts.flows,
        finding=lambda facts: facts.some_finding,
        decided_by=lambda facts: (*facts.case.attempts, *facts.case.follow_ups),
    ),
    Rule(
        id="family.ipv6_dead",
        meaning="It answers over IPv4. Over IPv6, which works here otherwise, it is silent, though"
        " it answers elsewhere: that keeps nobody from it.",
        state=State.OK,
        wrong_when="Some people have IPv6 alone, and a censor drops its IPv6 addresses.",
        matches=_only_ipv6_silent,
        finding=lambda facts: facts.family_finding,
    ),
    Rule(
        id="family.unsettled",
        meaning="The platform answers, but never over one of IPv4 and IPv6, though that family"
        " works here. Whether it works over it elsewhere is not settled: the controls disagree, or"
        " too few of them are known well enough to be believed.",
        state=State.PARTIAL,
        grade_ceiling=Evidence.WEAK,
        wrong_when="The platform does not work over that family anywhere.",
        settled=False,
        matches=lambda facts: _accused_family(facts) is not None and facts.controls.unsettled,
        finding=lambda facts: facts.family_finding,
        decided_by=lambda facts: facts.case.attempts,
    ),
    _family(
        Layer.DNS,
        "its name does not resolve correctly",
        known=", though that family works here.",
        wrong_when="A resolver, or the platform's name servers, fail for one type of record, or the"
        " name has no addresses of that type; where nothing shows that it has some, this is never"
        " more than weak.",
    ),
    _family(Layer.TCP, "no connection can be made"),
    _family(Layer.TLS, "the TLS handshake fails"),
    Rule(
        id="family.stun",
        meaning="The server that calls need answers, but over one of IPv4 and IPv6 it never does,"
        " though another one does over that family, and this one elsewhere.",
        state=State.PARTIAL,
        method="udp",
        sub_method="stun",
        grade_ceiling=Evidence.STRONG,
        wrong_when="The network and the platform's network do not exchange routes of that family;"
        " therefore never more than weak, unless a control is answered at the very address.",
        matches=lambda facts: _family_fails(facts, Layer.APP),
        finding=lambda facts: facts.family_finding,
        decided_by=lambda facts: facts.case.attempts,
    ),
    Rule(
        id=SOME_ADDRESSES,
        meaning="It answers at some of its addresses. Others of the same family fail in every test,"
        " while a control is answered at these very addresses.",
        state=State.PARTIAL,
        grade_ceiling=Evidence.CONCLUSIVE,
        wrong_when="A server of the platform near by, or the route to it, is broken; what fails"
        " before the name is sent is therefore never more than weak.",
        matches=lambda facts: facts.some_finding is not None and not _quic_says_more(facts),
        finding=lambda facts: facts.some_finding,
        decided_by=lambda facts: facts.case.attempts,
    ),
    Rule(
        id=QUIC_BLOCKED,
        meaning="The platform answers over TCP, but not over QUIC, though it does elsewhere and"
        " other platforms do here.",
        state=State.BLOCKED,
        method=Layer.QUIC.value,
        grade_ceiling=Evidence.STRONG,
        wrong_when="The platform's nearest server does not speak QUIC, or the network limits the"
        " rate of UDP.",
        matches=lambda facts: facts.quic_finding is not None,
        finding=lambda facts: facts.quic_finding,
        decided_by=lambda facts: (*facts.case.attempts, *facts.case.follow_ups),
    ),
    Rule(
        id="quic.everywhere",
        meaning="It answers over TCP, and not over QUIC, as nobody does here, though other UDP"
        " works: the network blocks the protocol, and no platform.",
        state=State.OK,
        wrong_when="QUIC is blocked for these platforms, and the others that were asked do not"
        " speak it.",
        matches=lambda facts: facts.quic_fails_everywhere,
    ),
    Rule(
        id="family.hidden",
        meaning="It answers over IPv6. Over IPv4, which works here otherwise, it never did. Lost"
        " packets, a slow line or dead addresses of the resolver explain that, and would hide a"
        " block.",
        wrong_when="Nothing but that fault is wrong; applications then use IPv6.",
        matches=lambda facts: facts.ipv4_hidden,
    ),
    _not_compared(
        "part.no_control",
        "no control vantage tested it",
        "No control vantage is configured.",
        lambda gap: gap == "missing",
    ),
    _not_compared(
        "part.control_failed",
        "the controls gave nothing to compare with",
        "The controls' own lines fail, or they were asked too late in the cycle.",
        lambda gap: gap != "missing",
    ),
)
