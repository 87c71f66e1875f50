"""What things are called in messages."""

from collections.abc import Mapping, Sequence

from monitor.analysis.events.event import Event, NetworkStatus
from monitor.analysis.judge.rules import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.notify.plain_names import plain_name

NETWORKS_NAMED = 10
"""Of a longer list the rest is counted."""

_METHODS: Mapping[str, str] = {
    # Where several rules say the same method, the one that is named like it.
    **{f"{rule.method}.{rule.sub_method}": rule.meaning for rule in RULES if rule.sub_method},
    **{rule.id: rule.meaning for rule in RULES if rule.method and rule.sub_method},
    **{f"throttling.{rule.sub_method}": rule.meaning for rule in THROTTLING_RULES},
}
_LAYERS: Mapping[str, str] = {
    "dns": "Its name does not resolve as it should.",
    "tcp": "Connections to its addresses do not work.",
    "tls": "Encrypted connections to it do not work.",
    "http": "Its pages do not come.",
    "quic": "It answers over TCP, but not over QUIC.",
    "udp": "Calls do not work.",
    "throttling": "It is slowed down.",
}


def country_name(code: str) -> str:
    """The country's name; the code itself where it is of somebody's own making."""
    from monitor.wording.languages import LANGUAGES, words_in  # agents must not load Babel

    return plain_name(words_in(LANGUAGES[0]).country(code))


def platform_name(event: Event, titles: Mapping[str, str]) -> str:
    """The platform as people call it; `titles` are by name."""
    return plain_name(titles.get(event.platform, event.platform))


def network_name(status: NetworkStatus) -> str:
    """`AS17557 PTCL`, as far as known."""
    number = f"AS{status.asn}" if status.asn else ""
    return " ".join(filter(None, (number, plain_name(status.network)))) or "a network"


def network_names(networks: Sequence[NetworkStatus]) -> str:
    """All of them, or the first and how many more."""
    named = [network_name(status) for status in networks[:NETWORKS_NAMED]]
    more = len(networks) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def method_words(method: str) -> str:
    """What `method.sub_method` looks like to people on the network, as a sentence."""
    if method in _METHODS:
        return f"{_METHODS[method]} ({method})"
    told = _LAYERS.get(method.partition(".")[0], "")
    return f"{told} ({plain_name(method)})" if told else plain_name(method)
