"""Could we have seen it?

Where our own proxy, the vantage's health, a missing address family, a device at its site or a
faulty line explains the failure, nobody is accused.

* *A wrong clock* explains certificates and nothing else.
* *Opened at the vantage's own site.* An authority that nobody trusts and that signs for a reference
  or for platforms of different owners accuses nobody (`monitor.analysis.judge.interception`).
"""

from monitor.analysis.judge.cut_by_chance import ANY_NAME
from monitor.analysis.judge.grade_by_attempts import CERTIFICATE, INTERCEPTED
from monitor.analysis.judge.rules.rule import Rule, spares, vantage_rule
from monitor.analysis.vantage.health import RESOLVER_DOWN, wrong_clock
from monitor.analysis.verdict import VantageState

FAMILY_MISSING = "vantage.family_missing"

VANTAGE_EXPLAINS: tuple[Rule, ...] = (
    Rule(
        id="egress.failed",
        meaning="The vantage's own proxy could not be used, so the platform was not tested at all.",
        wrong_when="Never: no test got past the proxy.",
        matches=lambda facts: (
            facts.egress_failed or facts.case.health.rule_id == "vantage.egress_failed"
        ),
    ),
    Rule(
        id="vantage.clock_skew",
        meaning="The vantage's clock is more than a day off, which makes valid certificates look"
        " invalid.",
        wrong_when="Somebody breaks the references' certificates and forges dates in cleartext.",
        matches=lambda facts: (
            wrong_clock(facts.case.health) and facts.sign in (None, CERTIFICATE, INTERCEPTED)
        ),
    ),
    Rule(
        id=RESOLVER_DOWN,
        meaning="No name resolves at this vantage, so the failure of this one says nothing.",
        wrong_when="The country makes every name fail.",
        # Whoever asks a third party's resolver is not offline when that is down.
        matches=lambda facts: (
            facts.case.health.rule_id == RESOLVER_DOWN
            and facts.case.health.state in (VantageState.OFFLINE, VantageState.UNKNOWN)
        ),
    ),
    vantage_rule(
        "offline",
        "The vantage is offline, so this failure is its own.",
        "Every reference is blocked along with the platform.",
        VantageState.OFFLINE,
        any_rule=True,
    ),
    vantage_rule(
        "captive_portal",
        "A login page or filter intercepts everything at the vantage.",
        "All TLS in the country is blocked while cleartext is rewritten.",
        VantageState.CAPTIVE_PORTAL,
        any_rule=True,
    ),
    vantage_rule(
        "international_cut",
        "Nothing abroad can be reached from here, so this platform is not singled out.",
        "The foreign references are each down or blocked by themselves.",
        VantageState.INTERNATIONAL_CUT,
        any_rule=True,
    ),
    vantage_rule(
        "allowlist",
        "Only a list of sites passes here, so this platform is not singled out.",
        "The platform is blocked for itself as well.",
        VantageState.ALLOWLIST,
        any_rule=True,
    ),
    vantage_rule(
        "resolver_cut_off",
        "The resolver resolves no foreign name, so the failure of this one says nothing.",
        "The country makes all foreign names fail on purpose.",
    ),
    vantage_rule(
        "large_packets",
        "Most foreign sites answer from here only in small packets, so its silence says nothing.",
        "The platform is blocked for itself as well.",
    ),
    vantage_rule(
        "no_tls",
        "No encrypted site can be reached from here: a device decrypts all traffic, a filter blocks"
        " all of it, or large packets get lost.",
        "The few TLS references are down or blocked by themselves.",
    ),
    Rule(
        id="vantage.no_references",
        meaning="No reference was tested, so this failure could be the vantage's own.",
        wrong_when="The configuration names no reference that this vantage may test.",
        matches=lambda facts: (
            facts.case.health.state is VantageState.UNKNOWN
            and facts.case.health.rule_id != "vantage.clock_skew"
        ),
    ),
    Rule(
        id=FAMILY_MISSING,
        meaning="It has only IPv4 or only IPv6 addresses, and that family does not work here.",
        wrong_when="Its resolver hides those of the other family, and nothing else could be asked.",
        matches=lambda facts: facts.family_missing,
    ),
    Rule(
        id="partial.any_name",
        meaning="Of many connections to it, or to another endpoint of the platform, a share is cut"
        " off, whatever name they send: a server, or the line to it, is faulty. It answered before"
        " in this cycle, or that share explains what fails here.",
        wrong_when="A censor cuts off a share of all connections to the platform's addresses.",
        matches=lambda facts: facts.any_name or facts.sign == ANY_NAME,
    ),
    spares(
        "tls.local_authority",
        "A device at the vantage's own site decrypts this connection: the same authority,"
        " which nobody trusts, signs for a reference or for platforms of different owners; or it is"
        " that of software on people's own machines.",
        "The country itself decrypts connections to several platforms, with an authority"
        " that is not known yet.",
    ),
)
