"""Networks by name and number."""

from collections.abc import Callable, Sequence

from monitor.analysis.events.event import NetworkStatus
from monitor.wording.words import Words


def network_name(words: Words, name: str, asn: int, note: str = "") -> str:
    """`PTCL (AS17557)`, as far as known; with a note `PTCL (AS17557, was blocked)`."""
    number = words.ltr(f"AS{asn}") if asn else ""
    shown = words.name(name, 80) if name else number or words.gettext("unknown network")
    inner = [one for one in (number if name else "", note) if one]
    if not inner:
        return shown
    return words.gettext("%(name)s (%(number)s)", name=shown, number=words.listed(inner))


def network_names(
    words: Words,
    networks: Sequence[NetworkStatus],
    most: int,
    note: Callable[[NetworkStatus], str] = lambda _: "",
) -> str:
    """All of them, or the first `most` and how many more, each with its note."""
    named = [network_name(words, one.network, one.asn, note(one)) for one in networks[:most]]
    more = len(networks) - len(named)
    if not more:
        return words.joined(named)
    rest = words.gettext("%(n)s more", n=words.number(more))
    return words.joined([*named, rest])
