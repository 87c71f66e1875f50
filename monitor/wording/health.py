"""What a vantage's health does not say by its state alone, in sentences for people."""

from monitor.analysis.verdict import VantageHealth

STUB = (
    "names are asked of a forwarder on this machine, which answers once and so hides forged answers"
)
HOW_TO_SEE_PAST_STUB = 'set its resolver to the network\'s own, as in resolver = "192.0.2.53"'


def notes(health: VantageHealth) -> tuple[str, ...]:
    """One sentence, without a full stop, for each thing to know; none when there is nothing."""
    found = []
    if health.stub_resolver:
        found.append(STUB)
    if health.nat64:
        found.append("this network has IPv6 alone and translates it to IPv4 (NAT64)")
    if health.exit_country:
        found.append(f"its packets come out in {health.exit_country}, not in {health.country}")
    elif health.exit_asn:
        found.append(f"its packets come out of AS{health.exit_asn}, not of AS{health.asn}")
    return tuple(found)
