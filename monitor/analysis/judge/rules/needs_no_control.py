"""Does the sign need no control, like a forged DNS reply or a certificate from nowhere?

A *known block page* is blocked with weak evidence even without a control; strong when its
fingerprint is known from this country. A page that the control got too, or a site's robot check, is
no block page.
"""

from monitor.analysis.judge.facts import Facts
from monitor.analysis.judge.grade_by_attempts import BOGON, CERTIFICATE
from monitor.analysis.judge.rules.rule import Rule, accuses
from monitor.analysis.verdict import Evidence, State
from probes.measurement import Layer

KNOWN_BLOCK_PAGE = accuses(
    "http.known_blockpage",
    "The answer, which is not encrypted, is a known block page.",
    "The vantage's own site uses the same filtering product, or the page only quotes those words.",
)


def _without_control(facts: Facts) -> bool:
    """Whether what accuses is weak for want of a control, though a fault of the platform's own may
    look the same. None shows the certificate of a product or of a state."""
    found = facts.finding
    weak = found is not None and found.evidence is Evidence.WEAK and not found.fingerprint
    return weak and bool(facts.controls.gap) and facts.accused in (BOGON, CERTIFICATE)


NEEDS_NO_CONTROL: tuple[Rule, ...] = (
    Rule(
        id="control.absent",
        meaning="It fails here in a way that a block has, but no control could be compared with, so"
        " its own servers may do the same everywhere.",
        state=State.BLOCKED,
        grade_ceiling=Evidence.WEAK,
        wrong_when="Its certificate is out of order, or its name leads nowhere, for everybody.",
        settled=False,
        matches=_without_control,
    ),
    accuses(
        "dns.injection",
        "One DNS query got two contradicting replies: somebody else answers too.",
        "A faulty resolver answers twice.",
    ),
    accuses(
        "dns.bogon",
        "The name leads to an address no public service can have.",
        "The platform's own name really leads there, or the vantage's own network filters.",
    ),
    accuses(
        "dns.hijack",
        "The addresses from the network's resolver do not work, while the platform answers at"
        " other addresses from here.",
        "The platform has a server of its own there that is down; where a false certificate was"
        " shown, the resolver keeps an address that now belongs to somebody else.",
    ),
    Rule(
        id="tls.known_certificate",
        meaning="Somebody answers in the platform's place with a certificate of a product, or of a"
        " state, that is known to intercept encryption.",
        state=State.BLOCKED,
        method=Layer.TLS.value,
        sub_method="certificate",
        grade_ceiling=Evidence.CONCLUSIVE,
        wrong_when="The vantage's own site uses the same product, for some sites only.",
        matches=lambda facts: (
            facts.accused == CERTIFICATE
            and facts.finding is not None
            and bool(facts.finding.fingerprint)
        ),
    ),
    accuses(
        "tls.certificate",
        "Somebody answers in the platform's place with a certificate that is not its own.",
        "The name was already resolved to a wrong host (then the method is dns), or antivirus"
        " software at the vantage intercepts encryption for some sites. Where its dates alone are"
        " wrong, which is never more than weak, a server of the platform let it expire.",
    ),
)
