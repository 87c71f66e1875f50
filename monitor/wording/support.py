"""How much those who find a platform blocked weigh together, and why not more."""

from collections.abc import Mapping, Sequence

from monitor.analysis.events.event import Event, NetworkStatus
from monitor.analysis.events.support import NEW_KEYS, ONE_SOURCE, UNSETTLED
from monitor.wording.languages import N_
from monitor.wording.words import Words

DOUBTS: Mapping[str, str] = {
    ONE_SOURCE: N_("All tests that find it blocked come from one host or one network."),
    NEW_KEYS: N_("Some of them come from new vantage points, which count less at first."),
    UNSETTLED: N_("The controls disagree or are too few, so it may be down instead."),
}


def weight(words: Words, event: Event) -> str:
    """How much those who find it blocked weigh; empty where nobody needs weighing."""
    if event.weight is None:
        return ""
    return words.gettext(
        "%(weight)s; %(needed)s are needed to confirm a block",
        weight=words.number(event.weight),
        needed=words.number(event.weight_needed),
    )


def doubts(words: Words, event: Event) -> Sequence[str]:
    """Why it does not weigh more, a sentence each."""
    return [words.gettext(DOUBTS[name]) for name in event.doubts if name in DOUBTS]


def network_weight(words: Words, network: NetworkStatus) -> str:
    """What one network adds; empty where nobody needs weighing, and where it was never blocked."""
    if network.weight is None or not network.affected:
        return ""
    return words.gettext("counts %(weight)s", weight=words.number(network.weight))
