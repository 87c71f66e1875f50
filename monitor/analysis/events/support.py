"""How much those who find a platform blocked weigh together, and why not more.

Only where agents are judged: an operator's own vantages need no weighing.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stream import Stream

ONE_SOURCE, NEW_KEYS, UNSETTLED = "one_source", "new_keys", "controls_unsettled"
DOUBTS = (ONE_SOURCE, NEW_KEYS, UNSETTLED)


class Support(msgspec.Struct, frozen=True, kw_only=True):
    """What the accusing vantages of one platform in one country weigh at one moment."""

    weight: float
    by_network: dict[tuple[int, str], float]
    doubts: tuple[str, ...]
    """Of `DOUBTS`."""


def support_of(streams: Iterable[Stream], now: datetime, settings: EventSettings) -> Support | None:
    """The support of a block at `now` (UTC); None where no agents are judged."""
    trust = settings.trust
    if not trust.agents:
        return None
    suspecting = [one for one in streams if one.suspected and one.run is not None]
    accusing = [one for one in suspecting if is_settled(one)]
    sources = trust.by_source((one.voice for one in accusing), now)
    by_network = {one.key: 0.0 for one in suspecting}
    for one in accusing:
        by_network[one.key] = max(by_network[one.key], trust.weight(one.vantage, now))
    found = {
        ONE_SOURCE: len(sources) == 1,
        NEW_KEYS: any(trust.is_new(one.vantage, now) for one in accusing),
        UNSETTLED: any(one.run is not None and not one.run.settled for one in suspecting),
    }
    return Support(
        weight=sum(sources.values()),
        by_network=by_network,
        doubts=tuple(name for name in DOUBTS if found[name]),
    )


def is_settled(stream: Stream) -> bool:
    """Whether its block does not rest on controls that disagree, or on one agent's alone, or on
    what is a mere lead."""
    return stream.run is not None and stream.run.settled and not stream.run.lead
