"""Phrases for a vantage's health: its state, and notes for people."""

from collections.abc import Iterator, Mapping

from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.wording.languages import N_
from monitor.wording.words import Words

VANTAGE_STATES: Mapping[str, str] = {
    VantageState.OK: N_("working"),
    VantageState.LOSSY: N_("lossy"),
    VantageState.OFFLINE: N_("offline"),
    VantageState.CAPTIVE_PORTAL: N_("login page"),
    VantageState.INTERNATIONAL_CUT: N_("cut off from abroad"),
    VantageState.ALLOWLIST: N_("only a list of sites"),
    VantageState.UNKNOWN: N_("not known"),
}

VANTAGE_MEANINGS: Mapping[str, str] = {
    VantageState.OK: N_("the references answer"),
    VantageState.LOSSY: N_("the references answer only at times; timeouts prove nothing"),
    VantageState.OFFLINE: N_("its own link is down; nothing is judged"),
    VantageState.CAPTIVE_PORTAL: N_("a login page answers for everything; nothing is judged"),
    VantageState.INTERNATIONAL_CUT: N_("only references within the country answer"),
    VantageState.ALLOWLIST: N_("only a list of sites answers"),
    VantageState.UNKNOWN: N_("no recent test of a reference"),
}

STUB = N_("its resolver is a forwarder on its own machine, which hides forged answers")

IPV4_CUT = N_("over IPv4 it reaches nothing abroad, and its results are those of IPv6")


def notes(words: Words, health: VantageHealth) -> Iterator[str]:
    """One clause, without a full stop, for each thing to know, next to the state."""
    if health.stub_resolver:
        yield words.gettext(STUB)
    if health.rule_id == "vantage.ipv4_cut":
        yield words.gettext(IPV4_CUT)
    if health.passing:
        yield words.gettext("only these answer: %(hosts)s", hosts=words.pause.join(health.passing))
    if health.nat64:
        yield words.gettext("its network has IPv6 only and translates it to IPv4 (NAT64)")
    if health.exit_country:
        yield words.gettext(
            "its packets leave from %(there)s, not from %(here)s",
            there=words.country(health.exit_country),
            here=words.country(health.country),
        )
    elif health.exit_asn:
        yield words.gettext(
            "its packets leave from AS%(there)s, not from AS%(here)s",
            there=str(health.exit_asn),
            here=str(health.asn),
        )
