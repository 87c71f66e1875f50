"""Anything else is insufficient: a failure without a name is not evidence.

* *A site that turned the control away* gives nothing to compare with.
* *An unexpected answer over a verified connection* is insufficient: sites answer robots and regions
  differently.
"""

from monitor.analysis.judge.grade_by_attempts import REFUSED_HERE
from monitor.analysis.judge.grade_by_follow_ups import ALIKE, EXPLAINED, LATE_RULE
from monitor.analysis.judge.led_elsewhere import LED_ELSEWHERE
from monitor.analysis.judge.rules.rule import Rule, spares

ACCUSES_NOBODY: tuple[Rule, ...] = (
    spares(
        "dns.dead_address",
        "The addresses from the network's resolver are silent while the platform answers at other"
        " addresses from here, or were the platform's before: a cache of the platform's at the"
        " provider may have died.",
        "The resolver lies, and leads to an address where nobody answers.",
    ),
    spares(
        "dns.decrypted",
        "The addresses from the network's resolver are private or silent, and whether the platform"
        " is there, or answers at others, cannot be seen: a device at the vantage's own site"
        " decrypts these connections.",
        "The resolver lies, and the vantage's own site decrypts connections as well.",
    ),
    spares(
        "dns.own_filter",
        "The vantage's resolver answers for a name of advertisers as it does for this one, with no"
        " address or one that none can have: a filter of the vantage's own site decides what it"
        " resolves.",
        "The country's resolvers filter advertising, too, or somebody makes them look like that.",
    ),
    spares(
        "tls.large_packets",
        "It falls silent whatever name is asked for, and answers in small segments: only"
        " large packets get lost on the way (path MTU).",
        "A censor drops large packets, or acts only where the name is in one packet.",
    ),
    spares(
        LATE_RULE,
        "The handshake comes when it is given time: the way there is slow, and nothing is"
        " dropped. Whether it is throttled shows in the speed of transfers.",
        "The name is dropped on some connections, and another one was slow by chance.",
    ),
    Rule(
        id="look.explained",
        meaning="It fails as another endpoint of the platform does, where follow-ups found an"
        " ordinary fault; here they were not made, or met silence.",
        wrong_when="Each of them fails for a reason of its own.",
        matches=lambda facts: facts.sign is not None and facts.sign[1] == EXPLAINED,
    ),
    Rule(
        id="look.alike",
        meaning="At the very addresses that fail here, which another source gives too, a control"
        " meets the same failure: a server of the platform is at fault.",
        wrong_when="The control's own network blocks it in the same way, at these addresses alone.",
        matches=lambda facts: facts.sign is not None and facts.sign[1] == ALIKE,
    ),
    Rule(
        id="look.led_elsewhere",
        meaning="Over verified connections the platform led here to a host to which it led no"
        " control, and nothing shows that it works elsewhere: it may fail for everybody.",
        wrong_when="That host is blocked here.",
        matches=lambda facts: facts.sign is not None and facts.sign[1] == LED_ELSEWHERE,
    ),
    spares(
        "tls.same_chain",
        "The certificates that are refused here are the very ones that a control verified: the"
        " vantage's list of authorities is out of date, or its clock is wrong.",
        "Somebody took an authority off the vantage's list.",
    ),
    spares(
        "dns.other_resolver",
        "This vantage's DNS-over-HTTPS resolver gives no usable address. It is not the"
        " network's resolver, so the network is not accused.",
        "The network blocks that resolver for this name alone.",
    ),
    spares(
        "http.refused_by_site",
        "The site's own servers reject this visitor, or the control, as they reject robots.",
        "A censor imitates the site's headers.",
    ),
    Rule(
        id="http.withheld_here",
        meaning="The platform itself answers with an error here, over a verified connection, and"
        " not at the control: its servers near here fail, or it withholds its service. No network"
        " is accused.",
        wrong_when="It takes this visitor, or this network, for a robot.",
        matches=lambda facts: facts.sign == REFUSED_HERE,
    ),
    spares(
        "http.unexpected",
        "The genuine site gives another answer than its catalogue entry expects.",
        "The entry is right and the platform withholds its service here.",
    ),
    Rule(
        id="look.unexplained",
        meaning="It fails here and works at the control, for a reason that cannot be named.",
        wrong_when="A new way of blocking causes a failure not known yet.",
        matches=lambda _: True,
    ),
)
