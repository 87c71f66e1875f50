"""Networks by name and number."""

from collections.abc import Sequence

from monitor.analysis.events.event import NetworkStatus
from monitor.wording.words import Words


def network_name(words: Words, name: str, asn: int) -> str:
    """`PTCL (AS17557)`, as far as known."""
    number = words.ltr(f"AS{asn}") if asn else ""
    if not name:
        return number or "–"
    shown = words.name(name, 80)
    return words.gettext("%(name)s (%(number)s)", name=shown, number=number) if number else shown


def network_names(words: Words, networks: Sequence[NetworkStatus], most: int) -> str:
    """All of them, or the first `most` and how many more."""
    named = [network_name(words, one.network, one.asn) for one in networks[:most]]
    more = len(networks) - len(named)
    if not more:
        return words.joined(named)
    rest = words.gettext("%(n)s more", n=words.number(more))
    return words.joined([*named, rest])
